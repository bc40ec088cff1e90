"""What each asset should trade before any limit, and the sizes that its order may have.

A coin that cannot trade at all now, whatever the reason, is passed over, and others on its side of their targets take
its part. What is merely too small is not decided here: `lots.py` merges and shifts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np

from rebalancer.core import explain
from rebalancer.core.choice import CASH_SHARE
from rebalancer.core.collar import as_limit_sells, collar_price
from rebalancer.core.cooldown import resting, rests
from rebalancer.core.depth import size_within, walk_book
from rebalancer.core.destination import wished_moves
from rebalancer.core.drift import FloatArray, outside_band
from rebalancer.core.holdings import cash_for_buys, lacks_its_keep, spendable
from rebalancer.core.ladder import Ladder, buy_ladder, collared_buy_ladder, sell_ladder
from rebalancer.core.leaving import can_be_sold_now
from rebalancer.core.legs import Setting, Wish
from rebalancer.core.model import Side, Snapshot, Usage
from rebalancer.core.money import ZERO, from_float, to_float
from rebalancer.core.reasons import Reason, Trigger
from rebalancer.core.sizing import Sized, size_buy, size_collared_buy, size_sell, smallest_trade
from rebalancer.core.targets import OrderType, Targets
from rebalancer.core.valuation import Valuation

PART_WAY = (Trigger.OUTSIDE_BAND, Trigger.CASH_FLOW)  # what else acts goes all the way to the targets
NEARLY = Decimal("0.000000001")  # of NAV: the noise of the crossing into float64 and back
FINEST = Decimal("1e-12")  # of the quote coin: keeps squares of wishes within the digits of exact numbers


@dataclass(slots=True)
class Wishes:
    """What every coin that can trade wishes, if only zero, and why each other that should trade cannot."""

    made: dict[str, Wish] = field(default_factory=dict)
    dropped: dict[str, Reason] = field(default_factory=dict)


def make_wishes(
    snapshot: Snapshot, targets: Targets, usage: Usage, valuation: Valuation, trigger: Trigger, setting: Setting
) -> Wishes:
    """Return a wish for each coin with a way to go; those without an order of any size are named instead."""
    wishes = Wishes()
    ways = _ways(snapshot, targets, usage, valuation, trigger, setting)
    strays = outside_band(valuation.drift, valuation.widths)
    for asset, way in ways.items():
        if isinstance(way, Reason) and (strays[targets.assets.index(asset)] or trigger is not Trigger.OUTSIDE_BAND):
            wishes.dropped[asset] = way
    able = {asset: way for asset, way in ways.items() if isinstance(way, Wish)}
    moves = _moves(snapshot, targets, valuation, trigger, able)
    for asset, way in able.items():
        quote = from_float(abs(float(moves[way.order]))) * valuation.nav_quote
        wishes.made[asset] = replace(way, quote=quote.quantize(FINEST))
    return wishes


def _ways(
    snapshot: Snapshot, targets: Targets, usage: Usage, valuation: Valuation, trigger: Trigger, setting: Setting
) -> dict[str, Wish | Reason]:
    """Return each tradable coin's way to its target as a wish for nothing yet, or why no order leads there."""
    rest = set(resting(usage, targets.limits.cooldown_h, snapshot.taken_at))
    made: dict[str, Wish | Reason] = {}
    for index, asset in enumerate(targets.assets):
        drift = float(valuation.drift[index])
        side = Side.SELL if drift > 0 else Side.BUY
        if drift == 0 or not _may_move(snapshot, targets, valuation, trigger, asset, side):
            continue
        if (asset, side) in rest:
            made[asset] = rests(usage, targets.limits.cooldown_h, asset)
        else:
            made[asset] = _way(snapshot, targets, usage, valuation, trigger, setting, index)
    return made


def _way(
    snapshot: Snapshot,
    targets: Targets,
    usage: Usage,
    valuation: Valuation,
    trigger: Trigger,
    setting: Setting,
    index: int,
) -> Wish | Reason:
    """Return one coin's way to its target as a wish for nothing yet, or why no order leads there."""
    asset, drift = targets.assets[index], float(valuation.drift[index])
    side = Side.SELL if drift > 0 else Side.BUY
    rules, book, mid = snapshot.rules[asset], snapshot.books[asset], valuation.prices[asset]
    slip = setting.max_slippage_bps
    collar = None
    if targets.orders.order_type is OrderType.IOC:
        collar = collar_price(side, mid, slip, rules.tick_size)
        if uncollared := explain.no_collar(rules, book, side, collar, slip):
            return uncollared
    bound = (from_float(abs(drift)) + NEARLY) * valuation.nav_quote
    ladder = _ladder(snapshot, targets, usage, asset, side, mid, bound, setting, collar)
    if isinstance(ladder, Reason):
        return ladder
    enough = ladder.amount(ladder.high).value
    book_quote = ladder.quote(ladder.size_of(size_within(book, mid, side, slip, enough)))
    if book_quote < ladder.low_quote:
        return explain.no_depth(rules, walk_book(book, mid, ladder.amount(ladder.low)), slip)
    outside = bool(outside_band(valuation.drift, valuation.bands)[index])
    return Wish(
        asset=asset,
        side=side,
        quote=ZERO,
        drift=drift,
        order=index,
        mid=mid,
        rules=rules,
        book=book,
        book_quote=book_quote,
        fee_rate=snapshot.fees[asset].taker_fee_rate,
        ladder=ladder,
        strays=trigger not in PART_WAY or (trigger is Trigger.OUTSIDE_BAND and outside),
        why=_why(targets, valuation, index, side, trigger, outside=outside),
        leaves=asset in targets.leaving and trigger is not Trigger.CASH_FLOW,
        collar=collar,
        probes=asset in valuation.judged.unproven,
    )


