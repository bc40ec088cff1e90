"""What an order would do to the book: a walk over its levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from rebalancer.core.model import Book, Level, Side
from rebalancer.core.money import BPS, EXACT, ONE, ZERO, BaseAmount, QuoteAmount


@dataclass(frozen=True, slots=True)
class Walk:
    """An order's path through one side: average price, cost in basis points, and whether the side was enough."""

    average_price: Decimal
    spread_bps: Decimal  # from the mid to the best price
    impact_bps: Decimal  # from the best price to the average
    exhausted: bool

    @property
    def slippage_bps(self) -> Decimal:
        """Return the whole distance from the mid."""
        return self.spread_bps + self.impact_bps


def walk_book(book: Book, mid: Decimal, size: BaseAmount | QuoteAmount) -> Walk:
    """Walk bids with a base quantity or asks with a quote amount; both sides must be there."""
    selling = isinstance(size, BaseAmount)
    levels = book.bids if selling else book.asks
    assert levels, book.symbol
    with localcontext(EXACT):
        quantity, quote, exhausted = _sell(levels, size.value) if selling else _buy(levels, size.value)
    average = quote / quantity
    best = levels[0].price
    sign = -1 if selling else 1
    return Walk(average, sign * (best - mid) / mid * BPS, sign * (average - best) / mid * BPS, exhausted)


def size_within(book: Book, mid: Decimal, side: Side, max_slippage_bps: Decimal, enough: Decimal) -> Decimal:
    """Return the most that one side takes before its average price is that far from the mid, or its levels end.

    A quantity of the base for a sell, an amount of the quote for a buy; zero when the best price is too far already.
    The walk stops at `enough`.
    """
    sign = -1 if side is Side.SELL else 1
    with localcontext(EXACT):
        worst = mid * (ONE + sign * max_slippage_bps / BPS)
        quantity = quote = ZERO
        for level in book.bids if side is Side.SELL else book.asks:
            beyond = sign * (level.price - worst)  # what each coin of this level adds to the average's excess
            spare = sign * (quantity * worst - quote)
            taken = level.quantity if beyond <= ZERO else min(level.quantity, spare / beyond)
            quantity, quote = quantity + taken, quote + taken * level.price
            if taken < level.quantity or (quantity if side is Side.SELL else quote) >= enough:
                break
    return quantity if side is Side.SELL else quote


def _sell(levels: Sequence[Level], quantity: Decimal) -> tuple[Decimal, Decimal, bool]:
    left, quote = quantity, ZERO
    for level in levels:
        taken = min(left, level.quantity)
        quote += taken * level.price
        left -= taken
        if not left:
            return quantity, quote, False
    return quantity - left, quote, True


def _buy(levels: Sequence[Level], spend: Decimal) -> tuple[Decimal, Decimal, bool]:
    left, quantity = spend, ZERO
    for level in levels:
        value = level.quantity * level.price
        if value >= left:
            return quantity + left / level.price, spend, False
        quantity += level.quantity
        left -= value
    return quantity, spend - left, True
