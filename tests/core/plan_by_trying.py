"""A whole plan by trying every order: the planner's definition, in other words, over `lots_brute_force`.

Shared with the planner is what is no search: valuation, bands and the wished moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np

from rebalancer.core.caps import room_left
from rebalancer.core.destination import wished_moves
from rebalancer.core.drift import outside_band
from rebalancer.core.judge import judge
from rebalancer.core.model import Balance, Side, Snapshot, Usage
from rebalancer.core.money import from_float, to_float
from rebalancer.core.sizing import smallest_trade
from rebalancer.core.targets import Targets
from rebalancer.core.valuation import Valuation, value_of
from tests.core.lots_brute_force import Bounds, Coin, best_by_trying, buy_sizes, sell_sizes

SHARE = Fraction(995, 1000)
Sizes = dict[str, tuple[Side, Decimal]]


@dataclass(frozen=True)
class Tried:
    """The orders, how often the plan was made again on its own result, and whether a limit cut it."""

    sizes: Sizes
    rounds: int
    limited: bool


def plan_by_trying(seen: Snapshot, wanted: Targets, usage: Usage, *, full: bool) -> Tried:
    """Return the orders of a plan whose trigger is a stray (or, `full`, the owner's word)."""
    valued = value_of(seen, wanted, judge(seen, wanted, usage))
    assert valued is not None
    nav = valued.nav_quote
    made: Sizes = {}
    for rounds in range(9):
        valued = value_of(seen, wanted, judge(seen, wanted, usage))
        assert valued is not None
        if rounds and not outside_band(valued.drift, valued.bands).any():
            return Tried(made, rounds, limited=False)
        more, limited = _one_round(seen, wanted, usage, valued, nav, full=full and not rounds)
        if not more or (rounds and limited):
            return Tried(made, rounds, limited=False)
        seen = _filled(seen, more)
        for asset, (side, size) in more.items():
            made[asset] = (side, made.get(asset, (side, Decimal(0)))[1] + size)
        if limited:
            return Tried(made, rounds + 1, limited=True)
    return Tried(made, 9, limited=False)


def _one_round(
    seen: Snapshot, wanted: Targets, usage: Usage, valued: Valuation, nav: Decimal, *, full: bool
) -> tuple[Sizes, bool]:
    outside = outside_band(valued.drift, valued.bands)
    cash = Fraction(seen.balances[wanted.quote].free)
    coins = _coins(seen, wanted, usage, valued, full=full)
    assets = list(coins)
    cash_strays = full or bool(outside[wanted.assets.index(wanted.quote)])
    payable = _payable(coins, cash)
    sizes = best_by_trying(list(payable.values()), Bounds(cash), cash_strays=cash_strays)
    chosen = {a: replace(coins[a], wish=dict(coins[a].sizes)[s]) for a, s in zip(assets, sizes, strict=True) if s}
    if not chosen:
        return {}, False
    # What limits leave: each order clipped, both sides matched but for what the cash was to take up, all scaled.
    room = room_left(wanted.limits, usage, nav)
    most = {a: min(c.wish, _limit(room.notional_order_quote, c.wish)) for a, c in chosen.items()}
    wished, clipped = _sums(chosen, {a: c.wish for a, c in chosen.items()}), _sums(chosen, most)
    sells_max = clipped[1] + max(Fraction(0), wished[0] - wished[1])
    buys_max = clipped[0] + max(Fraction(0), wished[1] - wished[0])
    amounts = _scaled(chosen, most, sells_max, buys_max)
    sold, bought = _sums(chosen, amounts)
    scale = Fraction(1)
    if max(sold, bought) > Fraction(room.turnover_quote):
        scale = Fraction(room.turnover_quote) / max(sold, bought)
    if room.notional_day_quote is not None and (sold + bought) * scale > Fraction(room.notional_day_quote):
        scale = Fraction(room.notional_day_quote) / (sold + bought)
    clip = any(most[a] < c.wish for a, c in chosen.items())
    if scale == 1 and not clip and len(chosen) <= room.orders:
        return {a: (c.side, s) for (a, c), s in zip(coins.items(), sizes, strict=True) if s}, False
    short = {
        a: replace(c, wish=amounts[a] * scale, sizes=tuple(each for each in c.sizes if each[1] <= most[a]))
        for a, c in chosen.items()
    }
    short = _payable({a: c for a, c in short.items() if c.sizes}, cash)
    notional = None if room.notional_day_quote is None else Fraction(room.notional_day_quote)
    bounds = Bounds(cash, Fraction(room.turnover_quote), notional, room.orders)
    if not short:
        return {}, True
    sizes = best_by_trying(list(short.values()), bounds, cash_strays=cash_strays)
    return {a: (c.side, s) for (a, c), s in zip(short.items(), sizes, strict=True) if s}, True


def _coins(seen: Snapshot, wanted: Targets, usage: Usage, valued: Valuation, *, full: bool) -> dict[str, Coin]:
    """Return each coin with an order of some size that leads it to its target, and what it wishes."""
    outside = outside_band(valued.drift, valued.bands)
    coins = {}
    for index, asset in enumerate(wanted.assets):
        drift = float(valued.drift[index])
        if asset == wanted.quote or not drift:
            continue
        rules, free = seen.rules[asset], seen.balances[asset].free
        way = Fraction((from_float(abs(drift)) + Decimal("1e-9")) * valued.nav_quote)
        smallest = smallest_trade(rules, valued.nav_quote)
        precise = rules.symbol in usage.amount_precision_symbols
        sizes = (
            sell_sizes(rules, valued.prices[asset], free, smallest, way)
            if drift > 0
            else buy_sizes(rules, smallest, way, amount_precision=precise)
        )
        if sizes:
            fee = Fraction(seen.fees[asset].taker_fee_rate)
            side = Side.SELL if drift > 0 else Side.BUY
            coins[asset] = Coin(side, Fraction(0), sizes, fee, strays=full or bool(outside[index]))
    moves = _moves(seen, wanted, valued, coins, full=full)
    for asset, coin in coins.items():
        move = from_float(abs(float(moves[wanted.assets.index(asset)]))) * valued.nav_quote
        coins[asset] = replace(coin, wish=Fraction(move.quantize(Decimal("1e-12"))))
    return coins


def _moves(seen: Snapshot, wanted: Targets, valued: Valuation, coins: Mapping[str, Coin], *, full: bool) -> np.ndarray:  # type: ignore[type-arg]
    def reach(side: Side, cash: float) -> np.ndarray:  # type: ignore[type-arg]
        nav = Fraction(valued.nav_quote)
        most = {asset: float(coin.sizes[-1][1] / nav) for asset, coin in coins.items() if coin.side is side}
        return np.array([cash if asset == wanted.quote else most.get(asset, 0.0) for asset in wanted.assets])

    free = to_float(seen.balances[wanted.quote].free * Decimal("0.995") / valued.nav_quote)
    fee = max(float(rate.taker_fee_rate) for rate in seen.fees.values())
    return wished_moves(
        valued.drift,
        valued.bands,
        valued.aims,
        cash=wanted.assets.index(wanted.quote),
        sellable=reach(Side.SELL, free),
        buyable=reach(Side.BUY, 1.0),
        full=full,
        edge_margin=2 * fee * float(np.abs(valued.drift).sum()) / 2,
        leaving=np.zeros(len(wanted.assets), dtype=np.bool_),
    )


def _payable(coins: Mapping[str, Coin], cash: Fraction) -> dict[str, Coin]:
    bought = sum((c.wish for c in coins.values() if c.side is Side.BUY), Fraction(0))
    proceeds = sum((c.wish * (1 - c.fee) for c in coins.values() if c.side is Side.SELL), Fraction(0))
    allowed = max(Fraction(0), SHARE * (cash + proceeds))
    factor = Fraction(1) if bought <= allowed else allowed / bought
    return {a: replace(c, wish=c.wish * factor) if c.side is Side.BUY else c for a, c in coins.items()}


def _limit(limit: Decimal | None, otherwise: Fraction) -> Fraction:
    return otherwise if limit is None else Fraction(limit)


def _sums(coins: Mapping[str, Coin], amounts: Mapping[str, Fraction]) -> tuple[Fraction, Fraction]:
    sold = sum((amounts[a] for a, c in coins.items() if c.side is Side.SELL), Fraction(0))
    return sold, sum((amounts[a] for a, c in coins.items() if c.side is Side.BUY), Fraction(0))


def _scaled(
    coins: Mapping[str, Coin], amounts: Mapping[str, Fraction], sells_max: Fraction, buys_max: Fraction
) -> dict[str, Fraction]:
    sold, bought = _sums(coins, amounts)
    sells = Fraction(1) if sold <= sells_max else sells_max / sold
    buys = Fraction(1) if bought <= buys_max else buys_max / bought
    return {a: amount * (sells if coins[a].side is Side.SELL else buys) for a, amount in amounts.items()}


def _filled(seen: Snapshot, orders: Sizes) -> Snapshot:
    free = {asset: held.free for asset, held in seen.balances.items()}
    for asset, (side, size) in orders.items():
        mid, kept = seen.books[asset].mid, 1 - seen.fees[asset].taker_fee_rate
        assert mid is not None
        if side is Side.SELL:
            free[asset] -= size
            free[seen.quote] += size * mid * kept
        else:
            free[seen.quote] -= size
            free[asset] += size / mid * kept
    balances = {asset: Balance(asset, free[asset], held.locked) for asset, held in seen.balances.items()}
    return replace(seen, balances=balances)
