from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.canonical import canonical, jsonable, moment_text, parse_moment
from rebalancer.core.model import MarketState, Side

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES)  # noqa: DTZ001  # given above
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | NUMBERS | MOMENTS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(VALUES)
def test_canonical_text_is_json_that_reads_back_to_the_same_text(value: Any) -> None:
    text = canonical(value)
    assert canonical(json.loads(text)) == text


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)


@given(NUMBERS)
def test_a_decimal_keeps_every_digit_and_has_no_exponent(value: Decimal) -> None:
    text = json.loads(canonical(value))
    assert Decimal(text) == value
    assert "E" not in text.upper()


@given(st.sets(st.text()))
def test_a_set_is_a_sorted_list(value: set[str]) -> None:
    assert jsonable(value) == jsonable(frozenset(value)) == sorted(value)


@pytest.mark.parametrize(
    "value",
    [1.5, np.float64(1.5), float("nan"), [1, [2.0]], {"a": {"b": 0.1}}, (Decimal(1), 1.0), {0.1: "a float as a key"}],
    ids=repr,
)
def test_a_float_is_refused_however_deep_it_hides(value: Any) -> None:
    with pytest.raises(TypeError, match="float"):
        canonical(value)


@pytest.mark.parametrize("value", [b"bytes", object(), 1j, np.int64(3), {"a": timedelta(1)}])
def test_what_has_no_one_text_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="no canonical text"):
        canonical(value)


def test_keys_that_would_become_one_are_refused() -> None:
    with pytest.raises(TypeError, match="key that is int"):
        canonical({1: "a", "1": "b"})


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_decimal_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no number"):
        canonical({"amount": Decimal(text)})


def test_enums_stand_by_their_value_as_values_and_as_keys() -> None:
    assert canonical({Side.BUY: MarketState.NORMAL}) == '{"buy":1}'


def test_the_text_has_no_spaces_and_leaves_letters_as_they_are() -> None:
    assert canonical({"b": [1, True, None], "a": "Zürich"}) == '{"a":"Zürich","b":[1,true,null]}'


@given(MOMENTS)
def test_a_moment_comes_back_as_the_same_moment_in_utc(moment: datetime) -> None:
    text = moment_text(moment)
    assert text.endswith("Z")
    assert parse_moment(text) == moment
    assert parse_moment(text).tzinfo is UTC


def test_microseconds_are_written_only_where_there_are_some() -> None:
    moment = datetime(2026, 3, 1, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    assert moment_text(moment) == "2026-03-01T12:00:00Z"
    assert moment_text(moment + timedelta(milliseconds=250)) == "2026-03-01T12:00:00.250000Z"


def test_a_moment_without_its_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        canonical([datetime(2026, 3, 1)])  # noqa: DTZ001  # the point of the test
