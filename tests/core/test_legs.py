"""From wishes to orders: both sides matched, caps and cash kept to, and the smallest impossible wish dropped first."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.caps import Room
from rebalancer.core.legs import Cut, Outcome, Setting, Wish, cut_to_size, try_to_place
from rebalancer.core.model import Side
from rebalancer.core.reasons import Deny, Reason, Skip, Why
from tests.core.builders import book, d, rules

WHY = Reason(Why.OVERWEIGHT, "why")
ROOM = Room(d(100_000), Deny.TURNOVER_CYCLE, "", None, None, 10)
SETTING = Setting(ROOM, nav_quote=d(10_000), cash_free=d(10_000), max_slippage_bps=d(50))


def wish(asset: str, side: Side, quote: str | int, *, lot: str = "0.01", **changes: Any) -> Wish:
    rule = {"lot_size": d(lot), "min_notional": d(5), "sell_quantity_min": d(0)} | changes.pop("rule", {})
    made = rules(asset, **rule)
    given: dict[str, Any] = {
        "drift": 0.1, "order": 0, "mid": d(100), "free": d(10_000), "book": book(made.symbol, d(100)),
        "fee_rate": d("0.002"), "amount_precision": False, "why": WHY,
    }  # fmt: skip
    return Wish(asset=asset, side=side, quote=d(quote), rules=made, **(given | changes))


def sell(quote: str | int, asset: str = "AAA", **changes: Any) -> Wish:
    return wish(asset, Side.SELL, quote, **changes)


def buy(quote: str | int, asset: str = "BBB", **changes: Any) -> Wish:
    return wish(asset, Side.BUY, quote, **changes)


def sizes(outcome: Outcome) -> dict[str, Decimal]:
    return {cut.wish.asset: cut.sized.notional_quote for cut in outcome.cuts}


def placed(*wishes: Wish, room: Room = ROOM, **changes: Any) -> Outcome:
    return cut_to_size(wishes, replace(SETTING, room=room, **changes))


def test_wishes_that_nothing_objects_to_are_placed_whole() -> None:
    outcome = placed(sell(1000), buy(900))
    assert (sizes(outcome), outcome.dropped, outcome.limited) == ({"AAA": 1000, "BBB": 900}, {}, False)
    assert not any(cut.capped for cut in outcome.cuts)


def test_without_wishes_there_is_nothing() -> None:
    assert placed() == Outcome()


def test_what_lots_take_from_the_sells_is_taken_from_the_buys_though_there_is_cash() -> None:
    outcome = placed(sell(1050, lot="1"), buy(1050))
    assert sizes(outcome) == {"AAA": 1000, "BBB": 1000}
    assert [cut.capped for cut in outcome.cuts] == [False, True]


def test_cash_that_was_wished_to_be_spent_is_spent_beside_the_proceeds() -> None:
    assert sizes(placed(sell(1050, lot="1"), buy(1350))) == {"AAA": 1000, "BBB": 1300}
    assert sizes(placed(buy(700))) == {"BBB": 700}


def test_buys_keep_to_the_share_of_free_cash_and_of_proceeds_less_their_fees() -> None:
    assert sizes(placed(buy(700), cash_free=d(500))) == {"BBB": d("497.5")}
    wanted = (d("0.995") * (100 + d("998"))).quantize(d("0.01"), rounding="ROUND_DOWN")
    assert sizes(placed(sell(1000), buy(1500), cash_free=d(100))) == {"AAA": 1000, "BBB": wanted}


def test_an_order_limit_clips_each_wish_and_the_other_side_follows_it() -> None:
    outcome = placed(sell(1000), buy(600), buy(400, "CCC"), room=replace(ROOM, notional_order_quote=d(500)))
    assert outcome.limited
    assert sizes(outcome)["AAA"] == 500
    assert sum(sizes(outcome).values()) - 500 == pytest.approx(500, abs=d("0.05"))


def test_cash_takes_up_what_it_was_meant_to_and_no_more() -> None:
    """Of 1000 sold, 600 were meant for cash: with the buy clipped to 100, 700 are sold."""
    outcome = placed(sell(1000), buy(400), room=replace(ROOM, notional_order_quote=d(1000)))
    assert sizes(outcome) == {"AAA": 1000, "BBB": 400}
    clipped = placed(sell(400), sell(600, "CCC"), buy(400), room=replace(ROOM, notional_order_quote=d(300)))
    assert sizes(clipped) == {"AAA": 300, "CCC": 300, "BBB": 300}
    spent = placed(sell(200), buy(400), buy(400, "CCC"), room=replace(ROOM, notional_order_quote=d(100)))
    assert sizes(spent) == {"AAA": 100, "BBB": 100, "CCC": 100}


@pytest.mark.parametrize(
    ("room", "sold", "bought"),
    [
        ({"turnover_quote": d(500)}, 500, 400),
        ({"notional_day_quote": d(900)}, 500, 400),
        ({"turnover_quote": d(1000), "notional_day_quote": d(1800)}, 1000, 800),
    ],
)
def test_turnover_and_the_days_notional_shrink_both_sides_alike(room: dict[str, Any], sold: int, bought: int) -> None:
    outcome = placed(sell(1000), buy(800), room=replace(ROOM, **room))
    assert sizes(outcome) == {"AAA": sold, "BBB": bought}
    assert outcome.limited is (sold < 1000)
    assert all(cut.capped is (sold < 1000) for cut in outcome.cuts)


def test_the_smallest_wish_that_cannot_be_placed_goes_first_and_its_room_lifts_the_others() -> None:
    """Three buys share 30: each alone is below the minimum of 12, two of them are not."""
    room = replace(ROOM, turnover_quote=d(30))
    outcome = placed(buy(101, "AAA", rule={"min_notional": d(10)}), buy(100, "BBB", rule={"min_notional": d(10)}),
                     buy(99, "CCC", rule={"min_notional": d(10)}), room=room)  # fmt: skip
    assert set(sizes(outcome)) == {"AAA", "BBB"} and set(outcome.dropped) == {"CCC"}
    assert outcome.dropped["CCC"] == Reason(
        Skip.BELOW_MIN_NOTIONAL,
        "limits, cash or missing counter-trades leave 9.90 of 99.00 USDT; "
        "9.90 USDT is below 1.2 x the exchange's minimum (12.00)",
    )


def test_of_two_equal_wishes_the_first_of_the_file_goes_first() -> None:
    room, rule = replace(ROOM, turnover_quote=d(20)), {"min_notional": d(10)}
    outcome = placed(buy(100, "AAA", order=2, rule=rule), buy(100, "BBB", order=1, rule=rule), room=room)
    assert (set(sizes(outcome)), set(outcome.dropped)) == ({"AAA"}, {"BBB"})


def test_a_wish_that_is_too_small_by_itself_is_not_blamed_on_limits() -> None:
    outcome = placed(buy(5))
    assert outcome.dropped == {
        "BBB": Reason(Skip.BELOW_MIN_NOTIONAL, "5.00 USDT is below 1.2 x the exchange's minimum (6.00)")
    }


@pytest.mark.parametrize(
    ("changes", "code"), [({"free": d(0)}, Skip.NO_FREE_BALANCE), ({"rule": {"sell_quantity_min": d(10)}}, Skip.BELOW_MIN_QUANTITY)]
)  # fmt: skip
def test_a_lack_that_no_limit_made_keeps_its_own_words_though_a_limit_cut_the_wish(
    changes: dict[str, Any], code: Skip
) -> None:
    made = sell(1000, **changes)
    result = try_to_place(made, d(500), SETTING)
    assert isinstance(result, Reason) and result.code is code
    assert "limits" not in result.text


def test_as_many_orders_as_the_day_allows_sells_first_then_the_largest_drift_then_the_file() -> None:
    wishes = (
        buy(100, "AAA", drift=-0.3, order=0),
        sell(100, "BBB", drift=0.1, order=1),
        sell(100, "CCC", drift=0.2, order=2),
        buy(100, "DDD", drift=-0.3, order=3),
    )
    waits = Reason(Skip.CAP_REACHED, "max_orders_per_day leaves no room; waits for a later cycle")
    for orders, kept in enumerate(["", "CCC", "CCC BBB", "CCC BBB AAA", "CCC BBB AAA DDD"]):
        outcome = placed(*wishes, room=replace(ROOM, orders=orders))
        assert [cut.wish.asset for cut in outcome.cuts] == kept.split()
        assert outcome.dropped == {each.asset: waits for each in wishes if each.asset not in kept}
        assert outcome.limited is (orders < 4)


def test_a_book_that_is_too_thin_and_too_much_slippage_are_told_with_their_figures() -> None:
    thin = try_to_place(buy(1000, book=book("bbbusdt", d(100), level_quote=1)), d(1000), SETTING)
    assert thin == Reason(Skip.BOOK_TOO_THIN, "the visible book of bbbusdt is too thin for 1000.00 USDT")
    far = try_to_place(buy(1000, book=book("bbbusdt", d(100), half_bps=80)), d(1000), SETTING)
    assert far == Reason(Skip.SLIPPAGE, "would slip 80.0 bps, over max_slippage_bps = 50")
    edge = try_to_place(buy(1000, book=book("bbbusdt", d(100), half_bps=50)), d(1000), SETTING)
    assert isinstance(edge, Cut)


@pytest.mark.parametrize(("amount", "capped"), [("990", False), ("989.99", True), ("1000", False)])
def test_a_leg_counts_as_capped_below_ninety_nine_hundredths_of_its_wish(amount: str, capped: bool) -> None:
    made = try_to_place(buy(1000), d(amount), SETTING)
    assert isinstance(made, Cut) and made.capped is capped
    assert made.walk.spread_bps == 2
