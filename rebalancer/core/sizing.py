"""From a wish in quote money to an order's size: steps, minimums and maximums. Sizes only go down."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from rebalancer.core.collar import as_limit_sells, buy_bounds
from rebalancer.core.model import MarketRules, Side
from rebalancer.core.money import EXACT, ZERO, BaseAmount, QuoteAmount, floor_to_step
from rebalancer.core.reasons import Reason, Skip

WHOLE = Decimal("0.99")  # of a wish: what lots and fees take from it is less than the rest
MIN_NOTIONAL_MARGIN = Decimal("1.2")  # the price may move against us between plan and order
SMALLEST_SHARE = Decimal("0.001")  # of NAV
AMOUNT_PRECISION_QUOTES = ("USDT",)


@dataclass(frozen=True, slots=True)
class Sized:
    """An order's size and what it is worth at the mid."""

    size: BaseAmount | QuoteAmount
    notional_quote: Decimal


def buy_step(rules: MarketRules, spend: Decimal, *, amount_precision: bool, collar: Decimal | None = None) -> Decimal:
    """Return the step of a buy's spend: with a collar, one lot at that price.

    HTX's documents say the value precision governs it, reports say the amount precision. For USDT the coarser of the
    two serves both, as long as the minimum is still met; a symbol that once refused for precision keeps to its lot.
    """
    if collar is not None:
        return EXACT.multiply(rules.lot_size, collar)
    if amount_precision:
        return rules.lot_size
    coarse = max(rules.lot_size, rules.quote_step)
    if rules.quote in AMOUNT_PRECISION_QUOTES and floor_to_step(spend, coarse) >= rules.min_notional:
        return coarse
    return rules.quote_step


def smallest_trade(rules: MarketRules, nav_quote: Decimal) -> Decimal:
    """Return the least notional worth an order: 1.2 times HTX's minimum, or 0.1 % of NAV if that is more."""
    return max(rules.min_notional * MIN_NOTIONAL_MARGIN, nav_quote * SMALLEST_SHARE)


def largest_order(rules: MarketRules, side: Side, collar: Decimal | None) -> Decimal:
    """Return the largest size that the exchange takes in one order: of base for a sell, of quote money for a buy."""
    if side is Side.SELL:
        return rules.sell_quantity_max if collar is None else as_limit_sells(rules).sell_quantity_max
    return rules.buy_notional_max if collar is None else EXACT.multiply(buy_bounds(rules).high, collar)


def size_sell(
    rules: MarketRules, *, wish_quote: Decimal, mid: Decimal, free: Decimal, smallest: Decimal
) -> Sized | Reason:
    """Return a sell of at most the wish and the free balance, or why there is none. HTX's minimums hold for it too."""
    asset = rules.base
    if free <= ZERO:
        text = f"no free {asset} to sell here: the rest is locked in your own orders, kept or elsewhere"
        return Reason(Skip.NO_FREE_BALANCE, text)
    wish = EXACT.divide(wish_quote, mid)
    quantity = floor_to_step(min(wish, free, rules.sell_quantity_max), rules.lot_size)
    if quantity <= ZERO:
        return Reason(Skip.ZERO_AFTER_FLOOR, f"less than one lot of {rules.lot_size} {asset}")
    notional = EXACT.multiply(quantity, mid)
    if quantity < rules.sell_quantity_min:
        text = f"{quantity} {asset} is below the exchange's minimum of {rules.sell_quantity_min}"
        return Reason(Skip.BELOW_MIN_QUANTITY, text)
    return _too_small(rules, notional, smallest) or Sized(BaseAmount(quantity), notional)


def size_buy(rules: MarketRules, *, wish_quote: Decimal, smallest: Decimal, amount_precision: bool) -> Sized | Reason:
    """Return a buy that spends at most the wish, or why there is none."""
    wish = min(wish_quote, rules.buy_notional_max)
    spend = floor_to_step(wish, buy_step(rules, wish, amount_precision=amount_precision))
    if spend <= ZERO:
        return Reason(Skip.ZERO_AFTER_FLOOR, f"less than one step of {rules.quote_step} {rules.quote}")
    return _too_small(rules, spend, smallest) or Sized(QuoteAmount(spend), spend)


def size_collared_buy(
    rules: MarketRules, *, wish_quote: Decimal, mid: Decimal, collar: Decimal, smallest: Decimal
) -> Sized | Reason:
    """Return a buy of lots worth at most the wish at the mid, its size what they cost at most; or why there is none."""
    bounds = buy_bounds(rules)
    quantity = floor_to_step(min(EXACT.divide(wish_quote, mid), bounds.high), rules.lot_size)
    if quantity <= ZERO:
        return Reason(Skip.ZERO_AFTER_FLOOR, f"less than one lot of {rules.lot_size} {rules.base}")
    if quantity < bounds.low:
        text = f"{quantity} {rules.base} is below the exchange's minimum of {bounds.low}"
        return Reason(Skip.BELOW_MIN_QUANTITY, text)
    notional = EXACT.multiply(quantity, mid)
    return _too_small(rules, notional, smallest) or Sized(QuoteAmount(EXACT.multiply(quantity, collar)), notional)


def _too_small(rules: MarketRules, notional: Decimal, smallest: Decimal) -> Reason | None:
    if notional < rules.min_notional * MIN_NOTIONAL_MARGIN:
        floor = rules.min_notional * MIN_NOTIONAL_MARGIN
        text = f"{notional:.2f} {rules.quote} is below 1.2 x the exchange's minimum ({floor:.2f})"
        return Reason(Skip.BELOW_MIN_NOTIONAL, text)
    if notional < smallest:
        text = f"{notional:.2f} {rules.quote} is below the smallest trade worth its fee, {smallest:.2f} (0.1 % of NAV)"
        return Reason(Skip.BELOW_SMALLEST_TRADE, text)
    return None
