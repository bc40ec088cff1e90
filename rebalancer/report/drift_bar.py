"""Where a weight stands against its band, as a drawing. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

SPAN = Decimal(2)  # a drift bar shows twice the band on either side of the target
WIDTH = Decimal(200)  # of a drift bar, in its own units
TINY = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class DriftBar:
    """The places on the bar, in the units of the drawing, from 0 to 200."""

    low: Decimal
    high: Decimal
    weight: Decimal
    beyond: str  # "low" or "high" where the weight is outside the drawing
    outside: bool


def bar_of(weight: Decimal, target: Decimal, band_low: Decimal, band_high: Decimal) -> DriftBar:
    """Return the drawing: the target in the middle, its band around it, the weight where it is."""
    half = max(band_high - target, target - band_low, TINY)

    def place(at: Decimal) -> Decimal:
        return (WIDTH / 2 * (1 + (at - target) / (half * SPAN))).quantize(Decimal("0.1"))

    at = place(weight)
    beyond = "low" if at < 0 else "high" if at > WIDTH else ""
    inside = band_low <= weight <= band_high
    return DriftBar(place(band_low), place(band_high), min(max(at, Decimal(0)), WIDTH), beyond, not inside)
