"""The life of an intent, as a table of legal moves. There is no way from UNKNOWN back to SENDING.

What we want (an intent) becomes at most one order. A state is left only by an event that this table lists; anything
else is a defect of ours and is refused before it is written.
"""

from __future__ import annotations

from enum import StrEnum


class IntentState(StrEnum):
    """Where an intent stands."""

    PLANNED = "planned"
    DENIED = "denied"  # our gate refused; nothing was sent
    ABANDONED = "abandoned"  # never sent: the plan closed, or no connection was made
    SENDING = "sending"  # on disk as about to be sent; from here on it may exist
    ACKED = "acked"  # the exchange gave it an id
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    FILLED = "filled"
    PARTIAL = "partial"
    CANCELED = "canceled"
    ABSENT = "absent"  # proven never to have become an order
    QUARANTINED = "quarantined"  # only the owner can say


class Event(StrEnum):
    """What moves an intent."""

    PLAN = "plan"
    CLOSE = "close"
    DENY = "deny"
    SEND = "send"
    ACCEPT = "accept"
    REJECT = "reject"
    NOT_SENT = "not_sent"
    LOSE_SIGHT = "lose_sight"
    FIND = "find"
    FILL = "fill"
    PART = "part"
    CANCEL = "cancel"
    PROVE_ABSENT = "prove_absent"
    QUARANTINE = "quarantine"
    ACK_FILLED = "ack_filled"
    ACK_PARTIAL = "ack_partial"
    ACK_ABSENT = "ack_absent"


TERMINAL = frozenset(
    {
        IntentState.DENIED,
        IntentState.ABANDONED,
        IntentState.REJECTED,
        IntentState.FILLED,
        IntentState.PARTIAL,
        IntentState.CANCELED,
        IntentState.ABSENT,
    }
)
# What keeps the next plan from being made. PLANNED is not among them: nothing of it has left.
UNRESOLVED = frozenset({IntentState.SENDING, IntentState.ACKED, IntentState.UNKNOWN, IntentState.QUARANTINED})

_S, _E = IntentState, Event
MOVES: dict[tuple[IntentState | None, Event], IntentState] = {
    (None, _E.PLAN): _S.PLANNED,
    (_S.PLANNED, _E.CLOSE): _S.ABANDONED,
    (_S.PLANNED, _E.DENY): _S.DENIED,
    (_S.PLANNED, _E.SEND): _S.SENDING,
    (_S.SENDING, _E.ACCEPT): _S.ACKED,
    (_S.SENDING, _E.REJECT): _S.REJECTED,
    (_S.SENDING, _E.NOT_SENT): _S.ABANDONED,
    (_S.SENDING, _E.LOSE_SIGHT): _S.UNKNOWN,
    (_S.ACKED, _E.FILL): _S.FILLED,
    (_S.ACKED, _E.PART): _S.PARTIAL,
    (_S.ACKED, _E.CANCEL): _S.CANCELED,
    (_S.ACKED, _E.QUARANTINE): _S.QUARANTINED,
    (_S.UNKNOWN, _E.FIND): _S.ACKED,
    (_S.UNKNOWN, _E.PROVE_ABSENT): _S.ABSENT,
    (_S.UNKNOWN, _E.QUARANTINE): _S.QUARANTINED,
    (_S.QUARANTINED, _E.ACK_FILLED): _S.FILLED,
    (_S.QUARANTINED, _E.ACK_PARTIAL): _S.PARTIAL,
    (_S.QUARANTINED, _E.ACK_ABSENT): _S.ABSENT,
    # Real world possibility: evidence that contradicts an outcome we believed in.
    **{(state, _E.QUARANTINE): _S.QUARANTINED for state in TERMINAL},
}


class IllegalMoveError(ValueError):
    """An event that the state does not allow."""


def move(state: IntentState | None, event: Event) -> IntentState:
    """Return the next state; IllegalMoveError when the table does not list the move."""
    try:
        return MOVES[state, event]
    except KeyError:
        raise IllegalMoveError(f"an intent that is {state or 'not planned'} cannot {event}") from None
