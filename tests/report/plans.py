"""One plan by hand that shows everything a report can show, and one that was refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from rebalancer.core.money import BaseAmount, QuoteAmount
from rebalancer.core.plan import AssetLine, AssetState, Decision, Denial, Leg, Plan, SkipLine, Totals
from rebalancer.core.plan_json import PlanHeader
from rebalancer.core.reasons import Deny, Reason, Skip, Trigger, Why
from tests.core.builders import d

HEADER = PlanHeader("cron-20260301T1207Z-a1", "dry-run", "htx")
TAKEN = datetime(2026, 3, 1, 12, 7, 3, 250000, tzinfo=UTC)
HOSTILE = "\x1b[2J[red]<script>alert('x')</script>|\x07 100 %"


def _line(asset: str, weight: str, target: str, half: str, decision: Decision, reason: Reason, price: str) -> AssetLine:
    value = d(weight) * 10_000
    return AssetLine(
        asset=asset, free=value / d(price), locked=d("0.00000001"), price=d(price), value_quote=value, weight=d(weight),
        target=d(target), band_low=d(target) - d(half), band_high=d(target) + d(half), drift=d(weight) - d(target),
        state=AssetState.NORMAL, decision=decision, reason=reason,
    )  # fmt: skip


def full_plan(text: str = "47 % is above its band 35.53 % to 44.47 %: sell part of the way back") -> Plan:
    """Return a plan with a sell, a buy, a hold, cash and something beside the targets."""
    over, under = Reason(Why.OVERWEIGHT, text), Reason(Why.UNDERWEIGHT, "11 % is below its band")
    inside = Reason(Skip.INSIDE_BAND, "inside its band; acts below 8 % or above 12 %")
    beside = Reason(Skip.NOT_COUNTED, "DOGE is held but not in the targets: left alone and not counted")
    small = Reason(Skip.BELOW_MIN_NOTIONAL, "3.10 USDT is below 1.2 x the exchange's minimum (12.00)")
    sell = Leg(
        1,
        "BTC",
        "btcusdt",
        "USDT",
        BaseAmount(d("0.0031")),
        d("248"),
        d(80000),
        d("0.496"),
        d("0.4"),
        d(0),
        over,
        capped=True,
    )
    buy = Leg(
        2,
        "ETH",
        "ethusdt",
        "USDT",
        QuoteAmount(d("246.5")),
        d("246.5"),
        d(2500),
        d("0.493"),
        d("0.5"),
        d("0.13"),
        under,
    )
    return Plan(
        taken_at=TAKEN, account_id="10101010", quote="USDT", targets_digest="0" * 64, nav_quote=d("10000.123456789"),
        nav_here_quote=d("10000.123456789"),
        nav_limits_quote=d("10000.123456789"),
        trigger=Trigger.OUTSIDE_BAND,
        assets=(
            _line("BTC", "0.47", "0.4", "0.0447", Decision.SELL, over, "80000"),
            _line("ETH", "0.11", "0.3", "0.0384", Decision.BUY, under, "2500"),
            _line("LINK", "0.1", "0.1", "0.02", Decision.HOLD, inside, "12.5"),
            _line("SOL", "0.01", "0.05", "0.01", Decision.HOLD, small, "138"),
            _line("USDT", "0.31", "0.15", "0.03", Decision.HOLD, inside, "1"),
        ),
        legs=(sell, buy), skips=(SkipLine("SOL", small), SkipLine("DOGE", beside)), denials=(),
        totals=Totals(d("0.0248"), d("494.5"), d("0.989"), d("20.46"), d("0.19"), d("0.1653"), d("9999.11")),
    )  # fmt: skip


def refused_plan() -> Plan:
    """Return a plan that a guard refused before anything could be valued."""
    denial = Denial(Deny.QUOTE_ONE_SIDED, "the book of ethusdt has no asks", "ETH")
    return Plan(TAKEN, "10101010", "USDT", "0" * 64, None, None, None, Trigger.NONE, (), (), (), (denial,), None)


def collared_plan() -> Plan:
    """Return the full plan as it is with `order_type = "ioc"`."""
    plan = full_plan()
    sell, buy = plan.legs
    collar, quantity = d("2512.5"), d("0.098")
    bought = replace(buy, size=QuoteAmount(quantity * collar), notional_quote=quantity * buy.mid, collar=collar)
    return replace(plan, legs=(replace(sell, collar=d("79600.25")), bought))
