"""Arbitrary values, and nearly valid ones, on every pure layer: only MalformedReply may come out."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.errors import MalformedReply
from rebalancer.venues.htx.decode import Fields, clean, decode
from tests.hostile.parsers import PARSERS, parse, place, read
from tests.hostile.shapes import all_shapes
from tests.hostile.truth import strict

SHAPES = {shape.endpoint: shape for shape in all_shapes()}
READERS = ("raw", "text", "word", "label", "whole", "decimal", "not_negative", "positive", "moment", "rows", "below")
WORDS = st.sampled_from(["ok", "error", "NaN", "Infinity", "--5", "-", "1e999", "1E-400", "\u0663", "9" * 5000, "", " ", "0", "buy-market",
                         "sell-", "trade", "frozen", "spot", "online", "btcusdt", "0.5", "-0", "true", "\ud800"])  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.decimals(allow_nan=False, allow_infinity=False), st.text(max_size=20), WORDS
)  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(sorted({"status", "data", "code", "tick", "list", "id", "err-code", "type"})), st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS, lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(NAMES, below, max_size=4)), max_leaves=12
)  # fmt: skip
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=6)


def to_bytes(value: Any) -> bytes:
    return json.dumps(value, default=float).encode()


def replaced(draw: st.DrawFn, value: Any, new: Any) -> Any:
    """Return a document with one place of it, drawn, holding something else, or gone."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 3)) == 0:
        return new
    made = copy.copy(value)
    key: Any = draw(st.sampled_from(sorted(value))) if isinstance(value, dict) else draw(st.integers(0, len(value) - 1))
    if draw(st.integers(0, 9)) == 0:
        del made[key]
    else:
        made[key] = replaced(draw, value[key], new)
    return made


@st.composite
def near_valid(draw: st.DrawFn, endpoint: str) -> dict[str, Any]:
    """Draw a good answer in which up to three places were changed."""
    document: Any = decode(endpoint, SHAPES[endpoint].body)
    for _ in range(draw(st.integers(1, 3))):
        document = replaced(draw, document, draw(VALUES))
    return document if isinstance(document, dict) else {"data": document}


@given(st.binary(max_size=300))
def test_any_bytes_are_an_object_or_malformed(body: bytes) -> None:
    with suppress(MalformedReply):
        assert isinstance(decode("x", body), dict)


@given(st.text(alphabet='{}[]",:0123456789.eE+-truefalsn \\u\u0661', max_size=60))
def test_text_that_looks_like_json_is_read_as_strictly_as_by_other_means(text: str) -> None:
    document = strict(text.encode())
    try:
        made = decode("x", text.encode())
    except MalformedReply:
        return
    assert document == made, text


@given(VALUES)
def test_any_value_is_read_or_malformed_by_every_reader_of_fields(value: Any) -> None:
    for values in (value, {"x": value}):
        for reader in READERS:
            with suppress(MalformedReply):
                getattr(Fields("x", values), reader)("x")


@given(SCALARS)
def test_a_number_that_is_read_is_the_number_that_stands_there(value: Any) -> None:
    with suppress(MalformedReply):
        number = Fields("x", {"x": value}).decimal("x")
        assert number == Decimal(value) and not isinstance(value, bool)
        assert number.is_finite() and abs(number) < Decimal("1e25")


@given(st.text(max_size=400))
def test_words_for_people_are_short_printable_and_hold_no_address(text: str) -> None:
    shown = clean(text)
    assert shown.isprintable() and "://" not in shown and len(shown) <= 400


@pytest.mark.parametrize("endpoint", sorted(PARSERS))
@given(value=OBJECTS)
@settings(max_examples=60)
def test_any_object_is_parsed_or_malformed(endpoint: str, value: dict[str, Any]) -> None:
    parse(endpoint, value)
    parse(endpoint, {"status": "ok", "code": 200, "data": value})
    parse(endpoint, {"status": "ok", "code": 200, "data": [value]})


@pytest.mark.parametrize("endpoint", sorted(PARSERS))
@given(data=st.data())
@settings(max_examples=60)
def test_a_nearly_valid_answer_is_parsed_from_what_stands_in_it_or_malformed(
    endpoint: str, data: st.DataObject
) -> None:
    value = data.draw(near_valid(endpoint))
    parse(endpoint, value)
    body = to_bytes(value)
    read(endpoint, body, strict(body))


@given(st.one_of(OBJECTS, st.fixed_dictionaries({"status": WORDS, "data": SCALARS, "err-code": SCALARS})))
def test_a_place_answer_proves_no_more_than_it_says(value: dict[str, Any]) -> None:
    body = to_bytes(value)
    place(body, strict(body))
