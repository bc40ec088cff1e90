"""Wishes at the planner's door: what each asset can lose, in which steps it is bought, and what a limit leaves for later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rebalancer.core.model import Side, Usage
from rebalancer.core.money import BaseAmount, QuoteAmount
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Skip
from rebalancer.core.targets import BandPolicy, BandRule
from tests.core.builders import LOOSE, d, snapshot, targets

TRADED = Usage(has_traded=True)
NARROW = BandPolicy(rule=BandRule.ABSOLUTE, k=d(1), destination=d(0))


def test_what_a_limit_leaves_waits_for_a_later_cycle_and_not_for_a_later_round() -> None:
    """Eight points too much under a limit of five: the other three are outside the band, and stay."""
    limits = replace(LOOSE, max_turnover_per_cycle=d(5))
    wanted = targets({"BTC": 40, "USDT": 60}, bands=NARROW, limits=limits)
    plan = make_plan(snapshot({"BTC": 48, "USDT": 5200}, {"BTC": 100}), wanted, TRADED)
    assert plan.totals is not None and plan.totals.turnover == d("0.05")


@pytest.mark.parametrize("order", ["BTC ETH USDT", "USDT BTC ETH", "BTC USDT ETH"])
def test_a_coin_loses_what_is_free_of_it_wherever_cash_stands_in_the_file(order: str) -> None:
    weights = {"BTC": 30, "ETH": 30, "USDT": 40}
    wanted = targets({asset: weights[asset] for asset in order.split()}, bands=NARROW)
    seen = snapshot({"BTC": 5, "ETH": 2, "USDT": 2000}, {"BTC": 100, "ETH": 100}, locked={"BTC": "30", "ETH": "43"})
    plan = make_plan(seen, wanted, TRADED)
    assert {leg.asset: leg.size for leg in plan.legs} == {"BTC": BaseAmount(d(5)), "ETH": BaseAmount(d(2))}


@pytest.mark.parametrize(("learned", "step"), [("btcusdt", "0.0001"), ("ethusdt", "1")])
def test_a_buy_is_cut_at_its_lot_only_where_the_symbol_taught_so(learned: str, step: str) -> None:
    usage = replace(TRADED, amount_precision_symbols=frozenset({learned}))
    wanted = targets({"BTC": 50, "USDT": 50}, bands=NARROW)
    rule = {"BTC": {"quote_step": d(1), "lot_size": d("0.0001")}}
    seen = snapshot({"BTC": "40.12345", "USDT": "6000.789"}, {"BTC": 100}, rule_changes=rule)
    (leg,) = make_plan(seen, wanted, usage).legs
    assert isinstance(leg.size, QuoteAmount) and leg.size.value % d(step) == 0
    assert (leg.size.value % 1 == 0) is (step == "1")


def test_who_cannot_trade_at_all_is_passed_over_and_the_others_do_his_part() -> None:
    wanted = targets({"BTC": 20, "ETH": 30, "SOL": 30, "USDT": 20}, bands=NARROW)
    held = {"BTC": 28, "ETH": 33, "SOL": 19, "USDT": 2000}
    closed = snapshot(held, {"BTC": 100, "ETH": 100, "SOL": 100}, rule_changes={"BTC": {"online": False}})
    plan = make_plan(closed, wanted, TRADED)
    sold = {leg.asset: leg.notional_quote for leg in plan.legs if leg.side is Side.SELL}
    assert sold == {"ETH": 300}
    assert plan.assets[0].reason.code is Skip.FROZEN


def test_of_helpers_that_are_too_small_the_smallest_goes_first_and_its_part_lifts_the_next() -> None:
    """Three coins a little light share the proceeds of one that is far over: each alone is below the minimum."""
    wanted = targets({"AAA": 40, "BBB": 20, "CCC": 20, "DDD": 19, "USDT": 1}, bands=replace(NARROW, k=d(5)))
    held = {"AAA": "460", "BBB": "181", "CCC": "180", "DDD": "169", "USDT": "10"}
    least = {coin: {"min_notional": d(17)} for coin in ("BBB", "CCC", "DDD")}
    plan = make_plan(snapshot(held, dict.fromkeys(("AAA", "BBB", "CCC", "DDD"), 1), rule_changes=least), wanted, TRADED)
    assert plan.legs[0].asset == "AAA"
    assert {skip.reason.code for skip in plan.skips} <= {Skip.BELOW_MIN_NOTIONAL}
