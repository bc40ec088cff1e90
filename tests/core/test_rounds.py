"""Two rounds as one plan: what is joined, what is not, and the account after a perfect fill."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rebalancer.core.caps import Room
from rebalancer.core.legs import Cut, Outcome, Setting, Wish, cut_of
from rebalancer.core.model import Balance, Book, Level, Side, Usage
from rebalancer.core.money import BaseAmount, QuoteAmount
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Deny, Reason, Skip, Trigger
from rebalancer.core.rounds import after_perfect_fill, joined, later_than, turns_back
from rebalancer.core.settled import after_legs
from rebalancer.core.targets import BandPolicy, BandRule, OrderPolicy, Route
from tests.core.builders import LOOSE, NOW, d, rules, snapshot, targets, with_crosses
from tests.core.owners import case, filled
from tests.core.test_cuts import buy, sell

LIMIT_BPS = d(100)
ROOM = Room(d(10**6), Deny.TURNOVER_CYCLE, "", None, None, 100)
SETTING = Setting(ROOM, d(10_000), d(10_000), d(5000), cash_strays=False)
# At a mid of 10: a hundred at the mid, a hundred at two percent over it, and no more.
STEEP = Book("", (Level(d(10), d(10)), Level(d("9.8"), d(10))), (Level(d(10), d(10)), Level(d("10.2"), d(10))), NOW)
WAITS = Reason(Skip.CAP_REACHED, "later")


def placed(wish: Wish, size: str, **more: Any) -> Cut:
    return replace(cut_of(wish, d(size), SETTING), **more)


def test_another_coins_order_stands_beside_and_more_of_the_same_coin_becomes_one_order() -> None:
    first = Outcome(
        [placed(sell("AAA", 50), "5"), placed(buy("BBB", 40), "40", capped=True)], {"CCC": WAITS, "DDD": WAITS}
    )
    more = Outcome([placed(buy("BBB", 30), "30"), placed(sell("CCC", 20), "2")], {"EEE": WAITS})
    made = joined(first, more, LIMIT_BPS, ROOM)
    assert made is not None and not made.limited
    assert [(cut.wish.asset, cut.sized.size, cut.sized.notional_quote, cut.capped) for cut in made.cuts] == [
        ("AAA", BaseAmount(d(5)), 50, False),
        ("BBB", QuoteAmount(d(70)), 70, False),
        ("CCC", BaseAmount(d(2)), 20, False),
    ]
    assert made.cuts[1].wish.quote == 70, "and it was wished whole"
    assert made.dropped == {"DDD": WAITS, "EEE": WAITS}


def test_a_wish_larger_than_both_orders_stays_as_large() -> None:
    made = joined(Outcome([placed(sell("AAA", 90), "5")]), Outcome([placed(sell("AAA", 20), "2")]), LIMIT_BPS, ROOM)
    assert made is not None
    assert (made.cuts[0].wish.quote, made.cuts[0].sized.notional_quote) == (90, 70)


@pytest.mark.parametrize(
    "more",
    [
        Outcome(),
        Outcome([placed(sell("AAA", 20), "2")], limited=True),
        Outcome([placed(buy("AAA", 20), "20")]),  # the trade itself would be traded back
        Outcome([placed(sell("BBB", 20), "2"), placed(buy("AAA", 20), "20")]),
    ],
    ids=["nothing more", "a limit cut it", "the other way", "the other way beside one that is none"],
)
def test_a_round_that_adds_nothing_sound_is_left_out(more: Outcome) -> None:
    assert joined(Outcome([placed(sell("AAA", 50), "5")]), more, LIMIT_BPS, ROOM) is None


def test_a_coin_that_is_only_tried_is_tried_with_one_round() -> None:
    """Seen in a plan of random accounts: twice the smallest order of a coin whose price nothing had shown yet."""
    probe = replace(sell("AAA", 20), probes=True)
    assert joined(Outcome([placed(probe, "2")]), Outcome([placed(probe, "2")]), LIMIT_BPS, ROOM) is None
    beside = Outcome([placed(buy("BBB", 20), "20")])
    assert joined(Outcome([placed(probe, "2")]), beside, LIMIT_BPS, ROOM) is not None
    assert joined(beside, Outcome([placed(probe, "2")]), LIMIT_BPS, ROOM) is not None


@pytest.mark.parametrize(("size", "fits"), [("5", True), ("10", True), ("10.1", False), ("11", False)], ids=str)
def test_both_rounds_together_keep_to_the_slippage_and_to_the_book(size: str, fits: bool) -> None:
    """Twenty at an average of two percent off: a hundred basis points, the most allowed."""
    wish = sell("AAA", 300, book=STEEP)
    both = joined(Outcome([placed(wish, "10")]), Outcome([placed(replace(wish, book=DEEP), size)]), LIMIT_BPS, ROOM)
    assert (both is not None) is fits


DEEP = replace(STEEP, bids=(Level(d(10), d(10**6)),), asks=(Level(d(10), d(10**6)),))


@pytest.mark.parametrize(
    ("limit", "most", "least"),
    [
        ("turnover_quote", d(90), d("89.9")),
        ("notional_day_quote", d(130), d("129.9")),
        ("notional_order_quote", d(90), d("89.9")),
        ("orders", 2, 1),
    ],
    ids=str,
)
def test_both_rounds_together_are_within_what_the_limits_leave(limit: str, most: Any, least: Any) -> None:
    """Each round was held against all of it: an order of 50 was planned where 26 were allowed."""
    first, more = Outcome([placed(sell("AAA", 50), "5"), placed(buy("BBB", 40), "40")]), Outcome([])
    more.cuts.append(placed(sell("AAA", 40), "4"))
    assert joined(first, more, LIMIT_BPS, replace(ROOM, **{limit: most})) is not None
    assert joined(first, more, LIMIT_BPS, replace(ROOM, **{limit: least})) is None


@pytest.mark.parametrize(
    ("weights", "held", "lots", "cap", "route"),
    [
        ((52, 18, 7, 23), ("0.0015", "0.041", "0.2262", "47.4626"), ("0.01", "0.0001"), 26, Route.QUOTE),
        ((28, 28, 16, 28), ("0.0003", "0.0778", "0.5677", "8.1419"), ("0.1", "0.1"), 23, Route.DIRECT),
    ],
    ids=["over the quote coin", "direct"],
)
def test_no_order_of_a_plan_is_over_the_limit_of_one_because_a_second_round_was_added(
    weights: tuple[int, ...], held: tuple[str, ...], lots: tuple[str, str], cap: int, route: Route
) -> None:
    coins = ("BTC", "ETH", "SOL", "USDT")
    changes = {coin: {"lot_size": d(lot)} for coin, lot in zip(("ETH", "SOL"), lots, strict=True)}
    prices = {"BTC": 80_000, "ETH": 2_500, "SOL": 125}
    seen = snapshot(dict(zip(coins, held, strict=True)), prices, rule_changes=changes)
    limits = replace(LOOSE, max_order_notional=d(cap), max_slippage_bps=d(100))
    wanted = replace(targets(dict(zip(coins, weights, strict=True)), limits=limits), orders=OrderPolicy(route=route))
    made = make_plan(with_crosses(seen, {("ETH", "BTC"): "1"}, tick_size=d("0.000001")), wanted, Usage(has_traded=True))
    assert made.legs and all(leg.notional_quote <= cap for leg in made.legs)


@pytest.mark.parametrize(("most", "fits"), [("7", True), ("6.9", False)])
def test_both_rounds_together_are_no_more_than_the_exchange_takes_at_once(most: str, fits: bool) -> None:
    for made, more, listed in (
        (sell("AAA", 50), sell("AAA", 20), {"sell_quantity_max": d(most)}),
        (sell("AAA", 50, collar=d(9)), sell("AAA", 20), {"limit_sell_quantity_max": d(most)}),
        (buy("AAA", 50), buy("AAA", 20), {"buy_notional_max": d(most) * 10}),
    ):
        step = "5" if made.side.value == "sell" else "50"
        rest = "2" if made.side.value == "sell" else "20"
        first = placed(replace(made, rules=rules("AAA", **listed)), step)
        both = joined(Outcome([first]), Outcome([placed(more, rest)]), LIMIT_BPS, ROOM)
        assert (both is not None) is fits, listed


def test_a_later_round_acts_on_drift_unless_it_is_about_the_cash_alone() -> None:
    assert {trigger: later_than(trigger) for trigger in Trigger} == {
        trigger: Trigger.CASH_FLOW if trigger is Trigger.CASH_FLOW else Trigger.OUTSIDE_BAND for trigger in Trigger
    }


def test_money_that_came_or_went_is_answered_on_one_side_in_all_rounds() -> None:
    sells, buys = Outcome([placed(sell("AAA", 50), "5")]), Outcome([placed(buy("BBB", 50), "50")])
    assert turns_back(Trigger.CASH_FLOW, sells, buys) and turns_back(Trigger.CASH_FLOW, buys, sells)
    assert not turns_back(Trigger.CASH_FLOW, sells, sells) and not turns_back(Trigger.CASH_FLOW, buys, Outcome())
    assert not turns_back(Trigger.OUTSIDE_BAND, sells, buys)


def test_a_perfect_fill_is_at_the_mid_and_pays_its_fee_in_what_it_receives() -> None:
    seen = snapshot({"AAA": 9, "BBB": 0, "USDT": 100}, {"AAA": 10, "BBB": 10}, locked={"AAA": "1"})
    cuts = [placed(sell("AAA", 50, fee_rate=d("0.1")), "5"), placed(buy("BBB", 40, fee_rate=d("0.1")), "40")]
    after = after_perfect_fill(seen, cuts)
    assert after.balances == {
        "AAA": Balance("AAA", d(4), d(1)), "BBB": Balance("BBB", d("3.6"), d(0)), "USDT": Balance("USDT", d(105), d(0)),
    }  # fmt: skip
    assert replace(after, balances=seen.balances) == seen


@pytest.mark.parametrize("number", [10, 11, 20, 78, 125, 145, 158, 197, 232])
def test_a_plan_of_which_the_first_round_left_something_worth_an_order_leaves_nothing(number: int) -> None:
    owned = case(number, cooled=False)
    plan = make_plan(owned.seen, owned.targets, owned.usage)
    again = make_plan(filled(owned.seen, plan), owned.targets, Usage(has_traded=True))
    assert plan.legs and not again.legs, (plan.legs, again.legs)


def test_money_that_came_in_is_spent_in_two_rounds_and_nothing_is_sold_in_either() -> None:
    owned = case(10, cooled=False)
    usage = replace(owned.usage, flows={"USDT": d(5000)})
    plan = make_plan(owned.seen, owned.targets, usage)
    assert plan.trigger is Trigger.CASH_FLOW
    assert {leg.side for leg in plan.legs} == {Side.BUY}


@pytest.mark.parametrize("number", [90, 111])
def test_money_that_went_out_is_made_good_part_of_the_way_in_all_rounds_and_not_to_the_target(number: int) -> None:
    owned = case(number, cooled=False)
    plan = make_plan(owned.seen, owned.targets, replace(owned.usage, flows={"USDT": d(-5000)}))
    assert plan.trigger is Trigger.CASH_FLOW and plan.nav_quote is not None
    cash = next(line for line in plan.assets if line.asset == "USDT")
    gained = after_legs(owned.seen, plan.legs).balances["USDT"].free - owned.seen.balances["USDT"].free
    after = cash.weight + gained / plan.nav_quote
    assert cash.band_low < after < cash.target - d("0.4") * (cash.target - cash.band_low), after


ABSOLUTE = BandPolicy(rule=BandRule.ABSOLUTE, k=d(5), destination=d(0), per_coin={"USDT": d(1)})
HUNDREDS = {"BTC": 100, "ETH": 100, "DOGE": 1}
TRADED = Usage(has_traded=True)


def test_a_later_round_does_not_sell_where_money_that_came_in_bought_more_than_there_was() -> None:
    """Of seven points too much cash BTC takes ten, in its coarse step; ETH, ten too heavy, is not sold for the three."""
    seen = snapshot({"BTC": 33, "ETH": 40, "USDT": 2_700}, HUNDREDS, rule_changes={"BTC": {"quote_step": d(1_000)}})
    wanted = targets({"BTC": 50, "ETH": 30, "USDT": 20}, bands=ABSOLUTE)
    plan = make_plan(seen, wanted, replace(TRADED, flows={"USDT": d(1_000)}))
    assert plan.trigger is Trigger.CASH_FLOW
    assert [(leg.asset, leg.side, leg.notional_quote) for leg in plan.legs] == [("BTC", Side.BUY, 1_000)]


def test_cash_alone_outside_its_band_is_enough_to_trade_for() -> None:
    seen = snapshot({"BTC": "48.5", "ETH": "28.5", "USDT": 2_300}, HUNDREDS)
    plan = make_plan(seen, targets({"BTC": 50, "ETH": 30, "USDT": 20}, bands=ABSOLUTE), TRADED)
    assert [(leg.asset, leg.notional_quote) for leg in plan.legs] == [("BTC", 150), ("ETH", 150)]


def test_for_cash_inside_its_band_nobody_is_traded_who_is_inside_his() -> None:
    """What leaves brings the cash from seven points below its target to three above; BTC is three below and stays."""
    wanted = targets({"BTC": 60, "USDT": 40}, bands=BandPolicy(rule=BandRule.ABSOLUTE, k=d(8), destination=d(0)))
    seen = snapshot({"BTC": 57, "USDT": 3_300, "DOGE": 1_000}, HUNDREDS)
    plan = make_plan(seen, replace(wanted, leaving=("DOGE",)), TRADED)
    assert [(leg.asset, leg.notional_quote) for leg in plan.legs] == [("DOGE", 1_000)]


def test_a_plan_that_a_limit_cut_is_not_gone_on_with() -> None:
    """The buys are cut to the turnover; a second round would sell more of XXX, as sells have room in it left."""
    owned = case(875)
    limits = replace(owned.targets.limits, max_order_notional=d(300), max_turnover_per_cycle=d(20))
    made = make_plan(owned.seen, replace(owned.targets, limits=limits), owned.usage)
    (sold,) = (leg for leg in made.legs if leg.side is Side.SELL)
    assert (sold.asset, sold.size, sold.capped) == ("XXX", BaseAmount(d("2.98")), True)
