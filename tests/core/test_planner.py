from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rebalancer.core.model import Balance, Book, Level, Snapshot, Ticker, Usage
from rebalancer.core.money import BaseAmount, QuoteAmount
from rebalancer.core.plan import Decision, Plan
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Deny, Skip, Trigger, Why
from rebalancer.core.targets import BandPolicy, Limits
from tests.core.builders import LOOSE, NOW, d, snapshot, targets

PRICES = {"BTC": "50000", "ETH": "2500", "SOL": "100"}
TARGETS = targets({"BTC": 40, "ETH": 30, "SOL": 10, "USDT": 20})
TRADED = Usage(has_traded=True)
# 10,000 USDT on target: BTC 4000, ETH 3000, SOL 1000, USDT 2000
ON_TARGET = {"BTC": "0.08", "ETH": "1.2", "SOL": "10", "USDT": "2000"}


def plan(holdings: dict[str, Any], usage: Usage = TRADED, limits: Limits = LOOSE, **more: Any) -> Plan:
    return make_plan(snapshot(holdings, PRICES, **more), replace(TARGETS, limits=limits), usage)


def reasons(made: Plan) -> dict[str, Any]:
    return {line.asset: line.reason.code for line in made.assets}


def test_inside_every_band_nothing_is_done_and_each_asset_says_when_it_would_act() -> None:
    made = plan(ON_TARGET)
    assert (made.trigger, made.legs) == (Trigger.NONE, ())
    assert set(reasons(made).values()) == {Skip.INSIDE_BAND}
    btc = made.assets[0]
    assert "acts below 35.37 % or above 44.63 %" in btc.reason.text


def test_an_overweight_coin_is_sold_half_way_into_its_band_and_the_light_ones_take_the_proceeds() -> None:
    made = plan(ON_TARGET | {"BTC": "0.12", "ETH": "1.0", "USDT": "1500"})
    sold = made.legs[0]
    assert (sold.asset, sold.reason.code) == ("BTC", Why.OVERWEIGHT)
    assert isinstance(sold.size, BaseAmount)
    assert made.totals is not None
    assert made.totals.drift_after < made.totals.drift_before


def test_counter_trades_never_pass_their_target() -> None:
    made = plan({"BTC": "0.12", "ETH": "1.15", "SOL": "9.8", "USDT": "1400"})
    values = {line.asset: line.value_quote for line in made.assets}
    assert made.nav_quote is not None
    for leg in made.legs:
        if leg.reason.code in {Why.TAKES_PROCEEDS, Why.FUNDS_BUYS}:
            sign = 1 if isinstance(leg.size, QuoteAmount) else -1
            after = values[leg.asset] + sign * leg.notional_quote
            target = TARGETS.fraction(leg.asset) * made.nav_quote
            assert after <= target if sign == 1 else after >= target


def test_cash_takes_its_part_before_another_coin_is_traded() -> None:
    made = plan({"BTC": "0.10", "ETH": "1.2", "SOL": "10", "USDT": "1100"})
    assert [leg.asset for leg in made.legs] == ["BTC"]


def test_cash_outside_its_band_triggers_buys() -> None:
    made = plan(ON_TARGET | {"USDT": "4000"})
    assert made.trigger is Trigger.OUTSIDE_BAND
    assert {leg.asset for leg in made.legs} <= {"BTC", "ETH", "SOL"}
    assert all(isinstance(leg.size, QuoteAmount) for leg in made.legs)


def test_a_target_with_a_zero_row_is_bought() -> None:
    made = plan({"BTC": "0.1", "ETH": "1.2", "SOL": "0", "USDT": "2000"})
    assert made.assets[2].decision is Decision.BUY


def test_the_first_build_goes_all_the_way() -> None:
    made = plan({"BTC": "0", "ETH": "0", "SOL": "0", "USDT": "10000"}, Usage())
    assert made.trigger is Trigger.FIRST_BUILD
    assert {leg.asset: leg.notional_quote for leg in made.legs} == {"BTC": 4000, "ETH": 3000, "SOL": 1000}
    assert {leg.reason.code for leg in made.legs} == {Why.FIRST_BUILD}


