"""Lines for inline SVG: numbers in, points out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720.0, 220.0
ROUND = 1


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart."""

    name: str
    points: str  # of a polyline; apart where values are missing
    last: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one scale."""

    lines: tuple[Line, ...]
    low: float
    high: float
    first: str
    last: str


def chart(times: Sequence[float], series: Mapping[str, Sequence[float]], first: str, last: str) -> Chart | None:
    """Return lines over time on one scale; None where there is nothing to draw a line between."""
    if len(times) < 2:  # noqa: PLR2004  # a line has two ends
        return None
    values = [value for line in series.values() for value in line]
    low, high = min(values), max(values)
    margin = (high - low) * 0.05 or abs(high) * 0.01 or 1.0
    low, high = low - margin, high + margin
    span = times[-1] - times[0] or 1.0

    def points(line: Sequence[float]) -> str:
        return " ".join(
            f"{round((at - times[0]) / span * WIDTH, ROUND)},{round((high - value) / (high - low) * HEIGHT, ROUND)}"
            for at, value in zip(times, line, strict=True)
        )

    lines = tuple(Line(name, points(line), line[-1]) for name, line in series.items())
    return Chart(lines, low, high, first, last)
