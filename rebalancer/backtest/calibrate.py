"""Policies made comparable: the width that gives a wanted tracking error, and many settings tried on all cores."""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

import numpy as np

from rebalancer.backtest.policies import Policy, run_policy
from rebalancer.backtest.result import Result
from rebalancer.backtest.series import Series
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.money import from_float
from rebalancer.core.targets import BandPolicy, Targets

CLOSE_ENOUGH = 0.002  # of the wanted tracking error
BRACKET_STEPS = 7  # doublings of the start on either side
BISECTIONS = 14
NEIGHBOURS = tuple(1.15 ** (step / 5) for step in range(-5, 6))  # of a width: 15 % on either side
MARGIN_MIN = 1e-6  # a relative width below this is one point, not a bracket

Run = Callable[[float], Result]


@dataclass(frozen=True, slots=True)
class AtRms:
    """A policy at a wanted tracking error. A width is a band factor or a trigger in points, as `run` takes it.

    What one width costs on one history is a draw: a trade a day earlier changes all that follow. So the fee is read
    off a straight line, in logarithms, through the widths up to 15 % narrower and wider than the one found.
    """

    width: float
    rms_pp: float  # at this width; near the wanted one, as the error jumps with single trades
    fee_percent_year: float  # at this width alone
    fee_fitted_percent_year: float  # at the wanted tracking error exactly, by the line


def at_rms(run: Run, wanted_pp: float, *, start: float) -> AtRms | None:
    """Return the policy at the wanted rms drift in points, or None when no width near `start` reaches it.

    `run` must stray further with a greater width, by and large.
    """
    bracket = _bracket(run, wanted_pp, start)
    if bracket is None:
        return None
    low, high, best = *bracket, bracket[1]
    for _ in range(BISECTIONS):
        best = min((low, high, best), key=lambda tried: abs(tried[1].rms_pp - wanted_pp))
        if abs(best[1].rms_pp / wanted_pp - 1) < CLOSE_ENOUGH or high[0] / low[0] - 1 < MARGIN_MIN:
            break
        middle = math.sqrt(low[0] * high[0])
        tried = (middle, run(middle))
        low, high = (tried, high) if tried[1].rms_pp < wanted_pp else (low, tried)
    best = min((low, high, best), key=lambda tried: abs(tried[1].rms_pp - wanted_pp))
    width, found = best
    near = [run(width * factor) for factor in NEIGHBOURS]
    return AtRms(width, found.rms_pp, found.fee_percent_year, fee_at(near, wanted_pp))


def fee_at(results: Sequence[Result], wanted_pp: float) -> float:
    """Return the fee in percent a year at the wanted rms drift, by a straight line in logarithms; 0 without fees."""
    fees = np.array([result.fee_percent_year for result in results])
    if not (fees > 0).all():
        return float(fees.mean())
    rms = np.log([result.rms_pp for result in results])
    if np.ptp(rms) < MARGIN_MIN:
        return float(fees.mean())
    slope, height = np.polyfit(rms - math.log(wanted_pp), np.log(fees), 1)
    del slope
    return math.exp(height)


def scaled(bands: BandPolicy, factor: float) -> BandPolicy:
    """Return the bands all wider by a factor: k, floor and cap alike, so that their shape stays."""
    by = from_float(factor)
    return replace(bands, k=bands.k * by, floor=bands.floor * by, cap=bands.cap * by)


Tried = tuple[float, Result]


def _bracket(run: Run, wanted_pp: float, start: float) -> tuple[Tried, Tried] | None:
    """Return two widths, a factor of two apart, whose errors lie on either side of the wanted one."""
    tried = (start, run(start))
    step = 2.0 if tried[1].rms_pp < wanted_pp else 0.5
    for _ in range(BRACKET_STEPS):
        width = tried[0] * step
        following = (width, run(width))
        low, high = (tried, following) if step > 1 else (following, tried)
        if low[1].rms_pp < wanted_pp <= high[1].rms_pp:
            return low, high
        tried = following
    return None


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of a sweep."""

    policy: Policy
    targets: Targets
    setting: BacktestSetting


def sweep(
    series: Series,
    points: Sequence[Point],
    *,
    jobs: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[dict[str, float]]:
    """Return the figures of each point, in their order, tried on all cores unless `jobs` says on how many.

    `progress` is told how many are done. The same figures come out for any number of jobs.
    """
    jobs = min(jobs or os.cpu_count() or 1, len(points))
    work = partial(_figures, series)
    done: list[dict[str, float]] = []
    if jobs <= 1:
        for point in points:
            done.append(work(point))
            _tell(progress, len(done))
        return done
    # Fresh processes: a copy of one with threads (a progress bar has one) may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for figures in pool.map(work, points, chunksize=max(1, min(16, len(points) // (4 * jobs)))):
            done.append(figures)
            _tell(progress, len(done))
    return done


def _tell(progress: Callable[[int], None] | None, done: int) -> None:
    if progress is not None:
        progress(done)


def _figures(series: Series, point: Point) -> dict[str, float]:
    return run_policy(point.policy, series, point.targets, point.setting).figures()


def grid(
    targets: Targets, setting: BacktestSetting, policy: Policy, factors: Sequence[float], stops: Sequence[Decimal]
) -> list[Point]:
    """Return a point for each band factor and each destination (0 at the target, 1 at the band's edge)."""
    return [
        Point(policy, replace(targets, bands=replace(scaled(targets.bands, factor), destination=stop)), setting)
        for factor in factors
        for stop in stops
    ]