def test_a_change_of_targets_goes_all_the_way_also_inside_the_bands() -> None:
    made = plan({"BTC": "0.084", "ETH": "1.2", "SOL": "10", "USDT": "1800"}, replace(TRADED, targets_changed=True))
    assert made.trigger is Trigger.TARGETS_CHANGED
    assert [leg.asset for leg in made.legs] == ["BTC"]


def test_forcing_trades_inside_the_bands() -> None:
    made = make_plan(snapshot(ON_TARGET | {"BTC": "0.084"}, PRICES), TARGETS, TRADED, forced=True)
    assert made.trigger is Trigger.FORCED
    assert made.legs


def test_sells_come_first_the_largest_drift_first() -> None:
    made = plan({"BTC": "0.14", "ETH": "1.6", "SOL": "1", "USDT": "400"})
    sides = [leg.side.value for leg in made.legs]
    assert sides == sorted(sides, reverse=True)
    assert [leg.intent_seq for leg in made.legs] == list(range(1, len(made.legs) + 1))
    assert made.legs[0].asset == "BTC"


def test_locked_coins_are_valued_and_never_sold() -> None:
    made = plan({"BTC": "0.01", "ETH": "1.2", "SOL": "10", "USDT": "2000"}, locked={"BTC": "0.2"})
    sold = next(leg for leg in made.legs if leg.asset == "BTC")
    assert sold.size.value <= d("0.01")
    held = plan({"BTC": "0", "ETH": "1.2", "SOL": "10", "USDT": "2000"}, locked={"BTC": "0.2"})
    assert reasons(held)["BTC"] is Skip.NO_FREE_BALANCE


def test_what_is_held_beside_the_targets_is_left_alone_and_said() -> None:
    made = plan(ON_TARGET | {"DOGE": "1000"})
    assert [(skip.asset, skip.reason.code) for skip in made.skips] == [("DOGE", Skip.NOT_COUNTED)]
    assert made.nav_quote == 10_000


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"min_notional": d(5000)}, Skip.BELOW_MIN_NOTIONAL),
        ({"lot_size": d(100)}, Skip.ZERO_AFTER_FLOOR),
        ({"sell_quantity_min": d(100)}, Skip.BELOW_MIN_QUANTITY),
    ],
)
def test_what_cannot_be_placed_is_skipped_with_its_reason(change: dict[str, Any], code: Skip) -> None:
    holdings = {"BTC": "0.14", "ETH": "1.2", "SOL": "10", "USDT": "400"}
    made = plan(holdings, rule_changes={"BTC": change})
    assert reasons(made)["BTC"] is code
    assert "BTC" in {skip.asset for skip in made.skips}


@pytest.mark.parametrize("change", [{"online": False}, {"api_enabled": False}])
def test_a_coin_that_takes_no_orders_is_frozen_by_name(change: dict[str, Any]) -> None:
    made = plan({"BTC": "0.08", "ETH": "1.1", "SOL": "14", "USDT": "2000"}, rule_changes={"SOL": change})
    assert reasons(made)["SOL"] is Skip.FROZEN and "SOL" in {skip.asset for skip in made.skips}


def test_the_weight_of_a_coin_that_cannot_trade_moves_to_no_other() -> None:
    made = plan({"BTC": "0.14", "ETH": "1.2", "SOL": "10", "USDT": "2000"}, rule_changes={"BTC": {"online": False}})
    assert not [leg for leg in made.legs if isinstance(leg.size, BaseAmount) and leg.asset == "BTC"]
    targets_of = {line.asset: line.target for line in made.assets}
    assert targets_of["BTC"] == d("0.4")


