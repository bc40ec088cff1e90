"""The table of legal moves, against one written down here a second time."""

from __future__ import annotations

from itertools import product

import pytest

from rebalancer.core.orders import MOVES, TERMINAL, UNRESOLVED, Event, IllegalMoveError, IntentState, move

# From, event, to: what the design allows. Everything that is not here must be refused.
LEGAL = """
    -           plan          planned
    planned     close         abandoned
    planned     deny          denied
    planned     send          sending
    sending     accept        acked
    sending     reject        rejected
    sending     not_sent      abandoned
    sending     lose_sight    unknown
    acked       fill          filled
    acked       part          partial
    acked       cancel        canceled
    acked       quarantine    quarantined
    unknown     find          acked
    unknown     prove_absent  absent
    unknown     quarantine    quarantined
    quarantined ack_filled    filled
    quarantined ack_partial   partial
    quarantined ack_absent    absent
    denied      quarantine    quarantined
    abandoned   quarantine    quarantined
    rejected    quarantine    quarantined
    filled      quarantine    quarantined
    partial     quarantine    quarantined
    canceled    quarantine    quarantined
    absent      quarantine    quarantined
"""
TABLE = {
    (None if old == "-" else IntentState(old), Event(event)): IntentState(new)
    for old, event, new in (line.split() for line in LEGAL.strip().splitlines())
}
OTHERS = [pair for pair in product((None, *IntentState), Event) if pair not in TABLE]


def name_of(value: object) -> str:
    return str(value or "nothing")


def reachable(start: IntentState, *, without: frozenset[Event] = frozenset()) -> set[IntentState]:
    """Return the states that can come after `start`."""
    found: set[IntentState] = set()
    edge = {start}
    while edge:
        edge = {new for (old, event), new in MOVES.items() if old in edge and event not in without} - found
        found |= edge
    return found


@pytest.mark.parametrize(("state", "event"), TABLE, ids=name_of)
def test_every_legal_move_leads_where_the_design_says(state: IntentState | None, event: Event) -> None:
    assert move(state, event) is TABLE[state, event]


@pytest.mark.parametrize(("state", "event"), OTHERS, ids=name_of)
def test_every_other_move_is_refused_and_the_refusal_names_both(state: IntentState | None, event: Event) -> None:
    with pytest.raises(IllegalMoveError, match=f"{state or 'not planned'} cannot {event}"):
        move(state, event)


def test_every_pair_of_state_and_event_was_looked_at() -> None:
    assert len(TABLE) + len(OTHERS) == (len(IntentState) + 1) * len(Event)


def test_what_was_sent_is_never_sent_again() -> None:
    for state in reachable(IntentState.SENDING):
        assert IntentState.SENDING not in reachable(state), state
        assert IntentState.PLANNED not in reachable(state), state


def test_a_state_is_planned_finished_or_unresolved_and_only_one_of_them() -> None:
    assert frozenset({IntentState.PLANNED}) | TERMINAL | UNRESOLVED == frozenset(IntentState)
    assert not TERMINAL & UNRESOLVED
    assert IntentState.PLANNED not in TERMINAL | UNRESOLVED


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_a_finished_intent_is_moved_only_by_evidence_against_it(state: IntentState) -> None:
    assert [event for old, event in MOVES if old is state] == [Event.QUARANTINE]


@pytest.mark.parametrize("state", sorted({IntentState.PLANNED} | UNRESOLVED))
def test_every_open_intent_can_still_be_finished(state: IntentState) -> None:
    assert reachable(state) & TERMINAL


def test_nothing_that_is_known_to_be_unsent_was_in_flight() -> None:
    """DENIED comes before SENDING; ABANDONED after it only by the proof that no byte left."""
    before = {(old, event) for (old, event), new in MOVES.items() if new in {IntentState.DENIED, IntentState.ABANDONED}}
    assert before == {
        (IntentState.PLANNED, Event.DENY),
        (IntentState.PLANNED, Event.CLOSE),
        (IntentState.SENDING, Event.NOT_SENT),
    }


def test_only_the_owner_ends_a_quarantine() -> None:
    owners = frozenset({Event.ACK_FILLED, Event.ACK_PARTIAL, Event.ACK_ABSENT})
    assert reachable(IntentState.QUARANTINED, without=owners) == set()
    assert {old for old, event in MOVES if event in owners} == {IntentState.QUARANTINED}
