"""Exact numbers: one door for Decimals, rounding that only goes down, the crossing to float64."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from functools import reduce

ZERO = Decimal(0)
ONE = Decimal(1)
HUNDRED = Decimal(100)
BPS = Decimal(10_000)

# 28 digits, the default, cannot hold a quotient of an 18-decimal balance by an 18-decimal step.
EXACT = Context(prec=60)

_PLAIN = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d{1,3})?")


def parse_decimal(text: str) -> Decimal:
    """Return `text` as an exact, finite Decimal; ValueError for anything else (empty, NaN, `invalid`)."""
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"not a finite decimal number: {text[:40]!r}")
    return Decimal(text)


def plain(value: Decimal) -> str:
    """Return `value` without exponent, plus sign or trailing zeros: the text HTX takes and our files hold."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return a sum to its last digit, which 28 cannot hold of ten billion coins in 18 decimals."""
    return reduce(EXACT.add, amounts, ZERO)


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest whole multiple of `step` not beyond `value`, toward zero."""
    assert step > 0, step
    try:
        return EXACT.multiply(EXACT.divide_int(value, step), step)
    except InvalidOperation as exc:
        raise ValueError(f"{value} has too many digits for steps of {step}") from exc


def step_of_digits(digits: int) -> Decimal:
    """Return 10^-digits: HTX gives numbers of decimals, we keep steps."""
    return ONE.scaleb(-digits)


def to_float(value: Decimal) -> float:
    """Cross into float64, refusing what is not finite."""
    crossed = float(value)
    if not math.isfinite(crossed):
        raise ValueError(f"not finite as float64: {value}")
    return crossed


def from_float(value: float) -> Decimal:
    """Cross back from float64 by its shortest text, refusing NaN and infinity."""
    if not math.isfinite(value):
        raise ValueError(f"not a finite number: {value}")
    return Decimal(repr(float(value)))


@dataclass(frozen=True, slots=True, order=True)
class BaseAmount:
    """A positive quantity of the base coin: what a market sell carries."""

    value: Decimal

    def __post_init__(self) -> None:
        assert self.value.is_finite() and self.value > 0, self.value


@dataclass(frozen=True, slots=True, order=True)
class QuoteAmount:
    """A positive amount of the quote coin: what a market buy spends."""

    value: Decimal

    def __post_init__(self) -> None:
        assert self.value.is_finite() and self.value > 0, self.value
