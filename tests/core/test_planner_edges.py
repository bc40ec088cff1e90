"""A plan's lines, skips, sums and refusals where more than one thing is to be said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rebalancer.core import explain
from rebalancer.core.model import Book, Level, Usage
from rebalancer.core.money import BPS, ZERO
from rebalancer.core.plan import AssetLine, AssetState, Decision, SkipLine
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Deny, Skip, Trigger
from tests.core.builders import NOW, d, snapshot, targets
from tests.core.test_lots import random_account
from tests.core.test_owner_wishes import BUILD, CAPPED, HEAVY, ON_TARGET, PRICES, TARGETS, TRADED, asked


def test_a_coin_of_which_all_is_kept_is_shown_as_gone_with_all_that_is_there() -> None:
    seen = snapshot(ON_TARGET | {"DOGE": "300"}, PRICES | {"DOGE": "0.1"}, locked={"DOGE": "200"})
    wanted = replace(TARGETS, leaving=("DOGE",), kept={"DOGE": d(500)})
    plan = make_plan(seen, wanted, TRADED)
    assert plan.assets[-1] == AssetLine(
        "DOGE", d(300), d(200), d("0.1"), ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, AssetState.GONE, Decision.HOLD,
        explain.gone("DOGE"), kept=d(500),
    )  # fmt: skip
    assert plan.skips == (SkipLine("DOGE", explain.gone("DOGE")),)


def test_what_is_held_beside_the_targets_is_named_and_what_is_not_held_is_not() -> None:
    seen = snapshot(ON_TARGET | {"XRP": "5", "ADA": "1", "DOGE": "0"}, PRICES)
    assert make_plan(seen, TARGETS, TRADED).skips == tuple(
        SkipLine(coin, explain.not_counted(coin)) for coin in ("ADA", "XRP")
    )


def test_what_is_kept_of_a_coin_is_shown_as_far_as_it_is_there() -> None:
    seen = snapshot(ON_TARGET, PRICES)
    plan = make_plan(seen, replace(TARGETS, kept={"BTC": d("0.01"), "SOL": d(99)}), TRADED)
    assert [(line.asset, line.kept) for line in plan.assets] == [
        ("BTC", d("0.01")), ("ETH", 0), ("SOL", 10), ("USDT", 0),
    ]  # fmt: skip


def test_totals_are_the_sums_of_the_legs_with_their_way_into_the_book() -> None:
    wanted = targets({"BTC": 40, "ETH": 40, "USDT": 20})
    seen = snapshot({"BTC": 0, "ETH": 0, "USDT": 10_000}, {"BTC": 100, "ETH": 100})
    steep = {
        coin: Book(f"{coin.lower()}usdt", (Level(d("99.9"), d(9)),), (Level(d("100.1"), d(9)), Level(d("100.4"), d(90))), NOW)
        for coin in ("BTC", "ETH")
    }  # fmt: skip
    plan = make_plan(replace(seen, books=steep), wanted, Usage())
    assert plan.totals is not None and len(plan.legs) == 2 and all(leg.impact_bps > 1 for leg in plan.legs)
    traded = sum((leg.notional_quote for leg in plan.legs), ZERO)
    slip = sum((leg.notional_quote * (leg.spread_cost_bps + leg.impact_bps) for leg in plan.legs), ZERO) / BPS
    fee = traded * d("0.002")
    assert plan.totals.turnover == (traded / 10_000).quantize(d("0.000001")) and traded > 7_900
    assert plan.totals.cost_bps == ((fee + slip) / traded * BPS).quantize(d("0.01"))
    assert plan.totals.nav_after_quote == 10_000 - fee - slip
    cash = (10_000 - traded) / (10_000 - fee)
    assert abs(plan.totals.drift_after - abs(cash - d("0.2"))) < d("0.000001")


def test_a_lack_of_cash_is_told_beside_every_other_denial() -> None:
    plan = make_plan(
        replace(snapshot(HEAVY, PRICES), peg=d("1.5")), replace(TARGETS, kept={"USDT": d(9999)}), TRADED, live=True
    )
    assert [denial.code for denial in plan.denials] == [
        Deny.QUOTE_DEPEGGED, Deny.LIMIT_NOT_SET, Deny.LIMIT_NOT_SET, Deny.CASH_BELOW_KEEP,
    ]  # fmt: skip
    codes = {line.asset: line.reason.code for line in plan.assets}
    assert codes == {"BTC": Deny.LIMIT_NOT_SET, "ETH": Deny.LIMIT_NOT_SET, "SOL": Deny.LIMIT_NOT_SET, "USDT": Deny.QUOTE_DEPEGGED}  # fmt: skip


@pytest.mark.parametrize(("acked", "needs"), [(None, False), ("8000", True)])
def test_a_live_plan_says_whether_it_stands_on_the_owners_leave_and_warns_of_nothing(
    acked: str | None, needs: bool
) -> None:
    plan = asked(Usage(acked_quote=None if acked is None else d(acked)))
    assert plan.needs_leave is needs and plan.warnings == ()
    assert bool(plan.denials) is not needs


def test_a_plan_without_a_name_of_its_own_is_asked_about_as_any() -> None:
    plan = make_plan(snapshot(BUILD, PRICES), replace(TARGETS, limits=CAPPED), Usage())
    assert "`rebalancer ack PLAN --up-to 8000`, PLAN as a run names it" in plan.warnings[0].text


def test_a_stray_on_the_other_side_waits_while_money_that_came_in_is_served() -> None:
    heavy = snapshot({"BTC": "0.3", "ETH": "1.2", "SOL": "10", "USDT": "12000"}, PRICES)
    plan = make_plan(heavy, TARGETS, replace(TRADED, flows={"USDT": d(10_000)}))
    assert plan.trigger is Trigger.CASH_FLOW
    line = plan.assets[0]
    assert (line.asset, line.decision, line.reason.code) == ("BTC", Decision.HOLD, Skip.CASH_FLOW_FIRST)
    assert Skip.CASH_FLOW_FIRST in {skip.reason.code for skip in plan.skips}
    locked = snapshot({"BTC": "0", "ETH": "1.2", "SOL": "10", "USDT": "12000"}, PRICES, locked={"BTC": "0.3"})
    plan = make_plan(locked, TARGETS, replace(TRADED, flows={"USDT": d(10_000)}))
    assert plan.assets[0].reason.code is Skip.CASH_FLOW_FIRST, "nobody asked for it, locked or not"


@pytest.mark.parametrize("number", [641, 650])
def test_a_coin_whose_every_order_would_lead_further_from_the_targets_is_named_once(number: int) -> None:
    plan = make_plan(*random_account(number))
    codes = {skip.asset: skip.reason.code for skip in plan.skips}
    assert plan.legs and Skip.NO_COUNTERPART in codes.values()
    assert len(codes) == len(plan.skips), plan.skips
