"""Lines for inline SVG: numbers in, points and a scale out. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720.0, 220.0
ROUND = 1
STEPS = (1, 2, 2.5, 5, 10)  # of a scale, times a power of ten
LINES_MAX = 5
DIGITS_MAX = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart."""

    name: str
    points: str  # of a polyline; apart where values are missing
    last: float


@dataclass(frozen=True, slots=True)
class Tick:
    """One value of the scale, and how far down it stands."""

    label: str
    y: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one scale; its ticks are evenly apart, from the top to the bottom."""

    lines: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    first: str
    last: str


def chart(times: Sequence[float], series: Mapping[str, Sequence[float]], first: str, last: str) -> Chart | None:
    """Return lines over time on one scale; None where there is nothing to draw a line between."""
    if len(times) < 2:  # noqa: PLR2004  # a line has two ends
        return None
    values = [value for line in series.values() for value in line]
    first_step, step, count = scale(min(values), max(values))
    low, high = first_step * step, (first_step + count) * step
    span = times[-1] - times[0] or 1.0

    def y(value: float) -> float:
        return round((high - value) / (high - low) * HEIGHT, ROUND)

    def points(line: Sequence[float]) -> str:
        places = zip(times, line, strict=True)
        return " ".join(f"{round((at - times[0]) / span * WIDTH, ROUND)},{y(value)}" for at, value in places)

    lines = tuple(Line(name, points(line), line[-1]) for name, line in series.items())
    digits = next((count for count in range(DIGITS_MAX) if math.isclose(round(step, count), step)), DIGITS_MAX)
    marks = [number * step for number in range(first_step + count, first_step - 1, -1)]
    return Chart(lines, tuple(Tick(f"{mark:,.{digits}f}", y(mark)) for mark in marks), first, last)


def scale(low: float, high: float) -> tuple[int, float, int]:
    """Return a scale in round numbers that holds both: its first value in steps, the step, and how many there are."""
    spread = high - low or abs(high) / 10 or 1.0
    power = 10.0 ** math.floor(math.log10(spread / LINES_MAX))
    for factor in STEPS:
        step = factor * power
        first, last = math.floor(low / step), math.ceil(high / step)
        if last - first <= LINES_MAX:
            break
    return first, step, max(last - first, 1)
