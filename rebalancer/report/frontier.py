"""What other settings of the bands would have cost and strayed, as text, JSON and rows of a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from typing import Any

from rebalancer.core.money import HUNDRED, plain
from rebalancer.core.targets import BandPolicy, BandRule

FACTORS = {
    BandRule.THEORY: "0.04 0.06 0.08 0.1 0.12 0.16 0.2 0.25 0.3",
    BandRule.RELATIVE: "5 10 15 20 25 30 40 50",
    BandRule.CLAMP: "5 10 15 20 25 30 40 50",
    BandRule.ABSOLUTE: "1 1.5 2 3 4 5 7 10",
}
DESTINATIONS = {Decimal(0): "to the target", Decimal("0.5"): "half-way back", Decimal(1): "to the edge of the band"}


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """One setting and what came of it; `current` is the owner's own."""

    bands: BandPolicy
    cost_bps_year: float  # fees and half-spreads, of NAV
    rms_pp: float
    worst_stray_pp: float
    orders_year: float
    current: bool = False
    best: bool = False  # no other setting tried was both cheaper and closer


def settings_to_try(bands: BandPolicy) -> list[BandPolicy]:
    """Return the owner's bands with other factors and destinations, his own among them; floor and cap stay."""
    factors = sorted({*(Decimal(text) for text in FACTORS[bands.rule].split()), bands.k})
    return [
        replace(bands, k=k, destination=destination)
        for destination in sorted({*DESTINATIONS, bands.destination})
        for k in factors
    ]


def frontier_of(
    current: BandPolicy, tried: Sequence[BandPolicy], figures: Sequence[Mapping[str, float]]
) -> list[FrontierPoint]:
    """Return a point for each setting tried, those marked that no other one beats."""
    points = [
        FrontierPoint(
            bands=bands,
            cost_bps_year=each["cost_percent_year"] * float(HUNDRED),
            rms_pp=each["rms_pp"],
            worst_stray_pp=each["worst_stray_pp"],
            orders_year=each["orders_year"],
            current=bands == current,
        )
        for bands, each in zip(tried, figures, strict=True)
    ]
    return [replace(point, best=not any(_beats(other, point) for other in points)) for point in points]


def _beats(other: FrontierPoint, point: FrontierPoint) -> bool:
    pair, than = (other.cost_bps_year, other.rms_pp), (point.cost_bps_year, point.rms_pp)
    return pair != than and pair[0] <= than[0] and pair[1] <= than[1]


def destination_words(destination: Decimal) -> str:
    """Return what a destination means."""
    return DESTINATIONS.get(destination, f"{plain(destination)} of the way from target to edge")


def frontier_text(points: Sequence[FrontierPoint]) -> str:
    """Return a line a setting, by destination; the owner's own is marked, and so are those that nothing beats."""
    lines = []
    for destination, group in groupby(points, key=lambda point: point.bands.destination):
        lines.append(f"destination = {plain(destination)}, {destination_words(destination)}:")
        lines += [_line(point) for point in group]
    return "\n".join([*lines, "* nothing tried was both cheaper and closer; the last figure is orders a year"]) + "\n"


def _line(point: FrontierPoint) -> str:
    mine = " (this setting)" if point.current else ""
    return (
        f"{'*' if point.best else ' '} k = {plain(point.bands.k)}{mine}: about {bps(point.cost_bps_year)} bp a year, "
        f"strays about {points_of(point.rms_pp)} points  {point.orders_year:.0f}/yr"
    )


def bps(value: float) -> str:
    """Return basis points to two digits: more would be more than is known."""
    return f"{value:.0f}" if value >= 10 or value == 0 else f"{value:.1f}"  # noqa: PLR2004


def points_of(value: float) -> str:
    """Return percentage points to two digits."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"  # noqa: PLR2004


def frontier_document(points: Sequence[FrontierPoint]) -> list[dict[str, Any]]:
    """Return the points as JSON values; what the owner can set is text."""
    return [
        {
            "rule": point.bands.rule.value,
            "k": plain(point.bands.k),
            "floor": plain(point.bands.floor),
            "cap": plain(point.bands.cap),
            "destination": plain(point.bands.destination),
            "cost_bps_year": point.cost_bps_year,
            "rms_pp": point.rms_pp,
            "worst_stray_pp": point.worst_stray_pp,
            "orders_year": point.orders_year,
            "current": point.current,
            "best": point.best,
        }
        for point in points
    ]
