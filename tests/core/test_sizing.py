"""Sizes only go down: below the wish, the balance and the exchange's maximum, in whole steps, above its minimums."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from rebalancer.core.model import MarketRules
from rebalancer.core.money import ONE, BaseAmount, QuoteAmount
from rebalancer.core.reasons import Reason, Skip
from rebalancer.core.sizing import Sized, buy_step, size_buy, size_sell, smallest_trade
from tests.core.builders import d, rules


def random_rules(rng: random.Random) -> MarketRules:
    return rules(
        "BTC",
        lot_size=ONE.scaleb(-rng.randint(0, 8)),
        quote_step=ONE.scaleb(-rng.randint(2, 8)),
        min_notional=d(rng.choice([1, 5, 10])),
        sell_quantity_max=d(rng.choice([10, 10**6])),
        buy_notional_max=d(rng.choice([100, 10**6])),
    )


@pytest.mark.parametrize("seed", range(200))
def test_a_sell_is_whole_lots_of_no_more_than_wish_balance_and_maximum(seed: int) -> None:
    rng = random.Random(seed)
    made = random_rules(rng)
    mid = d(rng.randint(1, 10**7)) / 100
    wish, free = d(rng.randint(1, 10**6)), d(rng.randint(0, 10**9)) / 10**6
    sized = size_sell(made, wish_quote=wish, mid=mid, free=free, smallest=smallest_trade(made, d(1000)))
    if isinstance(sized, Reason):
        return
    assert isinstance(sized.size, BaseAmount)
    quantity = sized.size.value
    assert quantity <= free and quantity <= made.sell_quantity_max and quantity * mid <= wish, f"seed {seed}"
    assert quantity % made.lot_size == 0 and quantity >= made.sell_quantity_min, f"seed {seed}"
    assert quantity * mid >= made.min_notional * d("1.2"), f"seed {seed}"


@pytest.mark.parametrize("seed", range(200))
def test_a_buy_is_whole_steps_of_no_more_than_wish_and_maximum(seed: int) -> None:
    rng = random.Random(seed)
    made = random_rules(rng)
    wish, precise = d(rng.randint(1, 10**9)) / 1000, rng.random() < 0.5
    sized = size_buy(made, wish_quote=wish, smallest=smallest_trade(made, d(1000)), amount_precision=precise)
    if isinstance(sized, Reason):
        return
    assert isinstance(sized.size, QuoteAmount)
    spend = sized.size.value
    assert spend <= wish and spend <= made.buy_notional_max, f"seed {seed}"
    assert spend % buy_step(made, min(wish, made.buy_notional_max), amount_precision=precise) == 0, f"seed {seed}"
    assert spend >= made.min_notional * d("1.2"), f"seed {seed}"


def test_locked_coins_and_less_than_a_lot_have_their_own_reasons() -> None:
    made = rules("BTC", lot_size=d("0.1"))
    for free, code in ((d(0), Skip.NO_FREE_BALANCE), (d("0.05"), Skip.ZERO_AFTER_FLOOR)):
        sized = size_sell(made, wish_quote=d(10_000), mid=d(80_000), free=free, smallest=d(12))
        assert isinstance(sized, Reason) and sized.code is code


def test_a_lot_is_not_lost_to_the_digits_of_a_division() -> None:
    """0.3 lots' worth at an odd price is a wish of exactly three lots of 0.1."""
    mid = Decimal("413.003")
    made = rules("GGG", lot_size=d("0.1"), min_notional=d(1))
    sized = size_sell(made, wish_quote=mid * d("0.3"), mid=mid, free=d(1), smallest=d(1))
    assert isinstance(sized, Sized) and sized.size == BaseAmount(d("0.3"))
