"""Every pure way from bytes to core values, for the fuzzers that call them without a client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rebalancer.core.model import CandlePeriod
from rebalancer.errors import AuthFailed, MalformedReply, OutcomeUnknown, Rejected, VenueError
from rebalancer.venues.htx.codes_map import CodeMap
from rebalancer.venues.htx.envelope import RawReply, placed_order_id, read_payload
from rebalancer.venues.htx.wire_account import parse_accounts, parse_balances, parse_key_info, parse_uid
from rebalancer.venues.htx.wire_market import (
    parse_book,
    parse_candles,
    parse_fee_rates,
    parse_market_status,
    parse_rules,
    parse_server_time,
    parse_tickers,
)
from rebalancer.venues.htx.wire_orders import next_time, parse_fills, parse_order, parse_orders
from tests.canary import ACCESS_KEY
from tests.hostile.shapes import ACCOUNT
from tests.hostile.truth import unfounded

CODES = CodeMap({"S": "sonic"})
PARSERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "timestamp": parse_server_time,
    "market-status": parse_market_status,
    "market-symbols": lambda payload: parse_rules(payload, CODES),
    "tickers": parse_tickers,
    "depth": lambda payload: parse_book("btcusdt", payload),
    "kline": lambda payload: parse_candles("btcusdt", CandlePeriod.HOUR, payload),
    "fee-rate": parse_fee_rates,
    "accounts": parse_accounts,
    "balance": lambda payload: parse_balances(ACCOUNT, payload, CODES),
    "uid": parse_uid,
    "api-key": lambda payload: parse_key_info(payload, ACCESS_KEY),
    "order": lambda payload: parse_order("order", payload.get("data")),
    "open-orders": lambda payload: parse_orders("open-orders", payload),
    "order-history": lambda payload: (next_time(payload), parse_orders("order-history", payload))[1],
    "order-fills": lambda payload: parse_fills(payload, CODES),
}


def parse(endpoint: str, payload: dict[str, Any]) -> Any:
    """Return what a parser makes of a payload, or None for MalformedReply and for a locked account; all else escapes."""
    try:
        return PARSERS[endpoint](payload)
    except MalformedReply:
        return None
    except AuthFailed as refused:
        if (endpoint, refused.code) != ("balance", "account-not-working"):
            raise
        return None


def read(endpoint: str, body: bytes, document: Any) -> None:
    """Read bytes as an answer; AssertionError when a number comes out that does not stand in `document`."""
    try:
        value = parse(endpoint, read_payload(endpoint, RawReply(200, body)))
    except OutcomeUnknown:
        raise AssertionError(f"a read ended as OutcomeUnknown: {body[:500]!r}") from None
    except VenueError:
        return
    wrong = "" if value is None else unfounded(document, value)
    assert not wrong, f"{endpoint}: {wrong}: {body[:500]!r}"


def place(body: bytes, document: Any) -> None:
    """Read bytes as the answer to a place call; AssertionError when they prove more than they say."""
    said = document if isinstance(document, dict) else {}
    outcome: Any = None
    try:
        outcome = placed_order_id("place", RawReply(200, body))
    except Rejected as refusal:
        outcome = refusal
    except OutcomeUnknown:
        return
    if isinstance(outcome, Rejected):
        assert said.get("status") == "error" and outcome.code in said.values(), f"{outcome}: {body!r}"
    else:
        assert said.get("status") == "ok" and str(said.get("data")) == outcome, f"{outcome}: {body!r}"
