"""What limits, books and cash leave of wishes: parts of what leaves, both sides matched, and what waits."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.caps import Room
from rebalancer.core.ladder import Ladder
from rebalancer.core.legs import Outcome, Setting, Wish, cut_of, cut_to_size
from rebalancer.core.model import Book, Level, Side
from rebalancer.core.money import ONE, ZERO
from rebalancer.core.reasons import Deny, Reason, Skip, Why
from tests.core.builders import NOW, d, rules

MID = d(10)
ENOUGH = d(10**6)
BOOK = Book("", (Level(MID, ENOUGH),), (Level(MID, ENOUGH),), NOW)


def wish(coin: str, side: Side, quote: int, **changes: Any) -> Wish:
    """Return a wish in whole quote units, 12 of them or more to an order."""
    unit, step = (MID, d("0.1")) if side is Side.SELL else (ONE, ONE)
    ladder = Ladder(side, unit, step, step, ZERO, 12 / unit, quote / unit)
    made = Wish(
        coin, side, d(quote), 0.1, 0, MID, rules(coin), BOOK, ENOUGH, d("0.002"), ladder, strays=True,
        why=Reason(Why.OVERWEIGHT, ""),
    )  # fmt: skip
    return replace(made, **changes)


def sell(coin: str, quote: int, **changes: Any) -> Wish:
    return wish(coin, Side.SELL, quote, **changes)


def buy(coin: str, quote: int, **changes: Any) -> Wish:
    return wish(coin, Side.BUY, quote, **changes)


def leave(coin: str, quote: int, **changes: Any) -> Wish:
    return sell(coin, quote, leaves=True, **changes)


def cut(*wishes: Wish, cash: int = 0, **limits: Any) -> Outcome:
    room = Room(ENOUGH, Deny.TURNOVER_CYCLE, "", None, None, 100)
    return cut_to_size(wishes, Setting(replace(room, **limits), d(10_000), d(cash), d(5000), cash_strays=False))


def sizes(made: Outcome) -> dict[str, Decimal]:
    return {each.wish.asset: each.sized.notional_quote for each in made.cuts}


def test_what_leaves_is_sold_whole_and_pays_for_the_others_after_its_fee() -> None:
    made = cut(leave("AAA", 500), buy("BBB", 600))
    assert sizes(made) == {"AAA": 500, "BBB": 496}, "99.5 % of 499"
    assert not made.limited and not any(each.capped for each in made.cuts), "cash is no limit"


def test_buys_that_cash_and_sells_cannot_pay_shrink_alike() -> None:
    """810 come in after a fee of a tenth, of which 805.95 may be spent: each buy has 80.6 % of its wish."""
    made = cut(sell("AAA", 900, fee_rate=d("0.1")), buy("BBB", 700), buy("CCC", 300))
    assert sizes(made) == {"AAA": 900, "BBB": 564, "CCC": 241}


def test_of_what_leaves_a_part_leaves_a_rest_that_can_be_sold_later() -> None:
    for whole, cap, part in ((500, 100, 100), (30, 25, 18), (24, 20, 12), (23, 20, 20), (20, 15, 15)):
        made = cut(leave("AAA", whole), notional_order_quote=d(cap))
        assert sizes(made) == {"AAA": part}, (whole, cap)
        assert made.limited


def test_what_leaves_goes_whole_where_it_is_others_that_a_limit_cuts() -> None:
    made = cut(leave("AAA", 50), sell("BBB", 500), notional_order_quote=d(100))
    assert sizes(made) == {"AAA": 50, "BBB": 100}


@pytest.mark.parametrize("limit", ["turnover_quote", "notional_day_quote"])
def test_shares_too_small_for_orders_go_to_the_first_as_smallest_orders_while_the_limit_lasts(limit: str) -> None:
    made = cut(leave("AAA", 30), leave("BBB", 30), leave("CCC", 30), **{limit: d(24)})
    assert sizes(made) == {"AAA": 12, "BBB": 12}
    assert {coin: reason.code for coin, reason in made.dropped.items()} == {"CCC": Skip.CAP_REACHED}


@pytest.mark.parametrize(
    "limits", [{"turnover_quote": 110}, {"notional_day_quote": 110}, {"turnover_quote": 110, "notional_day_quote": 999}]
)
def test_what_a_smallest_order_took_beyond_its_share_is_not_there_for_the_next(limits: dict[str, int]) -> None:
    made = cut(leave("AAA", 20), leave("BBB", 200), **{limit: d(most) for limit, most in limits.items()})
    assert sizes(made) == {"AAA": 12, "BBB": 98}


def test_of_what_leaves_no_more_orders_go_than_the_day_has_left() -> None:
    made = cut(leave("AAA", 30), leave("BBB", 30), orders=1)
    assert sizes(made) == {"AAA": 30} and list(made.dropped) == ["BBB"]


def test_the_others_have_the_turnover_that_is_left_by_what_leaves() -> None:
    made = cut(leave("AAA", 20), sell("BBB", 100), buy("CCC", 120), cash=1000, turnover_quote=d(60))
    assert sizes(made) == {"AAA": 12, "BBB": 48, "CCC": 59}, "two less sold than its share, half of that less bought"


def test_the_others_have_the_notional_that_is_left_by_what_leaves() -> None:
    made = cut(leave("AAA", 20), sell("BBB", 100), buy("CCC", 120), cash=1000, notional_day_quote=d(120))
    assert sizes(made)["AAA"] == 12 and sum(sizes(made).values()) == 120


def test_the_others_have_the_orders_that_are_left_by_what_leaves() -> None:
    made = cut(leave("AAA", 20), sell("BBB", 100), buy("CCC", 120), cash=1000, orders=2)
    assert len(made.cuts) == 2 and "AAA" in sizes(made)


def test_cash_that_a_part_brings_pays_for_the_others_and_what_waits_brings_none() -> None:
    assert sizes(cut(leave("AAA", 500), buy("BBB", 300), notional_order_quote=d(200))) == {"AAA": 200, "BBB": 198}
    made = cut(leave("AAA", 500, book_quote=d(5)), buy("BBB", 300), cash=100)
    assert sizes(made) == {} and set(made.dropped) == {"AAA", "BBB"}
    made = cut(leave("AAA", 500, book_quote=d(5)), buy("BBB", 600), cash=200)
    assert sizes(made) == {"BBB": 105}, "what the wishes meant cash to pay, and the share of the sell"


def test_a_side_that_a_book_cuts_takes_the_other_side_with_it() -> None:
    assert sizes(cut(sell("AAA", 100), buy("BBB", 100, book_quote=d(40)), cash=1000)) == {"AAA": 40, "BBB": 40}
    assert sizes(cut(sell("AAA", 100, book_quote=d(40)), buy("BBB", 100), cash=1000)) == {"AAA": 40, "BBB": 40}


def test_cash_takes_up_what_it_was_meant_to_where_a_book_cuts_one_side() -> None:
    assert sizes(cut(sell("AAA", 150), buy("BBB", 100, book_quote=d(40)), cash=1000)) == {"AAA": 90, "BBB": 40}
    assert sizes(cut(sell("AAA", 100, book_quote=d(40)), buy("BBB", 150), cash=1000)) == {"AAA": 40, "BBB": 90}


def test_what_fits_to_the_last_order_and_unit_is_not_limited() -> None:
    wishes = sell("AAA", 100, book_quote=d(100)), buy("BBB", 100, book_quote=d(100))
    made = cut(*wishes, cash=1000, orders=2, turnover_quote=d(100), notional_day_quote=d(200))
    assert sizes(made) == {"AAA": 100, "BBB": 100} and not made.limited and not made.dropped
    for limit in ({"orders": 1}, {"turnover_quote": d(99)}, {"notional_order_quote": d(99)}):
        assert cut(*wishes, cash=1000, **limit).limited, limit


def test_an_unproven_coin_trades_its_smallest_order() -> None:
    made = cut(buy("AAA", 500, probes=True), cash=1000)
    assert sizes(made) == {"AAA": 12} and made.limited and made.cuts[0].capped


@pytest.mark.parametrize(("size", "capped"), [(100, False), (99, False), (98, True)])
def test_an_order_is_called_cut_below_ninety_nine_percent_of_its_wish(size: int, capped: bool) -> None:
    setting = Setting(Room(ENOUGH, Deny.TURNOVER_CYCLE, "", None, None, 1), d(1), d(1), d(10), cash_strays=False)
    assert cut_of(buy("AAA", 100), d(size), setting).capped is capped


@pytest.mark.parametrize(
    ("ask", "sound"), [(Level(MID, d(9)), False), (Level(MID + d("1e-9"), ENOUGH), False), (Level(MID, ENOUGH), True)]
)
def test_an_order_beyond_its_book_or_beyond_the_slippage_allowed_is_a_fault(ask: Level, sound: bool) -> None:
    setting = Setting(Room(ENOUGH, Deny.TURNOVER_CYCLE, "", None, None, 1), d(1), d(1), d(0), cash_strays=False)
    one = buy("AAA", 100, book=replace(BOOK, asks=(ask,)))
    if sound:
        assert cut_of(one, d(100), setting).sized.notional_quote == 100
        return
    with pytest.raises(AssertionError):
        cut_of(one, d(100), setting)


def test_an_unproven_coin_trades_no_more_than_its_smallest_order_whatever_one_order_may_be() -> None:
    made = cut(buy("AAA", 500, probes=True), cash=1000, notional_order_quote=d(300))
    assert sizes(made) == {"AAA": 12}
