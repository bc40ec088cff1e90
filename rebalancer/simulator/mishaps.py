"""What the drawn faults do to a request before it is carried out, and to an answer after it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rebalancer.simulator.envelopes import error_v1, text
from rebalancer.simulator.http import Request, Response

if TYPE_CHECKING:
    from rebalancer.simulator.exchange import Pending

LATE_MS = 120_000
SLOW_S = 30.0
SKEW_MS = 60_000
NOTHING = Response(0, b"", dropped=True)
HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
HTML_HEADERS = {"content-type": "text/html"}


def before_request(fault: str, _request: Request) -> Response | None:
    """Return the answer to a request that a fault keeps from being carried out now, or None to carry it out."""
    match fault:
        case "lost_request" | "delayed_request":
            return NOTHING
        case "system_error_refused":
            return error_v1("base-system-error", "System error, please try again later.")
        case "http_429":
            return Response(429, b"Too Many Requests", {"content-type": "text/plain"})
        case "rate_code":
            return error_v1("rate-too-many-requests", "exceeded rate limit")
        case "html_502":
            return Response(502, HTML, HTML_HEADERS)
        case "redirect":
            return Response(301, b"", {"location": "https://elsewhere.invalid/"})
    return None


def delayed(request: Request, now_ms: int) -> Pending:
    """Return the request as one that arrives later."""
    from rebalancer.simulator.exchange import Pending  # noqa: PLC0415  # the exchange imports this file

    return Pending(now_ms + LATE_MS, request)


def after_answer(fault: str, endpoint: str, answered: Response, lagging: dict[str, Any]) -> Response:
    """Return what reaches the caller of a request that was carried out."""
    match fault:
        case "lost_reply":
            return NOTHING
        case "delayed_reply":
            return replace(answered, delay_s=SLOW_S)
        case "system_error_executed":
            return error_v1("base-system-error", "System error, please try again later.")
        case "html_200":
            return Response(200, HTML, HTML_HEADERS)
        case "truncated":
            return replace(answered, body=answered.body[: len(answered.body) // 2])
        case "nan":
            return replace(answered, body=re.sub(rb'("|:)-?\d+(\.\d+)?("|,|\})', rb"\1NaN\3", answered.body, count=1))
    lie = _LIES.get((fault, endpoint))
    return answered if lie is None else _edited(answered, lie, lagging)


def _edited(answered: Response, lie: Any, lagging: dict[str, Any]) -> Response:
    document = json.loads(answered.body)
    if document.get("status", "ok") == "ok":
        lie(document, lagging)
    return replace(answered, body=json.dumps(document).encode())


def _clock_skew(document: dict[str, Any], _lagging: dict[str, Any]) -> None:
    document["data"] += SKEW_MS


def _balance_lag(document: dict[str, Any], lagging: dict[str, Any]) -> None:
    for row in document["data"]["list"]:
        if row["currency"] in lagging:
            free, frozen = lagging[row["currency"]]
            row["balance"] = text(free if row["type"] == "trade" else frozen)


def _missing_row(document: dict[str, Any], _lagging: dict[str, Any]) -> None:
    held = [row["currency"] for row in document["data"]["list"] if row["balance"] != "0"]
    document["data"]["list"] = [row for row in document["data"]["list"] if row["currency"] not in held[:1]]


def _one_sided(document: dict[str, Any], _lagging: dict[str, Any]) -> None:
    document["tick"]["asks"] = []


def _zero_price(document: dict[str, Any], _lagging: dict[str, Any]) -> None:
    for row in document["data"]:
        row["close"] = 0


_LIES = {
    ("clock_skew", "timestamp"): _clock_skew,
    ("balance_lag", "balance"): _balance_lag,
    ("missing_row", "balance"): _missing_row,
    ("one_sided", "depth"): _one_sided,
    ("zero_price", "tickers"): _zero_price,
}
