"""What must be true before a plan is made."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rebalancer.core.model import MarketState, MarketStatus
from rebalancer.core.reasons import Deny
from rebalancer.errors import GuardTripped, Unavailable
from rebalancer.journal import records
from rebalancer.journal.rows import Kind
from rebalancer.service.gate import (
    FREE_BYTES_MIN,
    SKEW_MAX_S,
    SKEW_WARN_S,
    require_no_stop,
    require_open_market,
    require_sane_clock,
)
from rebalancer.service.shell import Step
from tests.core.builders import snapshot
from tests.service.house import House

SEEN = snapshot({"BTC": 1, "ETH": 1, "USDT": 1}, {"BTC": 90_000, "ETH": 3_000})


def test_pause_refuses_the_cycle_with_the_owners_reason(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.pause.pause("on holiday")
    with pytest.raises(GuardTripped, match="on holiday") as caught:
        house.cycle()
    assert caught.value.code == Deny.PAUSED
    assert house.payloads(Kind.RUN_CLOSED)[-1]["status"] == "refused"
    assert not house.wire.calls
    house.pause.resume()
    require_no_stop(house.shell)


def test_halt_refuses_every_cycle_and_names_the_row_to_acknowledge(tmp_path: Path) -> None:
    house = House(tmp_path)
    (row,) = house.journal.append(records.halt("foreign_order", "something strange"))
    for _ in range(2):
        with pytest.raises(GuardTripped, match=f"something strange.*ack {row.seq}") as caught:
            house.cycle()
        assert caught.value.code == Deny.HALTED
        house.restart()
    house.journal.append(records.ack_halt(row.seq, "owner"))
    require_no_stop(house.shell)


@pytest.mark.parametrize("sign", [1, -1])
def test_clock_is_borne_then_warned_of_then_refused(sign: int, tmp_path: Path) -> None:
    house = House(tmp_path)
    require_sane_clock(house.shell, sign * SKEW_WARN_S)
    assert not house.said
    require_sane_clock(house.shell, sign * SKEW_MAX_S)
    assert [progress.step for progress in house.said] == [Step.WARNING]
    with pytest.raises(Unavailable, match="NTP") as caught:
        require_sane_clock(house.shell, sign * (SKEW_MAX_S + 0.1))
    assert caught.value.code == "clock-skew"


@pytest.mark.parametrize("wrong_s", [-3_600, -11, 11, 3_600])
def test_machine_with_a_wrong_clock_sends_nothing(wrong_s: float, tmp_path: Path) -> None:
    house = House(tmp_path, wrong_s=wrong_s)
    with pytest.raises(Unavailable, match="clock"):
        house.cycle()
    assert not house.wire.posts


@pytest.mark.parametrize("affected", ["", "all", "all,btcusdt"])
@pytest.mark.parametrize(("state", "word"), [(MarketState.HALTED, "halted"), (MarketState.CANCEL_ONLY, "cancel-only")])
def test_exchange_that_does_not_trade_is_named_with_its_end(state: MarketState, word: str, affected: str) -> None:
    end = datetime(2026, 3, 1, 15, 30, tzinfo=UTC)
    with pytest.raises(Unavailable, match=f"{word} until 2026-03-01 15:30 UTC") as caught:
        require_open_market(MarketStatus(state, affected, end))
    assert caught.value.code == "market-halted"


def test_halt_of_some_symbols_stops_those_only() -> None:
    some = MarketStatus(MarketState.HALTED, "ethusdt,xrpusdt")
    require_open_market(some)
    assert [symbol for symbol in ("btcusdt", "ethusdt", "xrpusdt") if some.is_halted(symbol)] == ["ethusdt", "xrpusdt"]
    fine = MarketStatus(MarketState.NORMAL, "all")
    require_open_market(fine)
    assert not fine.is_halted("btcusdt")


@pytest.mark.parametrize(("free", "sends"), [(None, True), (FREE_BYTES_MIN, True), (FREE_BYTES_MIN - 1, False)])
def test_a_disk_that_is_nearly_full_stops_live_plans_by_name_and_no_dry_run(
    free: int | None, sends: bool, tmp_path: Path
) -> None:
    house = House(tmp_path)
    house.shell = replace(house.shell, free_bytes=lambda: free)
    if sends:
        assert house.cycle().orders
        return
    with pytest.raises(GuardTripped, match="the disk of the journal has 500 MB left") as caught:
        house.cycle()
    assert caught.value.code == Deny.DISK_LOW and not house.wire.posts
    assert house.payloads(Kind.RUN_CLOSED)[-1]["status"] == "refused"
    house.shell = replace(house.shell, mode="dry-run")
    assert house.cycle().plan is not None


def test_exchange_closed_on_its_own_word_takes_no_order(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.exchange.status.state = 3
    with pytest.raises(Unavailable, match="cancel-only"):
        house.cycle()
    assert not house.wire.posts
