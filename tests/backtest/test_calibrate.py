"""Policies brought to one tracking error, and sweeps that give the same on any number of cores."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from rebalancer.backtest.calibrate import Point, at_rms, fee_at, grid, scaled, sweep
from rebalancer.backtest.engine import run_backtest
from rebalancer.backtest.policies import Bands, Never, SellAll, Threshold, run_policy
from rebalancer.backtest.result import Result
from rebalancer.backtest.series import generate
from rebalancer.core.bands import band_widths
from rebalancer.core.drift import frozen
from rebalancer.core.targets import BandPolicy, BandRule
from tests.backtest.histories import COINS, FREE, d, flat, targets

SERIES = generate(11, 700, COINS[:3])


@pytest.mark.parametrize("wanted", [2.0, 3.0, 5.0])
@pytest.mark.parametrize("start", [0.2, 5.0, 20.0])
def test_a_width_is_found_from_wherever_the_search_starts(wanted: float, start: float) -> None:
    found = at_rms(lambda width: run_policy(Threshold(width), SERIES, targets(), FREE), wanted, start=start)
    assert found is not None and found.rms_pp == pytest.approx(wanted, rel=0.06)
    again = run_policy(Threshold(found.width), SERIES, targets(), FREE)
    assert (again.rms_pp, again.fee_percent_year) == (found.rms_pp, found.fee_percent_year)
    assert found.fee_fitted_percent_year == pytest.approx(found.fee_percent_year, rel=0.25)


def test_the_planners_bands_are_widened_to_the_tracking_error_asked_for() -> None:
    def run(factor: float) -> Result:
        wanted = targets()
        return run_backtest(SERIES, replace(wanted, bands=scaled(wanted.bands, factor)), FREE)

    narrow, wide = at_rms(run, 2.0, start=1.0), at_rms(run, 4.0, start=1.0)
    assert narrow is not None and wide is not None
    assert narrow.width < wide.width and narrow.fee_fitted_percent_year > wide.fee_fitted_percent_year


def test_a_tracking_error_that_no_width_reaches_is_not_made_up() -> None:
    assert at_rms(lambda _width: run_policy(Never(), SERIES, targets(), FREE), 1.0, start=5.0) is None
    still = flat(40, AAA=[1.0], BBB=[2.0], CCC=[3.0])
    assert at_rms(lambda width: run_policy(Threshold(width), still, targets(), FREE), 4.0, start=5.0) is None


def with_figures(rms_pp: float, fee_percent_year: float) -> Result:
    """Return a result of two closes, a year apart, that has these two figures."""
    made = run_policy(Never(), flat(2, AAA=[1.0]), targets({"AAA": 50, "USDT": 50}), FREE)
    drift = np.full((2, 2), rms_pp / 100 / math.sqrt(2)) * [1, -1]
    fee = made.nav_quote * fee_percent_year / 100 * made.years / 2
    return replace(made, drift=drift, fee_quote=fee)


def test_a_fee_that_falls_as_a_power_of_the_tracking_error_is_read_off_exactly() -> None:
    results = [with_figures(rms, 3 * rms**-1.5) for rms in (3.1, 3.6, 4.4, 5.0)]
    assert [round(result.rms_pp, 9) for result in results] == [3.1, 3.6, 4.4, 5.0]
    assert fee_at(results, 4.0) == pytest.approx(3 * 4**-1.5)
    assert fee_at([with_figures(4.0, 0.0), with_figures(5.0, 0.0)], 4.0) == 0
    assert fee_at([with_figures(4.0, 0.2), with_figures(4.0, 0.4)], 4.0) == pytest.approx(0.3)


@pytest.mark.parametrize("rule", list(BandRule))
def test_bands_keep_their_shape_when_they_are_scaled(rule: BandRule) -> None:
    goals = frozen([0.02, 0.1, 0.38, 0.5])
    bands = BandPolicy(rule=rule, k=d("0.12") if rule is BandRule.THEORY else d(20))
    assert np.allclose(band_widths(goals, scaled(bands, 1.7)), 1.7 * band_widths(goals, bands))


def test_a_sweep_gives_the_same_figures_in_the_same_order_on_any_number_of_cores() -> None:
    series = generate(11, 60, COINS[:3])
    points = grid(targets(), FREE, Bands(), (0.5, 1.0), (Decimal(0), Decimal("0.5"), Decimal(1)))
    points.append(Point(SellAll(2.0), targets(), FREE))
    seen: list[int] = []
    alone, together = sweep(series, points, jobs=1), sweep(series, points, jobs=2, progress=seen.append)
    assert alone == together and seen == list(range(1, len(points) + 1))
    assert alone == [run_policy(p.policy, series, p.targets, p.setting).figures() for p in points]
    assert len({figures["rms_pp"] for figures in alone}) == len(points), "each point is another setting"
    assert sweep(series, []) == []
