"""A period and the trades of one, figure for figure, from rows that were written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rebalancer.core.ids import run_id
from rebalancer.core.model import Fill, LimitIoc, Order, Side
from rebalancer.core.money import BaseAmount
from rebalancer.core.orders import Event
from rebalancer.journal import records
from rebalancer.journal.records import Intent
from rebalancer.journal.state import Halt
from rebalancer.journal.store import Journal
from rebalancer.journal.trades import Traded, runs_signed, traded_between, traded_in
from rebalancer.journal.weeks import Count, Period, Stray, read_period, week_of
from tests.core.builders import NOW, d
from tests.journal.builders import PLAN, RUN, intent, moved, new_journal, order_of, planned, sending, started
from tests.journal.test_tables import BOOKS
from tests.support import FakeClock

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECOND_RUN, THIRD_RUN, OUT = (run_id("test", NOW + hours * HOUR, 1) for hours in (1, 2, 3))
SOLD = intent(1)
DIRECT = replace(
    intent(2), asset="ETH", symbol="ethbtc", quote="BTC", terms=LimitIoc(Side.BUY, BaseAmount(d(2)), d("0.1"))
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW - MINUTE)


@pytest.fixture
def journal(clock: FakeClock) -> Iterator[Journal]:
    with new_journal(clock=clock) as made:
        yield made


def asset(name: str, weight: str, drift: str, text: str, low: str = "0.4", high: str = "0.6") -> dict[str, Any]:
    reason = {"code": "code", "text": text}
    return {"asset": name, "weight": weight, "drift": drift, "band_low": low, "band_high": high, "reason": reason}


def plan_document(taken_at: str, *assets: dict[str, Any], legs: int = 0, **more: Any) -> dict[str, Any]:
    return {"taken_at": taken_at, "totals": None, "legs": [{}] * legs, "assets": list(assets), **more}


def skip(code: str, text: str) -> dict[str, Any]:
    return {"asset": "BTC", "reason": {"code": code, "text": text}}


FIRST_PLAN = plan_document(
    "2026-03-01T12:00:01Z", asset("BTC", "0.65", "0.15", "sold"), asset("USDT", "0.35", "-0.15", "cash"), legs=1,
    skips=[skip("small", "too small"), skip("small", "far too small"), skip("rest", "rests")],
    denials=[{"code": "paused", "text": "it was paused"}],
)  # fmt: skip
SECOND_PLAN = plan_document(
    "2026-03-01T13:00:01Z", asset("BTC", "0.4", "-0.1", "inside"), asset("ETH", "0.601", "-0.2", "limits"),
    asset("SOL", "0.6", "0.2", "at its edge"), asset("ADA", "0.399", "0.1", "below"),
    skips=[skip("small", "")], denials=[{"code": "paused", "text": "again"}, {"code": "skew", "text": "the clocks"}],
)  # fmt: skip


def settled(made: Intent, order: Order, at: datetime, fees: dict[str, Any], *fills: Fill) -> tuple[Any, ...]:
    """Return the rows of an order from its plan to its end."""
    ended = records.outcome(made.run_id, made.intent_seq, Event.FILL, order=order, fees=fees, fills=fills, t_exch=at)
    return records.intent(made), sending(made, at), moved(made, Event.ACCEPT, at), ended


def fill_at(at: datetime | None) -> Fill:
    return Fill("71", "1001", "btcusdt", Side.SELL, d(400), d("0.25"), d(0), "USDT", filled_at=at)


def lived(journal: Journal, clock: FakeClock) -> None:
    """Write a run before the period, two within it and one that begins with its end."""
    journal.append(records.ledger("before", replace(BOOKS, orders=1)), records.ledger("before", BOOKS))
    journal.append(started("before", mode="dry-run"), records.halt("foreign_order", "of before"))
    clock.advance(60)
    journal.append(started(), records.ledger(RUN, replace(BOOKS, orders=7)))
    journal.append(planned(document=FIRST_PLAN))
    order = order_of(SOLD)
    journal.append(*settled(SOLD, order, NOW + MINUTE, {"USDT": d("0.2")}, fill_at(NOW + 2 * MINUTE), fill_at(None)))
    journal.append(records.run_closed(RUN, status="done", text="one order"), records.halt("slow", "it was slow"))
    clock.advance(3600)
    journal.append(started(SECOND_RUN, mode="dry-run"), records.ledger(SECOND_RUN, replace(BOOKS, orders=8)))
    journal.append(planned(SECOND_RUN, document=SECOND_PLAN, mode="dry-run"))
    journal.append(records.run_closed(SECOND_RUN, status="done"), records.run_closed(SECOND_RUN, status="refused"))
    waiting = replace(DIRECT, run_id=SECOND_RUN)
    journal.append(records.intent(waiting), sending(waiting, NOW + HOUR))
    clock.advance(3600)
    journal.append(started(OUT), records.ledger(OUT, BOOKS), records.halt("foreign_order", "of after"))
    journal.append(planned(OUT, document=FIRST_PLAN), records.run_closed(OUT, status="done", text="of after"))
    after = intent(1, run=OUT)
    journal.append(*settled(after, order_of(after), NOW + 2 * HOUR, {}))


SALE = Traded(
    at=NOW + 2 * MINUTE,
    run_id=RUN,
    intent_seq=1,
    symbol="btcusdt",
    spent="BTC",
    spent_amount=d("0.25"),
    received="USDT",
    received_amount=d(100),
    fees={"USDT": d("0.2")},
    fees_quote={"USDT": d("0.2")},
    value_quote=d(100),
    venue_order_id="1001",
    owner_said=False,
)


def test_a_period_is_exactly_what_its_rows_say(journal: Journal, clock: FakeClock) -> None:
    lived(journal, clock)
    halts = {halt.text: halt for halt in journal.state.halts.values()}
    since, until = NOW, NOW + 2 * HOUR
    slow = Halt(halts["it was slow"].seq, "slow", "it was slow", "2026-03-01T12:00:00Z")
    second = datetime(2026, 3, 1, 13, 0, 1, tzinfo=UTC)
    assert read_period(journal, since, until) == Period(
        since=since,
        until=until,
        quote="USDT",
        opened=BOOKS,
        closed=replace(BOOKS, orders=8),
        mode="dry-run",
        ran_before=True,
        began=[NOW, NOW + HOUR],
        statuses={"done": Count(2, "one order"), "refused": Count(1, "")},
        denials={"paused": Count(2, "again"), "skew": Count(1, "the clocks")},
        skips={"small": Count(3, "far too small"), "rest": Count(1, "rests")},
        stray=Stray("ETH", d("-0.2"), second, outside=True, why="limits"),
        still_outside=[
            Stray("ETH", d("-0.2"), second, outside=True, why="limits"),
            Stray("ADA", d("0.1"), second, outside=True, why="below"),
        ],
        looks=[replace(BOOKS, orders=7), replace(BOOKS, orders=8)],
        halts=[slow],
        open_halts=list(journal.state.halts.values()),
        trades=[SALE],
        unsettled=[journal.state.intents[SECOND_RUN, 2]],
    )
    assert list(halts) == ["of before", "it was slow", "of after"]


def test_a_period_before_which_there_was_nothing_opens_with_its_own_first_books(
    journal: Journal, clock: FakeClock
) -> None:
    lived(journal, clock)
    told = read_period(journal, NOW - HOUR, NOW + MINUTE)
    assert (told.opened, told.closed) == (replace(BOOKS, orders=1), replace(BOOKS, orders=7))
    assert (told.ran_before, told.mode, told.began) == (False, "live", [NOW - MINUTE, NOW])
    assert told.stray == Stray("BTC", d("0.15"), NOW + timedelta(seconds=1), outside=True, why="sold")
    assert told.still_outside == [], "the plan acted on it"


def test_a_journal_that_is_about_nothing_yet_has_a_blank_period(clock: FakeClock) -> None:
    with Journal.open(":memory:", clock) as journal:
        assert read_period(journal, NOW - HOUR, NOW) == Period(NOW - HOUR, NOW, "")


def test_plans_of_before_that_tell_neither_assets_nor_skips_are_read(journal: Journal) -> None:
    journal.append(started(), planned(document={"taken_at": "2026-03-01T12:00:01Z", "legs": []}))
    told = read_period(journal, NOW - HOUR, NOW + HOUR)
    assert (told.stray, told.still_outside, told.skips, told.denials) == (None, [], {}, {})


def test_the_week_of_a_moment_begins_with_its_monday_to_the_microsecond() -> None:
    monday, next_monday = datetime(2026, 2, 23, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    for moment in (
        datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 2, 23, 0, 0, 0, 1, tzinfo=UTC),
        datetime(2026, 2, 25, 12, 34, 56, 789, tzinfo=UTC),
        monday,
    ):
        assert week_of(moment) == (monday, next_monday)


def test_a_direct_trade_is_valued_at_the_prices_of_its_decision_and_without_one_not_at_all(journal: Journal) -> None:
    order = replace(order_of(DIRECT), filled_quantity=d(2), filled_quote=d("0.2"))
    fees = {"ETH": d("0.004"), "HTX": d(3), "BTC": d(0), "USDT": d("0.5")}
    rows = settled(DIRECT, order, NOW, fees, fill_at(NOW + MINUTE))
    journal.append(started(), planned(), *rows)
    blind = replace(DIRECT, run_id=SECOND_RUN)
    unseen = replace(PLAN, assets=PLAN.assets[1:])
    journal.append(planned(SECOND_RUN, plan=unseen), *settled(blind, order, NOW, fees, fill_at(NOW + MINUTE)))
    seen = Traded(
        at=NOW + MINUTE, run_id=RUN, intent_seq=2, symbol="ethbtc", spent="BTC", spent_amount=d("0.2"), received="ETH",
        received_amount=d(2), fees={"ETH": d("0.004"), "HTX": d(3), "USDT": d("0.5")}, fees_quote={"USDT": d("0.5")},
        value_quote=d(10_000), venue_order_id="1001",
    )  # fmt: skip
    assert list(traded_between(journal, None, None)) == [seen, replace(seen, run_id=SECOND_RUN, value_quote=None)]


def test_what_was_signed_in_a_period_and_filled_after_it_belongs_to_the_next(journal: Journal) -> None:
    journal.append(started(), planned(), *settled(SOLD, order_of(SOLD), NOW, {}, fill_at(NOW + 2 * MINUTE)))
    sale = replace(SALE, fees={}, fees_quote={})
    for since, until, found in (
        (None, NOW + MINUTE, []),
        (NOW, NOW + 2 * MINUTE, []),
        (NOW + 2 * MINUTE, NOW + HOUR, [sale]),
        (NOW + 3 * MINUTE, None, []),
    ):
        assert list(traded_between(journal, since, until)) == found
        assert list(traded_in(journal, RUN, since, until)) == found


def test_a_run_is_asked_about_from_an_hour_after_its_last_signature_back(journal: Journal) -> None:
    journal.append(started(), planned(), records.intent(SOLD), sending(SOLD, NOW))
    other = replace(intent(1, run=SECOND_RUN))
    journal.append(records.intent(other), sending(other, NOW + HOUR))
    tick = timedelta(microseconds=1)
    for since, until, found in (
        (None, None, [RUN, SECOND_RUN]),
        (NOW + HOUR, None, [RUN, SECOND_RUN]),
        (NOW + HOUR + tick, None, [SECOND_RUN]),
        (None, NOW + HOUR, [RUN]),
        (None, NOW + HOUR + tick, [RUN, SECOND_RUN]),
        (None, NOW, []),
    ):
        assert runs_signed(journal, since, until) == found
