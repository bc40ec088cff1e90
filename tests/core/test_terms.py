"""What an order asks for: its side, its amount and its price."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rebalancer.core.model import LimitIoc, Side, Terms, amount_of, price_of, side_of
from rebalancer.core.money import BaseAmount, QuoteAmount
from tests.core.builders import d


@pytest.mark.parametrize(
    ("terms", "side", "amount", "price"),
    [
        (BaseAmount(d(2)), Side.SELL, 2, None),
        (QuoteAmount(d(3)), Side.BUY, 3, None),
        (LimitIoc(Side.BUY, BaseAmount(d(4)), d(5)), Side.BUY, 4, 5),
        (LimitIoc(Side.SELL, BaseAmount(d(4)), d(5)), Side.SELL, 4, 5),
    ],
)
def test_an_order_has_a_side_an_amount_and_perhaps_a_price(
    terms: Terms, side: Side, amount: int, price: int | None
) -> None:
    assert (side_of(terms), amount_of(terms), price_of(terms)) == (side, amount, price)


@pytest.mark.parametrize("price", ["0", "-1", "Infinity", "NaN"])
def test_a_limit_price_is_a_number_above_zero(price: str) -> None:
    with pytest.raises(AssertionError):
        LimitIoc(Side.BUY, BaseAmount(d(1)), Decimal(price))
