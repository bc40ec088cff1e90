"""Two processes and a socket between them: the account ends where its owner wants it, to the last digit."""

from __future__ import annotations

import json
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rebalancer.service.clock import SystemClock
from tests.e2e.processes import ACCESS_KEY, BALANCES, SECRET_KEY, Home, document, rebalancer
from tests.simulator.loopback import running_exchange

RUNS_MAX = 20
LOOKS_APART_S = 600  # from when on a price that was told twice is trusted, and more than the smallest orders are sent
FAULTS = "lost_reply@place=1x2,html_502@balance=1x2,partial=0.5x1,http_429@depth=0.2x2,invisible=1x1"
PROOF = "lost_request@place=1x1"  # it takes the signature's life and a good minute to prove that nothing came of it
STRUCK = ("lost_reply", "lost_request", "html_502", "invisible")


def exchange_options(state: Path, *more: str) -> tuple[str, ...]:
    return (
        "--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY, "--balances", BALANCES, "--state", str(state),
        "--speed", "0.000001", *more,
    )  # fmt: skip


def run_until_settled(home: Home, url: str, rate: float) -> list[dict[str, Any]]:
    """Run live cycles until one has nothing to trade and nothing open."""
    seen = []
    for _ in range(RUNS_MAX):
        done = rebalancer(home.environment(url, rate=rate), "run", "--live", "--json")
        if done.returncode in (75, 1) or not done.stdout:
            assert done.returncode == 75, done.stderr
            continue
        seen.append(document(done))
        if seen[-1]["status"] == "within_bands" or (seen[-1]["plan"] and not seen[-1]["plan"]["legs"]):
            return seen
        if len(seen) == 1:
            SystemClock(rate).sleep(LOOKS_APART_S)
    raise AssertionError([each["status"] for each in seen])


def truth(state: Path) -> dict[str, Any]:
    loaded = json.loads(state.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def held_at_exchange(state: Path) -> dict[str, Decimal]:
    wallets = truth(state)["users"][ACCESS_KEY]["wallets"]
    return {name.upper(): Decimal(w["trade"]) + Decimal(w["frozen"]) for name, w in wallets.items()}


def assert_every_asset_is_explained(plan: dict[str, Any]) -> None:
    skipped = {skip["asset"] for skip in plan["skips"]}
    for line in plan["assets"]:
        inside = Decimal(line["band_low"]) <= Decimal(line["weight"]) <= Decimal(line["band_high"])
        assert inside or line["asset"] in skipped or line["reason"]["code"] == "cash_balances", line
        assert line["reason"]["text"]


@pytest.mark.parametrize(
    ("faults", "rate", "order_type"),
    [("", 60.0, "market"), (FAULTS, 20.0, "market"), (PROOF, 40.0, "market"), ("", 60.0, "ioc"), (FAULTS, 20.0, "ioc")],
    ids=["clear", "faults", "proof of absence", "ioc", "ioc and faults"],
)
def test_live_runs_over_a_socket_settle_and_both_sides_agree_to_the_last_digit(
    tmp_path: Path, faults: str, rate: float, order_type: str
) -> None:
    home, state = Home(tmp_path, order_type=order_type), tmp_path / "exchange.json"
    more = ("--clock-rate", f"{rate:g}", *(("--faults", faults) if faults else ()))
    with running_exchange(*exchange_options(state, *more)) as (url, process):
        runs = run_until_settled(home, url, rate)
        last = runs[-1]["plan"]
        assert_every_asset_is_explained(last)
        orders = len(truth(state)["orders"])
        assert orders > 2
        again = document(rebalancer(home.environment(url, rate=rate), "run", "--live", "--json"))
        assert again["orders"] == [] and len(truth(state)["orders"]) == orders
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        last_words = process.stderr.read()
    for line in last["assets"]:  # the exchange wrote its last word down when it ended
        ours = Decimal(line["free"]) + Decimal(line["locked"])
        assert ours == held_at_exchange(state)[line["asset"]], line["asset"]
    assert all(f"{kind} " in last_words for kind in STRUCK if kind in faults), last_words
    ends = {order["state"] for run in runs for order in run["orders"]}
    assert ("absent" in ends) == (faults == PROOF), ends
    assert {order["kind"].partition("-")[2] for order in truth(state)["orders"].values()} == {order_type}
    ids = [order["client_order_id"] for order in truth(state)["orders"].values()]
    assert len(set(ids)) == len(ids), "two orders of one intent"


def test_a_dry_run_over_the_socket_sends_nothing_and_live_needs_both_words(tmp_path: Path) -> None:
    home, state = Home(tmp_path), tmp_path / "exchange.json"
    with running_exchange(*exchange_options(state)) as (url, _):
        dry = rebalancer(home.environment(url), "run", "--json")
        assert dry.returncode == 0 and document(dry)["mode"] == "dry-run"
        assert rebalancer(home.environment(url, live=False), "run", "--live").returncode == 78
        plan = document(rebalancer(home.environment(url, live=False), "plan", "--json"))
        assert plan["venue"] == "loopback" and plan["legs"]
        assert not state.exists(), "an order reached the exchange"
