"""The price that an immediate-or-cancel order may not pass, set once by the plan from its decision mid.

It is never set again from a later look: a mid that moved against us would move it outward, and one that moved our way
fills at the better price by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from rebalancer.core.model import Book, LimitIoc, MarketRules, Side, Terms
from rebalancer.core.money import BPS, EXACT, ONE, BaseAmount, QuoteAmount, floor_to_step


def collar_price(side: Side, mid: Decimal, max_slippage_bps: Decimal, tick_size: Decimal) -> Decimal:
    """Return the worst price allowed, on the tick: never further from the mid than `max_slippage_bps`.

    Zero where a buy has no tick between nothing and that distance.
    """
    share = max_slippage_bps / BPS
    if side is Side.BUY:
        return floor_to_step(EXACT.multiply(mid, ONE + share), tick_size)
    outermost = EXACT.multiply(mid, ONE - share)
    below = floor_to_step(outermost, tick_size)
    return below if below == outermost else EXACT.add(below, tick_size)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What quantity of base one order may have."""

    low: Decimal
    high: Decimal


def takes_limit_orders(rules: MarketRules) -> bool:
    """Return whether the exchange names the bounds of a symbol's limit orders."""
    return None not in (rules.limit_quantity_min, rules.limit_buy_quantity_max, rules.limit_sell_quantity_max)


def as_limit_sells(rules: MarketRules) -> MarketRules:
    """Return the rules with the bounds of a limit order's quantity in place of those of a market sell's."""
    assert rules.limit_quantity_min is not None and rules.limit_sell_quantity_max is not None, rules.symbol
    low, high = rules.limit_quantity_min, rules.limit_sell_quantity_max
    return replace(rules, sell_quantity_min=low, sell_quantity_max=high)


def buy_bounds(rules: MarketRules) -> Bounds:
    """Return the bounds of a collared buy."""
    assert rules.limit_quantity_min is not None and rules.limit_buy_quantity_max is not None, rules.symbol
    return Bounds(rules.limit_quantity_min, rules.limit_buy_quantity_max)


def is_reached(collar: Decimal, book: Book, side: Side) -> bool:
    """Return whether the best price of a two-sided book lies within the collar, so that something can fill."""
    return book.asks[0].price <= collar if side is Side.BUY else book.bids[0].price >= collar


def bought_within(spend: Decimal, collar: Decimal) -> Decimal:
    """Return the base of a collared buy of which `spend`, in whole lots at the collar, is the most it can cost."""
    quantity = EXACT.divide(spend, collar)
    assert EXACT.multiply(quantity, collar) == spend, (spend, collar)
    return quantity


def terms_of(size: BaseAmount | QuoteAmount, collar: Decimal | None) -> Terms:
    """Return what is sent for a size: the size itself as a market order, or its collared order in base."""
    if collar is None:
        return size
    if isinstance(size, BaseAmount):
        return LimitIoc(Side.SELL, size, collar)
    return LimitIoc(Side.BUY, BaseAmount(bought_within(size.value, collar)), collar)
