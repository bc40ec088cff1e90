"""The sizes that one order may have: whole steps between the least that may be sent and the most that makes sense.

A sell climbs in lots of the coin; a buy in steps of the money spent, which become coarser where HTX's two precisions
for it differ (see `buy_step` in `sizing.py`). A coin that cannot be traded at all has no ladder.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from rebalancer.core.collar import buy_bounds
from rebalancer.core.model import MarketRules, Side
from rebalancer.core.money import EXACT, ONE, ZERO, BaseAmount, QuoteAmount, floor_to_step
from rebalancer.core.sizing import AMOUNT_PRECISION_QUOTES

# Of the smallest trade: an order back would begin nearer to the target than it ends. Fees need the rest up to a half.
PAST_TARGET_MAX = Decimal("0.45")


@dataclass(frozen=True, slots=True)
class Ladder:
    """All sizes from `low` to `high`; `unit` is what a size of one is worth in quote money at the mid."""

    side: Side
    unit: Decimal
    step: Decimal
    coarse_step: Decimal
    coarse_from: Decimal  # sizes of this and more are whole coarse steps
    low: Decimal
    high: Decimal
    collar: Decimal | None = None  # of a buy that carries base: the price at which it is counted into an order

    @property
    def low_quote(self) -> Decimal:
        """Return the notional of the smallest order."""
        return self.quote(self.low)

    @property
    def high_quote(self) -> Decimal:
        """Return the notional of the largest order."""
        return self.quote(self.high)

    def quote(self, size: Decimal) -> Decimal:
        """Return what a size is worth at the mid."""
        return EXACT.multiply(size, self.unit)

    def step_quote(self, quote: Decimal) -> Decimal:
        """Return what a step is worth among the sizes near a notional."""
        return self.quote(self.coarse_step if quote > self.quote(self.coarse_from) else self.step)

    def down(self, quote: Decimal) -> Decimal | None:
        """Return the largest size worth no more than `quote`."""
        if quote >= self.high_quote:
            return self.high
        size = self.floor(EXACT.divide(quote, self.unit))
        return size if size >= self.low else None

    def up(self, quote: Decimal) -> Decimal | None:
        """Return the smallest size worth no less than `quote`."""
        if quote <= self.low_quote:
            return self.low
        size = self.floor(EXACT.divide(quote, self.unit))
        size = size if self.quote(size) >= quote else self.next(size)
        return size if size <= self.high else None

    def below(self, size: Decimal) -> Decimal | None:
        """Return the next smaller size."""
        if size > self.coarse_from:
            under = size - self.coarse_step
        else:
            whole = floor_to_step(size, self.step)
            under = whole if whole < size else size - self.step
        return under if under >= self.low else None

    def above(self, size: Decimal) -> Decimal | None:
        """Return the next larger size."""
        size = self.next(size)
        return size if size <= self.high else None

    def cut_to(self, quote: Decimal) -> Ladder | None:
        """Return the ladder without the sizes worth more than `quote`."""
        high = self.down(quote)
        if high is None:
            return None
        return replace(self, high=high)

    def amount(self, size: Decimal) -> BaseAmount | QuoteAmount:
        """Return a size as an order carries it."""
        if self.side is Side.SELL:
            return BaseAmount(size)
        return QuoteAmount(size if self.collar is None else EXACT.multiply(size, self.collar))

    def size_of(self, amount: Decimal) -> Decimal:
        """Return how large, in sizes of this ladder, an order's amount is."""
        return amount if self.collar is None else EXACT.divide(amount, self.collar)

    def floor(self, size: Decimal) -> Decimal:
        """Return the largest whole size of no more than `size`, whatever the bounds."""
        return floor_to_step(size, self.coarse_step if size >= self.coarse_from else self.step)

    def next(self, size: Decimal) -> Decimal:
        """Return the whole size after `size`, whatever the bounds."""
        if size >= self.coarse_from:
            return size + self.coarse_step
        return min(size + self.step, self.coarse_from)


def sell_ladder(
    rules: MarketRules, *, mid: Decimal, free: Decimal, smallest: Decimal, bound_quote: Decimal
) -> Ladder | None:
    """Return the quantities that may be sold: worth `smallest` or more, and free, and within the bound."""
    steps = _sells(rules, mid)
    return _within(steps, steps.floor(min(free, rules.sell_quantity_max)), rules, smallest, bound_quote)


def buy_ladder(rules: MarketRules, *, smallest: Decimal, bound_quote: Decimal, amount_precision: bool) -> Ladder | None:
    """Return the amounts of quote money that may be spent."""
    steps = _buys(rules, amount_precision=amount_precision)
    return _within(steps, steps.floor(rules.buy_notional_max), rules, smallest, bound_quote)


def collared_buy_ladder(
    rules: MarketRules, *, mid: Decimal, collar: Decimal, smallest: Decimal, bound_quote: Decimal
) -> Ladder | None:
    """Return the quantities that may be bought at no more than the collar; they are worth their mid."""
    bounds = buy_bounds(rules)
    steps = Ladder(Side.BUY, mid, rules.lot_size, rules.lot_size, ZERO, ZERO, ZERO, collar)
    return _within(steps, steps.floor(bounds.high), rules, smallest, bound_quote, bounds.low)


def smallest_orders(rules: MarketRules, mid: Decimal, smallest: Decimal) -> tuple[Decimal, Decimal]:
    """Return the notionals of the smallest buy and the smallest sell, in whole steps, whatever is held."""
    sells, buys = _sells(rules, mid), _buys(rules, amount_precision=False)
    return buys.quote(_least(buys, rules, smallest)), sells.quote(_least(sells, rules, smallest))


def _sells(rules: MarketRules, mid: Decimal) -> Ladder:
    return Ladder(Side.SELL, mid, rules.lot_size, rules.lot_size, ZERO, ZERO, ZERO)


def _buys(rules: MarketRules, *, amount_precision: bool) -> Ladder:
    step = coarse = rules.lot_size if amount_precision else rules.quote_step
    if not amount_precision and rules.quote in AMOUNT_PRECISION_QUOTES:
        coarse = max(rules.lot_size, rules.quote_step)
    coarse_from = floor_to_step(rules.min_notional, coarse)
    coarse_from += coarse if coarse_from < rules.min_notional else ZERO
    return Ladder(Side.BUY, ONE, step, coarse, coarse_from, ZERO, ZERO)


def _least(steps: Ladder, rules: MarketRules, smallest: Decimal, quantity_min: Decimal = ZERO) -> Decimal:
    least = max(EXACT.divide(smallest, steps.unit), quantity_min)
    if steps.side is Side.SELL:
        least = max(rules.sell_quantity_min, least)
    low = steps.floor(least)
    while low < least or low <= ZERO or steps.quote(low) < smallest:
        low = steps.next(low)
    return low


def _within(
    steps: Ladder,
    high: Decimal,
    rules: MarketRules,
    smallest: Decimal,
    bound_quote: Decimal,
    quantity_min: Decimal = ZERO,
) -> Ladder | None:
    """Return the sizes within the bound, which is the way to the target.

    Where the least that may be sent is more than that way, this one order may pass the target, by so little that no
    order leads back.
    """
    low = _least(steps, rules, smallest, quantity_min)
    least_quote = steps.quote(low)
    if low > high or least_quote - bound_quote > PAST_TARGET_MAX * smallest:
        return None
    high = min(high, steps.floor(EXACT.divide(max(bound_quote, least_quote), steps.unit)))
    return replace(steps, low=low, high=max(low, high))
