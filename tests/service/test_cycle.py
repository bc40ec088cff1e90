"""A whole cycle: what it leaves behind at the exchange, in the journal and in its result."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.core.canonical import parse_moment
from rebalancer.core.model import Side
from rebalancer.core.orders import Event
from rebalancer.core.reasons import Deny
from rebalancer.errors import Unavailable
from rebalancer.journal.rows import Kind
from rebalancer.service.cycle import CycleResult, CycleStatus, decide
from rebalancer.service.shell import DRY_RUN
from tests.service.house import House
from tests.service.truth import must_be_settled, must_hold
from tests.support import machine_in


def random_holdings(seed: int) -> dict[str, Decimal]:
    rng = random.Random(seed)
    worth = {"BTC": 88_000, "ETH": 2_920, "SOL": 138, "USDT": 1}
    return {asset: Decimal(f"{rng.uniform(0, 30_000) / usd:.8f}") for asset, usd in worth.items()}


@pytest.mark.parametrize("seed", range(8))
def test_live_cycle_leaves_every_asset_in_its_band_or_with_a_named_reason_and_both_sides_equal(
    seed: int, tmp_path: Path
) -> None:
    start = random_holdings(seed)
    house = House(tmp_path, balances=start)
    house.cycle()
    assert house.booked(start) == {asset: house.held(asset) for asset in start}, seed
    plan = decide(house.shell, house.targets).plan
    named = {skip.asset for skip in plan.skips}
    for line in plan.assets:
        assert line.band_low <= line.weight <= line.band_high or line.asset in named, (seed, line)
    posts = len(house.wire.posts)
    must_be_settled(house, seed)
    assert len(house.wire.posts) == posts, seed


def test_dry_run_records_what_it_would_do_and_sends_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, mode=DRY_RUN)
    result = house.cycle()
    assert result.plan is not None and result.plan.legs
    assert (result.status, result.orders) == (CycleStatus.DONE, ())
    assert house.kinds(result.run_id) == ["RUN", "CONFIG", "SNAPSHOT", "LEDGER", "PLAN", "RUN_CLOSED"]
    assert not house.wire.posts
    assert not house.journal.state.open_plan


def test_dry_run_is_not_stopped_by_a_pause(tmp_path: Path) -> None:
    house = House(tmp_path, mode=DRY_RUN)
    house.pause.pause("holiday")
    assert house.cycle().status is CycleStatus.DONE


def test_deciding_writes_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    rows = house.journal.last_seq
    assert decide(house.shell, house.targets).plan.legs
    assert house.journal.last_seq == rows


def test_slot_tried_again_gets_the_next_attempt(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.clock.advance(-60)
    first = house.cycle()
    house.clock.advance(-60)
    assert house.cycle().run_id == first.run_id.replace("-a1", "-a2")


def attempt(house: House) -> tuple[CycleResult | None, Unavailable | None]:
    try:
        return house.cycle(), None
    except Unavailable as exc:
        return None, exc


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("missing_row@balance", Deny.BALANCE_MISSING),
        ("one_sided@depth", Deny.QUOTE_ONE_SIDED),
        ("zero_price@tickers", Deny.QUOTE_MISSING),
        ("halted@market-status", "market-halted"),
        ("cancel_only@market-status", "market-halted"),
        ("clock_skew@timestamp", "clock-skew"),
        ("html_502@balance", "502"),
    ],
)
def test_doubtful_input_ends_the_cycle_without_an_order_and_with_a_named_reason(
    fault: str, reason: str, tmp_path: Path
) -> None:
    house = House(tmp_path, faults=fault)
    result, refusal = attempt(house)
    if refusal is not None:
        assert refusal.code == reason
        assert house.payloads(Kind.RUN_CLOSED)[-1] == {"status": "unavailable", "text": str(refusal)}
    else:
        assert result is not None and result.status is CycleStatus.REFUSED
        assert result.plan is not None and reason in {denial.code for denial in result.plan.denials}
    assert not house.wire.posts
    assert not house.payloads(Kind.INTENT)
    house.set_faults("")
    assert house.cycle().status is CycleStatus.DONE


def test_defect_ends_the_run_in_the_journal_without_its_text(tmp_path: Path) -> None:
    house = House(tmp_path)

    def break_down(_progress: object) -> None:
        raise ZeroDivisionError("with something private in it")

    house.on_progress = break_down
    with pytest.raises(ZeroDivisionError):
        house.cycle()
    assert house.payloads(Kind.RUN_CLOSED) == [{"status": "failed", "text": "ZeroDivisionError"}]
    assert not house.wire.posts


@pytest.mark.parametrize("seed", range(4))
def test_limits_hold_over_cycles_and_restarts_and_leave_room_again_a_day_later(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    house = House(tmp_path)
    house.limits(
        max_order_notional=Decimal(rng.randint(500, 2_000)),
        max_turnover_per_cycle=Decimal(rng.randint(3, 8)),
        max_turnover_per_day=Decimal(rng.randint(8, 12)),
        max_notional_per_day=Decimal(rng.randint(5_000, 9_000)),
        max_orders_per_day=rng.randint(4, 9),
    )
    worth = Decimal(70_000)
    for _ in range(8):
        house.cycle()
        house.restart()
        house.clock.advance(rng.randint(60, 3_000))
    within_limits(house, worth, seed)
    sent = len(house.wire.posts)
    house.clock.advance(24 * 3600)
    assert house.cycle().orders, seed
    assert len(house.wire.posts) > sent, seed
    within_limits(house, worth, seed)
    must_hold(house, seed)


def within_limits(house: House, worth: Decimal, seed: int) -> None:
    """Raise when any order, any run or any 24 hours took more than its limit; `worth` is no less than the NAV."""
    limits = house.targets.limits
    assert limits.max_order_notional is not None and limits.max_notional_per_day is not None
    sent = [record for record in house.records if record.signed_at is not None]
    assert sent, seed
    for record in sent:
        assert record.notional_quote <= limits.max_order_notional, (seed, record)
        assert record.signed_at is not None
        since = record.signed_at - timedelta(hours=24)
        day = [each for each in sent if each.signed_at is not None and since < each.signed_at <= record.signed_at]
        assert len(day) <= limits.max_orders_per_day, seed
        assert sum(each.notional_quote for each in day) <= limits.max_notional_per_day, seed
        run = [each for each in sent if each.run_id == record.run_id]
        for side in Side:
            of_day = sum(each.notional_quote for each in day if each.side is side)
            of_run = sum(each.notional_quote for each in run if each.side is side)
            assert of_day <= limits.max_turnover_per_day / 100 * worth, seed
            assert of_run <= limits.max_turnover_per_cycle / 100 * worth, seed


@pytest.mark.parametrize("zone", ["Asia/Singapore", "America/St_Johns"])
def test_what_the_machine_calls_its_time_zone_changes_no_row(
    zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference speaks of Singapore time for what are milliseconds since 1970."""
    monkeypatch.setattr("rebalancer.journal.store.random.SystemRandom", lambda: random.Random(7))
    rows = []
    for place in ("UTC", zone):
        (tmp_path / place.replace("/", "-")).mkdir()
        with machine_in(place):
            house = House(tmp_path / place.replace("/", "-"))
            for _ in range(3):
                house.cycle()
                house.clock.advance(5 * 3600)
            rows.append(list(house.journal.rows()))
            fill = next(iter(house.exchange.state.orders.values())).trades[0]
            (booked, *_rest) = json.loads(house.outcomes(Event.FILL)[0].payload_text)["fills"]
            assert parse_moment(booked["at"]).timestamp() * 1000 == fill.at_ms
    assert rows[0] == rows[1] and len(rows[0]) > 20


def test_times_in_the_journal_are_the_exchanges_where_the_exchange_is_meant(tmp_path: Path) -> None:
    house = House(tmp_path, wrong_s=5)
    house.cycle()
    signed = [parse_moment(sending["signed_at"]) for sending in house.payloads(Kind.SENDING)]
    assert signed and all(moment <= house.clock.now() for moment in signed)
    assert any("clock is" in progress.text for progress in house.said)
