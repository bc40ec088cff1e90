"""How far an asset may stray before something is done about it."""

from __future__ import annotations

import numpy as np

from rebalancer.core.drift import FloatArray, frozen
from rebalancer.core.money import to_float
from rebalancer.core.targets import BandPolicy, BandRule

POINT = 0.01


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
