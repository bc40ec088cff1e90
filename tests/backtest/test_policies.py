"""The rivals: the same fees and prices as the planner's, and nothing else in common."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from rebalancer.backtest.engine import run_backtest
from rebalancer.backtest.policies import (
    Bands,
    Calendar,
    Never,
    Period,
    Policy,
    SellAll,
    Threshold,
    period_of,
    run_policy,
    standard_policies,
)
from rebalancer.backtest.series import generate
from tests.backtest.histories import COINS, FREE, a_history, d, flat, targets

RIVALS: list[Policy] = [Calendar(Period.WEEK), Calendar(Period.MONTH), Threshold(4), SellAll(4), Never()]
SEEDS = range(12)
HALVES = targets({"AAA": 50, "USDT": 50})
NO_MINIMUM = replace(FREE, min_order_quote=d(0))


@pytest.mark.parametrize("policy", RIVALS, ids=lambda policy: policy.name)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_rivals_nav_falls_by_its_fees_and_half_spreads_alone(policy: Policy, seed: int) -> None:
    series, wanted, setting = a_history(seed)
    result = run_policy(policy, series, wanted, setting)
    closes = np.ones((len(series), len(result.assets)))
    for column, asset in enumerate(result.assets):
        if asset in series.assets:
            closes[:, column] = series.closes[:, series.assets.index(asset)]
    amounts = result.weights * result.nav_quote[:, np.newaxis] / closes
    lost = -(np.diff(amounts, axis=0) * closes[:-1]).sum(axis=1)
    assert np.allclose(lost, (result.fee_quote + result.spread_quote)[:-1], atol=1e-9 * result.nav_quote.max()), seed
    assert (result.weights >= -1e-12).all(), f"seed {seed}: nothing is sold that is not there"


def test_a_threshold_costs_by_hand_what_it_says() -> None:
    series = flat(4, AAA=[1.0, 1.0, 1.5])
    result = run_policy(Threshold(5), series, HALVES, replace(NO_MINIMUM, nav_quote=d(1000)))
    # 500 AAA and 500 USDT become 750 and 500: 125 of 1250 is too much, the fee is 0.2 % of what is sold.
    assert result.orders.tolist() == [0, 0, 1, 0] and result.fee_quote[2] == pytest.approx(0.25)
    assert result.turnover[2] == pytest.approx(0.1) and result.nav_quote[3] == pytest.approx(1249.75)


def test_selling_all_pays_for_the_whole_position_both_ways() -> None:
    series = flat(4, AAA=[1.0, 1.0, 1.5])
    result = run_policy(SellAll(5), series, HALVES, replace(NO_MINIMUM, nav_quote=d(1000)))
    back = (1250 - 1.5) - 0.5 * (1250 - 1.5)  # half of what is left after the sale
    assert result.orders.tolist() == [0, 0, 2, 0] and result.fee_quote[2] == pytest.approx(1.5 + 0.002 * back)


def test_a_trigger_is_not_pulled_by_what_only_touches_it() -> None:
    series = flat(3, AAA=[1.0, 1.5])  # 60 % where 50 is wanted
    assert run_policy(Threshold(10.000001), series, HALVES, NO_MINIMUM).orders_total == 0
    assert run_policy(Threshold(9.999999), series, HALVES, NO_MINIMUM).orders_total == 1


def test_an_order_below_the_minimum_is_not_sent() -> None:
    series = flat(3, AAA=[1.0, 1.5])
    small = replace(FREE, nav_quote=d(90))  # the difference is worth 11.25
    assert run_policy(Threshold(5), series, HALVES, small).orders[1] == 1
    assert run_policy(Threshold(5), series, HALVES, replace(small, min_order_quote=d(12))).orders_total == 0


def test_a_calendar_acts_at_the_first_close_of_each_period_and_at_no_other() -> None:
    series = generate(3, 400, COINS[:3])
    for period in Period:
        result = run_policy(Calendar(period), series, targets(), NO_MINIMUM)
        names = [period_of(at, period) for at in series.times]
        begins = [False, *(names[number] != names[number - 1] for number in range(1, len(names)))]
        assert (result.orders > 0).tolist() == begins, period
        acted = np.flatnonzero(result.orders[:-1])
        still = np.abs(result.drift[acted + 1]).max()
        assert still < np.abs(result.drift[acted]).max() or period is Period.DAY, period


def test_weeks_begin_on_monday_whatever_the_year() -> None:
    days = ((2019, 12, 29), (2019, 12, 30), (2020, 1, 1))  # Sunday, Monday, and Wednesday of the next year
    names = [period_of(datetime(*day, tzinfo=UTC), Period.WEEK) for day in days]
    assert names[0] != names[1] == names[2]


def test_never_is_the_shadow_of_every_other() -> None:
    series = generate(3, 300, COINS[:3])
    never = run_policy(Never(), series, targets(), FREE)
    assert np.allclose(never.nav_quote, never.shadow_quote) and never.orders_total == 0
    for policy in standard_policies():
        shadow = run_policy(policy, series, targets(), FREE).shadow_quote
        assert np.allclose(shadow, never.nav_quote, rtol=1e-3), "but for whole lots"


def test_the_planner_is_run_as_it_is() -> None:
    series = generate(3, 300, COINS[:3])
    direct, by_name = run_backtest(series, targets(), FREE), run_policy(Bands(), series, targets(), FREE)
    assert direct.trades == by_name.trades and direct.orders_total > 0


def test_every_policy_has_a_name_of_its_own() -> None:
    names = [policy.name for policy in standard_policies()]
    assert len(set(names)) == len(names)
    assert names == [run_policy(p, generate(1, 40, COINS[:3]), targets(), FREE).policy for p in standard_policies()]
