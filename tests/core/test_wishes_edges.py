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
