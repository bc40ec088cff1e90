"""Trades read back for taxes: from whole lives over the embedded exchange, and from rows of before."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.core.money import EXACT
from rebalancer.core.orders import Event, IntentState
from rebalancer.core.targets import OrderPolicy, Route
from rebalancer.journal import records
from rebalancer.journal.rows import Kind
from rebalancer.journal.store import Journal
from rebalancer.journal.trades import Traded, traded_between
from rebalancer.simulator.exchange import ExchangeOptions
from tests.core.builders import NOW, d, targets
from tests.journal.builders import brought_to, intent, moved, new_journal, planned, sending, started
from tests.service.house import LIVE_LIMITS, House

CROSSED = {"BTC": "0.2", "ETH": "14", "SOL": "30", "LINK": "1500", "USDT": "15000"}
WEIGHTS = {"BTC": 35, "ETH": 25, "SOL": 15, "LINK": 10, "USDT": 15}
DAY = timedelta(days=1)


def trades_of(journal: Journal) -> list[Traded]:
    return [each for each in traded_between(journal, None, None) if isinstance(each, Traded)]


def moved_by(trades: list[Traded]) -> Counter[str]:
    made: Counter[str] = Counter()
    for trade in trades:
        moves = ((trade.received, trade.received_amount), (trade.spent, EXACT.minus(trade.spent_amount)))
        for coin, change in (*moves, *((coin, EXACT.minus(fee)) for coin, fee in trade.fees.items())):
            made[coin] = EXACT.add(made[coin], change)  # type: ignore[assignment, arg-type]
    return made


@pytest.mark.parametrize("faults", ["", "lost_reply@place=0.5", "partial@place=0.5"])
@pytest.mark.parametrize("points", [False, True])
@pytest.mark.parametrize("route", list(Route))
def test_the_trades_of_a_life_add_up_to_its_books_to_the_last_digit(
    tmp_path: Path, faults: str, route: Route, *, points: bool
) -> None:
    wanted = replace(targets(WEIGHTS, limits=LIVE_LIMITS), orders=OrderPolicy(route=route))
    held = {asset: Decimal(amount) for asset, amount in CROSSED.items()} | ({"HTX": Decimal(10**9)} if points else {})
    options = ExchangeOptions(deduct_fees_in_points=points)
    house = House(tmp_path, balances=held, targets=wanted, faults=faults, options=options)
    begun = house.clock.now()
    for _ in range(3):
        house.cycle()
        house.clock.advance(3600)
    house.set_faults("")
    while house.cycle().status != "within_bands":
        pass
    trades, books = trades_of(house.journal), house.journal.state.books
    assert books is not None and len(trades) == books.orders > 0
    assert {asset: change for asset, change in moved_by(trades).items() if asset in books.held} == books.changes
    assert (any(trade.fees.get("HTX") for trade in trades)) is points
    direct = [trade for trade in trades if "USDT" not in (trade.spent, trade.received)]
    assert bool(direct) is (route is Route.DIRECT)
    for trade in trades:
        assert begun <= trade.at <= house.clock.now() and trade.value_quote is not None
        cash = trade.spent_amount if trade.spent == "USDT" else trade.received_amount
        if trade in direct:
            (plan,) = house.journal.rows(run_id=trade.run_id, kinds=(Kind.PLAN,))
            mids = json.loads(plan.payload_text)["mids"]
            assert trade.value_quote in (_worth(trade.spent, mids, trade), _worth(trade.received, mids, trade))
        else:
            assert trade.value_quote == cash


def _worth(coin: str, mids: dict[str, str], trade: Traded) -> Decimal:
    amount = trade.spent_amount if coin == trade.spent else trade.received_amount
    return EXACT.multiply(amount, d(mids[coin]))


def test_the_moment_is_the_exchanges_of_the_last_fill_however_late_it_was_asked(tmp_path: Path) -> None:
    house = House(tmp_path, faults="lost_reply@place=1")
    house.cycle(settle_s=0)
    house.clock.advance(7200)
    house.set_faults("")
    house.cycle()
    sent = next(row for row in house.journal.rows(kinds=(Kind.SENDING,)))
    trade = trades_of(house.journal)[0]
    order = next(iter(house.exchange.state.orders.values()))
    assert int(trade.at.timestamp() * 1000) == order.trades[-1].at_ms
    assert trade.run_id == sent.run_id


def test_rows_of_before_fills_had_a_moment_are_read_and_go_by_their_signing() -> None:
    made = intent()
    with new_journal() as journal:
        journal.append(started())
        journal.append(*records.plan_and_intents(planned(), (made,)))
        journal.append(sending(made, NOW))
        journal.append(records.outcome(made.run_id, 1, Event.ACCEPT, venue_order_id="1001", t_exch=NOW))
        journal.append(moved(made, Event.FILL, NOW + DAY))
        (trade,) = trades_of(journal)
    assert trade.at == NOW
    assert (trade.spent, trade.spent_amount, trade.received, trade.received_amount) == ("BTC", d("0.25"), "USDT", 100)
    assert (trade.fees, trade.fees_quote, trade.value_quote) == ({"USDT": d("0.2")}, {"USDT": d("0.2")}, 100)


@pytest.mark.parametrize(("state", "told"), [(state, state in {"filled", "partial"}) for state in IntentState])
def test_what_did_not_trade_is_no_trade_and_what_is_not_known_is_named(state: IntentState, *, told: bool) -> None:
    with new_journal() as journal:
        brought_to(journal, state)
        found = list(traded_between(journal, None, None))
    assert [isinstance(each, Traded) for each in found if isinstance(each, Traded)] == [True] * told
    waits = state in {"sending", "acked", "unknown", "quarantined"}
    assert len(found) == (1 if told or waits else 0)


def test_a_period_begins_with_its_first_moment_and_ends_before_its_last() -> None:
    with new_journal() as journal:
        brought_to(journal, IntentState.FILLED)
        (trade,) = trades_of(journal)
        tick = timedelta(microseconds=1)
        for since, until, count in (
            (trade.at, None, 1), (trade.at + tick, None, 0), (None, trade.at, 0), (None, trade.at + tick, 1),
            (trade.at - DAY, trade.at + DAY, 1), (trade.at + DAY, trade.at + 2 * DAY, 0),
        ):  # fmt: skip
            assert len(list(traded_between(journal, since, until))) == count, (since, until)


def test_what_the_owner_acknowledged_is_a_trade_by_his_word() -> None:
    made = intent()
    with new_journal() as journal:
        brought_to(journal, IntentState.QUARANTINED)
        journal.append(moved(made, Event.ACK_FILLED))
        (trade,) = trades_of(journal)
    assert trade.owner_said and trade.fees == {}