def _why(targets: Targets, valuation: Valuation, index: int, side: Side, trigger: Trigger, *, outside: bool) -> Reason:
    asset = targets.assets[index]
    why = explain.why(valuation, index, asset, side, trigger, outside=outside)
    if asset in targets.leaving:
        why = explain.leaves(asset)
    judged = valuation.judged
    return explain.probes(why, has_row=not judged.trust[asset].excused) if asset in judged.unproven else why


def _may_move(
    snapshot: Snapshot, targets: Targets, valuation: Valuation, trigger: Trigger, asset: str, side: Side
) -> bool:
    """Return whether an asset has a way at all; why it has none is said beside what stays.

    Money that came in only buys, money that went out is only made good: the other side waits for the next cycle.
    """
    if asset == targets.quote or asset in valuation.judged.doubtful:
        return False
    if side is Side.BUY and lacks_its_keep(targets, snapshot.balances[asset]):
        return False
    if asset in targets.leaving and not can_be_sold_now(snapshot, targets, asset, valuation.prices[asset]):
        return False
    more_cash = valuation.drift[targets.assets.index(targets.quote)] > 0
    return trigger is not Trigger.CASH_FLOW or side is (Side.BUY if more_cash else Side.SELL)


def _ladder(
    snapshot: Snapshot,
    targets: Targets,
    usage: Usage,
    asset: str,
    side: Side,
    mid: Decimal,
    bound_quote: Decimal,
    setting: Setting,
    collar: Decimal | None,
) -> Ladder | Reason:
    """Return the sizes that lead a coin nearer to its target, or why there is none."""
    rules, free = snapshot.rules[asset], spendable(targets, snapshot.balances[asset])
    smallest = smallest_trade(rules, ZERO if asset in targets.leaving else setting.nav_quote)
    ladder: Ladder | None
    sized: Sized | Reason
    if side is Side.SELL:
        rules = rules if collar is None else as_limit_sells(rules)
        ladder = sell_ladder(rules, mid=mid, free=free, smallest=smallest, bound_quote=bound_quote)
        sized = size_sell(rules, wish_quote=bound_quote, mid=mid, free=free, smallest=smallest)
    elif collar is not None:
        ladder = collared_buy_ladder(rules, mid=mid, collar=collar, smallest=smallest, bound_quote=bound_quote)
        sized = size_collared_buy(rules, wish_quote=bound_quote, mid=mid, collar=collar, smallest=smallest)
    else:
        precise = rules.symbol in usage.amount_precision_symbols
        ladder = buy_ladder(rules, smallest=smallest, bound_quote=bound_quote, amount_precision=precise)
        sized = size_buy(rules, wish_quote=bound_quote, smallest=smallest, amount_precision=precise)
    if ladder is None:
        assert isinstance(sized, Reason), (asset, sized)
        return sized
    return ladder


def _moves(
    snapshot: Snapshot, targets: Targets, valuation: Valuation, trigger: Trigger, able: Mapping[str, Wish]
) -> FloatArray:
    nav = valuation.nav_quote
    reach = {asset: to_float(wish.ladder.high_quote / nav) for asset, wish in able.items()}
    sides = {asset: wish.side for asset, wish in able.items()}
    cash_free = to_float(cash_for_buys(targets, snapshot.balances[targets.quote]) * CASH_SHARE / nav)
    sellable, buyable = (
        np.array([reach[asset] if sides.get(asset) is side else 0.0 for asset in targets.assets])
        for side in (Side.SELL, Side.BUY)
    )
    cash = targets.assets.index(targets.quote)
    sellable[cash], buyable[cash] = max(0.0, cash_free), 1.0
    outside = None
    if trigger is Trigger.CASH_FLOW:  # money that comes or goes is answered by the cash alone
        outside = outside_band(valuation.drift, valuation.bands) & (np.arange(len(targets.assets)) == cash)
    fee = max((to_float(rate.taker_fee_rate) for rate in snapshot.fees.values()), default=0.0)
    turned = float(np.abs(valuation.drift).sum()) / 2
    return wished_moves(
        valuation.drift,
        valuation.bands,
        valuation.aims,
        cash=cash,
        sellable=sellable,
        buyable=buyable,
        full=trigger not in PART_WAY,
        leaving=np.array([asset in targets.leaving for asset in targets.assets]),
        edge_margin=2 * fee * turned,
        kept_short=max(0.0, -cash_free),
        outside=outside,
    )
