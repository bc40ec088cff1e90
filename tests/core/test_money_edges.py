"""The edges of exact numbers: steps, signs and zeros, the digits that are too many, and the words of each refusal."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rebalancer.core.money import (
    BaseAmount,
    QuoteAmount,
    floor_to_step,
    from_float,
    parse_decimal,
    plain,
    step_of_digits,
    to_float,
    total,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [("100", "100"), ("1E+2", "100"), ("10.50", "10.5"), ("0.10", "0.1"), ("-1.0", "-1"), ("-0.00", "0"), ("1E-7", "0.0000001")],
)  # fmt: skip
def test_plain_text_keeps_the_value_and_drops_what_says_nothing(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@pytest.mark.parametrize(("digits", "step"), [(0, "1"), (2, "0.01"), (18, "0.000000000000000001"), (-1, "10")])
def test_a_number_of_decimals_is_a_step(digits: int, step: str) -> None:
    assert step_of_digits(digits) == Decimal(step)


@pytest.mark.parametrize(
    ("value", "step", "floored"), [("1.29", "0.1", "1.2"), ("1.2", "0.1", "1.2"), ("-1.29", "0.1", "-1.2"), ("7", "2.5", "5")]
)  # fmt: skip
def test_flooring_goes_toward_zero_by_whole_steps_of_any_size(value: str, step: str, floored: str) -> None:
    assert floor_to_step(Decimal(value), Decimal(step)) == Decimal(floored)


@pytest.mark.parametrize("step", ["0", "-1"])
def test_a_step_that_is_none_is_our_mistake(step: str) -> None:
    with pytest.raises(AssertionError):
        floor_to_step(Decimal(1), Decimal(step))


def test_more_steps_than_sixty_digits_count_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"^1E\+50 has too many digits for steps of 1E-18$"):
        floor_to_step(Decimal("1E50"), Decimal("1E-18"))


def test_what_is_no_number_is_refused_with_its_first_forty_characters() -> None:
    with pytest.raises(ValueError, match=f"^not a finite decimal number: '{'x' * 40}'$"):
        parse_decimal("x" * 60)


@pytest.mark.parametrize("text", ["1e400", "-1e400"])
def test_what_overflows_a_float_does_not_cross(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not finite as float64: -?1E\+400$"):
        to_float(Decimal(text))
    with pytest.raises(ValueError, match=r"^not a finite number: -?inf$"):
        from_float(float(text))


@pytest.mark.parametrize("kind", [BaseAmount, QuoteAmount])
def test_the_smallest_amount_above_zero_is_one(kind: type[BaseAmount | QuoteAmount]) -> None:
    assert kind(Decimal("1E-30")).value == Decimal("1E-30")
    with pytest.raises(AssertionError, match=r"^0$"):
        kind(Decimal(0))
    with pytest.raises(AssertionError, match=r"^Infinity$"):
        kind(Decimal("Infinity"))


def test_a_sum_keeps_every_digit_and_of_nothing_is_zero() -> None:
    assert total([]) == 0
    assert total([Decimal(10000000000), Decimal("0.000000000000000000001")]) == Decimal(
        "10000000000.000000000000000000001"
    )
