"""Strict JSON and strict fields: bytes in, exact values out, or MalformedReply naming endpoint and field. Pure.

Python's own parser takes NaN, Infinity and duplicate keys, and reads numbers as floats; none of that is wanted here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from rebalancer.core.money import parse_decimal
from rebalancer.errors import MalformedReply

BODY_BYTES_MAX = 8 * 1024 * 1024  # the largest documented list is below 3 MB
VALUES_MAX = 500_000  # of one answer; each may cost a hundred bytes once read, and HTX's longest list has 50 000
DIGITS_MAX = 60  # of one number; HTX's longest has 36
# Between these, sums and steps of any two figures are exact in 60 digits; no sum of coins comes near either end.
MAGNITUDE_MAX, EXPONENT_MIN = 24, -36
_WHOLE = re.compile(rf"-?[0-9]{{1,{DIGITS_MAX}}}")
# What an echo of our own request would show.
_OURS = re.compile(r"\S*://\S*|\S*(?:AccessKeyId|Signature)=\S*", re.IGNORECASE)
_NUMBERS = (int, Decimal)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def decode(endpoint: str, body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`; numbers with a fraction or an exponent become exact Decimals."""
    if len(body) > BODY_BYTES_MAX:
        raise MalformedReply(f"{endpoint}: body of {len(body)} bytes, limit {BODY_BYTES_MAX}")
    if body.count(b",") + body.count(b"[") + body.count(b"{") > VALUES_MAX:
        raise MalformedReply(f"{endpoint}: over {VALUES_MAX} values in one answer")
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_float=_exact,
            parse_int=_whole,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError) as exc:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise MalformedReply(f"{endpoint}: not valid JSON ({type(exc).__name__}, {len(body)} bytes)") from None
    if not isinstance(value, dict):
        raise MalformedReply(f"{endpoint}: a JSON object was expected, got {type(value).__name__}")
    return value


def _exact(text: str) -> Decimal:
    if len(text) > DIGITS_MAX or not text.isascii():
        raise ValueError("number too long, or of other digits than 0 to 9")
    try:
        return parse_decimal(text)
    except InvalidOperation as exc:
        raise ValueError("number out of range") from exc


def _whole(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise ValueError("number too long")
    return int(text)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("duplicate key")
    return made


class Fields:
    """One JSON object of an endpoint, read field by field; every read names what is wrong."""

    __slots__ = ("_endpoint", "_values")

    def __init__(self, endpoint: str, values: object) -> None:
        if not isinstance(values, dict):
            raise MalformedReply(f"{endpoint}: an object was expected, got {type(values).__name__}")
        self._endpoint = endpoint
        self._values = values

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def raw(self, name: str) -> Any:
        """Return a field that must be there and not null."""
        value = self._values.get(name)
        if value is None:
            self._fail(name, "is absent")
        return value

    def text(self, name: str) -> str:
        """Return a text field made for people, cleaned."""
        return clean(self._raw_text(name))

    def word(self, name: str) -> str:
        """Return a text field that names something: one that cleaning would change names nothing we know."""
        value = self._raw_text(name)
        if not value or clean(value) != value:
            self._fail(name, "is not a plain word")
        return value

    def _raw_text(self, name: str) -> str:
        value = self.raw(name)
        if not isinstance(value, str):
            self._fail(name, f"should be text, is {type(value).__name__}")
        return str(value)

    def label(self, name: str) -> str:
        """Return a text field that may be absent or null, then as an empty text."""
        return self.text(name) if name in self else ""

    def whole(self, name: str) -> int:
        """Return an integer, given as a number or as digits in text."""
        value = self.raw(name)
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self._fail(name, f"should be an integer, is {type(value).__name__}")
        return int(value)

    def decimal(self, name: str) -> Decimal:
        """Return an exact finite number, given as a JSON number or as text."""
        value = self.raw(name)
        if isinstance(value, str):
            try:
                value = _exact(value)
            except ValueError:
                self._fail(name, "is not a finite number")
        if isinstance(value, bool) or not isinstance(value, _NUMBERS):
            self._fail(name, f"should be a number, is {type(value).__name__}")
        number = Decimal(value)
        if number.adjusted() > MAGNITUDE_MAX or int(number.as_tuple().exponent) < EXPONENT_MIN:
            self._fail(name, "is out of all proportion")
        return number

    def not_negative(self, name: str) -> Decimal:
        """Return an exact number that is zero or more."""
        value = self.decimal(name)
        if value < 0:
            self._fail(name, "is negative")
        return value

    def positive(self, name: str) -> Decimal:
        """Return an exact number above zero."""
        value = self.decimal(name)
        if value <= 0:
            self._fail(name, "is not above zero")
        return value

    def moment(self, name: str) -> datetime:
        """Return HTX's integer milliseconds as an aware UTC time."""
        ms = self.whole(name)
        if not 0 <= ms < 10**14:
            self._fail(name, "is not a time in milliseconds")
        return EPOCH + timedelta(milliseconds=ms)

    def rows(self, name: str) -> Sequence[Any]:
        """Return a list."""
        value = self.raw(name)
        if not isinstance(value, list):
            self._fail(name, f"should be a list, is {type(value).__name__}")
        return value

    def below(self, name: str) -> Fields:
        """Return an object field."""
        return Fields(f"{self._endpoint}.{name}", self.raw(name))

    def _fail(self, name: str, what: str) -> NoReturn:
        raise MalformedReply(f"{self._endpoint}: field `{name}` {what}")


def clean(text: str, limit: int = 200) -> str:
    """Return an exchange's words without control characters and without what they repeat of our request."""
    shown = text[:limit]
    if not shown.isprintable():
        shown = "".join(char if char.isprintable() else " " for char in shown)
    if "=" in shown or "://" in shown:  # no word of a list has either, and the search for ours is dear
        shown = _OURS.sub("(hidden)", shown)
    return shown.strip()
