"""Where each number that the client returned must stand: read from the answer again, by other means than the client's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from rebalancer.core.model import (
    Account,
    Balance,
    Book,
    Candle,
    FeeRate,
    Fill,
    KeyInfo,
    MarketRules,
    MarketStatus,
    Order,
    Ticker,
)

FIGURE = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
# attribute -> the fields of one object in the answer, any of which may hold it
PLACES: dict[type, dict[str, tuple[str, ...]]] = {
    Account: {"account_id": ("id",)},
    FeeRate: {"symbol": ("symbol",), "taker_fee_rate": ("takerFeeRate", "actualTakerRate")},
    Fill: {
        "fill_id": ("id",), "venue_order_id": ("order-id",), "symbol": ("symbol",), "price": ("price",),
        "quantity": ("filled-amount",), "fee": ("filled-fees",), "deducted": ("filled-points",),
        "filled_at": ("created-at",),
    },
    KeyInfo: {"days_valid": ("validDays",)},
    MarketRules: {
        "symbol": ("symbol",), "tick_size": ("pp",), "lot_size": ("ap",), "quote_step": ("vp",),
        "min_notional": ("minov",), "sell_quantity_min": ("smminoa",), "sell_quantity_max": ("smmaxoa",),
        "buy_notional_max": ("bmmaxov",), "limit_quantity_min": ("lominoa",),
        "limit_buy_quantity_max": ("lomaxba", "lomaxoa"), "limit_sell_quantity_max": ("lomaxsa", "lomaxoa"),
    },
    MarketStatus: {"state": ("marketStatus",), "halt_end": ("haltEndTime",)},
    Order: {
        "venue_order_id": ("id",), "account_id": ("account-id",), "symbol": ("symbol",), "requested": ("amount",),
        "price": ("price",),
        "filled_quantity": ("field-amount", "filled-amount"), "filled_quote": ("field-cash-amount", "filled-cash-amount"),
        "fee_nominal": ("field-fees", "filled-fees"), "created_at": ("created-at",), "state_text": ("state",),
    },
    Ticker: {"symbol": ("symbol",), "last": ("close",), "open_24h": ("open",), "bid": ("bid",), "ask": ("ask",)},
}  # fmt: skip
STEPS = frozenset({"tick_size", "lot_size", "quote_step"})


def strict(body: bytes) -> Any:
    """Return the document in a body that is JSON to the letter, numbers as Decimals, or None."""
    try:
        return json.loads(
            body.decode(), parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse, object_pairs_hook=_once
        )
    except (ValueError, RecursionError, InvalidOperation):
        return None


def _refuse(text: str) -> None:
    raise ValueError(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def number(value: Any) -> Decimal | None:
    """Return what a field says, if that is a number."""
    if isinstance(value, Decimal):
        return value
    try:
        return Decimal(value) if isinstance(value, str) and FIGURE.fullmatch(value) else None
    except InvalidOperation:
        return None


def unfounded(document: Any, value: Any) -> str:
    """Return what of a returned value stands nowhere in the answer, or an empty text."""
    if not isinstance(document, dict):
        return "a value was made of an answer that is no JSON object to the letter"
    if isinstance(value, datetime | str):
        return "" if _says(document.get("data"), value) else f"{value!r} does not stand in `data`"
    if isinstance(value, Book):
        return _book(document.get("tick"), value)
    items: Iterable[Any] = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, MarketStatus | KeyInfo | Order):
        items = (value,)
    found = list(_objects(document))
    return next((f"{item!r} does not stand in any one object" for item in items if not _stands(found, item)), "")


def _stands(found: list[dict[str, Any]], item: Any) -> bool:
    if isinstance(item, Balance):
        return all(
            any(
                str(row.get("currency")).upper() == item.asset
                and row.get("type") == kind
                and number(row.get("balance")) == amount
                for row in found
            )
            for kind, amount in (("trade", item.free), ("frozen", item.locked))
        )
    if isinstance(item, Candle):  # whose time is in seconds, unlike every other
        start_s = item.starts_at.timestamp()
        return any(number(row.get("id")) == start_s and number(row.get("close")) == item.close for row in found)
    return any(_matches(row, item) for row in found)


def _matches(row: dict[str, Any], item: Any) -> bool:
    for attribute, fields in PLACES[type(item)].items():
        value = getattr(item, attribute)
        if attribute in STEPS:
            value = Decimal(-value.as_tuple().exponent)
        if value is not None and not any(_says(row.get(field), value) for field in fields):
            return False
    return True


def _says(field: Any, value: Any) -> bool:
    """Return whether a field of the answer says a value: the number, the moment in milliseconds, or the word."""
    if isinstance(value, datetime):
        value = Decimal((value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1))
    if isinstance(value, str) and not FIGURE.fullmatch(value):
        return bool(field == value)
    said = number(field)
    return said is not None and said == Decimal(value)


def _book(tick: Any, book: Book) -> str:
    for name, levels in (("bids", book.bids), ("asks", book.asks)):
        rows = tick.get(name) if isinstance(tick, dict) else None
        if rows is None or [(number(p), number(q)) for p, q in rows] != [
            (level.price, level.quantity) for level in levels
        ]:
            return f"the {name} are not those of the answer"
    return ""


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(below)