def test_a_thin_book_and_slippage_are_vetoed_by_name() -> None:
    holdings = {"BTC": "0.14", "ETH": "0.9", "SOL": "10", "USDT": "1000"}
    dear = {"BTC": {"min_notional": d(20)}}  # 1.2 times that is more than the twenty levels of one hold
    assert reasons(plan(holdings, level_quote=1, rule_changes=dear))["BTC"] is Skip.BOOK_TOO_THIN
    tight = replace(LOOSE, max_slippage_bps=d(1))
    assert reasons(plan(holdings, limits=tight))["BTC"] is Skip.SLIPPAGE


def test_turnover_of_a_cycle_is_capped_and_the_rest_is_said() -> None:
    made = plan(
        {"BTC": "0.14", "ETH": "0.8", "SOL": "5", "USDT": "500"}, limits=replace(LOOSE, max_turnover_per_cycle=d(5))
    )
    assert made.totals is not None and made.nav_quote is not None
    assert made.totals.turnover <= d("0.05")
    assert all(leg.capped and "limits leave" in leg.reason.text for leg in made.legs)


@pytest.mark.parametrize(
    ("limits", "usage", "code"),
    [
        ({"max_turnover_per_day": d(25)}, {"sold_quote": d(100_000)}, Deny.TURNOVER_DAY),
        ({"max_notional_per_day": d(1000)}, {"bought_quote": d(1000)}, Deny.NOTIONAL_DAY),
        ({"max_orders_per_day": 3}, {"orders": 3}, Deny.ORDERS_DAY),
    ],
)
def test_a_used_up_limit_denies_with_both_numbers(limits: dict[str, Any], usage: dict[str, Any], code: Deny) -> None:
    made = plan(
        {"BTC": "0.14", "ETH": "0.8", "SOL": "5", "USDT": "500"}, replace(TRADED, **usage), replace(LOOSE, **limits)
    )
    assert not made.legs and made.refused
    assert [denial.code for denial in made.denials] == [code]
    assert made.denials[0].limit and made.denials[0].value


def test_the_day_is_measured_against_the_last_validated_value_when_it_is_less() -> None:
    usage = replace(TRADED, nav_validated_quote=d(1000))
    made = plan(
        {"BTC": "0.14", "ETH": "0.8", "SOL": "5", "USDT": "500"}, usage, replace(LOOSE, max_turnover_per_day=d(25))
    )
    assert made.totals is not None and made.nav_quote is not None
    assert made.totals.turnover * made.nav_quote <= 250


def test_live_without_absolute_limits_is_denied() -> None:
    made = make_plan(snapshot(ON_TARGET, PRICES), TARGETS, TRADED, live=True)
    assert {denial.code for denial in made.denials} == {Deny.LIMIT_NOT_SET}


def test_an_order_limit_clips_each_leg() -> None:
    made = plan(
        {"BTC": "0.14", "ETH": "0.5", "SOL": "5", "USDT": "500"}, limits=replace(LOOSE, max_order_notional=d(300))
    )
    assert made.legs and all(leg.notional_quote <= 300 for leg in made.legs)


def test_the_orders_that_a_day_has_left_are_the_most_useful_ones_and_the_others_wait() -> None:
    holdings = {"BTC": "0.14", "ETH": "0.5", "SOL": "5", "USDT": "500"}
    assert len(plan(holdings).legs) == 3
    made = plan(holdings, replace(TRADED, orders=3), replace(LOOSE, max_orders_per_day=5))
    assert [leg.asset for leg in made.legs] == ["BTC", "ETH"]
    assert reasons(made)["SOL"] is Skip.CAP_REACHED


def test_an_account_that_holds_nothing_is_asked_about() -> None:
    made = plan({"BTC": "0", "ETH": "0", "SOL": "0", "USDT": "0"})
    assert made.nav_quote is None and made.denials[0].code is Deny.NAV_NOT_POSITIVE


def test_usdt_buys_use_the_coarser_step_and_others_the_value_step() -> None:
    made = plan({"BTC": "0.05", "ETH": "1.2", "SOL": "10", "USDT": "3500"})
    buy = next(leg for leg in made.legs if leg.asset == "BTC")
    assert buy.size.value % d("0.0001") == 0


