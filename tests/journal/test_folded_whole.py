"""What a life of every kind of row adds up to: the whole state, part for part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rebalancer.core.ledger import Trades
from rebalancer.core.model import LimitIoc, RowsSeen, Side, Trade, Usage
from rebalancer.core.money import BaseAmount
from rebalancer.core.orders import Event, IntentState
from rebalancer.core.targets import OrderType
from rebalancer.core.trust import CoinTrust
from rebalancer.journal import records
from rebalancer.journal.records import Intent
from rebalancer.journal.state import Approval, Halt, IntentRecord, JournalState, Sent
from rebalancer.journal.store import Journal
from tests.core.builders import NOW, d
from tests.journal.builders import (
    ABSENCE,
    BOUND,
    PLAN,
    RUN,
    brought_to,
    intent,
    moved,
    new_journal,
    order_of,
    path_to,
    planned,
    sending,
    started,
)
from tests.journal.test_rows_whole import line
from tests.journal.test_tables import BOOKS
from tests.support import FakeClock

SECOND = timedelta(seconds=1)
SIGNED, AGAIN = NOW + 2 * SECOND, NOW + 3 * SECOND
SOLD = replace(intent(1), capped=True)
BOUGHT = replace(
    intent(2), asset="ETH", symbol="ethbtc", quote="BTC", terms=LimitIoc(Side.BUY, BaseAmount(d(2)), d("0.1"))
)
TRUST = {"BTC": CoinTrust(d(400), NOW), "ETH": CoinTrust(d(40), NOW)}
THREE = replace(
    PLAN, nav_here_quote=d(770), trust=TRUST, rows=RowsSeen(700, frozenset({"BTC", "USDT"})),
    assets=(line("BTC", "1", "0.5", "400"), line("ETH", "4", "0", "40"), line("USDT", "2", "3", "1")),
)  # fmt: skip
BEFORE = {"BTC": d("1.000000000000000001"), "USDT": d(0)}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def journal(clock: FakeClock) -> Iterator[Journal]:
    with new_journal(clock=clock) as made:
        yield made


def lived(journal: Journal, clock: FakeClock) -> None:
    """Write a plan of two orders: one sold over the quote coin and filled, one for another coin on its way."""
    journal.append(records.ledger("before", BOOKS), records.learned_amount_precision("btcusdt"))
    journal.append(started(), records.config(RUN, digest="w", weights={"BTC": d(50)}))
    journal.append(records.ack_plan("before", "owner", weights_digest="w", up_to_quote=d("150.5")))
    journal.append(*records.plan_and_intents(planned(plan=THREE, digest="w"), (SOLD, BOUGHT)))
    clock.advance(1)
    journal.append(sending(replace(SOLD, terms=BaseAmount(d("0.2"))), SIGNED, notional="80"))
    journal.append(records.outcome(RUN, 1, Event.ACCEPT, venue_order_id="7", t_exch=SIGNED))
    clock.advance(1)
    order = replace(order_of(SOLD, filled="0.2"), filled_quote=d(81))
    journal.append(records.outcome(RUN, 1, Event.FILL, order=order, fees={"USDT": d("0.5")}, text="filled"))
    clock.advance(1)
    journal.append(sending(BOUGHT, AGAIN, notional="8"), records.halt("foreign_order", "one"))
    journal.append(records.halt("foreign_order", "two", run_id=RUN), records.ack_halt(journal.last_seq, "owner"))
    journal.append(records.external_flow(RUN, held={"ETH": d(9)}, moved={"ETH": d(5)}, t_exch=AGAIN))


SOLD_RECORD = IntentRecord(
    run_id=RUN, intent_seq=1, asset="BTC", symbol="btcusdt", quote="USDT", side=Side.SELL, amount=d("0.25"),
    notional_quote=d(80), client_order_id=SOLD.client_order_id, capped=True, state=IntentState.FILLED,
    order_type=OrderType.MARKET, price=None, sent_amount=d("0.2"), signed_at=SIGNED, deadline=SIGNED + ABSENCE,
    balances_before=BEFORE, venue_order_id="1001", filled_quantity=d("0.2"), filled_quote=d(81),
    fees={"USDT": d("0.5")}, text="filled", changed_at="2026-03-01T12:00:02Z", exchange_at=SIGNED,
)  # fmt: skip
BOUGHT_RECORD = IntentRecord(
    run_id=RUN, intent_seq=2, asset="ETH", symbol="ethbtc", quote="BTC", side=Side.BUY, amount=d(2),
    notional_quote=d(8), client_order_id=BOUGHT.client_order_id, capped=False, state=IntentState.SENDING,
    order_type=OrderType.IOC, price=d("0.1"), sent_amount=d(2), signed_at=AGAIN, deadline=AGAIN + ABSENCE,
    balances_before=BEFORE, changed_at="2026-03-01T12:00:03Z", exchange_at=AGAIN,
)  # fmt: skip


def test_the_state_is_exactly_what_the_rows_of_a_life_say(journal: Journal, clock: FakeClock) -> None:
    lived(journal, clock)
    (seq,) = journal.state.halts
    assert journal.state == JournalState(
        binding=BOUND,
        fence=1,
        nonce=journal.state.nonce,
        last_slots={"test": NOW},
        intents={(RUN, 1): SOLD_RECORD, (RUN, 2): BOUGHT_RECORD},
        open_plan=RUN,
        open_plan_digest="w",
        open_run=RUN,
        halts={seq: Halt(seq, "foreign_order", "two", "2026-03-01T12:00:03Z")},
        answered_halts=frozenset({"one"}),
        sent=(
            Sent((RUN, 1), SIGNED, Side.SELL, d(80), direct=False),
            Sent((RUN, 2), AGAIN, Side.BUY, d(8), direct=True),
        ),
        amount_precision_symbols=frozenset({"btcusdt"}),
        served_weights_digest="w",
        exchange_at=AGAIN,
        nav_validated_quote=d(770),
        mids={"BTC": d(400), "ETH": d(40)},
        totals={"BTC": d("1.3"), "ETH": d(9), "USDT": d("85.5")},
        traded={"BTC": d("0.2"), "USDT": d("80.5")},
        has_traded=True,
        books=BOOKS,
        since_books=Trades({"BTC": d("-0.2"), "USDT": d("80.5")}, {"USDT": d("0.5")}, d(-1), d(80), 1),
        flows={"ETH": d(5)},
        approval=Approval("w", d("150.5"), d(81), d(0)),
        coins=TRUST,
        rows=RowsSeen(700, frozenset({"BTC", "USDT"})),
        ever_held=frozenset({"BTC", "USDT", "ETH"}),
    )


def test_the_usage_is_exactly_what_the_state_leaves_of_the_limits(journal: Journal, clock: FakeClock) -> None:
    lived(journal, clock)
    assert journal.state.usage(NOW, "w") == Usage(
        sold_quote=d(88),
        bought_quote=d(8),
        direct_quote=d(8),
        orders=2,
        nav_validated_quote=d(770),
        coins=TRUST,
        has_traded=True,
        targets_changed=False,
        amount_precision_symbols=frozenset({"btcusdt"}),
        trades={"BTC": Trade(SIGNED, Side.SELL, rest=True)},
        flows={"ETH": d(5)},
        acked_quote=d("69.5"),
        rows=RowsSeen(700, frozenset({"BTC", "USDT"})),
        ever_held=frozenset({"BTC", "USDT", "ETH"}),
    )
    other = journal.state.usage(NOW, "others")
    assert other == replace(journal.state.usage(NOW, "w"), targets_changed=True, acked_quote=None)


def test_an_intent_is_remembered_whole_before_anything_of_it_was_sent(journal: Journal, clock: FakeClock) -> None:
    clock.advance(1)
    journal.append(*records.plan_and_intents(planned(at=AGAIN), (SOLD, BOUGHT)))
    blank: dict[str, Any] = {
        "sent_amount": None,
        "signed_at": None,
        "deadline": None,
        "balances_before": {},
        "venue_order_id": "",
    }
    more: dict[str, Any] = {"state": IntentState.PLANNED, "changed_at": "2026-03-01T12:00:01Z", "exchange_at": AGAIN}
    sold: dict[str, Any] = {
        "filled_quantity": d(0),
        "filled_quote": d(0),
        "fees": {},
        "text": "",
        "notional_quote": d(100),
    }
    assert list(journal.state.intents.values()) == [
        replace(SOLD_RECORD, **blank, **more, **sold),
        replace(BOUGHT_RECORD, **blank, **more, notional_quote=d(100)),
    ]


def test_what_was_bought_is_held_from_then_on_and_what_was_sold_is_no_news(journal: Journal) -> None:
    rows = RowsSeen(3, frozenset({"USDT"}))
    journal.append(planned(plan=replace(THREE, rows=rows, assets=THREE.assets[2:])))
    brought_to(journal, IntentState.PARTIAL, intent(1, side=Side.BUY, amount="25"))
    assert journal.state.rows == RowsSeen(3, frozenset({"USDT", "BTC"}))
    assert journal.state.ever_held == {"USDT", "BTC"}


def test_a_buy_of_which_the_fee_left_nothing_is_not_held(journal: Journal) -> None:
    journal.append(planned(plan=replace(THREE, rows=RowsSeen(0), assets=THREE.assets[2:])))
    made = brought_to(journal, IntentState.ACKED, intent(1, side=Side.BUY, amount="100"))
    journal.append(records.outcome(RUN, 1, Event.FILL, order=order_of(made), fees={"BTC": d("0.25")}))
    assert (journal.state.rows, journal.state.ever_held) == (RowsSeen(0), frozenset())


def filled_at(journal: Journal, made: Intent, *, quantity: str, quote: str) -> None:
    """Write an order from its plan to a fill of so much for so much."""
    journal.append(records.intent(made), moved(made, Event.SEND), moved(made, Event.ACCEPT))
    order = replace(order_of(made), filled_quantity=d(quantity), filled_quote=d(quote))
    journal.append(records.outcome(RUN, made.intent_seq, Event.PART, order=order, fees={}))


def test_only_a_fill_over_the_quote_coin_can_give_a_price_away(journal: Journal) -> None:
    journal.append(planned(plan=THREE))
    filled_at(journal, replace(BOUGHT, intent_seq=1), quantity="2", quote="0.5")  # in BTC, and USDT were believed
    filled_at(journal, intent(2), quantity="0", quote="0")
    filled_at(journal, intent(3), quantity="0.25", quote="101")  # 404 each, and 400 were believed
    filled_at(journal, replace(intent(4), asset="SOL", symbol="solusdt"), quantity="1", quote="1")
    assert journal.state.coins == TRUST
    filled_at(journal, intent(5), quantity="0.25", quote="110")
    assert journal.state.coins == {**TRUST, "BTC": CoinTrust(d(400), NOW, accepted=True)}


def test_leave_for_sales_is_used_by_sales_and_leave_for_buys_by_buys(journal: Journal) -> None:
    journal.append(records.ack_plan(RUN, "owner", weights_digest="w", up_to_quote=d("150.5")))
    brought_to(journal, IntentState.FILLED, intent(1))
    assert journal.state.approval == Approval("w", d("150.5"), d(100), d(0))
    brought_to(journal, IntentState.PARTIAL, intent(2, side=Side.BUY, amount="25"))
    sold_more = replace(order_of(intent(3)), filled_quote=d(20))
    journal.append(records.intent(intent(3)), moved(intent(3), Event.SEND), moved(intent(3), Event.ACCEPT))
    journal.append(records.outcome(RUN, 3, Event.FILL, order=sold_more, fees={}))
    approval = journal.state.approval
    assert approval == Approval("w", d("150.5"), d(120), d(100))
    assert approval is not None
    assert (approval.left_on(Side.SELL), approval.left_on(Side.BUY)) == (d("30.5"), d("50.5"))
    assert approval.left_quote == d("30.5")
    filled_at(journal, replace(BOUGHT, intent_seq=4, notional_quote=d(5)), quantity="2", quote="0.2")
    both = Approval("w", d("150.5"), d(220), d(200))
    assert journal.state.approval == both, "one coin for another counts on both sides at its worth when sent"
    spent = replace(approval, up_to_quote=d(110))
    assert (spent.left_on(Side.SELL), spent.left_on(Side.BUY), spent.left_quote) == (d(0), d(10), d(0))


def test_what_only_the_owner_knows_makes_the_balances_of_its_coins_unknown(journal: Journal) -> None:
    journal.append(planned(plan=THREE))
    whole = {"BTC": d("1.5"), "ETH": d(4), "USDT": d(5)}
    assert journal.state.totals == whole
    made = brought_to(journal, IntentState.QUARANTINED)
    assert (journal.state.totals, journal.state.traded) == ({"ETH": d(4)}, {})
    journal.append(planned("run-b", plan=THREE))
    assert journal.state.totals == whole
    journal.append(moved(made, Event.ACK_FILLED))
    assert (journal.state.totals, journal.state.traded) == ({"ETH": d(4)}, {})
    assert journal.state.since_books.changes == {"BTC": d("-0.25"), "USDT": d(100)}


def test_a_coin_that_was_given_for_another_was_sold(journal: Journal) -> None:
    filled_at(journal, BOUGHT, quantity="2", quote="0.2")
    sides = {"ETH": Side.BUY, "BTC": Side.SELL}
    assert journal.state.usage(NOW, "").trades == {coin: Trade(NOW, side, rest=True) for coin, side in sides.items()}


def test_the_later_row_of_two_trades_of_one_moment_is_the_last(journal: Journal) -> None:
    for made in (intent(1), intent(2, side=Side.BUY, amount="25")):
        brought_to(journal, IntentState.FILLED, made)
    assert journal.state.usage(NOW, "").trades == {"BTC": Trade(NOW, Side.BUY)}
    other = replace(intent(3), asset="ETH", symbol="ethbtc", quote="BTC")
    journal.append(records.intent(other), *(moved(other, event, NOW - SECOND) for event in path_to(IntentState.FILLED)))
    assert journal.state.usage(NOW, "").trades == {
        "BTC": Trade(NOW, Side.BUY),
        "ETH": Trade(NOW - SECOND, Side.SELL),
    }
