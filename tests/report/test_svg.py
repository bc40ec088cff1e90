"""Plots: every point inside the picture, no peak lost in thinning, ticks that can be read, foreign words as words."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET

import pytest

from rebalancer.report.svg import BOTTOM, COLUMNS, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, Line, Mark, plot, thinned

PLAIN = Axis("x", lambda value: f"{value:g}")


def drawn(*lines: Line, x: Axis = PLAIN, y: Axis = PLAIN, marks: tuple[Mark, ...] = ()) -> ET.Element:
    return ET.fromstring(plot("a title", lines, x, y, marks))  # noqa: S314  # our own


def places(picture: ET.Element) -> list[tuple[float, float]]:
    found = [pair.split(",") for line in picture.iter("polyline") for pair in line.attrib["points"].split()]
    return [(float(x), float(y)) for x, y in found]


@pytest.mark.parametrize("seed", range(30))
def test_every_point_is_inside_and_stands_where_its_values_say(seed: int) -> None:
    rng = random.Random(seed)
    scale = 10 ** rng.uniform(-6, 9)
    points = sorted((rng.uniform(-1, 1) * scale, rng.uniform(1, 50) * scale) for _ in range(rng.randint(1, 40)))
    axis = Axis("y", lambda value: f"{value:g}", logarithmic=seed % 2 == 0)
    found = places(drawn(Line("a", points, 1), y=axis))
    assert len(found) == len(points), seed
    assert all(LEFT <= x <= WIDTH - RIGHT and TOP <= y <= HEIGHT - BOTTOM for x, y in found), seed
    assert [x for x, _ in found] == sorted(x for x, _ in found), seed
    higher = sorted(range(len(points)), key=lambda index: points[index][1])
    assert [found[index][1] for index in higher] == sorted((y for _, y in found), reverse=True), seed


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [-3.0, -3.0], [1e-12, 2e-12], [0.0, 1e12], [-1.0, 1.0]], ids=str)
def test_a_flat_or_lonely_line_still_has_a_picture_with_ticks(values: list[float]) -> None:
    picture = drawn(Line("a", list(enumerate(values)), 0))
    assert len(list(picture.iter("line"))) >= 4
    assert "nan" not in ET.tostring(picture).decode()


@pytest.mark.parametrize(("low", "high"), [(3.0, 9.0), (900.0, 120_000.0), (0.5, 0.51), (1e-7, 1e3)])
def test_ticks_of_factors_rise_and_lie_inside(low: float, high: float) -> None:
    axis = Axis("y", lambda value: f"tick {value!r}", logarithmic=True)
    picture = drawn(Line("a", [(0, low), (1, high)], 0), y=axis)
    ticks = [float(text.text.split()[1]) for text in picture.iter("text") if (text.text or "").startswith("tick")]
    assert 2 <= len(ticks) <= 40 and ticks == sorted(ticks)
    assert all(low * 0.5 <= tick <= high * 2 for tick in ticks)


@pytest.mark.parametrize("seed", range(10))
def test_thinning_keeps_both_ends_every_peak_and_the_order(seed: int) -> None:
    rng = random.Random(seed)
    points = [(float(index), rng.gauss(0, 1)) for index in range(rng.randint(2 * COLUMNS + 1, 9000))]
    kept = thinned(points)
    assert len(kept) <= 2 * COLUMNS + 2 and set(kept) <= set(points) and kept == sorted(kept), seed
    assert kept[0] == points[0] and kept[-1] == points[-1], seed
    values = [y for _, y in points]
    assert {min(values), max(values)} <= {y for _, y in kept}, seed
    assert thinned(points[:10]) == points[:10]


def test_foreign_words_are_words_in_titles_axes_and_marks() -> None:
    wicked = '"><script>alert(1)</script>&'
    axis = Axis(wicked, lambda _value: wicked)
    shown = plot(wicked, [Line(wicked, [(0, 1), (1, 2)], 0)], axis, axis, [Mark(0, 1, wicked)])
    assert "<script" not in shown
    ET.fromstring(shown)  # noqa: S314


def test_a_mark_stands_on_its_point() -> None:
    picture = drawn(Line("a", [(0, 0), (10, 4)], 0), marks=(Mark(10, 4, "here"),))
    mark = next(each for each in picture.iter("circle") if each.get("class") == "mark")
    assert (float(mark.attrib["cx"]), float(mark.attrib["cy"])) == places(picture)[-1]