def test_a_symbol_that_refused_a_fine_amount_keeps_to_its_lot() -> None:
    usage = replace(TRADED, amount_precision_symbols=frozenset({"btcusdt"}))
    changes = {"BTC": {"lot_size": d(1)}}
    made = plan({"BTC": "0.05", "ETH": "1.2", "SOL": "10", "USDT": "3500"}, usage, rule_changes=changes)
    buy = next(leg for leg in made.legs if leg.asset == "BTC")
    assert buy.size.value == buy.size.value.to_integral_value()


def broken(asset: str, **change: Any) -> Snapshot:
    made = snapshot(ON_TARGET | {"BTC": "0.14"}, PRICES)
    fields: dict[str, Any] = {}
    for name, value in change.items():
        section = dict(getattr(made, name))
        if value is None:
            del section[asset]
        else:
            section[asset] = value
        fields[name] = section
    return replace(made, **fields)


def level(price: str) -> tuple[Level, ...]:
    return (Level(d(price), d(1)),)


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (broken("ETH", balances=None), Deny.BALANCE_MISSING),
        (broken("USDT", balances=None), Deny.BALANCE_MISSING),
        (broken("ETH", rules=None), Deny.SYMBOL_MISSING),
        (broken("ETH", books=None), Deny.QUOTE_MISSING),
        (broken("ETH", tickers=None), Deny.QUOTE_MISSING),
        (broken("ETH", books=Book("ethusdt", (), level("2500"), NOW)), Deny.QUOTE_ONE_SIDED),
        (broken("ETH", books=Book("ethusdt", level("2500"), (), NOW)), Deny.QUOTE_ONE_SIDED),
        (broken("ETH", books=Book("ethusdt", level("2501"), level("2500"), NOW)), Deny.QUOTE_CROSSED),
        (
            broken("ETH", books=Book("ethusdt", level("2499"), level("2501"), NOW - timedelta(seconds=31))),
            Deny.QUOTE_STALE,
        ),
        (broken("ETH", books=Book("ethusdt", level("2400"), level("2600"), NOW)), Deny.SPREAD_TOO_WIDE),
        (broken("ETH", tickers=Ticker("ethusdt", d(2600), d(2500), d(2499), d(2501))), Deny.LAST_OFF_MID),
        (broken("ETH", tickers=Ticker("ethusdt", d(2500), d(1500), d(2499), d(2501))), Deny.DAY_MOVE_TOO_LARGE),
        (broken("ETH", tickers=Ticker("ethusdt", d(0), d(1500), d(2499), d(2501))), Deny.QUOTE_NOT_POSITIVE),
    ],
)
def test_a_doubt_about_one_target_coin_means_no_plan(seen: Snapshot, code: Deny) -> None:
    made = make_plan(seen, TARGETS, TRADED)
    assert not made.legs and made.refused
    assert code in {denial.code for denial in made.denials}
    assert all(denial.text for denial in made.denials)


def test_a_leveraged_token_is_refused() -> None:
    made = plan(ON_TARGET, rule_changes={"SOL": {"tags": ("etp", "nav")}})
    assert made.denials[0].code is Deny.LEVERAGED_TOKEN


def test_the_edge_of_the_band_is_a_destination_too() -> None:
    edge = replace(TARGETS, bands=BandPolicy(destination=d(1)), limits=LOOSE)
    half = make_plan(snapshot(ON_TARGET | {"BTC": "0.12"}, PRICES), replace(TARGETS, limits=LOOSE), TRADED)
    far = make_plan(snapshot(ON_TARGET | {"BTC": "0.12"}, PRICES), edge, TRADED)
    assert far.legs[0].notional_quote < half.legs[0].notional_quote


def test_a_large_unlisted_balance_does_not_change_the_order_of_anything() -> None:
    seen = snapshot(ON_TARGET | {"BTC": "0.14"}, PRICES)
    turned = replace(seen, balances={"ZZZ": Balance("ZZZ", d(5), d(0)), **dict(reversed(seen.balances.items()))})
    assert make_plan(turned, TARGETS, TRADED).legs == make_plan(seen, TARGETS, TRADED).legs
