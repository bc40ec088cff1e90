"""The tables of a journal, cell for cell, and a recorded run with all that was written down of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from rebalancer.core.canonical import moment_text
from rebalancer.core.ids import run_id
from rebalancer.core.ledger import Books
from rebalancer.core.model import Fill, Side
from rebalancer.core.orders import Event, IntentState
from rebalancer.core.targets import OrderType
from rebalancer.journal import records
from rebalancer.journal.proof import unheard
from rebalancer.journal.queries import RecordedRun, RunView, begun_between, recorded_run, run_view
from rebalancer.journal.records import Intent
from rebalancer.journal.rows import Entry, Kind
from rebalancer.journal.state import IntentRecord
from rebalancer.journal.store import Journal
from rebalancer.journal.tables import FILLS, NAV, ORDERS, RUNS, TABLES, read_tables
from tests.core.builders import NOW, d
from tests.journal.builders import ABSENCE, PLAN, RUN, intent, moved, new_journal, order_of, planned, sending, started
from tests.support import FakeClock

HOUR = timedelta(hours=1)
LATER = run_id("test", NOW + HOUR, 1)
SIGNED = NOW + timedelta(seconds=5)
FILLED = NOW + timedelta(seconds=5, milliseconds=250)
DOCUMENT = {"totals": {"turnover": "0.125"}, "taken_at": "then"}
LIMITED, MARKET = intent(2, price=d("399.5")), intent(3, side=Side.BUY, amount="25.5")
FIRST = Fill("71", "1001", "btcusdt", Side.SELL, d("399.6"), d("0.15"), d("0.1"), "USDT", d(3), "HTX", filled_at=FILLED)
SECOND = Fill("72", "1001", "btcusdt", Side.SELL, d("399.50"), d("0.05"), d(0), "USDT")
BOOKS = Books(
    at=NOW + timedelta(seconds=1),
    opened_at=NOW - HOUR,
    prices={"BTC": d(400), "USDT": d(1)},
    held={"BTC": d("1.5"), "USDT": d(20)},
    weights={"BTC": d(50), "USDT": d(50)},
    opening={"BTC": d(2), "USDT": d(10)},
    changes={"BTC": d("-0.5"), "USDT": d(7)},
    never={"BTC": d(2), "USDT": d(13)},
    frictionless_quote=d("621.5"),
    flows={"USDT": d(3)},
    flows_quote=d("3.0"),
    fees={"USDT": d("0.25"), "HTX": d(4)},
    fees_quote=d("0.26"),
    slip_quote=d("-0.75"),
    notional_quote=d(200),
    orders=6,
)


@pytest.fixture
def journal() -> Iterator[Journal]:
    with new_journal(clock=FakeClock(), checkpoint_rows=9) as made:
        yield made


def lived(journal: Journal) -> None:
    """Write a run of two orders, one filled and one still waiting, and an hour later one that never came to a plan."""
    clock = journal._clock
    assert isinstance(clock, FakeClock)
    journal.append(started(), records.config(RUN, digest="w", weights={"BTC": d(50)}))
    journal.append(records.snapshot(RUN, {"seen": "all"}, NOW), records.ledger(RUN, BOOKS))
    journal.append(*records.plan_and_intents(planned(document=DOCUMENT), (MARKET, LIMITED)))
    clock.advance(5)
    journal.append(sending(intent(2, amount="0.2", price=d("399.5")), SIGNED))
    journal.append(records.outcome(RUN, 2, Event.ACCEPT, venue_order_id="1001", t_exch=SIGNED))
    clock.advance(1)
    order, fees = order_of(LIMITED, filled="0.2"), {"USDT": d("0.1"), "HTX": d(3)}
    journal.append(
        records.outcome(
            RUN, 2, Event.FILL, order=order, fees=fees, fills=(FIRST, SECOND), text="filled", t_exch=FILLED
        ),
        records.plan_closed(RUN, "done", whole=True),
        records.run_closed(RUN, status="done", text="one order"),
    )
    clock.advance(3594)
    journal.append(started(LATER, slot=NOW + HOUR, mode="dry-run"), records.halt("foreign_order", "look", run_id=LATER))


RUN_CELLS = {
    "run_id": RUN, "started_at": "2026-03-01T12:00:00Z", "mode": "live", "slot": moment_text(NOW), "status": "done",
    "trigger": PLAN.trigger.value, "nav_quote": "50000", "legs": "1", "turnover": "0.125", "text": "one order",
}  # fmt: skip
LATER_CELLS = {
    "run_id": LATER, "started_at": "2026-03-01T13:00:00Z", "mode": "dry-run", "slot": moment_text(NOW + HOUR),
    "status": "open", "trigger": "", "nav_quote": "", "legs": "0", "turnover": "", "text": "",
}  # fmt: skip
LIMITED_CELLS = {
    "run_id": RUN, "intent_seq": "2", "symbol": "btcusdt", "quote": "USDT", "side": "sell", "order_type": "ioc",
    "limit_price": "399.5", "amount": "0.2", "state": "filled", "sent_at": moment_text(SIGNED), "filled_quantity": "0.2",
    "filled_quote": "80", "client_order_id": LIMITED.client_order_id, "venue_order_id": "1001", "text": "filled",
}  # fmt: skip
MARKET_CELLS = {
    "run_id": RUN, "intent_seq": "3", "symbol": "btcusdt", "quote": "USDT", "side": "buy", "order_type": "market",
    "limit_price": "", "amount": "25.5", "state": "planned", "sent_at": "", "filled_quantity": "0", "filled_quote": "0",
    "client_order_id": MARKET.client_order_id, "venue_order_id": "", "text": "",
}  # fmt: skip
FILL_CELLS = {"run_id": RUN, "intent_seq": "2", "symbol": "btcusdt", "side": "sell", "venue_order_id": "1001"}
FIRST_CELLS = {
    "fill_id": "71",
    "at": moment_text(FILLED),
    "price": "399.6",
    "quantity": "0.15",
    "fees": "3 HTX 0.1 USDT",
}
SECOND_CELLS = {"fill_id": "72", "at": "", "price": "399.5", "quantity": "0.05", "fees": ""}
NAV_CELLS = {
    "at": "2026-03-01T12:00:01Z", "nav_quote": "620", "never_rebalanced_quote": "813", "frictionless_quote": "621.5",
    "flows_quote": "3", "fees_quote": "0.26", "slip_quote": "-0.75", "notional_quote": "200", "orders": "6",
    "adds_up": "yes",
}  # fmt: skip


def test_every_table_has_its_rows_in_order_with_exactly_these_cells(journal: Journal) -> None:
    lived(journal)
    heard: list[int] = []
    told = read_tables(journal, heard.append)
    assert told == {
        "runs": [RUN_CELLS, LATER_CELLS],
        "orders": [MARKET_CELLS, LIMITED_CELLS],
        "fills": [FILL_CELLS | FIRST_CELLS, FILL_CELLS | SECOND_CELLS],
        "nav": [NAV_CELLS],
    }
    assert {name: {tuple(sorted(row)) for row in rows} for name, rows in told.items()} == {
        name: {tuple(sorted(columns))} for name, columns in TABLES.items()
    }
    assert TABLES == {"runs": RUNS, "orders": ORDERS, "fills": FILLS, "nav": NAV}
    read = [row.seq for row in journal.rows() if row.kind not in {Kind.SNAPSHOT, Kind.CHECKPOINT}]
    assert heard == read and len(read) < journal.last_seq and journal.checkpoint_seq


def test_books_that_do_not_add_up_say_so(journal: Journal) -> None:
    journal.append(records.ledger(RUN, BOOKS), records.ledger(RUN, replace(BOOKS, changes={"USDT": d(7)})))
    assert [row["adds_up"] for row in read_tables(journal, unheard)["nav"]] == ["yes", "no"]


def test_orders_of_before_there_were_fills_and_plans_without_their_run_are_read(journal: Journal) -> None:
    made = intent()
    journal.append(planned("nobody"), records.run_closed("nobody", status="done"))
    journal.append(records.intent(made), sending(made), moved(made, Event.ACCEPT), moved(made, Event.FILL))
    told = read_tables(journal, unheard)
    assert (told["runs"], told["fills"], told["nav"]) == ([], [], [])
    assert [(row["state"], row["filled_quote"]) for row in told["orders"]] == [("filled", "100")]


def test_an_empty_journal_has_empty_tables(journal: Journal) -> None:
    assert read_tables(journal, unheard) == {"runs": [], "orders": [], "fills": [], "nav": []}


def record_of(made: Intent, **more: Any) -> IntentRecord:
    """Return what is known of an intent right after it was planned, but for what is said."""
    known = IntentRecord(
        run_id=RUN, intent_seq=made.intent_seq, asset="BTC", symbol="btcusdt", quote="USDT", side=made.side,
        amount=d("25.5"), notional_quote=d(100), client_order_id=made.client_order_id, capped=False,
        state=IntentState.PLANNED, changed_at="2026-03-01T12:00:00Z",
    )  # fmt: skip
    return replace(known, **more)


def test_a_recorded_run_is_all_that_was_written_down_of_it(journal: Journal) -> None:
    lived(journal)
    documents = [
        {
            "intent_seq": number, "symbol": "btcusdt", "quote": "USDT", "side": side, "order_type": kind,
            "limit_price": limit, "amount": amount, "state": state, "filled_quantity": filled, "filled_quote": quote,
            "fees": fees, "client_order_id": made.client_order_id, "venue_order_id": theirs, "text": text,
        }
        for number, made, side, kind, limit, amount, state, filled, quote, fees, theirs, text in (
            (3, MARKET, "buy", "market", None, "25.5", "planned", "0", "0", {}, "", ""),
            (2, LIMITED, "sell", "ioc", "399.5", "0.2", "filled", "0.2", "80", {"HTX": "3", "USDT": "0.1"}, "1001", "filled"),
        )
    ]  # fmt: skip
    sold = record_of(
        LIMITED, amount=d("0.25"), state=IntentState.FILLED, order_type=OrderType.IOC, price=d("399.5"),
        sent_amount=d("0.2"), signed_at=SIGNED, deadline=SIGNED + ABSENCE,
        balances_before={"BTC": d("1.000000000000000001"), "USDT": d(0)}, venue_order_id="1001",
        filled_quantity=d("0.2"), filled_quote=d(80), fees={"USDT": d("0.1"), "HTX": d(3)}, text="filled",
        changed_at="2026-03-01T12:00:06Z", exchange_at=SIGNED,
    )  # fmt: skip
    view = RunView(
        3, RUN, "2026-03-01T12:00:00Z", "live", moment_text(NOW), "done", "one order", PLAN.trigger.value, "50000", 1,
        "0.125", documents,
    )  # fmt: skip
    assert recorded_run(journal, RUN) == RecordedRun(view, DOCUMENT, {"seen": "all"}, (sold, record_of(MARKET)))
    later = RunView(16, LATER, "2026-03-01T13:00:00Z", "dry-run", moment_text(NOW + HOUR))
    assert recorded_run(journal, LATER) == RecordedRun(later, None, None, ())
    assert later.document() == {
        "run_id": LATER, "started_at": "2026-03-01T13:00:00Z", "mode": "dry-run", "slot": moment_text(NOW + HOUR),
        "status": "open", "text": "", "trigger": "", "nav_quote": "", "legs": 0, "turnover": "", "orders": [],
    }  # fmt: skip
    assert run_view(journal, journal.newest(Kind.RUN, 1)[0]) == later


def test_there_is_no_recorded_run_of_a_name_that_no_run_began_with(journal: Journal) -> None:
    lived(journal)
    journal.append(records.halt("foreign_order", "look", run_id="nobody"))
    assert recorded_run(journal, "nobody") is None and recorded_run(journal, "unheard of") is None


def test_orders_of_before_there_were_kinds_and_direct_pairs_are_market_orders_over_the_accounts_coin(
    journal: Journal,
) -> None:
    entry = records.intent(MARKET)
    old = {name: value for name, value in entry.payload.items() if name not in ("order_type", "quote", "capped")}
    journal.append(started(), Entry(Kind.INTENT, old, RUN, MARKET.intent_seq))
    recorded = recorded_run(journal, RUN)
    assert recorded is not None and recorded.orders == (record_of(MARKET),)


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        (None, None, [LATER, RUN]),
        (NOW, None, [LATER, RUN]),
        (NOW + timedelta(microseconds=1), None, [LATER]),
        (None, NOW + HOUR, [RUN]),
        (None, NOW + HOUR + timedelta(microseconds=1), [LATER, RUN]),
        (NOW, NOW, []),
        (NOW + HOUR, NOW + 2 * HOUR, [LATER]),
    ],
)
def test_the_runs_that_began_in_a_period_come_newest_first(
    journal: Journal, since: datetime | None, until: datetime | None, found: list[str]
) -> None:
    lived(journal)
    rows = begun_between(journal, since, until)
    assert [row.run_id for row in rows] == found
    assert all(row.kind is Kind.RUN and json.loads(row.payload_text)["mode"] for row in rows)
