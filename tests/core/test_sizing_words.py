"""Sizes on their bounds, and the words for an order that is too small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rebalancer.core.money import BaseAmount, QuoteAmount
from rebalancer.core.reasons import Reason, Skip
from rebalancer.core.sizing import Sized, buy_step, size_buy, size_collared_buy, size_sell, smallest_trade
from tests.core.builders import d, rules

BASE: dict[str, Any] = {
    "lot_size": d("0.1"), "quote_step": d("0.01"), "min_notional": d(10), "sell_quantity_min": d("0.2"),
    "sell_quantity_max": d(50), "buy_notional_max": d(1000),
}  # fmt: skip
RULES = rules("BTC", **BASE)


def sell(wish: str, free: str = "100", smallest: str = "12", **changes: Any) -> Sized | Reason:
    made = rules("BTC", **(BASE | changes))
    return size_sell(made, wish_quote=d(wish), mid=d(100), free=d(free), smallest=d(smallest))


def buy(wish: str, smallest: str = "12", *, amount_precision: bool = False, **changes: Any) -> Sized | Reason:
    made = rules("BTC", **(BASE | changes))
    return size_buy(made, wish_quote=d(wish), smallest=d(smallest), amount_precision=amount_precision)


@pytest.mark.parametrize(
    ("wish", "free", "quantity"),
    [("20", "100", "0.2"), ("129.99", "100", "1.2"), ("1000", "0.55", "0.5"), ("9000", "100", "50")],
)
def test_a_sell_is_the_least_of_wish_balance_and_maximum_in_whole_lots(wish: str, free: str, quantity: str) -> None:
    assert sell(wish, free) == Sized(BaseAmount(d(quantity)), d(quantity) * 100)


@pytest.mark.parametrize(
    ("make", "code", "text"),
    [
        (lambda: sell("100", "0"), Skip.NO_FREE_BALANCE, "no free BTC to sell here: the rest is locked in your own orders, kept or elsewhere"),
        (lambda: sell("100", "-1"), Skip.NO_FREE_BALANCE, "no free BTC to sell here: the rest is locked in your own orders, kept or elsewhere"),
        (lambda: sell("9.99"), Skip.ZERO_AFTER_FLOOR, "less than one lot of 0.1 BTC"),
        (lambda: sell("19"), Skip.BELOW_MIN_QUANTITY, "0.1 BTC is below the exchange's minimum of 0.2"),
        (lambda: sell("20", min_notional=d(17)), Skip.BELOW_MIN_NOTIONAL,
         "20.00 USDT is below 1.2 x the exchange's minimum (20.40)"),
        (lambda: sell("20", smallest="20.01"), Skip.BELOW_SMALLEST_TRADE,
         "20.00 USDT is below the smallest trade worth its fee, 20.01 (0.1 % of NAV)"),
        (lambda: buy("0.001"), Skip.ZERO_AFTER_FLOOR, "less than one step of 0.01 USDT"),
        (lambda: buy("11.99"), Skip.BELOW_MIN_NOTIONAL, "11.90 USDT is below 1.2 x the exchange's minimum (12.00)"),
        (lambda: buy("20", smallest="20.01"), Skip.BELOW_SMALLEST_TRADE,
         "20.00 USDT is below the smallest trade worth its fee, 20.01 (0.1 % of NAV)"),
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_says_why_with_both_numbers(
    make: Callable[[], Sized | Reason], code: Skip, text: str
) -> None:
    assert make() == Reason(code, text)


def test_an_order_on_a_minimum_is_placed() -> None:
    assert sell("20", sell_quantity_min=d("0.2"), min_notional=d(20) / d("1.2"), smallest="20") == Sized(
        BaseAmount(d("0.2")), d(20)
    )
    assert buy("12", smallest="12") == Sized(QuoteAmount(d(12)), d(12))


@pytest.mark.parametrize(("wish", "spend"), [("12.09", "12"), ("999.99", "999.9"), ("5000", "1000")])
def test_a_buy_is_the_least_of_wish_and_maximum_in_whole_steps(wish: str, spend: str) -> None:
    assert buy(wish) == Sized(QuoteAmount(d(spend)), d(spend))


def test_a_buy_that_would_fall_under_the_minimum_by_the_coarse_step_takes_the_fine_one() -> None:
    assert buy_step(rules("BTC", **BASE), d("10.05"), amount_precision=False) == d("0.1")
    assert buy_step(rules("BTC", **BASE), d("10"), amount_precision=False) == d("0.1")
    assert buy_step(rules("BTC", **BASE), d("9.99"), amount_precision=False) == d("0.01")
    assert buy_step(rules("BTC", **BASE), d("9.99"), amount_precision=True) == d("0.1")
    assert buy_step(rules("BTC", "EUR", **BASE), d("50"), amount_precision=False) == d("0.01")
    finer_lot = rules("BTC", **(BASE | {"lot_size": d("0.001")}))
    assert buy_step(finer_lot, d(50), amount_precision=False) == d("0.01")
    assert buy_step(finer_lot, d(50), amount_precision=True) == d("0.001")


@pytest.mark.parametrize(("nav", "smallest"), [("11999", "12"), ("12000", "12"), ("13000", "13")])
def test_the_smallest_trade_is_a_thousandth_of_the_account_but_no_less_than_the_exchanges(
    nav: str, smallest: str
) -> None:
    assert smallest_trade(RULES, d(nav)) == d(smallest)


def test_a_buy_uses_its_symbols_step_by_the_precision_that_was_learned() -> None:
    assert buy("50.55", amount_precision=True, lot_size=d(1)) == Sized(QuoteAmount(d(50)), d(50))
    assert buy("50.55", lot_size=d("0.001")) == Sized(QuoteAmount(d("50.55")), d("50.55"))
    assert buy("50.5555", amount_precision=True, lot_size=d("0.001")) == Sized(QuoteAmount(d("50.555")), d("50.555"))


@pytest.mark.parametrize(
    ("wish", "made"),
    [
        ("9.9", Reason(Skip.ZERO_AFTER_FLOOR, "less than one lot of 0.1 BTC")),
        ("19.9", Reason(Skip.BELOW_MIN_QUANTITY, "0.1 BTC is below the exchange's minimum of 0.2")),
        ("20", Sized(QuoteAmount(d("20.2")), d(20))),
        ("5000", Sized(QuoteAmount(d(303)), d(300))),
    ],
)
def test_a_buy_with_a_collar_is_whole_lots_at_what_they_cost_at_most(wish: str, made: Sized | Reason) -> None:
    limit = rules("BTC", **BASE, limit_quantity_min=d("0.2"), limit_buy_quantity_max=d(3))
    sized = size_collared_buy(limit, wish_quote=d(wish), mid=d(100), collar=d(101), smallest=d(12))
    assert sized == made
