"""What the page asks for, carried out by a living service; and what it can never bring about."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime
from pathlib import Path

from rebalancer.service.requests import Ask, Request, leave
from rebalancer.targets.staging import staged_in
from tests.e2e.processes import Home, document, rebalancer
from tests.e2e.test_serve import exchange_options, line_with, serving
from tests.simulator.loopback import running_exchange

NEVER = "0 0 29 2 *"  # a schedule that has no slot while this runs


def test_a_pause_a_dry_run_and_a_change_of_targets_are_carried_out_and_nothing_is_sent(tmp_path: Path) -> None:
    home = Home(tmp_path, cron=NEVER)
    weights = {"BTC": "30", "ETH": "30", "SOL": "10", "XRP": "10", "LINK": "5", "USDT": "15"}
    with running_exchange(*exchange_options(tmp_path, 1)) as (url, _):
        with serving(home, url, "--live", live=True, rate=1) as process:
            for request in (
                Request(Ask.DRY_RUN, datetime.now(UTC), {}),  # noqa: TID251  # a page has a clock of its own
                Request(Ask.STAGE_TARGETS, datetime.now(UTC), {"weights": weights, "based_on": "x"}),  # noqa: TID251
                Request(Ask.PAUSE, datetime.now(UTC), {"reason": "holiday"}),  # noqa: TID251
            ):
                leave(home.state, request)
            assert "asked-" in line_with(process, "event='cycle'.*mode='dry-run'")
            line_with(process, "event='asked'.*pause")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=40)
        status = document(rebalancer(home.environment(url), "status", "--json"))
    assert status["paused"] == "asked for on the page: holiday"
    staged = staged_in(home.state)
    assert staged is not None and {a: str(w) for a, w in staged.weights.items()} == weights
    runs = document(rebalancer(home.environment(url), "history", "--json"))["runs"]
    assert [(run["mode"], run["orders"]) for run in runs] == [("dry-run", [])]
    assert not json.loads((tmp_path / "exchange.json").read_text())["orders"]
