"""What the owner says about single coins, and what a plan answers in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.model import Side, Trade, Usage
from rebalancer.core.money import ZERO
from rebalancer.core.plan import AssetState, Decision, Plan
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Deny, Skip, Trigger, Why
from rebalancer.core.targets import BandPolicy, Limits
from tests.core.builders import LOOSE, NOW, d, snapshot, targets
from tests.core.owners import filled

PRICES = {"BTC": "50000", "ETH": "2500", "SOL": "100"}
TARGETS = targets({"BTC": 40, "ETH": 30, "SOL": 10, "USDT": 20})
TRADED = Usage(has_traded=True)
ON_TARGET = {"BTC": "0.08", "ETH": "1.2", "SOL": "10", "USDT": "2000"}  # of 10,000 USDT
HEAVY = ON_TARGET | {"BTC": "0.12", "ETH": "1.0", "USDT": "1500"}
DOGE = {"DOGE": "0.1"}


def plan(holdings: dict[str, str], usage: Usage = TRADED, *, limits: Limits = LOOSE, **wishes: Any) -> Plan:
    return make_plan(snapshot(holdings, PRICES), replace(TARGETS, limits=limits, **wishes), usage)


def line(made: Plan, asset: str) -> Any:
    return next(each for each in made.assets if each.asset == asset)


def traded(hours: float, side: Side = Side.SELL, *, rest: bool = False) -> Usage:
    return replace(TRADED, trades={"BTC": Trade(NOW - timedelta(hours=hours), side, rest=rest)})


def test_a_coins_own_band_stands_above_the_rule() -> None:
    holdings = ON_TARGET | {"BTC": "0.083", "USDT": "1850"}
    assert not plan(holdings).legs
    narrow = plan(holdings, bands=BandPolicy(per_coin={"BTC": d(1)}))
    assert [leg.asset for leg in narrow.legs] == ["BTC"]
    assert (line(narrow, "BTC").band_low, line(narrow, "ETH").band_low) == (
        d("0.39"),
        line(plan(holdings), "ETH").band_low,
    )
    wide = plan(HEAVY, bands=BandPolicy(per_coin={"BTC": d(50), "ETH": d(50), "USDT": d(50)}))
    assert wide.trigger is Trigger.NONE


def test_what_was_just_traded_rests_and_says_until_when() -> None:
    made = plan(HEAVY, traded(1))
    assert "BTC" not in {leg.asset for leg in made.legs}
    assert line(made, "BTC").reason.code is Skip.COOLDOWN
    assert "traded at 11:00" in line(made, "BTC").reason.text and "until 15:00 UTC" in line(made, "BTC").reason.text
    assert Skip.COOLDOWN in {skip.reason.code for skip in made.skips}
    assert plan(HEAVY, traded(4)).legs[0].asset == "BTC", "after four hours it is free again"


def test_the_hour_of_another_day_is_named_with_its_date() -> None:
    long = replace(LOOSE, cooldown_h=d(24))
    assert "until 2026-03-02 11:00 UTC" in line(plan(HEAVY, traded(1), limits=long), "BTC").reason.text


def test_no_cool_down_is_no_rest() -> None:
    assert plan(HEAVY, traded(0.1), limits=replace(LOOSE, cooldown_h=d(0))).legs[0].asset == "BTC"


def test_the_rest_of_a_cut_order_goes_on_in_its_own_direction_only() -> None:
    assert plan(HEAVY, traded(1, rest=True)).legs[0].asset == "BTC"
    assert "BTC" not in {leg.asset for leg in plan(HEAVY, traded(1, Side.BUY, rest=True)).legs}


@pytest.mark.parametrize(
    ("usage", "forced"),
    [
        (replace(traded(1), targets_changed=True), False),
        (traded(1), True),
        (replace(traded(1), has_traded=False, acked_quote=d(9000)), False),
    ],
    ids=["new targets", "by hand", "first build"],
)
def test_new_targets_a_first_build_and_the_owners_hand_do_not_wait(usage: Usage, forced: bool) -> None:
    made = make_plan(snapshot(HEAVY, PRICES), TARGETS, usage, forced=forced)
    assert "BTC" in {leg.asset for leg in made.legs}


def test_hourly_cycles_finish_what_the_caps_spread_without_waiting_for_the_cool_down() -> None:
    """Each cycle's plan is filled, and what the journal would know of it goes into the next."""
    limits = replace(LOOSE, max_turnover_per_cycle=d(5))
    seen, trades, hours = snapshot({"BTC": "0.16", "ETH": "0.3", "SOL": "2", "USDT": "1050"}, PRICES), {}, 0
    while True:
        seen = replace(seen, taken_at=NOW + timedelta(hours=hours))
        seen = replace(seen, books={a: replace(b, quoted_at=seen.taken_at) for a, b in seen.books.items()})
        made = make_plan(seen, replace(TARGETS, limits=limits), replace(TRADED, trades=trades))
        if not made.legs:
            break
        for leg in made.legs:
            trades[leg.asset] = Trade(seen.taken_at, leg.side, rest=leg.capped)
        seen, hours = filled(seen, made), hours + 1
    assert 4 < hours < 16 and made.trigger is Trigger.NONE
    assert not made.skips


