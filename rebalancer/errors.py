"""Every exception of the package.

RebalancerError
├── ConfigError        fix a file or a setting; nothing was lost
├── GuardTripped       our own limit or doubt: a human decides, or the next slot sees better data
├── LockHeld           another instance owns the state directory
├── JournalError       cannot record, so must not trade
└── VenueError         the exchange, or the way to it
    ├── NotSent        a place call: proof that no byte of it left us
    ├── Rejected       the exchange said no, definitively: its code and its words
    ├── OutcomeUnknown a place call was sent and nothing proves what became of it: ask, never resend
    ├── MalformedReply an answer that is not as documented; nothing in it is used
    ├── Unavailable    a read failed for now: network, maintenance, an HTTP error
    ├── RateLimited    a read was refused for coming too often
    ├── AuthFailed     the key, its signature, its rights, its IP or the clock were refused
    └── RecordNotFound a lookup found nothing; right after placing an order this proves nothing

No message here may hold a URL, a key or a signature.
"""

from __future__ import annotations

from enum import StrEnum


class RebalancerError(Exception):
    """Base of everything this package raises on purpose."""


class ConfigError(RebalancerError):
    """A setting or the targets file is invalid; the text says where and what to write instead."""


class GuardTripped(RebalancerError):
    """A limit of ours, or doubt about the data, forbids going on."""

    def __init__(self, code: str, message: str, *, limit: str = "", value: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.limit = limit
        self.value = value


class LockHeld(RebalancerError):
    """Another instance holds the lock of this state directory."""


class JournalError(RebalancerError):
    """The journal cannot be read, trusted or written."""


class VenueError(RebalancerError):
    """Something between us and the exchange."""


class NotSent(VenueError):
    """The place call never left: the connection failed before its first byte."""


class AuthCause(StrEnum):
    """Why the exchange did not accept who we are."""

    KEY = "key"
    SIGNATURE = "signature"
    CLOCK = "clock"
    IP = "ip"
    PERMISSION = "permission"
    EXPIRED = "expired"
    ACCOUNT = "account"
    OTHER = "other"


class Rejected(VenueError):
    """The exchange refused definitively; nothing was executed. `cause` is set when it refused who we are."""

    def __init__(self, code: str, message: str, cause: AuthCause | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.cause = cause


class OutcomeUnknown(VenueError):
    """The place call was sent and its outcome is not known."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class MalformedReply(VenueError):
    """An answer that does not have the documented shape."""


class Unavailable(VenueError):
    """A read could not be answered now; the same read may be tried again."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class RateLimited(Unavailable):
    """A read came too often."""


class RecordNotFound(VenueError):
    """A lookup found no such record (yet)."""


class AuthFailed(VenueError):
    """The exchange did not accept the key, the signature, the clock, the address or the account."""

    def __init__(self, cause: AuthCause, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.cause = cause
        self.code = code
