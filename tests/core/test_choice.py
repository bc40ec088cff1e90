"""Sums of orders against a purse, and how far orders are from the destination, number by number."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rebalancer.core.choice import Choice, Purse, Sums, distances
from rebalancer.core.ladder import buy_ladder, sell_ladder
from tests.core.builders import d, rules

BTC = rules("BTC")
BUYS = buy_ladder(BTC, smallest=d(10), bound_quote=d(500), amount_precision=False)
SELLS = sell_ladder(BTC, mid=d(100), free=d(5), smallest=d(10), bound_quote=d(500))
assert BUYS is not None and SELLS is not None
BUY = Choice(d(300), BUYS, d("0.002"), strays=True)
SELL = Choice(d(200), SELLS, d("0.002"), strays=False)
BOTH = Sums().plus(BUY, d(300)).plus(SELL, d(200))


def test_a_buy_counts_as_bought_and_a_sell_as_sold_and_brings_its_notional_less_the_fee() -> None:
    assert Sums(d(0), d(300), d(0), 1) == Sums().plus(BUY, d(300))
    assert Sums(d(200), d(300), d("199.6"), 2) == BOTH
    assert BOTH.plus(SELL, d(50)) == Sums(d(250), d(300), d("249.5"), 3)


@pytest.mark.parametrize(
    ("just_enough", "too_little"),
    [
        (Purse(d(300) / d("0.995") - d("199.6")), Purse(d(300) / d("0.995") - d("199.7"))),
        (Purse(d(1000), turnover_quote=d(300)), Purse(d(1000), turnover_quote=d("299.99"))),
        (
            Purse(d(1000), turnover_quote=d(300), sold_quote=d(100)),
            Purse(d(1000), turnover_quote=d(300), sold_quote=d("100.01")),
        ),
        (Purse(d(1000), notional_quote=d(500)), Purse(d(1000), notional_quote=d("499.99"))),
        (Purse(d(1000), orders=2), Purse(d(1000), orders=1)),
    ],
)
def test_orders_are_allowed_up_to_each_limit_itself(just_enough: Purse, too_little: Purse) -> None:
    assert BOTH.allowed_by(just_enough)
    assert not BOTH.allowed_by(too_little)


@pytest.mark.parametrize(
    ("choice", "purse", "left"),
    [
        (BUY, Purse(d(10_000)), "500"),
        (SELL, Purse(d(0)), "500"),
        (BUY, Purse(d(300)), str((d(300) + d("199.6")) * d("0.995") - 300)),
        (BUY, Purse(d(10_000), turnover_quote=d(450), sold_quote=d(240)), "150"),
        (SELL, Purse(d(10_000), turnover_quote=d(450), sold_quote=d(240)), "10"),
        (SELL, Purse(d(10_000), turnover_quote=d(450), sold_quote=d(260)), "-10"),
        (BUY, Purse(d(10_000), notional_quote=d(620)), "120"),
        (SELL, Purse(d(10_000), orders=3), "500"),
        (SELL, Purse(d(10_000), orders=2), "0"),
        (SELL, Purse(d(10_000), orders=1), "0"),
    ],
)
def test_what_is_left_to_one_order_more_is_what_the_tightest_limit_leaves(
    choice: Choice, purse: Purse, left: str
) -> None:
    assert BOTH.room(choice, purse) == d(left)


@pytest.mark.parametrize(
    ("cash_strays", "astray"), [(False, Decimal(20 * 20)), (True, Decimal(20 * 20 + (-20 - 50) ** 2))]
)
def test_the_distance_is_each_coins_own_and_the_cashs_squared_and_that_of_strays_alone(
    cash_strays: bool, astray: Decimal
) -> None:
    """A buy of 300 that gets 280 and a sell of 200 that gets 250 leave 70 more cash than was wished."""
    made = distances([BUY, SELL], [d(280), d(250)], cash_strays=cash_strays)
    assert made == (20 * 20 + 50 * 50 + 70 * 70, astray)


def test_an_order_without_its_coin_is_a_fault_and_never_left_out() -> None:
    with pytest.raises(ValueError, match="longer"):
        distances([BUY], [d(280), d(250)], cash_strays=False)
