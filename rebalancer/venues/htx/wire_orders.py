"""Orders and match results of HTX as core values, and the body of a place call. Pure.

HTX's word `amount` stays in this file: it is base for most orders, but the quote value to spend for a market buy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from rebalancer.core.model import Fill, LimitIoc, Order, OrderState, PlaceRequest, Side, Terms, amount_of, price_of
from rebalancer.core.money import BaseAmount, QuoteAmount, parse_decimal, plain
from rebalancer.errors import MalformedReply
from rebalancer.venues.htx.codes_map import CodeMap
from rebalancer.venues.htx.decode import Fields

MARKET, IOC = "market", "ioc"  # what follows the side in an order's type
_IOC_SIDES = {f"{side}-{IOC}": side for side in Side}
_STATES = {
    **dict.fromkeys(
        ("created", "ready", "pre-submitted", "submitted", "partial-filled", "canceling", "cancelling"),
        OrderState.OPEN,
    ),
    "filled": OrderState.FILLED,
    "partial-canceled": OrderState.PARTIAL,
    "canceled": OrderState.CANCELED,
}


def place_body(request: PlaceRequest) -> bytes:
    """Return the JSON of `/v1/order/orders/place` for one order; amounts are plain text, never exponents."""
    price = price_of(request.terms)
    limit = {} if price is None else {"price": plain(price)}  # HTX refuses a market order that names one
    return json.dumps(
        {
            "account-id": request.account_id,
            "symbol": request.symbol,
            "type": f"{request.side}-{MARKET if price is None else IOC}",
            "amount": plain(amount_of(request.terms)),
            **limit,
            "source": "spot-api",
            "client-order-id": request.client_order_id,
            "self-match-prevent": 1,
        },
        separators=(",", ":"),
    ).encode("ascii")


@dataclass(frozen=True, slots=True)
class WireOrder:
    """What a place body says, read back from its bytes."""

    account_id: str
    symbol: str
    terms: Terms
    client_order_id: str


def read_place_body(body: bytes) -> WireOrder:
    """Read a place body back, on its own path, for the check that the wire equals the intent.

    Raises ValueError for anything but a plain market or IOC order from the spot account.
    """
    fields = json.loads(body)
    kind = fields["type"]
    if fields.get("source") != "spot-api" or ("price" in fields) != (kind in _IOC_SIDES):
        raise ValueError("not a plain spot order, or a price where none belongs, or none where one does")
    amount = parse_decimal(fields["amount"])
    terms: Terms
    match kind:
        case "buy-market":
            terms = QuoteAmount(amount)
        case "sell-market":
            terms = BaseAmount(amount)
        case "buy-ioc" | "sell-ioc":
            terms = LimitIoc(_IOC_SIDES[kind], BaseAmount(amount), parse_decimal(fields["price"]))
        case other:
            raise ValueError(f"order type {other!r} is neither a market nor an IOC order")
    return WireOrder(fields["account-id"], fields["symbol"], terms, fields["client-order-id"])


def parse_order(endpoint: str, payload: object) -> Order:
    """Return one order, in the shape of details (`field-*`) or of lists (`filled-*`), old padding or new."""
    row = Fields(endpoint, payload)
    kind = row.word("type")
    side, _, style = kind.partition("-")
    if side not in {"buy", "sell"}:
        raise MalformedReply(f"{endpoint}: order type {kind!r}")
    state_text = row.word("state")
    return Order(
        venue_order_id=str(row.whole("id")),
        client_order_id=row.label("client-order-id"),
        account_id=str(row.whole("account-id")),
        symbol=row.word("symbol"),
        side=Side(side),
        kind=style,
        price=None if style == MARKET or "price" not in row else row.not_negative("price"),
        requested=row.not_negative("amount"),
        state=_STATES.get(state_text, OrderState.UNRECOGNISED),
        state_text=state_text,
        filled_quantity=row.not_negative(_first(row, "field-amount", "filled-amount")),
        filled_quote=row.not_negative(_first(row, "field-cash-amount", "filled-cash-amount")),
        fee_nominal=row.decimal(_first(row, "field-fees", "filled-fees")),
        created_at=row.moment("created-at"),
    )


def _first(row: Fields, *names: str) -> str:
    return next((name for name in names if name in row), names[0])


def parse_orders(endpoint: str, payload: dict[str, Any]) -> tuple[Order, ...]:
    """Return a list of orders."""
    return tuple(parse_order(f"{endpoint}.data", row) for row in Fields(endpoint, payload).rows("data"))


def parse_fills(payload: dict[str, Any], codes: CodeMap) -> tuple[Fill, ...]:
    """Return match results; a fee paid in another coin (HTX, points) stands in `deducted`, and may still be ongoing.

    A fee without its coin is malformed: it could only be booked as none.
    """
    return tuple(
        _fill_of(Fields("matchresults.data", row), codes) for row in Fields("matchresults", payload).rows("data")
    )


def _fill_of(row: Fields, codes: CodeMap) -> Fill:
    kind = row.word("type")
    fee, deducted = row.decimal("filled-fees"), row.not_negative("filled-points")
    return Fill(
        fill_id=str(row.whole("id")),
        venue_order_id=str(row.whole("order-id")),
        symbol=row.word("symbol"),
        side=Side(kind.partition("-")[0]) if kind.startswith(("buy-", "sell-")) else _odd_type(kind),
        price=row.positive("price"),
        quantity=row.positive("filled-amount"),
        fee=fee,
        fee_asset=_coin(row, "fee-currency", codes, needed=bool(fee)),
        deducted=deducted,
        deducted_asset=_coin(row, "fee-deduct-currency", codes, needed=bool(deducted)),
        settled=(row.label("fee-deduct-state") or "done") == "done",
        filled_at=row.moment("created-at"),
    )


def _coin(row: Fields, name: str, codes: CodeMap, *, needed: bool) -> str:
    return codes.asset_of(row.word(name)) if needed or row.label(name) else ""


def _odd_type(kind: str) -> Side:
    raise MalformedReply(f"matchresults: order type {kind!r}")


def next_time(payload: dict[str, Any]) -> str | None:
    """Return where a cut order history goes on, in milliseconds, or None for the last page."""
    fields = Fields("order-history", payload)
    return str(fields.whole("next-time")) if "next-time" in fields else None
