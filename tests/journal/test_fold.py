"""State is the fold of the rows, always; a row that does not follow is refused before it is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest

from rebalancer.core.ids import run_id
from rebalancer.core.model import amount_of
from rebalancer.core.orders import MOVES, UNRESOLVED, Event, IntentState
from rebalancer.errors import JournalError
from rebalancer.journal import records
from rebalancer.journal.fold import fold
from rebalancer.journal.rows import Entry, Kind, Row
from rebalancer.journal.state import IntentRecord, JournalState
from rebalancer.journal.store import Journal
from tests.core.builders import NOW, d
from tests.journal.builders import (
    ABSENCE,
    ACKS,
    PLAN,
    RUN,
    brought_to,
    intent,
    moved,
    new_journal,
    order_of,
    planned,
    random_life,
    sending,
    started,
)
from tests.support import FakeClock

SECOND = timedelta(seconds=1)
ILLEGAL = [
    (state, event)
    for state, event in product(IntentState, Event)
    if (state, event) not in MOVES and event is not Event.PLAN
]


def folded(rows: Iterable[Row]) -> JournalState:
    state = JournalState()
    for row in rows:
        fold(state, row)
    return state


def only(journal: Journal) -> IntentRecord:
    (record,) = journal.state.intents.values()
    return record


def require_refused(journal: Journal, *entries: Entry) -> None:
    state, rows = journal.state.draft(), list(journal.rows())
    with pytest.raises(JournalError, match="impossible row"):
        journal.append(*entries)
    assert (journal.state, list(journal.rows())) == (state, rows)
    assert journal.verify() == len(rows)


@pytest.mark.parametrize("seed", range(12))
def test_state_is_the_fold_of_the_rows_after_every_append_and_after_reopening(tmp_path: Path, seed: int) -> None:
    clock = FakeClock()
    with new_journal(tmp_path / "journal.db", clock) as journal:
        for number, _rows in enumerate(random_life(journal, clock, seed)):
            assert journal.state == folded(journal.rows()), f"seed {seed}, step {number}"
        before = journal.state
    with Journal.open(tmp_path / "journal.db", clock) as journal:
        life = {"fence": before.fence + 1, "nonce": journal.state.nonce}
        assert journal.state == replace(before, **life), f"seed {seed}"


def test_random_lives_are_worth_their_name() -> None:
    states: set[IntentState] = set()
    kinds: set[Kind] = set()
    for seed in range(12):
        clock = FakeClock()
        with new_journal(clock=clock) as journal:
            for rows in random_life(journal, clock, seed):
                kinds |= {row.kind for row in rows}
                states |= {record.state for record in journal.state.intents.values()}
    assert states == set(IntentState)
    assert kinds == set(Kind) - {Kind.BINDING, Kind.FENCE, Kind.SNAPSHOT, Kind.CHECKPOINT}


@pytest.mark.parametrize(("state", "event"), ILLEGAL)
def test_an_illegal_move_is_refused_and_nothing_is_written(state: IntentState, event: Event) -> None:
    with new_journal() as journal:
        made = brought_to(journal, state)
        require_refused(journal, moved(made, event))


@pytest.mark.parametrize(("state", "event"), [pair for pair in MOVES if pair[0] is not None])
def test_a_legal_move_ends_where_the_table_says(state: IntentState, event: Event) -> None:
    with new_journal() as journal:
        made = brought_to(journal, state)
        journal.append(moved(made, event))
        assert only(journal).state is MOVES[state, event]
        assert journal.state.unresolved == ((only(journal),) if only(journal).state in UNRESOLVED else ())


@pytest.mark.parametrize("state", IntentState)
def test_an_intent_is_planned_only_once(state: IntentState) -> None:
    with new_journal() as journal:
        made = brought_to(journal, state)
        require_refused(journal, records.intent(made))


@pytest.mark.parametrize(
    "entry",
    [
        moved(intent(7), Event.SEND),
        moved(intent(7), Event.CLOSE),
        records.evidence(RUN, 7, "not_found", {}, NOW),
        moved(intent(7), ACKS[0]),
        records.ack_halt(1, "owner"),
        Entry(Kind.OUTCOME, {"event": "vanish"}, RUN, 1),
        Entry(Kind.OUTCOME, {}, RUN, 1),
        Entry(Kind.OUTCOME, {"event": "close", "filled_quantity": "many"}, RUN, 1),
        Entry(Kind.RUN, {"slot": "noon", "schedule_id": "test"}, RUN),
        Entry(Kind.BINDING, {"venue": "embedded"}),
    ],
    ids=repr,
)
def test_a_row_about_nothing_or_without_sense_is_refused(entry: Entry) -> None:
    with new_journal() as journal:
        journal.append(records.intent(intent()))
        require_refused(journal, entry)


def test_one_impossible_row_refuses_the_whole_step() -> None:
    with new_journal() as journal:
        made = intent()
        require_refused(journal, records.intent(made), sending(made), moved(made, Event.CLOSE), started())


def test_an_intent_remembers_what_was_sent_and_what_came_of_it() -> None:
    with new_journal() as journal:
        made, smaller = intent(amount="0.250000000000000001"), intent(amount="0.2")
        journal.append(records.intent(made))
        journal.append(sending(smaller, NOW, notional="80"))
        record = only(journal)
        assert (record.amount, record.sent_amount, record.notional_quote) == (amount_of(made.terms), d("0.2"), 80)
        assert (record.signed_at, record.deadline) == (NOW, NOW + ABSENCE)
        assert record.balances_before == {"BTC": d("1.000000000000000001"), "USDT": d(0)}
        journal.append(records.outcome(RUN, 1, Event.ACCEPT, venue_order_id="1001"))
        fees = {"USDT": d("0.160000000000000001")}
        journal.append(
            records.outcome(RUN, 1, Event.FILL, order=order_of(made, filled="0.2"), fees=fees, text="filled")
        )
        record = only(journal)
        assert (record.venue_order_id, record.filled_quantity, record.filled_quote) == ("1001", d("0.2"), 80)
        assert (record.fees, record.text, record.client_order_id) == (fees, "filled", made.client_order_id)


def test_a_later_row_that_is_silent_about_fills_does_not_forget_them() -> None:
    with new_journal() as journal:
        made = brought_to(journal, IntentState.FILLED)
        before = only(journal)
        journal.append(records.outcome(RUN, made.intent_seq, Event.QUARANTINE))
        assert only(journal) == replace(before, state=IntentState.QUARANTINED)


def test_of_all_the_times_that_nothing_was_found_the_first_and_the_last_are_kept() -> None:
    with new_journal() as journal:
        brought_to(journal, IntentState.UNKNOWN)
        times = [NOW + ABSENCE + number * SECOND for number in range(5)]
        for number, at in enumerate(times):
            journal.append(records.evidence(RUN, 1, "not_found", {}, at))
            assert only(journal).not_found_at == (times[0], at)[: number + 1]


def test_the_owner_says_how_much_was_traded_and_that_of_what_never_was_nothing_was() -> None:
    filled = (d("0.240000000000000001"), d("96.01"))
    for event, expected in ((ACKS[0], filled), (ACKS[1], filled), (ACKS[2], (d(0), d(0)))):
        with new_journal() as journal:
            made = brought_to(journal, IntentState.FILLED)
            said = None if event is Event.ACK_ABSENT else filled
            word = records.ack_intent(*only(journal).key, event, who="owner", text="looked", filled=said)
            journal.append(moved(made, Event.QUARANTINE), word)
            record = only(journal)
            assert (record.filled_quantity, record.filled_quote) == expected
            assert bool(record.fees) == bool(said)


def test_questions_are_unanswered_since_the_first_refusal_after_the_last_answer() -> None:
    with new_journal() as journal:
        brought_to(journal, IntentState.UNKNOWN)
        kinds = ("refused", "refused", "answered", "answered", "refused", "not_found", "refused", "refused")
        since = (0, 0, None, None, 4, 4, 4, 4)  # that nothing was found is one answer of the several that it takes
        for number, (kind, first) in enumerate(zip(kinds, since, strict=True)):
            journal.append(records.evidence(RUN, 1, kind, {}, NOW + number * SECOND))
            assert only(journal).unanswered_since == (None if first is None else NOW + first * SECOND)


def test_not_found_proves_something_only_from_the_deadline_on() -> None:
    with new_journal() as journal:
        brought_to(journal, IntentState.UNKNOWN)
        for kind, at in (("not_found", ABSENCE - SECOND), ("not_found", ABSENCE), ("query_failed", ABSENCE + SECOND)):
            journal.append(records.evidence(RUN, 1, kind, {}, NOW + at))
        assert only(journal).not_found_at == (NOW + ABSENCE,)


def test_a_halt_waits_for_its_own_answer_and_the_answer_is_remembered() -> None:
    with new_journal() as journal:
        first, second = (journal.append(records.halt("foreign_order", text))[0].seq for text in ("one", "two"))
        journal.append(records.ack_halt(first, "owner"))
        assert [halt.text for halt in journal.state.halts.values()] == ["two"]
        assert journal.state.answered_halts == {"one"}
        require_refused(journal, records.ack_halt(first, "owner"))
        journal.append(records.ack_halt(second, "owner"))
        assert not journal.state.halts


def test_only_a_live_plan_with_legs_is_open_until_it_is_closed() -> None:
    empty = replace(PLAN, legs=())
    for row, open_plan in ((planned(mode="dry-run"), ""), (planned(plan=empty), ""), (planned(), RUN)):
        with new_journal() as journal:
            journal.append(started(), row)
            assert (journal.state.open_plan, journal.state.open_run) == (open_plan, RUN)
            journal.append(records.plan_closed("another", "done", whole=True))
            assert journal.state.open_plan == open_plan
            journal.append(records.plan_closed(RUN, "done", whole=True), records.run_closed(RUN, status="done"))
            assert (journal.state.open_plan, journal.state.open_run) == ("", "")


def test_the_last_slot_of_a_schedule_never_goes_back() -> None:
    with new_journal() as journal:
        for hours in (1, 3, 2):
            slot = NOW + timedelta(hours=hours)
            journal.append(started(run_id("test", slot, 1), slot=slot))
        assert journal.state.last_slots == {"test": NOW + timedelta(hours=3)}
