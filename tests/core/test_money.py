from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.money import BaseAmount, QuoteAmount, floor_to_step, from_float, parse_decimal, plain, to_float

VALUES = st.decimals(min_value=0, max_value=10**12, places=18, allow_nan=False)
STEPS = st.integers(0, 18).map(lambda digits: Decimal(1).scaleb(-digits))


@given(VALUES, STEPS)
def test_flooring_never_goes_up_and_loses_less_than_a_step(value: Decimal, step: Decimal) -> None:
    floored = floor_to_step(value, step)
    assert floored <= value
    assert value - floored < step
    assert floored % step == 0 if floored < 10**9 else True


def test_a_nine_too_many_does_not_become_one() -> None:
    assert floor_to_step(Decimal("0." + "9" * 32), Decimal(1)) == 0


@given(VALUES)
def test_plain_text_reads_back_and_has_no_exponent(value: Decimal) -> None:
    text = plain(value)
    assert parse_decimal(text) == value
    assert "E" not in text and not text.endswith(".")


@pytest.mark.parametrize("value", ["0E-18", "-0", "0.000", "0"])
def test_every_zero_reads_as_zero(value: str) -> None:
    assert plain(Decimal(value)) == "0"


@pytest.mark.parametrize(
    "text", ["", " ", "NaN", "Infinity", "-inf", "invalid", "1,5", "1_000", "+1", "0x1", "1e9999", "."]
)
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a finite decimal"):
        parse_decimal(text)


@given(st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_crossing_back_from_a_float_is_exact(value: float) -> None:
    assert to_float(from_float(value)) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_do_not_cross(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        from_float(value)


@pytest.mark.parametrize("value", [Decimal(0), Decimal(-1), Decimal("NaN"), Decimal("Infinity")])
@pytest.mark.parametrize("kind", [BaseAmount, QuoteAmount])
def test_an_amount_is_positive_and_finite(kind: type[BaseAmount | QuoteAmount], value: Decimal) -> None:
    with pytest.raises((AssertionError, ArithmeticError)):
        kind(value)


def test_base_and_quote_amounts_do_not_compare_equal() -> None:
    assert BaseAmount(Decimal(1)) != QuoteAmount(Decimal(1))
