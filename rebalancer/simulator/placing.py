"""What a place call must satisfy before it becomes an order, with HTX's codes and words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rebalancer.simulator.envelopes import error_v1, text
from rebalancer.simulator.http import Request, Response
from rebalancer.simulator.market import Market
from rebalancer.simulator.specs import SymbolSpec
from rebalancer.simulator.state import ZERO, User

_PLAIN_AMOUNT = re.compile(r"\d{1,20}(\.\d{1,18})?")
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{0,64}")
PAID_IN_QUOTE = ("buy-market", "buy-ioc")
KINDS = ("buy-market", "sell-market", "buy-ioc", "sell-ioc")
# Limit prices must keep to these multiples of the last trade.
PRICE_BOUNDS = {"buy": (Decimal("0.1"), Decimal("1.1")), "sell": (Decimal("0.9"), Decimal(10))}
REQUIRED = ("account-id", "symbol", "type", "amount")


@dataclass(frozen=True, slots=True)
class Placement:
    """A place call that passed every check."""

    spec: SymbolSpec
    kind: str
    amount: Decimal
    client_order_id: str
    price: Decimal = ZERO  # of a limit order


def check_placement(
    request: Request, user: User, market: Market, now_ms: int, *, buy_precision: str
) -> Placement | Response:
    """Return the placement, or HTX's refusal; `buy_precision` is which decimals a market buy's amount may have."""
    body = _body(request)
    if isinstance(body, Response):
        return body
    if str(body["account-id"]) != str(user.spot_id):
        return error_v1("account-account-id-inexistent", "account-id is invalid")
    if user.locked:
        return error_v1("operation-forbidden-for-lock-account-state", "the account is locked")
    spec = market.specs().get(str(body["symbol"]))
    if spec is None:
        return error_v1("base-symbol-error", "The symbol is invalid")
    refusal = _untradable(spec) or _bad_kind(body) or _bad_client_id(body)
    if refusal is not None:
        return refusal
    if (
        not isinstance(body["amount"], str)
        or not _PLAIN_AMOUNT.fullmatch(body["amount"])
        or not Decimal(body["amount"])
    ):
        return error_v1("invalid-amount", "Paramemter `amount` is invalid.")
    amount, kind = Decimal(body["amount"]), str(body["type"])
    price = ZERO
    if kind.endswith("-ioc"):
        price = Decimal(body["price"])
        last = market.last_price(spec.symbol, now_ms)
        refusal = _bad_price(spec, kind, price, last) or _bad_limit_size(spec, amount, price)
    else:
        refusal = _bad_size(spec, kind, amount, buy_precision)
    refusal = refusal or _not_enough(spec, kind, amount * price if kind == "buy-ioc" else amount, user)
    return refusal or Placement(spec, kind, amount, str(body.get("client-order-id", "")), price)


def _body(request: Request) -> dict[str, Any] | Response:
    gateway = error_v1("gateway-internal-error", "Failed to load data. Try again later.")
    if not request.headers.get("content-type", "").startswith("application/json"):
        return gateway
    try:
        body = json.loads(request.body)
    except ValueError:
        return gateway
    if not isinstance(body, dict):
        return gateway
    for name in REQUIRED:
        if body.get(name) in (None, ""):
            return error_v1("validation-constraints-required", f"Field is missing: {name}.")
    return body


def _untradable(spec: SymbolSpec) -> Response | None:
    if spec.state == "pre-online":
        return error_v1("order-disabled", "The symbol is pending")
    if spec.state != "online" or spec.api_trading != "enabled":
        return error_v1("base-symbol-trade-disabled", "Trading is disabled for this symbol")
    return None


def _bad_kind(body: dict[str, Any]) -> Response | None:
    if body["type"] not in KINDS:
        return error_v1("order-type-invalid", "Parameter `type` is invalid.")
    if str(body["type"]).endswith("-market"):
        if body.get("price") is not None:
            return error_v1("order-invalid-price", "A market order has no price")
    elif body.get("price") in (None, ""):
        return error_v1("validation-constraints-required", "Field is missing: price.")
    elif not isinstance(body["price"], str) or not _PLAIN_AMOUNT.fullmatch(body["price"]) or not Decimal(body["price"]):
        return error_v1("order-invalid-price", "Parameter `price` is invalid.")
    if body.get("source", "spot-api") not in ("spot-api", "api"):
        return error_v1("order-source-invalid", "Parameter `source` is invalid.")
    return None


def _bad_client_id(body: dict[str, Any]) -> Response | None:
    if not _CLIENT_ID.fullmatch(str(body.get("client-order-id", ""))):
        return error_v1("invalid-client-order-id", "invalid.client.order.id (NT)")
    return None


def _bad_size(spec: SymbolSpec, kind: str, amount: Decimal, buy_precision: str) -> Response | None:
    buying = kind == "buy-market"
    digits = spec.value_precision if buying and buy_precision == "value" else spec.amount_precision
    if amount != amount.quantize(Decimal(1).scaleb(-digits)):
        return error_v1("order-orderamount-precision-error", f"order amount precision error, scale: `{digits}`")
    if buying and amount < spec.min_order_value:
        floor = f"{text(spec.min_order_value)} {spec.quote.upper()}"
        return error_v1("order-value-min-error", f"Order total cannot be lower than: {floor}")
    if buying and amount > spec.buy_market_max_value:
        return error_v1("order-marketorder-amount-buy-max-error", f"max: `{text(spec.buy_market_max_value)}`")
    if not buying and amount < spec.sell_market_min_amount:
        floor = text(spec.sell_market_min_amount)
        return error_v1("order-marketorder-amount-min-error", f"market order amount error, min: `{floor}`")
    if not buying and amount > spec.sell_market_max_amount:
        return error_v1("order-marketorder-amount-sell-max-error", f"max: `{text(spec.sell_market_max_amount)}`")
    return None


def _bad_price(spec: SymbolSpec, kind: str, price: Decimal, last: Decimal) -> Response | None:
    if price != price.quantize(Decimal(1).scaleb(-spec.price_precision)):
        scale = spec.price_precision
        return error_v1("order-orderprice-precision-error", f"order price precision error, scale: `{scale}`")
    side = kind.partition("-")[0]
    low, high = (last * rate for rate in PRICE_BOUNDS[side])
    if price < low:
        return error_v1(f"order-limitorder-price-{side}-min-error", f"limit order price error, min: `{text(low)}`")
    if price > high:
        return error_v1(f"order-limitorder-price-{side}-max-error", f"limit order price error, max: `{text(high)}`")
    return None


def _bad_limit_size(spec: SymbolSpec, amount: Decimal, price: Decimal) -> Response | None:
    if amount != amount.quantize(Decimal(1).scaleb(-spec.amount_precision)):
        scale = spec.amount_precision
        return error_v1("order-orderamount-precision-error", f"order amount precision error, scale: `{scale}`")
    if amount * price < spec.min_order_value:
        floor = f"{text(spec.min_order_value)} {spec.quote.upper()}"
        return error_v1("order-value-min-error", f"Order total cannot be lower than: {floor}")
    # Bounds of limit orders stand beside those of market sells in the list of symbols, with the same figures.
    if amount < spec.sell_market_min_amount:
        floor = text(spec.sell_market_min_amount)
        return error_v1("order-limitorder-amount-min-error", f"limit order amount error, min: `{floor}`")
    if amount > spec.sell_market_max_amount:
        most = text(spec.sell_market_max_amount)
        return error_v1("order-limitorder-amount-max-error", f"limit order amount error, max: `{most}`")
    return None


def _not_enough(spec: SymbolSpec, kind: str, amount: Decimal, user: User) -> Response | None:
    free = user.wallet(spec.quote if kind in PAID_IN_QUOTE else spec.base).trade
    if free >= amount:
        return None
    return error_v1(
        "account-frozen-balance-insufficient-error", f"trade account balance is not enough, left: `{text(free)}`"
    )
