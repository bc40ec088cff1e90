"""The figures for Prometheus, over real cycles, and a board whose every query asks for figures that exist."""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from importlib.resources import files
from pathlib import Path

import pytest

from rebalancer.alerts.condition import Condition, Seen
from rebalancer.alerts.herald import Herald
from rebalancer.errors import ConfigError
from rebalancer.metrics import Metrics
from tests.alerts.test_herald import Ears, Told
from tests.core.builders import NOW
from tests.service.house import House
from tests.support import FakeClock

BOARD = json.loads((files("rebalancer") / "assets" / "grafana.json").read_text())


def living(folder: Path, cycles: int = 4) -> tuple[Told, Metrics]:
    house, ears = House(folder), Ears()
    metrics = Metrics(house.clock)
    metrics.started(mode="live", venue="embedded", version="1")
    herald = Herald(folder, ears, house.clock, lambda seen, result: metrics.saw(seen, result, house.journal.state))
    told = Told(house, ears, herald)
    for _ in range(cycles):
        told.cycle()
    return told, metrics


def test_the_figures_are_those_of_the_journal_and_the_last_plan(tmp_path: Path) -> None:
    told, metrics = living(tmp_path)
    value = metrics.registry.get_sample_value
    state = told.house.journal.state
    assert state.books is not None
    assert value("rebalancer_nav_quote") == float(state.books.nav_quote)
    assert value("rebalancer_fees_quote") == float(state.books.fees_quote) > 0
    assert value("rebalancer_target", {"asset": "BTC"}) == 0.4
    filled = [value("rebalancer_orders_total", {"side": side, "state": "filled"}) or 0 for side in ("buy", "sell")]
    assert sum(filled) == state.books.orders == len(state.intents)
    assert value("rebalancer_condition", {"condition": "fine"}) == 1
    assert value("rebalancer_last_good_cycle_timestamp_seconds") == told.house.clock.now().timestamp()


def test_a_trouble_moves_the_condition_and_leaves_the_last_good_cycle(tmp_path: Path) -> None:
    told, metrics = living(tmp_path, 2)
    good = metrics.registry.get_sample_value("rebalancer_last_good_cycle_timestamp_seconds")
    told.house.pause.path.write_text("holiday")
    told.cycle()
    value = metrics.registry.get_sample_value
    shown = {each.value: value("rebalancer_condition", {"condition": each.value}) for each in Condition}
    assert [name for name, flag in shown.items() if flag] == ["paused"]
    assert value("rebalancer_last_good_cycle_timestamp_seconds") == good
    assert value("rebalancer_last_cycle_timestamp_seconds") > good  # type: ignore[operator]


def test_every_query_of_the_board_asks_for_figures_that_exist(tmp_path: Path) -> None:
    _, metrics = living(tmp_path, 1)
    known = {sample.name: set(sample.labels) for family in metrics.registry.collect() for sample in family.samples}
    queries = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
    legends = [target["legendFormat"] for panel in BOARD["panels"] for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"rebalancer_\w+", query)}
    assert asked <= set(known), asked - set(known)
    for query, legend in zip(queries, legends, strict=True):
        labels = {label for name in re.findall(r"rebalancer_\w+", query) for label in known[name]}
        grouped = re.findall(r"by \(([^)]*)\)", query)
        named = set(re.findall(r"\{\{(\w+)\}\}", legend)) | {
            part.strip() for each in grouped for part in each.split(",")
        }
        assert named <= labels, query
    created = {name for name in known if name.endswith("_created")}
    assert set(known) - created - asked == {"rebalancer_last_cycle_timestamp_seconds"}, "figures that no panel shows"


def test_prometheus_can_ask_on_loopback_and_a_taken_port_is_said() -> None:
    metrics = Metrics(FakeClock(NOW))
    metrics.saw(Seen(Condition.UNREACHABLE, "timed out"), None, None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    end = metrics.listen(port)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
            text = answer.read().decode()
        assert 'rebalancer_condition{condition="unreachable"} 1.0' in text
        with pytest.raises(ConfigError, match=f"REBALANCER_METRICS_PORT={port}: cannot be listened on"):
            Metrics(FakeClock(NOW)).listen(port)
    finally:
        end()
