"""Line plots as inline SVG: no script, no font, no colour of their own, so that a page decides how they look. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 24, 40
COLUMNS = 360  # points drawn of one line: each stands for a stretch, by its least and its greatest value
TICKS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot; `style` is the number of its class (`s0`, `s1`, ...)."""

    name: str
    points: Sequence[tuple[float, float]]
    style: int
    dots: bool = False  # a dot at each point


@dataclass(frozen=True, slots=True)
class Mark:
    """One point with words beside it."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: what stands below it, how its ticks read, and whether equal steps are equal factors."""

    label: str
    show: Callable[[float], str]
    logarithmic: bool = False
    ticks: Sequence[float] = ()


class _Scale:
    """Values of an axis as places of the picture."""

    def __init__(self, axis: Axis, values: Sequence[float], first: float, last: float) -> None:
        self._axis = axis
        low, high = self._turned(min(values)), self._turned(max(values))
        margin = (high - low) * 0.04 or abs(high) * 0.04 or 1.0
        self._low, self._high = low - margin, high + margin
        self._first, self._last = first, last

    def _turned(self, value: float) -> float:
        return math.log(value) if self._axis.logarithmic else value

    def place(self, value: float) -> float:
        share = (self._turned(value) - self._low) / (self._high - self._low)
        return self._first + share * (self._last - self._first)

    def ticks(self) -> list[float]:
        if self._axis.ticks:
            return list(self._axis.ticks)
        if self._axis.logarithmic:
            return _even_factors(math.exp(self._low), math.exp(self._high))
        return _even_steps(self._low, self._high)


def plot(title: str, lines: Sequence[Line], x: Axis, y: Axis, marks: Sequence[Mark] = ()) -> str:
    """Return one plot as an `<svg>` element; `title` is what a screen reader says. At least one point is needed."""
    points = [point for line in lines for point in line.points] + [(mark.x, mark.y) for mark in marks]
    across = _Scale(x, [point[0] for point in points], LEFT, WIDTH - RIGHT)
    up = _Scale(y, [point[1] for point in points], HEIGHT - BOTTOM, TOP)
    body = [*_grid(across, up, x, y), *(_drawn(line, across, up) for line in lines)]
    for mark in marks:
        place = f'cx="{across.place(mark.x):.1f}" cy="{up.place(mark.y):.1f}"'
        body.append(f'<circle class="mark" {place} r="6"/>')
        body.append(_text(across.place(mark.x) + 10, up.place(mark.y) - 8, mark.text, "start"))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(body)}</svg>"
    )


def _grid(across: _Scale, up: _Scale, x: Axis, y: Axis) -> list[str]:
    made = []
    for value in up.ticks():
        place = up.place(value)
        made.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{place:.1f}" y2="{place:.1f}"/>')
        made.append(_text(LEFT - 6, place + 4, y.show(value), "end"))
    for value in across.ticks():
        place = across.place(value)
        made.append(f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        made.append(_text(place, HEIGHT - BOTTOM + 16, x.show(value), "middle"))
    made.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x.label, "middle"))
    made.append(_text(LEFT, TOP - 9, y.label, "start"))
    return made


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _drawn(line: Line, across: _Scale, up: _Scale) -> str:
    places = [(across.place(x), up.place(y)) for x, y in thinned(line.points)]
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle class="s{line.style}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places)
    return f'<polyline class="s{line.style}" points="{joined}"/>{dots if line.dots else ""}'


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return few points of many: of each stretch its least and its greatest, so that no peak is lost, and both ends."""
    if len(points) <= 2 * COLUMNS:
        return list(points)
    kept = {0, len(points) - 1}
    for column in range(COLUMNS):
        stretch = range(column * len(points) // COLUMNS, (column + 1) * len(points) // COLUMNS)
        kept.add(min(stretch, key=lambda index: points[index][1]))
        kept.add(max(stretch, key=lambda index: points[index][1]))
    return [points[index] for index in sorted(kept)]


def _even_steps(low: float, high: float) -> list[float]:
    raw = (high - low) / TICKS
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step)
    return [index * step for index in range(first, math.floor(high / step) + 1)]


def _even_factors(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten where a few of them fit, else even steps."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [factor * 10.0**power for power in powers for factor in (1, 2, 5) if low <= factor * 10.0**power <= high]
    return found if len(found) > 2 else _even_steps(low, high)  # noqa: PLR2004  # fewer say nothing