def leaving(held: str, **more: Any) -> Plan:
    holdings = ON_TARGET | {"DOGE": held}
    wanted = replace(TARGETS, leaving=("DOGE",), **more)
    return make_plan(snapshot(holdings, PRICES | DOGE), wanted, TRADED)


def test_a_coin_to_leave_is_counted_and_sold_completely_whatever_part_of_nav_it_is() -> None:
    made = leaving("1234.5678")
    (leg,) = [leg for leg in made.legs if leg.asset == "DOGE"]
    assert (leg.size.value, leg.reason.code) == (d("1234.5678"), Why.EXIT)
    assert made.nav_quote == d("10123.45678")
    shown = line(made, "DOGE")
    assert (shown.state, shown.decision, shown.target) == (AssetState.LEAVING, Decision.SELL, 0)


@pytest.mark.parametrize("held", ["119", "0.00001", "0"])
def test_a_coin_of_which_too_little_is_left_is_gone_and_makes_nothing_trade(held: str) -> None:
    made = leaving(held)
    assert (made.trigger, made.legs, made.denials) == (Trigger.NONE, (), ())
    assert line(made, "DOGE").state is AssetState.GONE
    assert [(skip.asset, skip.reason.code) for skip in made.skips] == [("DOGE", Skip.GONE)]


def test_of_a_coin_that_is_gone_no_price_need_be_known() -> None:
    holdings = ON_TARGET | {"DOGE": "0"}
    made = make_plan(snapshot(holdings, PRICES), replace(TARGETS, leaving=("DOGE",)), TRADED)
    assert made.denials == () and [skip.reason.code for skip in made.skips] == [Skip.GONE]
    missing = make_plan(snapshot(ON_TARGET, PRICES | DOGE), replace(TARGETS, leaving=("DOGE",)), TRADED)
    assert [denial.code for denial in missing.denials] == [Deny.BALANCE_MISSING], "absent is not zero"


def test_what_leaves_and_is_locked_waits_by_name_and_nothing_else_trades_for_it() -> None:
    seen = snapshot(ON_TARGET | {"DOGE": "0"}, PRICES | DOGE, locked={"DOGE": "5000"})
    made = make_plan(seen, replace(TARGETS, leaving=("DOGE",)), TRADED)
    assert not made.legs and line(made, "DOGE").reason.code is Skip.NO_FREE_BALANCE
    assert line(made, "DOGE").state is AssetState.LEAVING


def test_what_is_kept_of_a_coin_that_leaves_stays() -> None:
    made = leaving("5000", kept={"DOGE": d(2000)})
    assert [leg.size.value for leg in made.legs if leg.asset == "DOGE"] == [3000]


