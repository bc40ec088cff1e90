"""How far an asset may stray before something is done about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rebalancer.core.drift import FloatArray, frozen
from rebalancer.core.money import to_float
from rebalancer.core.targets import BandPolicy, BandRule

POINT = 0.01


@dataclass(frozen=True, slots=True)
class Bands:
    """How far each asset may stray below and above its target, and where a trade from there stops, as weights."""

    below: FloatArray
    above: FloatArray
    aim_below: FloatArray
    aim_above: FloatArray


def band_widths(targets: FloatArray, policy: BandPolicy) -> FloatArray:
    """Return each asset's band, a fraction of NAV on either side of its target.

    THEORY is the shape of the classical no-trade region under proportional costs (Davis and Norman 1990, Leland
    2000, Gerhold et al. 2014): k [w (1 - w)]^(2/3), within floor and cap. RELATIVE is k percent of the target, CLAMP
    the same within floor and cap, ABSOLUTE is k points for everyone.
    """
    k = to_float(policy.k)
    floor, cap = to_float(policy.floor) * POINT, to_float(policy.cap) * POINT
    match policy.rule:
        case BandRule.THEORY:
            widths = np.clip(k * np.power(targets * (1 - targets), 2 / 3), floor, cap)
        case BandRule.RELATIVE:
            widths = targets * k * POINT
        case BandRule.CLAMP:
            widths = np.clip(targets * k * POINT, floor, cap)
        case BandRule.ABSOLUTE:
            widths = np.full_like(targets, k * POINT)
    return frozen(widths)


@dataclass(frozen=True, slots=True)
class Smallest:
    """The least that an order of each asset may move, as weights: one bought, one sold, and `spare`.

    `spare` is how far past its target an order may lead.
    """

    bought: FloatArray
    sold: FloatArray
    spare: FloatArray


def placeable(widths: FloatArray, targets: FloatArray, smallest: Smallest, destination: float) -> Bands:
    """Return bands at whose edges an order can be placed that helps.

    From `aim + smallest / 2` on, the smallest order ends nearer to the aim than it began; from `smallest - spare` on
    it does not lead too far past the target. So where the smallest order is large, the aim comes nearer to the target,
    and only then the band widens: the owner's band holds for as long as an order from its edge helps. Below its target
    a band is at most half of it before that, or a coin might vanish unseen; where even the whole target is too little
    for an order, nothing is bought.
    """
    lower = np.minimum(widths, targets / 2)
    aim_below = np.minimum(destination * lower, np.maximum(lower - smallest.bought / 2, 0.0))
    aim_above = np.minimum(destination * widths, np.maximum(widths - smallest.sold / 2, 0.0))
    least_below = np.maximum(aim_below + smallest.bought / 2, smallest.bought - smallest.spare)
    least_above = np.maximum(aim_above + smallest.sold / 2, smallest.sold - smallest.spare)
    return Bands(
        below=frozen(np.maximum(lower, least_below)),
        above=frozen(np.maximum(widths, least_above)),
        aim_below=frozen(aim_below),
        aim_above=frozen(aim_above),
    )
