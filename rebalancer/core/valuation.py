"""What the account is worth and how far each asset is from its target. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from rebalancer.core.bands import POINT, Bands, Smallest, band_widths, placeable
from rebalancer.core.drift import BoolArray, FloatArray, drift_of, frozen, outside_band, weights_of
from rebalancer.core.holdings import counted, counted_here
from rebalancer.core.judge import Judged
from rebalancer.core.ladder import PAST_TARGET_MAX, smallest_orders
from rebalancer.core.leaving import can_be_sold_now
from rebalancer.core.model import Snapshot
from rebalancer.core.money import HUNDRED, ZERO, to_float
from rebalancer.core.sizing import SMALLEST_SHARE, smallest_trade
from rebalancer.core.targets import Targets


@dataclass(frozen=True, slots=True)
class Valuation:
    """Every target asset priced and weighed; arrays are in the order of `targets.assets`.

    `nav_quote` is what weights are fractions of, `nav_here_quote` the part of it at the exchange, for what is held
    elsewhere cannot be traded. Limits are percents of `nav_limits_quote`, which is that without the coins whose price
    was never seen to pass before. `bands` and `aims` are those of the side of its target on which each asset stands.
    """

    prices: dict[str, Decimal]
    values: dict[str, Decimal]
    nav_quote: Decimal
    nav_here_quote: Decimal
    nav_limits_quote: Decimal
    weights: FloatArray
    targets: FloatArray
    drift: FloatArray
    widths: FloatArray  # of the owner's rule, or of the coin's own, before the smallest orders widen them
    bands: FloatArray
    aims: FloatArray  # how far from its target a trade of the asset stops
    both_bands: Bands
    judged: Judged
    doubtful: BoolArray  # neither trade nor make the others trade

    @property
    def tradable_drift(self) -> FloatArray:
        """Return the drift, none for a coin in doubt."""
        return frozen(np.where(self.doubtful, 0.0, self.drift))

    @property
    def strays(self) -> BoolArray:
        """Return which assets are outside their bands and may make the plan act."""
        found: BoolArray = outside_band(self.drift, self.bands) & ~self.doubtful
        return found


def value_of(snapshot: Snapshot, targets: Targets, judged: Judged) -> Valuation | None:
    """Price every target asset as judged; None when one has no price or all at the exchange are worth nothing."""
    if any(asset not in judged.prices or asset not in snapshot.balances for asset in targets.assets):
        return None
    prices = {asset: judged.prices[asset] for asset in targets.assets}
    totals = {asset: snapshot.balances[asset].total for asset in targets.assets}
    values = {asset: counted(targets, asset, total) * prices[asset] for asset, total in totals.items()}
    nav_quote = sum(values.values(), ZERO)
    here = sum((counted_here(targets, asset, total) * prices[asset] for asset, total in totals.items()), ZERO)
    if here <= ZERO:
        return None
    weights = weights_of(frozen([to_float(value) for value in values.values()]))
    fractions = frozen([to_float(targets.fraction(asset)) for asset in targets.assets])
    drift = drift_of(weights, fractions)
    smallest = _smallest(snapshot, targets, prices, nav_quote, here)
    leaving = _bands_of_leaving(snapshot, targets, prices, weights)
    widths = frozen(np.where(np.isnan(leaving), owner_bands(targets), leaving))
    both = _without(placeable(widths, fractions, smallest, to_float(targets.bands.destination)), leaving)
    above = drift > 0
    return Valuation(
        prices=prices,
        values=values,
        nav_quote=nav_quote,
        nav_here_quote=here,
        nav_limits_quote=_for_limits(snapshot, targets, judged, here),
        weights=weights,
        targets=fractions,
        drift=drift,
        widths=widths,
        bands=frozen(np.where(above, both.above, both.below)),
        aims=frozen(np.where(above, both.aim_above, both.aim_below)),
        both_bands=both,
        judged=judged,
        doubtful=np.array([asset in judged.doubtful for asset in targets.assets], dtype=np.bool_),
    )


def _for_limits(snapshot: Snapshot, targets: Targets, judged: Judged, nav_here_quote: Decimal) -> Decimal:
    """Return the NAV whose percents limits are: one price that is told ten times too high must not make others' larger.

    At the least it lets a cycle try each coin that is left out with its smallest order, for only that proves anything.
    """
    proven = tries = ZERO
    for asset in targets.assets:
        price = judged.prices[asset]
        if asset not in judged.unproven:
            proven += counted_here(targets, asset, snapshot.balances[asset].total) * price
        elif rules := snapshot.rules.get(asset):
            tries += max(smallest_orders(rules, price, smallest_trade(rules, nav_here_quote)))
    return max(proven, min(nav_here_quote, tries * HUNDRED / targets.limits.max_turnover_per_cycle))


def owner_bands(targets: Targets) -> FloatArray:
    """Return each asset's band, a fraction of NAV: what the owner says of the coin, else what the rule gives."""
    fractions = frozen([to_float(targets.fraction(asset)) for asset in targets.assets])
    own, by_rule = targets.bands.per_coin, band_widths(fractions, targets.bands)
    pairs = zip(targets.assets, by_rule, strict=True)
    return frozen([to_float(own[asset]) * POINT if asset in own else width for asset, width in pairs])


def _bands_of_leaving(
    snapshot: Snapshot, targets: Targets, prices: Mapping[str, Decimal], weights: FloatArray
) -> FloatArray:
    """Return the band of each coin that leaves, NaN for the others: none for as long as it can be sold."""
    made = np.full_like(weights, np.nan)
    for index, asset in enumerate(targets.assets):
        if asset in targets.leaving:
            made[index] = 0.0 if can_be_sold_now(snapshot, targets, asset, prices[asset]) else weights[index]
    return made


def _without(bands: Bands, leaving: FloatArray) -> Bands:
    """Return the bands with those of the coins that leave, which are sold completely, however little that is."""
    stays = np.isnan(leaving)
    return replace(
        bands,
        below=frozen(np.where(stays, bands.below, 0.0)),
        above=frozen(np.where(stays, bands.above, leaving)),
        aim_above=frozen(np.where(stays, bands.aim_above, 0.0)),
    )


def _smallest(
    snapshot: Snapshot, targets: Targets, prices: Mapping[str, Decimal], nav_quote: Decimal, nav_here_quote: Decimal
) -> Smallest:
    """Return the smallest orders of each asset as weights; cash moves by the smallest that any coin allows."""
    bought, sold, spare = {}, {}, {}
    for asset, rules in snapshot.rules.items():
        if asset in targets.weights:
            least = smallest_trade(rules, nav_here_quote)
            buy, sell = smallest_orders(rules, prices[asset], least)
            bought[asset], sold[asset] = to_float(buy / nav_quote), to_float(sell / nav_quote)
            spare[asset] = to_float(PAST_TARGET_MAX * least / nav_quote)
    share = to_float(SMALLEST_SHARE)
    to_cash, from_cash = min(sold.values(), default=share), min(bought.values(), default=share)
    return Smallest(
        bought=frozen([bought.get(asset, to_cash) for asset in targets.assets]),
        sold=frozen([sold.get(asset, from_cash) for asset in targets.assets]),
        spare=frozen([spare.get(asset, 0.0) for asset in targets.assets]),
    )
