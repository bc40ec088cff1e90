"""How fast planning, drift, back-tests and sweeps are, and how the time grows with coins and days."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial

import numpy as np

from rebalancer.backtest.calibrate import grid, sweep
from rebalancer.backtest.engine import run_backtest
from rebalancer.backtest.policies import Bands
from rebalancer.backtest.series import Series, generate
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.drift import drifts_of
from rebalancer.core.model import Usage
from rebalancer.core.money import HUNDRED
from rebalancer.core.planner import make_plan
from rebalancer.core.targets import Targets
from tests.benchmarks.figures import Figure, median
from tests.benchmarks.planning import a_case, milliseconds
from tests.benchmarks.policy_parts.portfolios import QUOTE, targets_of

PORTFOLIOS, ASSETS = 10_000, 50
SETS = 24  # of portfolios, 4 MB each: more than a cache holds, so that each is fetched from memory
COINS, DAYS = 8, 1300
FACTORS = tuple(0.5 + 0.02 * step for step in range(80))
STOPS = tuple(Decimal(text) for text in ("0", "0.25", "0.5", "0.75", "1"))  # 80 x 5 = 400 points
GROWTH_COINS, GROWTH_DAYS = (4, 8, 16, 32), (325, 650, 1300, 2600)
GROWTH_SEEDS = (1, 2, 3)
LARGE = BacktestSetting(nav_quote=Decimal(10) ** 6)  # no order is too small, with however many coins
LINEAR = 1.1  # a power of one, and room for what the clock adds

Line = np.ndarray[tuple[int], np.dtype[np.float64]]
Table = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Growth = dict[str, list[list[float]] | list[int]]


def measure() -> tuple[list[Figure], Growth]:
    """Return the figures, and seconds of a back-test by number of coins (rows) and days (columns)."""
    series, targets = a_series(COINS, DAYS, seed=1)
    points = grid(targets, BacktestSetting(), Bands(), FACTORS, STOPS)
    jobs = os.cpu_count() or 1
    run = partial(run_backtest, series, targets, BacktestSetting())
    seen, wanted = a_case()
    seconds = growth_table()
    return [
        Figure("plan of 50 assets", median(_repeated(lambda: _plan_ms(seen, wanted), 5)), 10.0, "ms"),
        Figure("drift of 10,000 portfolios / memory floor", drift_over_floor(), 3.0, "x"),
        Figure("back-test of 8 coins over 1,300 days", median(_repeated(lambda: seconds_of(run), 7)), 1.0, "s"),
        Figure(f"sweep of {len(points)} points on {jobs} cores", seconds_of(lambda: sweep(series, points)), 240.0, "s"),
        Figure("growth of CPU time with days, as a power", power_of(GROWTH_DAYS, seconds.sum(axis=0)), LINEAR, ""),
        Figure("growth of CPU time with coins, as a power", power_of(GROWTH_COINS, seconds.sum(axis=1)), LINEAR, ""),
    ], {"coins": list(GROWTH_COINS), "days": list(GROWTH_DAYS), "seconds": seconds.round(4).tolist()}


def a_series(coins: int, days: int, *, seed: int) -> tuple[Series, Targets]:
    """Return a generated series, and targets of equal weights with a tenth in cash."""
    names = [f"C{number:02d}" for number in range(coins)]
    weights = dict.fromkeys(names, (Decimal(90) / coins).quantize(Decimal("0.01")))
    return generate(seed, days, names), targets_of(weights | {QUOTE: HUNDRED - sum(weights.values())}, QUOTE)


def seconds_of(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    call()
    return clock() - start


def drift_over_floor() -> float:
    """Return the time for all drifts over the time to copy the same numbers once, taken in turn."""
    rng = np.random.default_rng(1)
    sets = [rng.random((ASSETS, PORTFOLIOS)) + 0.01 for _ in range(SETS)]
    goals = np.full(ASSETS, 1 / ASSETS)
    floor, drift = [], []
    for _ in range(4):
        floor += [seconds_of(values.copy) for values in sets]
        drift += [seconds_of(partial(drifts_of, values, goals)) for values in sets]
    return median(drift) / median(floor)


def growth_table() -> Table:
    """Return the least of three times a back-test, in seconds of this process, shape (coins, days), over all seeds."""
    table = np.zeros((len(GROWTH_COINS), len(GROWTH_DAYS)))
    for row, coins in enumerate(GROWTH_COINS):
        for column, days in enumerate(GROWTH_DAYS):
            for seed in GROWTH_SEEDS:
                series, targets = a_series(coins, days, seed=seed)
                run = partial(run_backtest, series, targets, LARGE)
                table[row, column] += min(seconds_of(run, time.process_time) for _ in range(3))
    return table


def power_of(sizes: Sequence[int], seconds: Line) -> float:
    """Return the exponent p of the closest fit seconds = c * size^p."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def table(figures: Sequence[Figure], growth: Growth) -> list[str]:
    lines = [
        f"{figure.name:<44}{figure.value:>10.3f} {figure.unit:<4} limit {figure.limit:g}"
        f"  {'ok' if figure.holds else 'OVER'}"
        for figure in figures
    ]
    lines += ["", "CPU seconds, 3 histories" + "".join(f"{days:>7} days" for days in growth["days"])]
    for coins, row in zip(growth["coins"], growth["seconds"], strict=True):
        assert isinstance(row, list)
        lines.append(f"{coins:>17} coins  " + "".join(f"{seconds:>12.3f}" for seconds in row))
    return lines


def _plan_ms(seen: object, wanted: Targets) -> float:
    return milliseconds(lambda: make_plan(seen, wanted, Usage(has_traded=True)))  # type: ignore[arg-type]


def _repeated(call: Callable[[], float], runs: int) -> list[float]:
    return [call() for _ in range(runs)]