def test_what_is_kept_is_neither_counted_nor_sold() -> None:
    holdings = ON_TARGET | {"BTC": "0.58"}
    made = plan(holdings, kept={"BTC": d("0.5")})
    assert (made.nav_quote, made.trigger) == (10_000, Trigger.NONE)
    heavy = plan(holdings | {"BTC": "0.70"}, kept={"BTC": d("0.5")})
    assert heavy.legs[0].size.value <= d("0.2")
    assert (line(heavy, "BTC").free, line(heavy, "BTC").kept) == (d("0.70"), d("0.5"))


def test_locked_coins_do_not_stand_in_for_what_is_to_be_kept() -> None:
    seen = snapshot(ON_TARGET | {"BTC": "0.3"}, PRICES, locked={"BTC": "0.4"})
    made = make_plan(seen, replace(TARGETS, kept={"BTC": d("0.3")}), TRADED)
    assert "BTC" not in {leg.asset for leg in made.legs}


def test_kept_cash_is_not_spent() -> None:
    made = plan(ON_TARGET | {"BTC": "0.05", "USDT": "4000"}, kept={"USDT": d(3500)})
    assert sum(leg.size.value for leg in made.legs if leg.side is Side.BUY) <= 500
    short = plan(ON_TARGET, kept={"USDT": d(2001)})
    assert short.refused and short.denials[0].code is Deny.CASH_BELOW_KEEP
    assert (short.denials[0].limit, short.denials[0].value) == ("2001", "2000")
    assert not short.notes, "none of it is locked"


LOPSIDED = {"BTC": "0.10", "ETH": "0.8", "SOL": "2"}  # 5,000, 2,000 and 200 where 40, 30 and 10 % are wanted


def with_cash(free: str, locked: str, keep: str) -> Plan:
    seen = snapshot(LOPSIDED | {"USDT": free}, PRICES, locked={"USDT": locked})
    return make_plan(seen, replace(TARGETS, kept={"USDT": d(keep)}), TRADED)


def of_side(made: Plan, side: Side) -> Decimal:
    return sum((leg.notional_quote for leg in made.legs if leg.side is side), ZERO)


def test_kept_cash_that_is_locked_is_made_good_by_what_is_sold_and_the_rest_of_that_buys() -> None:
    made = with_cash("100", "2400", "500")
    sold, bought = of_side(made, Side.SELL), of_side(made, Side.BUY)
    assert sold == 1320 and d("0.99") * (sold - 400) < bought < sold - 400
    assert len(made.notes) == 1 and made.notes[0].startswith("400 USDT of what [keep] says are locked in open orders")
    assert not with_cash("500", "2000", "500").notes, "all of it is free"


def test_where_making_kept_cash_good_takes_all_that_would_be_sold_cash_does_not_pass_its_target() -> None:
    made = with_cash("0", "4000", "2100")
    assert not made.legs and line(made, "USDT").drift > 0
    light = with_cash("0", "3900", "3800")
    assert [(leg.asset, leg.side, leg.notional_quote) for leg in light.legs] == [("BTC", Side.SELL, d(1360))]
    assert line(light, "USDT").drift * light.nav_quote < -1359


def test_cash_that_is_free_beyond_what_is_kept_buys_as_if_none_were_locked() -> None:
    made = with_cash("1500", "1000", "500")
    assert not made.notes and of_side(made, Side.BUY) > of_side(made, Side.SELL) * d("0.99")


def test_a_coin_is_not_bought_up_to_an_amount_to_keep_that_is_not_there() -> None:
    made = plan(ON_TARGET | {"BTC": "0.1", "USDT": "6000"}, kept={"BTC": d(5)})
    assert "BTC" not in {leg.asset for leg in made.legs}
    assert line(made, "BTC").reason.code is Skip.KEEP_NOT_HELD
    assert "less is held (0.1) than [keep] says (5)" in line(made, "BTC").reason.text


