"""The best orders by trying every one: an enumeration that shares nothing with the search but its definition.

Sizes come from the exchange's rules one by one, float64 only sorts the combinations, and exact fractions decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from rebalancer.core.model import MarketRules, Side
from rebalancer.core.sizing import buy_step

NEAR = 1e-9  # of the cost of doing nothing: far more than float64 can be off

Key = tuple[Fraction, int, Fraction, tuple[Fraction, ...]]


@dataclass(frozen=True)
class Coin:
    """One coin's wish and every size that its order may have, as (size, notional)."""

    side: Side
    wish: Fraction
    sizes: tuple[tuple[Decimal, Fraction], ...]
    fee: Fraction
    strays: bool


@dataclass(frozen=True)
class Bounds:
    """What all orders together may take; None is no limit."""

    cash: Fraction
    turnover: Fraction | None = None
    notional: Fraction | None = None
    orders: int | None = None


def sell_sizes(
    rules: MarketRules, mid: Decimal, free: Decimal, smallest: Decimal, way: Fraction
) -> tuple[tuple[Decimal, Fraction], ...]:
    """Return every lot count that may be sold; `way` is the notional to the target."""
    lots = int(min(free, rules.sell_quantity_max) / rules.lot_size) + 1
    sizes = (rules.lot_size * count for count in range(1, lots + 1))
    fit = (size for size in sizes if rules.sell_quantity_min <= size <= min(free, rules.sell_quantity_max))
    return _on_the_way([(size, Fraction(size) * Fraction(mid)) for size in fit], smallest, way)


def buy_sizes(
    rules: MarketRules, smallest: Decimal, way: Fraction, *, amount_precision: bool
) -> tuple[tuple[Decimal, Fraction], ...]:
    """Return every amount that may be spent: those that the exchange's step leaves as they are."""
    most = max(way, Fraction(smallest) * 3)
    sizes = {
        step * number
        for step in (rules.lot_size, rules.quote_step)
        for number in range(1, int(most / Fraction(step)) + 3)
    }
    fit = (
        size
        for size in sorted(sizes)
        if size <= rules.buy_notional_max and size % buy_step(rules, size, amount_precision=amount_precision) == 0
    )
    return _on_the_way([(size, Fraction(size)) for size in fit], smallest, way)


def _on_the_way(
    sizes: Sequence[tuple[Decimal, Fraction]], smallest: Decimal, way: Fraction
) -> tuple[tuple[Decimal, Fraction], ...]:
    large = [each for each in sizes if each[1] >= Fraction(smallest)]
    within = [each for each in large if each[1] <= way]
    if within or not large:
        return tuple(within)
    past = large[0][1] - way
    return (large[0],) if past <= Fraction(smallest) * Fraction(45, 100) else ()


def best_by_trying(coins: Sequence[Coin], bounds: Bounds, *, cash_strays: bool) -> tuple[Decimal, ...]:
    """Return the best size of each coin's order, zero for none."""
    if not coins:
        return ()
    nothing = tuple(Decimal(0) for _ in coins)
    best = (_key(coins, nothing, [Fraction(0)] * len(coins)), nothing)
    astray = _astray(coins, [Fraction(0)] * len(coins), cash_strays=cash_strays)
    blur = NEAR * float(best[0][0])
    for cost, combination in _cheapest_first(coins):
        if cost > float(best[0][0]) + blur:
            break
        sizes, quotes = tuple(size for size, _ in combination), [quote for _, quote in combination]
        if _allowed(coins, quotes, bounds) and _astray(coins, quotes, cash_strays=cash_strays) < astray:
            best = min(best, (_key(coins, sizes, quotes), sizes))
    return best[1]


def _cheapest_first(coins: Sequence[Coin]) -> Iterator[tuple[float, tuple[tuple[Decimal, Fraction], ...]]]:
    """Yield every combination with its cost in float64, the least first."""
    ladders = [((Decimal(0), Fraction(0)), *coin.sizes) for coin in coins]
    grids = np.meshgrid(*[[float(quote) for _, quote in ladder] for ladder in ladders], indexing="ij")
    costs, cash = np.zeros(grids[0].shape), np.zeros(grids[0].shape)
    for coin, grid in zip(coins, grids, strict=True):
        off = grid - float(coin.wish)
        costs += off * off
        cash += off if coin.side is Side.BUY else -off
    costs += cash * cash
    for flat in np.argsort(costs, axis=None):
        at = np.unravel_index(flat, costs.shape)
        yield float(costs[at]), tuple(ladder[i] for ladder, i in zip(ladders, at, strict=True))


def _key(coins: Sequence[Coin], sizes: Sequence[Decimal], quotes: Sequence[Fraction]) -> Key:
    offs = [quote - coin.wish for coin, quote in zip(coins, quotes, strict=True)]
    cash = sum((off if c.side is Side.BUY else -off for c, off in zip(coins, offs, strict=True)), Fraction(0))
    cost = sum((off * off for off in offs), Fraction(0)) + cash * cash
    return cost, sum(1 for size in sizes if size), sum(quotes, Fraction(0)), tuple(-quote for quote in quotes)


def _astray(coins: Sequence[Coin], quotes: Sequence[Fraction], *, cash_strays: bool) -> Fraction:
    offs = [(coin, quote - coin.wish) for coin, quote in zip(coins, quotes, strict=True)]
    cash = sum((off if coin.side is Side.BUY else -off for coin, off in offs), Fraction(0))
    astray = sum((off * off for coin, off in offs if coin.strays), Fraction(0))
    return astray + (cash * cash if cash_strays else 0)


def _allowed(coins: Sequence[Coin], quotes: Sequence[Fraction], bounds: Bounds) -> bool:
    pairs = list(zip(coins, quotes, strict=True))
    sold = sum((quote for coin, quote in pairs if coin.side is Side.SELL), Fraction(0))
    bought = sum((quote for coin, quote in pairs if coin.side is Side.BUY), Fraction(0))
    proceeds = sum((quote * (1 - coin.fee) for coin, quote in pairs if coin.side is Side.SELL), Fraction(0))
    return (
        (not bought or bought <= Fraction(995, 1000) * (bounds.cash + proceeds))
        and (bounds.turnover is None or max(sold, bought) <= bounds.turnover)
        and (bounds.notional is None or sold + bought <= bounds.notional)
        and (bounds.orders is None or sum(1 for quote in quotes if quote) <= bounds.orders)
    )
