"""The account after a perfect fill, and two rounds of orders made one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rebalancer.core.legs import Cut, Outcome, Setting, try_to_place
from rebalancer.core.model import Balance
from rebalancer.core.money import BaseAmount, QuoteAmount
from rebalancer.core.reasons import Reason, Skip
from rebalancer.core.rounds import _merged, after_perfect_fill
from tests.core.builders import book, d, snapshot
from tests.core.test_legs import ROOM, buy, sell

SETTING = Setting(ROOM, d(10_000), d(10_000), d(5000))
SEEN = snapshot({"AAA": 20, "BBB": 5, "USDT": 1000}, {"AAA": 100, "BBB": 100}, locked={"AAA": "3", "USDT": "7"})
WAITS = Reason(Skip.NO_CASH, "waits")


def cut(wish_of: object, quote: int, asset: str = "AAA", **changes: object) -> Cut:
    made = try_to_place(wish_of(quote, asset, **changes), d(quote), SETTING)  # type: ignore[operator]
    assert isinstance(made, Cut)
    return made


def test_a_perfect_fill_charges_its_fee_in_what_it_receives_and_touches_nothing_locked() -> None:
    after = after_perfect_fill(SEEN, [cut(sell, 1000), cut(buy, 500, "BBB")])
    assert after.balances == {
        "AAA": Balance("AAA", d(10), d(3)),
        "BBB": Balance("BBB", d(5) + 5 * d("0.998"), d(0)),
        "USDT": Balance("USDT", d(1000) + 1000 * d("0.998") - 500, d(7)),
    }
    assert replace(after, balances=SEEN.balances) == SEEN
    assert after_perfect_fill(SEEN, []).balances == SEEN.balances


def test_two_rounds_are_one_order_an_asset_with_the_sizes_summed_and_the_book_walked_anew() -> None:
    first = Outcome([cut(sell, 1000), cut(buy, 500, "BBB")], {"CCC": WAITS, "DDD": WAITS})
    more = Outcome([cut(sell, 200), cut(buy, 100, "BBB"), cut(buy, 300, "CCC")], {"EEE": WAITS})
    made = _merged(first, more, d(50))
    assert made is not None
    assert [(each.wish.asset, each.sized.size, each.sized.notional_quote) for each in made.cuts] == [
        ("AAA", BaseAmount(d(12)), 1200),
        ("BBB", QuoteAmount(d(600)), 600),
        ("CCC", QuoteAmount(d(300)), 300),
    ]
    assert [each.wish.quote for each in made.cuts] == [1200, 600, 300]
    assert made.dropped == {"DDD": WAITS, "EEE": WAITS}
    assert (made.limited, [each.capped for each in made.cuts]) == (False, [False] * 3)


def test_a_wish_that_was_larger_than_both_rounds_stays_the_wish() -> None:
    capped = replace(cut(sell, 1000), wish=sell(5000), capped=True)
    made = _merged(Outcome([capped]), Outcome([cut(sell, 200)]), d(50))
    assert made is not None
    assert (made.cuts[0].wish.quote, made.cuts[0].capped) == (5000, False)


@pytest.mark.parametrize(
    "more",
    [
        Outcome(),
        Outcome([cut(sell, 200)], limited=True),
        Outcome([cut(buy, 200)]),
        Outcome([cut(buy, 300, "CCC"), cut(buy, 200)]),
    ],
    ids=["nothing", "limited", "turned", "turned behind another"],
)
def test_a_second_round_that_adds_nothing_or_trades_back_is_left(more: Outcome) -> None:
    assert _merged(Outcome([cut(sell, 1000)]), more, d(50)) is None


def test_a_sum_that_slips_too_far_or_empties_the_book_is_left() -> None:
    def both(quote: int, bps: int) -> Outcome | None:
        thin = {"book": book("aaausdt", d(100), level_quote=1000)}
        return _merged(Outcome([cut(sell, quote, **thin)]), Outcome([cut(sell, quote, **thin)]), d(bps))

    assert both(400, 5) is not None
    assert both(9000, 19) is not None
    assert both(9000, 18) is None
    assert both(11_000, 5000) is None