def test_what_is_elsewhere_is_counted_and_never_sold() -> None:
    made = plan(ON_TARGET | {"BTC": "0.03"}, external={"BTC": d("0.05")})
    assert (made.nav_quote, made.nav_here_quote, made.trigger) == (10_000, 7_500, Trigger.NONE)
    much = plan(ON_TARGET | {"BTC": "0.03"}, external={"BTC": d("0.5")})
    sold = [leg for leg in much.legs if leg.asset == "BTC"]
    assert all(leg.size.value <= d("0.03") for leg in sold) and sold
    assert line(much, "BTC").external == d("0.5")


def test_limits_are_percents_of_what_is_at_the_exchange() -> None:
    limits = replace(LOOSE, max_turnover_per_cycle=d(10))
    made = plan(ON_TARGET | {"BTC": "0.16", "ETH": "0.2", "USDT": "200"}, limits=limits, external={"ETH": d(40)})
    assert made.totals is not None and made.nav_here_quote is not None
    assert made.nav_here_quote < made.nav_quote  # type: ignore[operator]
    assert (
        max(sum((leg.notional_quote for leg in made.legs if leg.side is side), d(0)) for side in Side)
        <= made.nav_here_quote / 10
    )
    assert made.totals.turnover <= d("0.1")


def flowed(amount: str, holdings: dict[str, str], **wishes: Any) -> Plan:
    return plan(holdings, replace(TRADED, flows={"USDT": d(amount)}), **wishes)


def test_new_cash_buys_the_lightest_and_sells_nothing_also_what_is_too_heavy() -> None:
    holdings = ON_TARGET | {"BTC": "0.16", "SOL": "5", "USDT": "7000"}
    made = flowed("5000", holdings)
    assert made.trigger is Trigger.CASH_FLOW
    assert {leg.side for leg in made.legs} == {Side.BUY}
    assert {leg.asset for leg in made.legs} == {"ETH", "SOL"} and {leg.reason.code for leg in made.legs} == {
        Why.DEPOSIT
    }
    assert "nothing is sold" in made.legs[0].reason.text
    assert line(made, "BTC").reason.code in {Skip.INSIDE_BAND, Skip.CASH_FLOW_FIRST}
    drift = plan(holdings)
    assert drift.trigger is Trigger.OUTSIDE_BAND, "without the flow it is drift"


def test_a_withdrawal_sells_the_heaviest_and_only_what_refills_the_cash() -> None:
    made = flowed("-1100", ON_TARGET | {"BTC": "0.1", "ETH": "1.22", "USDT": "900"})
    assert made.trigger is Trigger.CASH_FLOW and [leg.asset for leg in made.legs] == ["BTC"]
    assert made.legs[0].reason.code is Why.WITHDRAWAL
    cash = line(made, "USDT")
    assert made.nav_quote is not None
    assert made.legs[0].notional_quote <= -cash.drift * made.nav_quote


def test_money_does_not_wait_for_a_cool_down() -> None:
    usage = replace(traded(1, Side.SELL), flows={"USDT": d(5000)})
    made = plan(ON_TARGET | {"BTC": "0.05", "USDT": "7000"}, usage)
    assert made.trigger is Trigger.CASH_FLOW and "BTC" in {leg.asset for leg in made.legs}


@pytest.mark.parametrize(
    ("flow", "holdings", "trigger"),
    [
        ("50", ON_TARGET | {"USDT": "2050"}, Trigger.NONE),
        ("-5", HEAVY | {"USDT": "4500"}, Trigger.OUTSIDE_BAND),
        ("5", HEAVY | {"USDT": "4500"}, Trigger.OUTSIDE_BAND),
        ("2500", ON_TARGET | {"BTC": "0.14"}, Trigger.OUTSIDE_BAND),
    ],
    ids=["inside the band", "the other way", "too little to explain it", "cash is in its band"],
)
def test_only_a_flow_that_moved_the_cash_beyond_its_band_is_one(
    flow: str, holdings: dict[str, str], trigger: Trigger
) -> None:
    assert flowed(flow, holdings).trigger is trigger


