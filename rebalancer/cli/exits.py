"""Exit codes, and which exception ends in which; the README prints this table and a test compares them."""

from __future__ import annotations

from enum import IntEnum

from rebalancer.errors import (
    AuthCause,
    AuthFailed,
    ConfigError,
    GuardTripped,
    LockHeld,
    MalformedReply,
    OutcomeUnknown,
    RebalancerError,
    RecordNotFound,
    Unavailable,
)


class Exit(IntEnum):
    """What the process says to the shell."""

    DONE = 0
    FAILURE = 1
    USAGE = 2
    WORK_LEFT = 3
    REFUSED = 4
    OUTCOME_UNKNOWN = 5
    TRADES_TO_MAKE = 10
    LOCKED = 11
    UNREACHABLE = 75
    CREDENTIALS = 77
    CONFIG = 78


MEANING = {
    Exit.DONE: "done, or within bands",
    Exit.FAILURE: "unexpected failure",
    Exit.USAGE: "wrong usage of the command line",
    Exit.WORK_LEFT: "finished, work left (partial fill, skipped leg)",
    Exit.REFUSED: "refused by a guard, or paused",
    Exit.OUTCOME_UNKNOWN: "an order's outcome is unknown",
    Exit.TRADES_TO_MAKE: "`plan --exit-code`: there are trades to make",
    Exit.LOCKED: "another instance holds the lock",
    Exit.UNREACHABLE: "exchange unreachable or halted, try later",
    Exit.CREDENTIALS: "credentials rejected, too weak or too strong (withdraw right)",
    Exit.CONFIG: "settings or targets invalid",
}

_BY_ERROR: tuple[tuple[type[RebalancerError], Exit], ...] = (
    (ConfigError, Exit.CONFIG),
    (GuardTripped, Exit.REFUSED),
    (LockHeld, Exit.LOCKED),
    (AuthFailed, Exit.CREDENTIALS),
    (OutcomeUnknown, Exit.OUTCOME_UNKNOWN),
    (Unavailable, Exit.UNREACHABLE),
    (MalformedReply, Exit.UNREACHABLE),
    (RecordNotFound, Exit.UNREACHABLE),
)


def exit_of(error: RebalancerError) -> Exit:
    """Return the exit code that `error` ends in; a clock refused by the exchange may mend itself, a key does not."""
    if isinstance(error, AuthFailed) and error.cause is AuthCause.CLOCK:
        return Exit.UNREACHABLE
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), Exit.FAILURE)


# Refusals of our own, whose causes are shared with the exchange's.
OWN_ADVICE = {
    "no-key": "put the key where README.md, Going live, says; REBALANCER_VENUE=embedded needs none",
    "withdraw-right": "make a new key at HTX without the withdraw right, and delete this one",
    "no-trade-right": "give the key the trade right at HTX, or leave --live out",
    "account-not-named": "",
    "account-not-working": "HTX locked this account: ask there why; nothing is traded meanwhile",
    "no-spot-account": "open the spot account at HTX, or use the key of the user who has one",
}
ADVICE = {
    AuthCause.KEY: "check REBALANCER_HTX_ACCESS_KEY: the exchange does not know this key",
    AuthCause.SIGNATURE: "check the secret key: it does not belong to the access key",
    AuthCause.CLOCK: "set this machine's clock (NTP); requests are only accepted close to the exchange's time",
    AuthCause.IP: "the key is bound to other IP addresses: add this machine's address to the key at HTX",
    AuthCause.PERMISSION: "give the key the right it lacks at HTX: reading, and for live runs trading",
    AuthCause.EXPIRED: "the key has expired: make a new one at HTX",
    AuthCause.ACCOUNT: "the key and REBALANCER_HTX_ACCOUNT_ID do not belong together; `rebalancer check` prints the id",
    AuthCause.OTHER: "check the key, its rights and its IP binding at HTX",
}


def advice_for(error: RebalancerError) -> str:
    """Return the next step for the owner, or an empty text when the message itself says it."""
    if isinstance(error, AuthFailed):
        return OWN_ADVICE.get(error.code, ADVICE[error.cause])
    if isinstance(error, (Unavailable, MalformedReply)):
        return "nothing was sent; try again later"
    return ""
