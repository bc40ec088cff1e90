"""A leg before it is sent, on the very bounds: what sells really brought, fine and coarse steps, collars."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from rebalancer.core.fit import (
    clip_to_leave,
    clip_to_limits,
    cut_to_book,
    fit_leg,
    fit_leg_to_notional,
    fit_to_proceeds,
)
from rebalancer.core.model import Book, Level, Usage
from rebalancer.core.money import BaseAmount, QuoteAmount
from rebalancer.core.plan import Leg
from rebalancer.core.reasons import Reason, Skip
from tests.core.builders import NOW, d
from tests.core.test_fit import BUY, DIRECT, NAV, OPEN, RULES, SELL

SMALL_BUY = replace(BUY, size=QuoteAmount(d(200)), notional_quote=d(200))
LEGS = (SELL, DIRECT, BUY, SMALL_BUY)  # 600 to be bought for cash: 400 from the sell, 200 from what was there


def paid_for(
    leg: Leg, sold: str, paid: str, legs: tuple[Leg, ...] = LEGS, *, amount_precision: bool = False
) -> Leg | Reason:
    return fit_to_proceeds(leg, legs, RULES, sold_quote=d(sold), paid_quote=d(paid), amount_precision=amount_precision)


@pytest.mark.parametrize("leg", [SELL, DIRECT], ids=["sell", "direct"])
def test_what_spends_no_cash_waits_for_no_proceeds(leg: Leg) -> None:
    assert paid_for(leg, "0", "600") is leg


@pytest.mark.parametrize(
    ("sold", "paid", "spend"),
    [("400", "400", "200"), ("200", "200", "200"), ("199.96", "200", "199.9"), ("0", "150", "50"), ("0", "190", "10")],
)
def test_a_buy_gets_what_the_sells_brought_and_the_cash_that_the_plan_meant_to_spend(
    sold: str, paid: str, spend: str
) -> None:
    made = paid_for(SMALL_BUY, sold, paid)
    assert isinstance(made, Leg) and made.size == QuoteAmount(d(spend)) and made.notional_quote == d(spend)


def test_sells_that_were_to_raise_the_cash_pay_for_a_buy_only_as_far_as_they_went() -> None:
    made = paid_for(SMALL_BUY, "150", "0", (SELL, SMALL_BUY))
    assert isinstance(made, Leg) and made.size == QuoteAmount(d(150))


def test_a_buy_within_what_was_brought_goes_as_it_was_planned_whatever_its_step() -> None:
    odd = replace(BUY, size=QuoteAmount(d("199.97")), notional_quote=d("199.97"))
    assert paid_for(odd, "199.97", "200") is odd


@pytest.mark.parametrize(("paid", "left"), [("195", "5.00"), ("200", "0.00"), ("900", "0.00")])
def test_a_buy_whose_sells_brought_too_little_is_skipped_and_says_what_they_left(paid: str, left: str) -> None:
    text = f"the sells that were to pay for BTC left {left} of 200.00 USDT"
    assert paid_for(SMALL_BUY, "0", paid) == Reason(Skip.NO_CASH, text)


@pytest.mark.parametrize(("precise", "spend"), [(False, "101.9"), (True, "101.97")])
def test_a_pair_that_counts_in_its_lots_is_cut_in_its_lots_wherever_a_buy_is_cut(precise: bool, spend: str) -> None:
    """A lot is finer than a step here; every place that cuts a buy has to ask the same way."""
    usage = Usage(amount_precision_symbols=frozenset({"btcusdt"} if precise else {"ethusdt"}))
    book = Book("btcusdt", (Level(d(199), d(9)),), (Level(d("203.94"), d("0.5")), Level(d(900), d(9))), NOW)
    made = [
        fit_leg(BUY, free=d("101.97") / d("0.995") + d("0.001"), rules=RULES, amount_precision=precise),
        fit_leg_to_notional(BUY, d("101.97"), RULES, amount_precision=precise),
        clip_to_leave(BUY, d("101.97"), d(200), RULES, amount_precision=precise),
        clip_to_limits(BUY, replace(OPEN, max_order_notional=d("101.97")), usage, NAV, RULES, spent_quote=d(0)),
        cut_to_book(BUY, book, RULES, d(197), amount_precision=precise),
        paid_for(SMALL_BUY, "101.97", "200", amount_precision=precise),
    ]
    assert [leg.size.value for leg in made if isinstance(leg, Leg)] == [d(spend)] * len(made)


def test_a_leg_that_book_or_leave_just_allow_goes_as_it_was_planned_whatever_its_step() -> None:
    odd = replace(SELL, size=BaseAmount(d("2.005")), notional_quote=d(401))
    book = Book("btcusdt", (Level(d(199), d("2.005")), Level(d(1), d(9))), (Level(d(201), d(9)),), NOW)
    assert cut_to_book(odd, book, RULES, d(50), amount_precision=False) is odd
    assert clip_to_leave(odd, d(401), d(200), RULES, amount_precision=False) is odd


def test_a_sell_with_a_collar_is_worth_sending_only_if_it_is_at_its_collar() -> None:
    assert isinstance(fit_leg(SELL, free=d("0.05"), rules=RULES, amount_precision=False), Leg)
    collared = replace(SELL, collar=d(190))
    assert isinstance(fit_leg(collared, free=d("0.06"), rules=RULES, amount_precision=False), Leg)
    assert isinstance(fit_leg(collared, free=d("0.05"), rules=RULES, amount_precision=False), Reason)


@pytest.mark.parametrize(("notional", "size"), [("10.2", "10.1"), ("10.09", None)])
def test_a_buy_with_a_collar_may_be_the_least_quantity_itself_and_no_less(notional: str, size: str | None) -> None:
    collared = replace(BUY, size=QuoteAmount(d(404)), collar=d(202))
    rules = replace(RULES, limit_quantity_min=d("0.05"), min_notional=Decimal(1))
    made = fit_leg_to_notional(collared, d(notional), rules, amount_precision=False)
    assert (None if made is None else made.size) == (None if size is None else QuoteAmount(d(size)))