def test_coins_that_came_in_count_by_what_they_did_to_the_share_of_cash() -> None:
    usage = replace(TRADED, flows={"SOL": d(60)})
    made = plan(ON_TARGET | {"SOL": "70"}, usage)
    assert made.trigger is Trigger.CASH_FLOW
    assert [(leg.asset, leg.side) for leg in made.legs] == [("SOL", Side.SELL)]


BUILD = {"BTC": "0", "ETH": "0", "SOL": "0", "USDT": "10000"}
CAPPED = replace(
    LOOSE,
    max_turnover_per_cycle=d(10),
    max_turnover_per_day=d(25),
    max_notional_per_day=d(5000),
    max_order_notional=d(999),
)


def asked(usage: Usage, *, live: bool = True, name: str = "cron-x-a1") -> Plan:
    return make_plan(snapshot(BUILD, PRICES), replace(TARGETS, limits=CAPPED), usage, live=live, name=name)


def test_a_first_build_beyond_the_cap_is_denied_with_turnover_days_and_the_command() -> None:
    made = asked(Usage())
    (denial,) = made.denials
    assert made.refused and denial.code is Deny.ACK_NEEDED
    assert "the first build needs a turnover of 8000.00 USDT (80.0 % of the portfolio" in denial.text
    assert "about 4 days" in denial.text and "`rebalancer ack cron-x-a1 --up-to 8000`" in denial.text
    assert (denial.limit, denial.value) == ("10 % of NAV", "80.0 %")


def test_a_dry_run_warns_and_plans_all_the_same() -> None:
    made = asked(Usage(), live=False, name="")
    assert [warning.code for warning in made.warnings] == [Deny.ACK_NEEDED]
    assert made.legs and not made.denials
    assert "rebalancer ack PLAN --up-to 8000" in made.warnings[0].text


def test_with_leave_a_build_goes_on_to_its_end_within_caps_and_amount() -> None:
    made = asked(Usage(acked_quote=d(8000)))
    assert made.trigger is Trigger.FIRST_BUILD and not made.denials
    assert sum(leg.notional_quote for leg in made.legs) <= 1000
    later = asked(replace(TRADED, acked_quote=d(500)))
    assert later.trigger is Trigger.FIRST_BUILD, "it is the same build, though something was traded"
    assert 0 < sum(leg.notional_quote for leg in later.legs) <= 500
    over = asked(replace(TRADED, acked_quote=d(5)))
    assert over.denials[0].code is Deny.ACK_NEEDED and "the first build still needs" in over.denials[0].text


@pytest.mark.parametrize("usage", [replace(TRADED, targets_changed=True, acked_quote=None)])
def test_a_small_change_of_targets_and_drift_however_large_ask_for_nothing(usage: Usage) -> None:
    small = make_plan(snapshot(ON_TARGET | {"BTC": "0.09"}, PRICES), replace(TARGETS, limits=CAPPED), usage, live=True)
    assert small.trigger is Trigger.TARGETS_CHANGED and small.legs and not small.denials
    drift = make_plan(
        snapshot(BUILD | {"BTC": "0.01", "ETH": "0.1", "SOL": "1"}, PRICES),
        replace(TARGETS, limits=CAPPED),
        TRADED,
        live=True,
    )
    assert drift.trigger is Trigger.OUTSIDE_BAND and drift.legs and not drift.denials


def test_leave_is_asked_on_good_data_only() -> None:
    seen = snapshot(BUILD, PRICES)
    broken = replace(seen, tickers={a: t for a, t in seen.tickers.items() if a != "ETH"})
    for each in (broken, replace(seen, rules={})):
        made = make_plan(each, replace(TARGETS, limits=CAPPED), Usage(), live=True)
        assert Deny.ACK_NEEDED not in {denial.code for denial in made.denials} and made.denials
