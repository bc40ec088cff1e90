"""Wishes on their bounds: the smallest orders, what a book just takes, parts of what leaves, and limit orders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rebalancer.core.model import Book, Level, Snapshot, Usage
from rebalancer.core.plan import Plan
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Skip
from rebalancer.core.targets import BandPolicy, BandRule, Limits, OrderPolicy, OrderType
from tests.core.builders import LOOSE, NOW, d, snapshot, targets

TRADED = Usage(has_traded=True)
BANDS = BandPolicy(rule=BandRule.ABSOLUTE, k=d(1), destination=d(0))
WEIGHTS = {"BTC": 50, "ETH": 30, "USDT": 20}
PRICES: dict[str, Any] = {"BTC": 100, "ETH": 100, "DOGE": 1}


def plan(seen: Snapshot, *, forced: bool = True, limits: Limits = LOOSE, usage: Usage = TRADED, **more: Any) -> Plan:
    wanted = replace(targets(WEIGHTS, bands=BANDS, limits=limits), **more)
    return make_plan(seen, wanted, usage, forced=forced)


def legs(made: Plan) -> dict[str, Any]:
    return {leg.asset: leg.size.value for leg in made.legs}


def why_not(made: Plan) -> dict[str, Any]:
    return {skip.asset: skip.reason.code for skip in made.skips}


def test_what_leaves_is_sold_down_to_the_exchanges_minimum_and_what_stays_only_from_a_share_of_nav() -> None:
    """Of 100,000 an order is 100 or more; DOGE, worth 20, leaves all the same."""
    seen = snapshot({"BTC": "500.5", "ETH": 300, "USDT": 19_930, "DOGE": 20}, PRICES)
    made = plan(seen, leaving=("DOGE",))
    assert legs(made) == {"DOGE": 20}
    assert made.legs[0].reason.text.startswith("DOGE")
    assert why_not(made)["BTC"] is Skip.BELOW_SMALLEST_TRADE


def test_of_what_leaves_a_limit_takes_a_part_whose_rest_can_be_sold_later() -> None:
    seen = snapshot({"BTC": 500, "ETH": 300, "USDT": 20_000, "DOGE": 30}, PRICES)
    made = plan(seen, forced=False, leaving=("DOGE",), limits=replace(LOOSE, max_order_notional=d(25)))
    assert legs(made) == {"DOGE": 18}


def test_a_coin_exactly_on_its_target_has_no_way_to_go_even_where_all_are_brought_to_theirs() -> None:
    made = plan(snapshot({"BTC": 5, "ETH": "3.5", "USDT": 150}, PRICES))
    assert set(legs(made)) == {"ETH"} and not made.skips
    line = made.assets[0]
    assert (line.asset, line.drift, line.reason.code) == ("BTC", 0, Skip.INSIDE_BAND)


@pytest.mark.parametrize(("deep", "bought"), [("0.12", {"ETH": 12}), ("0.1199", {})])
def test_a_book_that_takes_the_smallest_order_and_no_more_is_enough_for_it(deep: str, bought: dict[str, int]) -> None:
    seen = snapshot({"BTC": 5, "ETH": 2, "USDT": 300}, PRICES)
    thin = Book("ethusdt", (Level(d("99.9"), d(99)),), (Level(d("100"), d(deep)), Level(d(190), d(99))), NOW)
    seen = replace(seen, books=dict(seen.books) | {"ETH": thin})
    made = plan(seen, limits=replace(LOOSE, max_slippage_bps=d(6)))
    assert {asset: int(size) for asset, size in legs(made).items()} == bought
    assert bought or why_not(made)["ETH"] is Skip.SLIPPAGE


@pytest.mark.parametrize("order_type", list(OrderType))
def test_no_order_is_larger_than_the_exchange_takes_at_once_however_many_rounds_the_plan_was_made_in(
    order_type: OrderType,
) -> None:
    most = {OrderType.MARKET: "sell_quantity_max", OrderType.IOC: "limit_sell_quantity_max"}[order_type]
    seen = snapshot({"BTC": 6, "ETH": 3, "USDT": 100}, PRICES, rule_changes={"BTC": {most: d("0.4")}})
    assert legs(plan(seen, orders=OrderPolicy(order_type=order_type))) == {"BTC": d("0.4")}
    most = {OrderType.MARKET: "buy_notional_max", OrderType.IOC: "limit_buy_quantity_max"}[order_type]
    largest = d(40) if order_type is OrderType.MARKET else d("0.4")
    seen = snapshot({"BTC": 4, "ETH": 3, "USDT": 300}, PRICES, rule_changes={"BTC": {most: largest}})
    (leg,) = plan(seen, orders=OrderPolicy(order_type=order_type)).legs
    assert leg.notional_quote == 40


def test_a_buy_too_small_for_the_lots_that_its_pair_counts_in_says_so() -> None:
    seen = snapshot({"BTC": 5, "ETH": "2.7", "USDT": 230}, PRICES, rule_changes={"ETH": {"lot_size": d(80)}})
    assert legs(plan(seen)) == {"ETH": 30}
    made = plan(seen, usage=replace(TRADED, amount_precision_symbols=frozenset({"ethusdt"})))
    assert not made.legs and why_not(made)["ETH"] is Skip.ZERO_AFTER_FLOOR


@pytest.mark.parametrize(("deep", "bought"), [("0.12", {"ETH": 12}), ("0.1199", {})])
def test_a_book_that_ends_with_the_smallest_order_is_deep_enough_for_it(deep: str, bought: dict[str, int]) -> None:
    seen = snapshot({"BTC": 5, "ETH": 2, "USDT": 300}, PRICES)
    thin = Book("ethusdt", (Level(d("99.9"), d(99)),), (Level(d(100), d(deep)),), NOW)
    made = plan(replace(seen, books=dict(seen.books) | {"ETH": thin}))
    assert legs(made) == bought
    assert bought or why_not(made)["ETH"] is Skip.BOOK_TOO_THIN


def test_a_coin_that_leaves_and_is_locked_is_said_to_be_so_and_not_to_be_too_small() -> None:
    seen = snapshot({"BTC": 6, "ETH": 2, "USDT": 200, "DOGE": 0}, PRICES, locked={"DOGE": "50"})
    made = plan(seen, leaving=("DOGE",))
    assert legs(made) and not made.skips
    assert made.assets[-1].reason.code is Skip.NO_FREE_BALANCE
    assert "the rest is locked or kept" in made.assets[-1].reason.text


def test_a_trade_that_stops_at_the_edge_of_a_band_stops_two_fees_of_what_is_turned_inside_it() -> None:
    """Ten points of 10,000 are to turn, at one percent twice: the band of two points counts as 1.8."""
    wanted = targets({"BTC": 50, "USDT": 50}, bands=BandPolicy(rule=BandRule.ABSOLUTE, k=d(2), destination=d(1)))
    made = make_plan(snapshot({"BTC": 60, "USDT": 4_000}, PRICES, fee="0.01"), wanted, TRADED)
    assert [(leg.asset, leg.notional_quote) for leg in made.legs] == [("BTC", 820)]


def test_cash_that_is_not_free_pays_nothing_and_a_coin_above_its_target_pays_that_part() -> None:
    """BTC is to gain eight points, and of seven points too much cash five are free, of which 99.5 percent may go."""
    bands = BandPolicy(rule=BandRule.ABSOLUTE, k=d(8), destination=d("0.5"))
    wanted = targets({"BTC": 50, "ETH": 20, "USDT": 30}, bands=bands)
    seen = snapshot({"BTC": 38, "ETH": 25, "USDT": 500}, PRICES, locked={"USDT": "3200"})
    made = make_plan(seen, wanted, TRADED)
    assert [leg.asset for leg in made.legs] == ["ETH", "BTC"]
    assert made.legs[0].notional_quote == 800 - d("497.5")


def test_what_leaves_is_sold_whole_and_who_else_sells_does_only_what_the_buys_can_take() -> None:
    """BTC may not be bought now; ETH three points: so SOL sells three of eight, for DOGE brings its ten to the cash."""
    wanted = targets({"SOL": 30, "BTC": 30, "ETH": 20, "USDT": 20}, bands=replace(BANDS, k=d(5)))
    held = {"SOL": 38, "BTC": 10, "ETH": 17, "USDT": 2_500, "DOGE": 1_000}
    seen = snapshot(held, PRICES | {"SOL": 100}, rule_changes={"BTC": {"online": False}})
    made = make_plan(seen, replace(wanted, leaving=("DOGE",)), TRADED)
    assert {leg.asset: leg.notional_quote for leg in made.legs} == {"SOL": 300, "DOGE": 1_000, "ETH": 300}
