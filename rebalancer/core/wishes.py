"""What each asset should trade, once it is known which assets can: who cannot is passed over and others take its part.

Each round of the search rules out at least one asset in one direction or ends, so it is bounded by their number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from rebalancer.core import explain
from rebalancer.core.destination import wished_moves
from rebalancer.core.drift import FloatArray, outside_band
from rebalancer.core.legs import CASH_SHARE, Cut, Setting, Wish, try_to_place
from rebalancer.core.model import Side, Snapshot, Usage
from rebalancer.core.money import EXACT, ZERO, floor_to_step, from_float, to_float
from rebalancer.core.reasons import Reason, Trigger
from rebalancer.core.targets import Targets
from rebalancer.core.valuation import Valuation

Direction = tuple[str, Side]

NEARLY = Decimal("0.000000001")  # of NAV: the noise of the crossing into float64 and back


@dataclass(slots=True)
class Wishes:
    """The amounts to trade before any limit, and why each other asset that should trade cannot."""

    made: dict[str, Wish] = field(default_factory=dict)
    dropped: dict[str, Reason] = field(default_factory=dict)


def make_wishes(
    snapshot: Snapshot, targets: Targets, usage: Usage, valuation: Valuation, trigger: Trigger, setting: Setting
) -> Wishes:
    """Return wishes of which each could be placed if no limit and no shortage of cash cut it."""
    reach = _reach(snapshot, targets, valuation)
    wishes = Wishes()
    while True:
        moves = _moves(snapshot, targets, valuation, trigger, reach)
        wishes.made = _wishes(snapshot, targets, usage, valuation, moves, trigger, reach)
        tried = {asset: try_to_place(wish, wish.quote, setting) for asset, wish in wishes.made.items()}
        refused = _refused(wishes.made, tried, valuation)
        if not refused:
            return wishes
        for asset, reason in refused.items():
            wishes.dropped[asset] = reason
            reach[asset, wishes.made.pop(asset).side] = ZERO


def _reach(snapshot: Snapshot, targets: Targets, valuation: Valuation) -> dict[Direction, Decimal]:
    """Return, in quote, how much assets can at most lose or gain, where that is known to be bounded.

    What is held in less than a lot has no bound here: it is refused by name when its order cannot be sized.
    """
    made: dict[Direction, Decimal] = {}
    for asset in targets.assets:
        free = snapshot.balances[asset].free
        if asset == targets.quote:
            made[asset, Side.SELL] = free * CASH_SHARE
            continue
        rules = snapshot.rules[asset]
        lots = floor_to_step(free, rules.lot_size)
        if not rules.tradable:
            made[asset, Side.SELL] = made[asset, Side.BUY] = ZERO
        elif lots > ZERO:
            made[asset, Side.SELL] = EXACT.multiply(lots, valuation.prices[asset])
    return made


def _refused(made: Mapping[str, Wish], tried: Mapping[str, Cut | Reason], valuation: Valuation) -> dict[str, Reason]:
    """Return the wishes that cannot be placed in full: all that stray by themselves, else the smallest helper.

    A helper's wish is what the others leave to it, so ruling one out may lift the next over its minimum.
    """
    refused = {asset: result for asset, result in tried.items() if isinstance(result, Reason)}
    outside = outside_band(valuation.drift, valuation.bands)
    straying = {asset: reason for asset, reason in refused.items() if outside[made[asset].order]}
    if straying or not refused:
        return straying
    smallest = min(refused, key=lambda asset: (made[asset].quote, made[asset].order))
    return {smallest: refused[smallest]}


def _moves(
    snapshot: Snapshot,
    targets: Targets,
    valuation: Valuation,
    trigger: Trigger,
    reach: Mapping[Direction, Decimal],
) -> FloatArray:
    sellable, buyable = (
        np.array([to_float(reach.get((a, side), valuation.nav_quote) / valuation.nav_quote) for a in targets.assets])
        for side in (Side.SELL, Side.BUY)
    )
    fee = max((to_float(rate.taker_fee_rate) for rate in snapshot.fees.values()), default=0.0)
    turned = float(np.abs(valuation.drift).sum()) / 2
    return wished_moves(
        valuation.drift,
        valuation.bands,
        destination=to_float(targets.bands.destination),
        cash=targets.assets.index(targets.quote),
        sellable=sellable,
        buyable=buyable,
        full=trigger is not Trigger.OUTSIDE_BAND,
        edge_margin=2 * fee * turned,
    )


def _wishes(
    snapshot: Snapshot,
    targets: Targets,
    usage: Usage,
    valuation: Valuation,
    moves: FloatArray,
    trigger: Trigger,
    reach: Mapping[Direction, Decimal],
) -> dict[str, Wish]:
    outside = outside_band(valuation.drift, valuation.bands)
    made = {}
    for index, asset in enumerate(targets.assets):
        move = float(moves[index])
        if asset == targets.quote or move == 0:
            continue
        rules = snapshot.rules[asset]
        side = Side.BUY if move > 0 else Side.SELL
        made[asset] = Wish(
            asset=asset,
            side=side,
            quote=_exact(from_float(abs(move)) * valuation.nav_quote, reach.get((asset, side)), valuation.nav_quote),
            drift=float(valuation.drift[index]),
            order=index,
            mid=valuation.prices[asset],
            free=snapshot.balances[asset].free,
            rules=rules,
            book=snapshot.books[asset],
            fee_rate=snapshot.fees[asset].taker_fee_rate,
            amount_precision=rules.symbol in usage.amount_precision_symbols,
            why=explain.why(valuation, index, asset, side, trigger, outside=bool(outside[index])),
        )
    return made


def _exact(quote: Decimal, reach: Decimal | None, nav_quote: Decimal) -> Decimal:
    """Return the bound itself where the wish is as large: a lot must not be lost to the noise of float64."""
    return reach if reach is not None and quote > reach - NEARLY * nav_quote else quote
