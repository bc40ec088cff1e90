"""Lines over a scale in round numbers."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from rebalancer.web.charts import HEIGHT, LINES_MAX, WIDTH, chart, scale

values = st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: round(value, 4))


@given(values, values)
def test_a_scale_holds_both_ends_in_few_round_steps(one: float, other: float) -> None:
    low, high = sorted((one, other))
    first, step, count = scale(low, high)
    slack = step * 1e-6
    assert first * step <= low + slack and (first + count) * step >= high - slack
    assert 1 <= count <= LINES_MAX + 1
    digits = step / 10.0 ** math.floor(math.log10(step) + 1e-9)
    assert any(math.isclose(digits, round_one) for round_one in (1, 2, 2.5, 5, 10)), step


@given(st.lists(values, min_size=2, max_size=30))
def test_every_point_is_inside_and_the_labels_are_evenly_apart(line: list[float]) -> None:
    drawn = chart([float(at) for at in range(len(line))], {"one": line}, "first", "last")
    assert drawn is not None
    for point in drawn.lines[0].points.split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= WIDTH and 0 <= y <= HEIGHT
    assert drawn.ticks[0].y == 0 and drawn.ticks[-1].y == HEIGHT
    assert len({tick.label for tick in drawn.ticks}) == len(drawn.ticks), "two values under one label"


def test_nothing_lies_between_fewer_than_two_looks() -> None:
    assert chart([0.0], {"one": [1.0]}, "", "") is None


def test_labels_have_as_many_digits_as_their_steps() -> None:
    drawn = chart([0, 1], {"one": [0, 10]}, "", "")
    assert drawn is not None and [tick.label for tick in drawn.ticks] == ["10", "8", "6", "4", "2", "0"]
    drawn = chart([0, 1], {"one": [-0.5, 0.6]}, "", "")
    assert drawn is not None and [tick.label for tick in drawn.ticks][:2] == ["0.75", "0.50"]
