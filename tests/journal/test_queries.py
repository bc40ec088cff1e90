"""What `status` and `history` say of the past."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.core.canonical import moment_text
from rebalancer.core.ids import run_id
from rebalancer.core.model import Side
from rebalancer.core.orders import Event, IntentState
from rebalancer.journal import records
from rebalancer.journal.queries import recent_runs
from rebalancer.journal.store import Journal
from tests.core.builders import NOW, d
from tests.journal.builders import RUN, brought_to, intent, moved, new_journal, order_of, planned, sending, started
from tests.service.house import House
from tests.support import FakeClock

RUNS = [run_id("test", NOW + timedelta(hours=number), 1) for number in range(4)]


def with_runs(path: Path | str = ":memory:") -> Journal:
    """Return a journal of four dry runs, the last of them still open."""
    journal = new_journal(path)
    for number, run in enumerate(RUNS):
        slot = NOW + timedelta(hours=number)
        journal.append(started(run, slot=slot, mode="dry-run"), planned(run, mode="dry-run"))
        if run != RUNS[-1]:
            journal.append(records.run_closed(run, status="done", text=f"number {number}"))
    return journal


def test_without_a_run_there_is_nothing_to_tell() -> None:
    with new_journal() as journal:
        assert recent_runs(journal, 5) == []


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
def test_the_newest_runs_come_first_and_no_more_than_asked(limit: int) -> None:
    with with_runs() as journal:
        assert [view.run_id for view in recent_runs(journal, limit)] == RUNS[::-1][:limit]


def test_older_runs_are_told_from_where_newer_ones_ended() -> None:
    with with_runs() as journal:
        newest = recent_runs(journal, 2)
        assert recent_runs(journal, 9, before_seq=newest[-1].seq) == recent_runs(journal, 4)[2:]
        assert recent_runs(journal, 1, before_seq=newest[0].seq) == newest[1:]


def test_a_run_tells_how_it_ended_or_that_it_has_not() -> None:
    with with_runs() as journal:
        newest, before = recent_runs(journal, 2)
    assert (newest.status, newest.text, newest.legs, newest.mode) == ("open", "", 1, "dry-run")
    assert (before.status, before.text, before.slot) == ("done", "number 2", moment_text(NOW + timedelta(hours=2)))
    assert (before.nav_quote, before.turnover, before.started_at) == ("50000", "", moment_text(NOW))


def test_what_an_older_run_still_writes_is_not_told_of_a_newer_one() -> None:
    with with_runs() as journal:
        before = recent_runs(journal, 1)
        journal.append(records.intent(intent(run=RUNS[0])), records.run_closed(RUNS[0], status="late"))
        assert recent_runs(journal, 1) == before
        assert recent_runs(journal, 4)[-1].status == "late"


def test_a_run_that_never_came_to_a_plan_is_told_too() -> None:
    with new_journal() as journal:
        journal.append(started(), records.run_closed(RUN, status="unavailable", text="maintenance"))
        (view,) = recent_runs(journal, 1)
    assert (view.status, view.text, view.nav_quote, view.legs, view.orders) == ("unavailable", "maintenance", "", 0, [])


def test_an_order_is_told_as_it_was_sent_with_plain_digits() -> None:
    fees = {"USDT": d("0.00000001")}
    with new_journal() as journal:
        made, smaller = intent(), intent(amount="0.00000020")
        journal.append(started(), planned(), records.intent(made))
        assert [order["amount"] for order in recent_runs(journal, 1)[0].orders] == ["0.25"]
        journal.append(sending(smaller), moved(made, Event.ACCEPT))
        order = order_of(smaller, filled="0.0000001")
        journal.append(records.outcome(RUN, 1, Event.PART, order=order, fees=fees, text="cut short"))
        (view,) = recent_runs(journal, 1)
    assert view.orders == [
        {
            "intent_seq": 1,
            "symbol": "btcusdt",
            "quote": "USDT",
            "side": "sell",
            "order_type": "market",
            "limit_price": None,
            "amount": "0.0000002",
            "state": "partial",
            "filled_quantity": "0.0000001",
            "filled_quote": "0.00004",
            "fees": {"USDT": "0.00000001"},
            "client_order_id": made.client_order_id,
            "venue_order_id": "1001",
            "text": "cut short",
        }
    ]


@pytest.mark.parametrize("state", IntentState)
def test_an_order_in_any_state_can_be_told(state: IntentState) -> None:
    with new_journal() as journal:
        journal.append(started())
        brought_to(journal, state, intent(side=Side.BUY, amount="25.5"))
        (view,) = recent_runs(journal, 1)
    assert [order["state"] for order in view.orders] == [state]
    assert json.loads(json.dumps(view.document())) == view.document()


def test_orders_planned_while_somebody_reads_do_not_disturb_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with with_runs(path) as writer, Journal.open_to_read(path, FakeClock()) as reader:
        before = [view.document() for view in recent_runs(reader, 4)]
        writer.append(*records.plan_and_intents(planned(RUNS[-1]), [intent(run=RUNS[-1])]))
        assert [view.document() for view in recent_runs(reader, 4)] == before
        reader.verify()
        assert len(recent_runs(reader, 1)[0].orders) == 1


def test_the_history_of_a_real_cycle_is_what_the_exchange_holds(tmp_path: Path) -> None:
    house = House(tmp_path)
    result = house.cycle()
    with Journal.open_to_read(tmp_path / "journal.db", house.clock) as reader:
        (view,) = recent_runs(reader, 5)
    house.journal.close()
    house.http.close()
    held = {order.client_order_id: order for order in house.exchange.state.orders.values()}
    assert (view.run_id, view.mode, view.status) == (result.run_id, "live", result.status)
    assert result.plan is not None
    assert result.plan.totals is not None
    assert Decimal(view.turnover) == result.plan.totals.turnover
    assert view.legs == len(view.orders) == len(held) > 1
    for order in view.orders:
        theirs = held[order["client_order_id"]]
        assert (order["state"], order["symbol"]) == ("filled", theirs.symbol)
        assert Decimal(order["filled_quantity"]) > 0
