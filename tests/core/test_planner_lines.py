"""A plan, whole: every line, leg and total to its last digit, and the order of what is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rebalancer.core.model import Usage
from rebalancer.core.money import BaseAmount, QuoteAmount
from rebalancer.core.plan import AssetLine, AssetState, Decision, Leg, Totals
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Deny, Reason, Skip, Trigger, Why
from rebalancer.core.targets import BandPolicy, BandRule
from tests.core.builders import LOOSE, NOW, d, snapshot, targets

PRICES = {"BTC": 100, "ETH": 10, "SOL": 1}
ABSOLUTE = BandPolicy(rule=BandRule.ABSOLUTE, k=d(5), destination=d(0))
TARGETS = targets({"BTC": 40, "ETH": 30, "SOL": 10, "USDT": 20}, bands=ABSOLUTE)
TRADED = Usage(has_traded=True)
# of 10,000: BTC 55 %, ETH 18 %, SOL 9 %, USDT 18 %; BTC is to lose 15 points, ETH to gain 12, cash 2 and SOL 1
SEEN = snapshot({"BTC": 55, "ETH": 180, "SOL": 900, "USDT": 1800}, PRICES, rule_changes={"BTC": {"lot_size": d(1)}})


def line(asset: str, free: int, value: int, figures: str, decision: Decision, reason: Reason) -> AssetLine:
    weight, target, low, high, drift = map(d, figures.split())
    price = d(PRICES.get(asset, 1))
    return AssetLine(
        asset, d(free), d(0), price, d(value), weight, target, low, high, drift, AssetState.NORMAL, decision, reason
    )


OVER = Reason(Why.OVERWEIGHT, "55 % is above its band 35 % to 45 %: sell part of the way back")
UNDER = Reason(Why.UNDERWEIGHT, "18 % is below its band 25 % to 35 %: buy part of the way back")
INSIDE = Reason(Skip.INSIDE_BAND, "inside its band; acts below 5 % or above 15 %")
CASH = Reason(Skip.INSIDE_BAND, "cash moves by the other legs; acts below 15 % or above 25 %")


def test_a_plan_of_a_sell_and_a_buy_is_this_to_the_last_digit() -> None:
    plan = make_plan(SEEN, TARGETS, TRADED)
    takes = Reason(Why.TAKES_PROCEEDS, "SOL is below its target 10 % (9 %), so it takes the proceeds")
    assert plan.assets == (
        line("BTC", 55, 5500, "0.55 0.4 0.35 0.45 0.15", Decision.SELL, OVER),
        line("ETH", 180, 1800, "0.18 0.3 0.25 0.35 -0.12", Decision.BUY, UNDER),
        line("SOL", 900, 900, "0.09 0.1 0.05 0.15 -0.01", Decision.BUY, takes),
        line("USDT", 1800, 1800, "0.18 0.2 0.15 0.25 -0.02", Decision.HOLD, CASH),
    )
    bps = d(2)
    assert plan.legs == (
        Leg(1, "BTC", "btcusdt", "USDT", BaseAmount(d(15)), d(1500), d(100), d(3), bps, d(0), OVER),
        Leg(2, "ETH", "ethusdt", "USDT", QuoteAmount(d(1200)), d(1200), d(10), d("2.4"), bps, d(0), UNDER),
        Leg(3, "SOL", "solusdt", "USDT", QuoteAmount(d(100)), d(100), d(1), d("0.2"), bps, d(0), takes),
    )
    assert (plan.nav_quote, plan.trigger, plan.skips, plan.denials) == (10_000, Trigger.OUTSIDE_BAND, (), ())
    assert (plan.account_id, plan.quote, plan.targets_digest) == ("10101010", "USDT", "0" * 64)
    assert plan.totals == Totals(
        turnover=d("0.15"), notional_quote=d(2800), fee_quote=d("5.6"), cost_bps=d(22), drift_before=d("0.15"),
        drift_after=d("0.000224"), nav_after_quote=10_000 - d("5.6") - d("0.56"),
    )  # fmt: skip
    assert plan.refused is False


def test_a_denied_plan_shows_every_asset_held_by_the_denial_that_is_about_it() -> None:
    old = replace(SEEN.books["ETH"], quoted_at=NOW - timedelta(seconds=31))
    seen = replace(SEEN, books=dict(SEEN.books) | {"ETH": old}, peg=d("1.5"))
    plan = make_plan(seen, TARGETS, TRADED)
    stale, peg = plan.denials
    assert (stale.code, stale.asset, peg.code, peg.asset) == (Deny.QUOTE_STALE, "ETH", Deny.QUOTE_DEPEGGED, "USDT")
    assert [(each.asset, each.decision, each.reason) for each in plan.assets] == [
        ("BTC", Decision.HOLD, Reason(stale.code, f"no trade: {stale.text}")),
        ("ETH", Decision.HOLD, Reason(stale.code, f"no trade: {stale.text}")),
        ("SOL", Decision.HOLD, Reason(stale.code, f"no trade: {stale.text}")),
        ("USDT", Decision.HOLD, Reason(peg.code, f"no trade: {peg.text}")),
    ]
    assert (plan.legs, plan.refused, plan.trigger) == ((), True, Trigger.OUTSIDE_BAND)


def test_totals_of_a_plan_without_legs_are_of_what_is() -> None:
    still = snapshot({"BTC": 40, "ETH": 300, "SOL": 1000, "USDT": 2000}, PRICES)
    plan = make_plan(still, TARGETS, TRADED)
    assert plan.trigger is Trigger.NONE
    assert plan.totals == Totals(d(0), d(0), d(0), d(0), d(0), d(0), d(10_000))


@pytest.mark.parametrize(
    ("usage", "forced", "trigger"),
    [
        (Usage(targets_changed=True), True, Trigger.FORCED),
        (Usage(targets_changed=True), False, Trigger.TARGETS_CHANGED),
        (Usage(), False, Trigger.FIRST_BUILD),
        (TRADED, False, Trigger.OUTSIDE_BAND),
    ],
)
def test_the_strongest_cause_is_the_trigger(usage: Usage, forced: bool, trigger: Trigger) -> None:
    seen = snapshot({"BTC": 70, "ETH": 0, "SOL": 1000, "USDT": 2000}, PRICES)
    assert make_plan(seen, TARGETS, usage, forced=forced).trigger is trigger


def test_an_account_that_never_traded_and_holds_some_of_everything_is_not_built_anew() -> None:
    assert make_plan(SEEN, TARGETS, Usage()).trigger is Trigger.OUTSIDE_BAND
    sparse = snapshot({"BTC": 70, "ETH": 10, "SOL": "0.5", "USDT": 2000}, PRICES)
    assert make_plan(sparse, TARGETS, Usage()).trigger is Trigger.OUTSIDE_BAND


def test_used_up_limits_refuse_only_where_there_is_something_to_do() -> None:
    used = replace(TRADED, orders=100)
    still = snapshot({"BTC": 40, "ETH": 300, "SOL": 1000, "USDT": 2000}, PRICES)
    assert make_plan(still, TARGETS, used).denials == ()
    assert [denial.code for denial in make_plan(SEEN, TARGETS, used).denials] == [Deny.ORDERS_DAY]


def test_skips_are_the_dropped_wishes_then_who_cannot_trade_then_what_is_beside_by_name() -> None:
    held = {"BTC": 0, "ETH": 180, "SOL": 900, "USDT": 1800, "ZZZ": 1, "AAA": "0.5", "NIL": 0}
    seen = snapshot(held, PRICES, locked={"BTC": "55"}, rule_changes={"ETH": {"online": False}})
    plan = make_plan(seen, replace(TARGETS, limits=LOOSE), TRADED)
    assert [(skip.asset, skip.reason.code) for skip in plan.skips] == [
        ("BTC", Skip.NO_FREE_BALANCE),
        ("ETH", Skip.FROZEN),
        ("AAA", Skip.NOT_COUNTED),
        ("ZZZ", Skip.NOT_COUNTED),
    ]


def test_live_trading_adds_the_limits_that_are_missing_to_what_is_already_denied() -> None:
    plan = make_plan(replace(SEEN, peg=d("1.5")), TARGETS, TRADED, live=True)
    assert [denial.code for denial in plan.denials] == [Deny.QUOTE_DEPEGGED, Deny.LIMIT_NOT_SET, Deny.LIMIT_NOT_SET]
