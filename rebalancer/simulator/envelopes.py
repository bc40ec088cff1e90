"""Answers in HTX's four envelopes, with its number types: text where it sends text, exact numbers where it does not."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from rebalancer.simulator.http import Response
from rebalancer.simulator.state import EIGHTEEN, WIDE

_JSON = msgspec.json.Encoder(decimal_format="number")
JSON_HEADERS = {"content-type": "application/json;charset=utf-8"}


def to_json(value: Any) -> bytes:
    """Return JSON with Decimals as exact numbers."""
    return _JSON.encode(value)


def answer(document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return HTTP 200 with a JSON document: HTX's way, for business errors too."""
    return Response(200, to_json(document), {**JSON_HEADERS, **(headers or {})})


def ok_v1(data: Any) -> Response:
    """Return a v1 success."""
    return answer({"status": "ok", "data": data})


def ok_v2(data: Any) -> Response:
    """Return a v2 success."""
    return answer({"code": 200, "message": "success", "data": data})


def error_v1(code: str, message: str, **more: Any) -> Response:
    """Return a v1 error."""
    return answer({"status": "error", "err-code": code, "err-msg": message, "data": None, **more})


def error_v2(code: int, message: str) -> Response:
    """Return a v2 error."""
    return answer({"code": code, "message": message, "data": None})


def error_market(code: str, message: str, now_ms: int) -> Response:
    """Return an error of the market data endpoints."""
    return answer({"ts": now_ms, "status": "error", "err-code": code, "err-msg": message})


def text(value: Decimal) -> str:
    """Return a figure as the text that HTX sends: plain digits."""
    shown = format(value, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def padded(value: Decimal) -> str:
    """Return a figure padded to 18 decimals, the older shape; zero is `0.0`."""
    return format(value.quantize(EIGHTEEN, context=WIDE), "f") if value else "0.0"
