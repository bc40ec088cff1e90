"""The four envelopes of HTX, normalised: the payload, or one family of errors. Pure.

HTX API reference, "Response format": v1 and market answers say `status`, v2 answers say `code`, the settings
endpoints say `status` and may spell the error with underscores. Business errors come with HTTP 200.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rebalancer.errors import (
    AuthFailed,
    MalformedReply,
    OutcomeUnknown,
    RateLimited,
    RecordNotFound,
    Rejected,
    Unavailable,
    VenueError,
)
from rebalancer.venues.htx.codes import Kind, auth_cause, kind_of_read, refuses_place
from rebalancer.venues.htx.decode import Fields, decode

_ADDRESS = re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b|\b[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4}){3,7}\b")
_ORDER_ID = re.compile(r"[1-9][0-9]{0,29}")  # HTX's have about 16 digits
_RATE_STATUS = 429
_FORBIDDEN_STATUS = 403


@dataclass(frozen=True, slots=True)
class RawReply:
    """What came back on the wire, before anything is believed."""

    status: int
    body: bytes
    remaining: int | None = None  # X-HB-RateLimit-Requests-Remain, where sent
    hidden: str = ""  # our access key, for the words of an error that repeat it


@dataclass(frozen=True, slots=True)
class Failure:
    """An error envelope: HTTP status, HTX's code and its words (address and key hidden)."""

    http_status: int
    code: str
    message: str
    has_data: bool = False  # beside the error, a result


def open_envelope(endpoint: str, reply: RawReply) -> dict[str, Any] | Failure:
    """Return the answer's object when it says success, else its failure; MalformedReply when it says neither."""
    body = decode(endpoint, reply.body)
    fields = Fields(endpoint, body)
    if "status" in fields:
        status = fields.word("status")
        if status == "ok":
            if "err-code" in fields or "err_code" in fields:
                raise MalformedReply(f"{endpoint}: it says both ok and an error code")
            return body
        if status != "error":
            raise MalformedReply(f"{endpoint}: status {status!r} is neither ok nor error")
        name = "err-code" if "err-code" in fields else "err_code"
        code = fields.word(name) if name in fields else ""
        words = fields.label("err-msg") or fields.label("err_msg")
    else:
        if fields.whole("code") == 200:  # noqa: PLR2004  # the envelope's own word for success
            return body
        code, words = str(fields.whole("code")), fields.label("message")
    if reply.hidden:
        code, words = code.replace(reply.hidden, "(key)"), words.replace(reply.hidden, "(key)")
    return Failure(reply.status, code or "(no code)", _ADDRESS.sub("(address)", words), "data" in fields)


def read_payload(endpoint: str, reply: RawReply) -> dict[str, Any]:
    """Return a read's answer, or raise what its failure means."""
    if reply.status == _RATE_STATUS:
        raise RateLimited(f"{endpoint}: HTTP 429, too many requests", code="429")
    if reply.status == _FORBIDDEN_STATUS:
        raise Unavailable(f"{endpoint}: HTTP 403; the exchange does not serve this address or region", code="403")
    if reply.status != 200:  # noqa: PLR2004
        raise Unavailable(f"{endpoint}: HTTP {reply.status}", code=str(reply.status))
    opened = open_envelope(endpoint, reply)
    if isinstance(opened, Failure):
        raise error_of_read(endpoint, opened)
    return opened


def error_of_read(endpoint: str, failure: Failure) -> VenueError:
    """Return the exception that a failed read is."""
    code, message = failure.code, failure.message
    text = f"{endpoint}: {message}"
    match kind_of_read(code, message):
        case Kind.AUTH:
            return AuthFailed(auth_cause(code, message), code, text)
        case Kind.RATE:
            return RateLimited(f"{text} ({code})", code=code)
        case Kind.TEMPORARY | Kind.UNKNOWN:
            return Unavailable(f"{text} ({code})", code=code)
        case Kind.LOOKUP:
            return RecordNotFound(f"{text} ({code})")
        case Kind.FINAL:
            return Rejected(code, text)


def placed_order_id(endpoint: str, reply: RawReply) -> str:
    """Return the order id of an accepted place call, or raise Rejected or OutcomeUnknown and nothing else.

    Only HTTP 200 with an intact envelope counts as an answer: a gateway's 429, 5xx or HTML page says nothing about
    what happened behind it.
    """
    if reply.status != 200:  # noqa: PLR2004
        raise OutcomeUnknown(f"HTTP {reply.status}")
    try:
        opened = open_envelope(endpoint, reply)
    except MalformedReply as exc:
        raise OutcomeUnknown(f"unreadable answer: {exc}") from None
    if isinstance(opened, Failure):
        if refuses_place(opened.code) and not opened.has_data:
            who_we_are = kind_of_read(opened.code, opened.message) is Kind.AUTH
            cause = auth_cause(opened.code, opened.message) if who_we_are else None
            raise Rejected(opened.code, opened.message, cause)
        raise OutcomeUnknown(f"{opened.code}: {opened.message}")
    order_id = opened.get("data")
    if isinstance(order_id, int) and not isinstance(order_id, bool):
        order_id = str(order_id)
    if not isinstance(order_id, str) or not _ORDER_ID.fullmatch(order_id):
        raise OutcomeUnknown("accepted without a usable order id")
    return order_id
