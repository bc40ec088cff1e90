"""Strict JSON and strict fields at the edges of what is taken, and the words of each refusal."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.errors import MalformedReply
from rebalancer.venues.htx import decode as module
from rebalancer.venues.htx.decode import (
    BODY_BYTES_MAX,
    DIGITS_MAX,
    EXPONENT_MIN,
    MAGNITUDE_MAX,
    VALUES_MAX,
    Fields,
    clean,
    decode,
)


def field(value: object) -> Fields:
    return Fields("x", {"a": value})


def padded(length: int) -> bytes:
    return b'{"a":"' + b"y" * (length - 8) + b'"}'


def test_a_body_of_the_most_bytes_is_read_and_one_more_is_not() -> None:
    assert len(decode("x", padded(BODY_BYTES_MAX))["a"]) == BODY_BYTES_MAX - 8
    with pytest.raises(MalformedReply, match=f"^x: body of {BODY_BYTES_MAX + 1} bytes, limit {BODY_BYTES_MAX}$"):
        decode("x", padded(BODY_BYTES_MAX + 1))


@pytest.mark.parametrize(("one", "weight"), [(b"1,", 1), (b"[],", 2), (b"{},", 2)], ids=["values", "lists", "objects"])
def test_the_most_values_are_read_and_one_more_is_not(monkeypatch: pytest.MonkeyPatch, one: bytes, weight: int) -> None:
    body = b'{"a":[' + one * 4 + b"1]}"
    monkeypatch.setattr(module, "VALUES_MAX", 2 + 4 * weight)
    assert len(decode("x", body)["a"]) == 5
    monkeypatch.setattr(module, "VALUES_MAX", 2 + 4 * weight - 1)
    with pytest.raises(MalformedReply, match=f"^x: over {1 + 4 * weight} values in one answer$"):
        decode("x", body)
    assert VALUES_MAX == 500_000


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "x: not valid JSON (JSONDecodeError, 1 bytes)"),
        (b'"\xff"', "x: not valid JSON (UnicodeDecodeError, 3 bytes)"),
        (b'{"a":NaN}', "x: not valid JSON (ValueError, 9 bytes)"),
        (b'{"a":1,"a":1}', "x: not valid JSON (ValueError, 13 bytes)"),
        (b'{"a":1e9999}', "x: not valid JSON (ValueError, 12 bytes)"),
        (b"[" * 100_000, "x: not valid JSON (RecursionError, 100000 bytes)"),
        (b"[]", "x: a JSON object was expected, got list"),
        (b"1.5", "x: a JSON object was expected, got Decimal"),
    ],
)
def test_what_is_no_object_is_refused_by_endpoint_kind_and_length(body: bytes, words: str) -> None:
    with pytest.raises(MalformedReply) as caught:
        decode("x", body)
    assert str(caught.value) == words


@pytest.mark.parametrize("dot", ["", "."])
def test_a_number_of_the_most_digits_is_exact_and_one_more_is_refused(dot: str) -> None:
    longest = f"1{dot}" + "7" * (DIGITS_MAX - 1 - len(dot))
    value = decode("x", f'{{"a":{longest}}}'.encode())["a"]
    assert (value, type(value)) == (Decimal(longest) if dot else int(longest), Decimal if dot else int)
    for text in (f'{{"a":{longest}7}}', f'{{"a":"{longest}7"}}'):
        with pytest.raises(MalformedReply):
            Fields("x", decode("x", text.encode())).decimal("a")


def test_text_is_read_as_utf_8() -> None:
    assert decode("x", '{"a":"é"}'.encode())["a"] == "é"


@pytest.mark.parametrize("text", ["\u0661", "1\u0662.5", "1_0", " 1"])
def test_digits_of_other_scripts_and_spelling_are_no_number(text: str) -> None:
    with pytest.raises(MalformedReply, match=r"^x: field `a` is not a finite number$"):
        field(text).decimal("a")
    with pytest.raises(MalformedReply, match=r"^x: field `a` should be an integer, is str$"):
        field(text).whole("a")


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_may_be_large_or_fine_up_to_the_bounds_of_exact_sums(sign: str) -> None:
    for text in (f"{sign}9.5e{MAGNITUDE_MAX}", f"{sign}1e{EXPONENT_MIN}"):
        assert field(text).decimal("a") == Decimal(text)
    for text in (f"{sign}1e{MAGNITUDE_MAX + 1}", f"{sign}1e{EXPONENT_MIN - 1}"):
        with pytest.raises(MalformedReply, match=r"^x: field `a` is out of all proportion$"):
            field(text).decimal("a")


@pytest.mark.parametrize("value", [5, "5", Decimal(5), "5.0"])
def test_a_number_is_taken_as_number_or_text(value: object) -> None:
    made = field(value).decimal("a")
    assert (made, type(made)) == (Decimal(5), Decimal)


@pytest.mark.parametrize("value", [-7, "-7", 0, "0", "007", 7])
def test_an_integer_is_taken_as_number_or_digits(value: int | str) -> None:
    assert field(value).whole("a") == int(value)


def test_zero_is_not_negative_and_not_positive() -> None:
    assert field(0).not_negative("a") == 0
    assert field("0.1").positive("a") == Decimal("0.1")
    with pytest.raises(MalformedReply):
        field(0).positive("a")


@pytest.mark.parametrize(
    ("ms", "moment"), [(0, datetime(1970, 1, 1, tzinfo=UTC)), (1001, datetime(1970, 1, 1, 0, 0, 1, 1000, UTC)),
                       (10**14 - 1, datetime(5138, 11, 16, 9, 46, 39, 999000, UTC))]
)  # fmt: skip
def test_milliseconds_become_the_moment_to_the_last_of_them(ms: int, moment: datetime) -> None:
    assert field(ms).moment("a") == moment


Read = Callable[[Fields], object]


@pytest.mark.parametrize(
    ("value", "read", "words"),
    [
        (None, lambda f: f.raw("a"), "x: field `a` is absent"),
        (None, lambda f: f.text("a"), "x: field `a` is absent"),
        (None, lambda f: f.word("a"), "x: field `a` is absent"),
        (None, lambda f: f.whole("a"), "x: field `a` is absent"),
        (None, lambda f: f.decimal("a"), "x: field `a` is absent"),
        (None, lambda f: f.moment("a"), "x: field `a` is absent"),
        (None, lambda f: f.rows("a"), "x: field `a` is absent"),
        (None, lambda f: f.below("a"), "x: field `a` is absent"),
        (5, lambda f: f.text("a"), "x: field `a` should be text, is int"),
        (5, lambda f: f.word("a"), "x: field `a` should be text, is int"),
        (5, lambda f: f.label("a"), "x: field `a` should be text, is int"),
        ("", lambda f: f.word("a"), "x: field `a` is not a plain word"),
        (" a", lambda f: f.word("a"), "x: field `a` is not a plain word"),
        ("a\n", lambda f: f.word("a"), "x: field `a` is not a plain word"),
        (True, lambda f: f.whole("a"), "x: field `a` should be an integer, is bool"),
        (Decimal(1), lambda f: f.whole("a"), "x: field `a` should be an integer, is Decimal"),
        ("1.0", lambda f: f.whole("a"), "x: field `a` should be an integer, is str"),
        ("9" * 61, lambda f: f.whole("a"), "x: field `a` should be an integer, is str"),
        (True, lambda f: f.decimal("a"), "x: field `a` should be a number, is bool"),
        ([], lambda f: f.decimal("a"), "x: field `a` should be a number, is list"),
        ("NaN", lambda f: f.decimal("a"), "x: field `a` is not a finite number"),
        (-1, lambda f: f.not_negative("a"), "x: field `a` is negative"),
        (-1, lambda f: f.positive("a"), "x: field `a` is not above zero"),
        (0, lambda f: f.positive("a"), "x: field `a` is not above zero"),
        (-1, lambda f: f.moment("a"), "x: field `a` is not a time in milliseconds"),
        (10**14, lambda f: f.moment("a"), "x: field `a` is not a time in milliseconds"),
        ({}, lambda f: f.rows("a"), "x: field `a` should be a list, is dict"),
        ([], lambda f: f.below("a"), "x.a: an object was expected, got list"),
        ({}, lambda f: f.below("a").raw("b"), "x.a: field `b` is absent"),
    ],
)
def test_a_field_that_is_not_as_documented_is_refused_by_its_name_and_fault(value: Any, read: Read, words: str) -> None:
    with pytest.raises(MalformedReply, match=f"^{re.escape(words)}$"):
        read(field(value))


def test_a_label_may_be_absent_and_a_list_is_given_as_it_stands() -> None:
    assert (field(None).label("a"), field("b").label("a"), Fields("x", {}).label("a")) == ("", "b", "")
    assert field([1, "b"]).rows("a") == [1, "b"]
    assert "a" in field(0) and "a" not in field(None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words", "plain words"),
        ("  edges\t", "edges"),
        ("a\x1b[31mb\nc", "a [31mb c"),
        ("see https://api.huobi.pro/v1?x=1 there", "see (hidden) there"),
        ("see https://api.huobi.pro/v1/secrets there", "see (hidden) there"),
        ("GET?AccessKeyId=abc&Signature=x failed", "(hidden) failed"),
        ("accesskeyid=abc here", "(hidden) here"),
        ("SIGNATURE=abc", "(hidden)"),
        ("y" * 201, "y" * 200),
        ("y" * 200, "y" * 200),
    ],
)
def test_words_for_people_lose_what_could_harm_or_tell(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_words_are_cut_where_asked() -> None:
    assert clean("abcdef", 3) == "abc"
