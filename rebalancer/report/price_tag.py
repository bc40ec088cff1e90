"""What a policy may be expected to cost a year and how far to stray: an estimate that names its source. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from rebalancer.core.canonical import canonical
from rebalancer.core.targets import Targets
from rebalancer.report.frontier import bps, points_of

BPS, POINTS = 10_000.0, 100.0
SHARED = 2 / 3  # of a coin's variance; large coins, in hourly and daily closes of 2018 to 2021


@dataclass(frozen=True, slots=True)
class Market:
    """One class of markets: how fast weights wander, and how the model below compares with the planner in it."""

    volatility: float  # of a coin's price, a year
    traded: float  # measured / modelled
    stray: float


@dataclass(frozen=True, slots=True)
class PriceTag:
    """Cost in basis points of NAV a year, rms stray in percentage points, and the source of both."""

    cost_bps_year: float
    stray_pp: float
    source: str
    cost_low_bps: float | None = None  # of a calm market and of a wild one, where the source says so
    cost_high_bps: float | None = None

    def document(self) -> dict[str, Any]:
        """Return this as JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def policy_digest(targets: Targets, fee_rate: Decimal) -> str:
    """Return a hash of what the cost of a policy depends on: weights, bands, route and fee."""
    bands = {field.name: getattr(targets.bands, field.name) for field in fields(targets.bands)}
    about = {
        "quote": targets.quote,
        "weights": targets.weights,
        "bands": bands,
        "route": targets.orders.route,
        "fee_rate": fee_rate,
    }
    return hashlib.sha256(canonical(about).encode()).hexdigest()


def tag_text(tag: PriceTag) -> str:
    """Return the tag as one sentence."""
    span = ""
    if tag.cost_low_bps is not None and tag.cost_high_bps is not None:
        span = f" (calm market {bps(tag.cost_low_bps)}, wild {bps(tag.cost_high_bps)})"
    return (
        f"Price tag: about {bps(tag.cost_bps_year)} bp of NAV a year{span}, "
        f"strays about {points_of(tag.stray_pp)} points ({tag.source})."
    )


def bundled_tag(weights: Sequence[float], bands: Sequence[float], fee_rate: float, destination: float) -> PriceTag:
    """Return the estimate of the bundled calibration. Weights and bands are fractions of NAV, the quote coin's last."""
    low, usual, high = (
        fee_rate * traded_year(weights, bands, destination, market) * BPS for market in (CALM, USUAL, WILD)
    )
    return PriceTag(usual, stray(bands, destination, USUAL) * POINTS, "estimate, bundled calibration", low, high)


def traded_year(weights: Sequence[float], bands: Sequence[float], destination: float, market: Market) -> float:
    """Return the notional of a year's orders as a fraction of NAV.

    A weight that wanders with variance s^2 a year between the edges of its band b, and is put back to d b whenever it
    reaches one, is traded s^2 / (b (1 + d)) a year: it takes (b^2 - (d b)^2) / s^2 years from there to an edge, and
    moves (1 - d) b each time. `traded` makes up for what that leaves out: that a trade moves two weights, that looks
    are an hour apart, and jumps.
    """
    pairs = zip(wander(weights, market.volatility), bands, strict=True)
    return market.traded * sum(variance / (band * (1 + destination)) for variance, band in pairs)


def wander(weights: Sequence[float], volatility: float) -> list[float]:
    """Return the variance of each weight in a year, the quote coin's last: w^2 times that of its coin against the NAV.

    All coins are alike: as volatile, and `SHARED` of their variance in common. The quote coin stands still.
    """
    *coins, cash = weights
    own = sum(weight**2 for weight in coins)
    shared, alone = SHARED * volatility**2, (1 - SHARED) * volatility**2
    made = [weight**2 * (shared * cash**2 + alone * (1 - 2 * weight + own)) for weight in coins]
    return [*made, cash**2 * (shared * (1 - cash) ** 2 + alone * own)]


def stray(bands: Sequence[float], destination: float, market: Market) -> float:
    """Return the rms Euclidean distance from the targets, a fraction of NAV.

    The same wanderer is on average (rms) b sqrt((1 + d^2) / 6) away from its target.
    """
    return market.stray * math.sqrt(sum(band**2 for band in bands) * (1 + destination**2) / 6)


# Measured by `python -m tests.benchmarks.calibration` over generated hourly markets; see its heading.
CALM = Market(0.452, 0.773, 0.906)
USUAL = Market(0.714, 0.864, 0.924)
WILD = Market(1.066, 0.828, 0.927)
