"""Money that came or went, to the digit: who answers it, and who waits."""

from __future__ import annotations

import pytest

from rebalancer.core.model import Side, Usage
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Trigger
from rebalancer.core.targets import BandPolicy, BandRule
from tests.core.builders import d, snapshot, targets

PRICES = {"BTC": 100, "ETH": 100, "SOL": 100}
WANTED = targets(
    {"BTC": 30, "ETH": 25, "SOL": 25, "USDT": 20}, bands=BandPolicy(rule=BandRule.ABSOLUTE, k=d(2), destination=d(0))
)


@pytest.mark.parametrize(
    ("held", "flow", "orders"),
    [
        # Of 10,000: cash lacks 1,000, BTC has 700 too much and stray it is, ETH 300; SOL is where it belongs.
        ({"BTC": 37, "ETH": 28, "SOL": 25, "USDT": 1000}, -1000, {"BTC": 700, "ETH": 300}),
        # Cash has 1,000 too much, BTC and SOL lack 600 each; ETH on the other side waits: nothing is sold.
        ({"BTC": 24, "ETH": 27, "SOL": 19, "USDT": 3000}, 1500, {"BTC": 500, "SOL": 500}),
    ],
)
def test_the_cash_alone_is_answered_and_on_one_side_only(
    held: dict[str, int], flow: int, orders: dict[str, int]
) -> None:
    plan = make_plan(snapshot(held, PRICES), WANTED, Usage(has_traded=True, flows={"USDT": d(flow)}))
    assert plan.trigger is Trigger.CASH_FLOW
    assert {leg.side for leg in plan.legs} == {Side.SELL if flow < 0 else Side.BUY}
    assert {leg.asset: round(leg.notional_quote, -2) for leg in plan.legs} == orders


def test_strays_that_no_money_explains_are_answered_on_both_sides() -> None:
    held = {"BTC": 37, "ETH": 28, "SOL": 15, "USDT": 2000}
    plan = make_plan(snapshot(held, PRICES), WANTED, Usage(has_traded=True))
    assert plan.trigger is Trigger.OUTSIDE_BAND and {leg.side for leg in plan.legs} == {Side.SELL, Side.BUY}


def test_who_strays_far_pays_most_and_leaves_the_rest_to_who_is_as_near_to_a_trade_then() -> None:
    """BTC stands nine points over its target and ETH not quite two: both are brought to the same share of their bands."""
    held = {"BTC": 39, "ETH": "26.9", "SOL": "24.1", "USDT": 1000}
    plan = make_plan(snapshot(held, PRICES), WANTED, Usage(has_traded=True, flows={"USDT": d(-1000)}))
    assert plan.trigger is Trigger.CASH_FLOW
    sold = {leg.asset: float(leg.notional_quote) for leg in plan.legs}
    assert sold == {"BTC": pytest.approx(855, abs=5), "ETH": pytest.approx(145, abs=5)}
