"""The table of `rebalancer/report/price_tag.py`: the planner over generated hourly markets against its model.

Several portfolios, band factors, destinations and seeds; for each class of markets the median of measured / modelled
is what the table holds, and the figures say by which factor the two differ now. A generated history is made calm or
wild by letting its clock run slower or faster: the same path, over more or less time.

python -m tests.benchmarks.calibration [--runs SEEDS] [--days N] [--json]
"""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from rebalancer.backtest.engine import run_backtest
from rebalancer.backtest.result import Result
from rebalancer.backtest.series import YEAR_S, Series, generate
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.bands import band_widths
from rebalancer.core.drift import frozen
from rebalancer.core.targets import BandPolicy, Targets
from rebalancer.report.price_tag import CALM, USUAL, WILD, Market, stray, traded_year
from tests.benchmarks.figures import Figure, parser, say

HOUR_S = 3600
PACES = {"calm": 0.4, "usual": 1.0, "wild": 2.2}  # times the variance of `generate`
CLASSES = {"calm": CALM, "usual": USUAL, "wild": WILD}
PORTFOLIOS = (
    {"BTC": 35, "ETH": 25, "SOL": 10, "XRP": 10, "LINK": 5, "USDT": 15},
    {"BTC": 60, "ETH": 30, "USDT": 10},
    {"BTC": 20, "ETH": 20, "SOL": 10, "XRP": 10, "LINK": 10, "ADA": 10, "DOGE": 5, "BCH": 5, "USDT": 10},
    {"BTC": 40, "ETH": 10, "USDT": 50},
)
FACTORS = (Decimal("0.06"), Decimal("0.12"), Decimal("0.2"))
STOPS = (Decimal(0), Decimal("0.5"), Decimal(1))
FEE = Decimal("0.002")


def portfolios() -> Iterator[Targets]:
    for weights in PORTFOLIOS:
        yield Targets("USDT", {asset: Decimal(weight) for asset, weight in weights.items()}, digest="")


def paced(seed: int, days: int, assets: Sequence[str], pace: float) -> Series:
    """Return an hourly history whose variance a year is `pace` times that of `generate`."""
    step = timedelta(seconds=HOUR_S * pace)
    made = generate(seed, days * 24, assets, step=step)
    times = tuple(made.times[0] + timedelta(hours=number) for number in range(len(made)))
    return Series(made.assets, times, made.closes.copy())


def volatility(series: Series) -> float:
    """Return the root mean square, over coins, of what a year moves the logarithm of a price."""
    moves = np.diff(np.log(series.closes), axis=0)
    return float(np.sqrt((moves**2).mean() * YEAR_S / HOUR_S))


@dataclass(frozen=True, slots=True)
class Task:
    """One history of one portfolio."""

    name: str  # of the class of markets
    seed: int
    days: int
    portfolio: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one history: its volatility, and measured / modelled of each setting tried."""

    name: str
    volatility: float
    traded: tuple[float, ...]
    stray: tuple[float, ...]


def measure(task: Task) -> Measured:
    targets = list(portfolios())[task.portfolio]
    coins = [asset for asset in targets.assets if asset != targets.quote]
    series = paced(task.seed, task.days, coins, PACES[task.name])
    market = Market(volatility(series), 1.0, 1.0)
    setting = BacktestSetting(FEE, guards=False, caps=False)
    ratios = []
    for k in FACTORS:
        for stop in STOPS:
            bands = replace(BandPolicy(), k=k, destination=stop)
            found = run_backtest(series, replace(targets, bands=bands), setting)
            ratios.append(compare(targets, bands, found, market))
    return Measured(task.name, market.volatility, tuple(r[0] for r in ratios), tuple(r[1] for r in ratios))


def compare(targets: Targets, bands: BandPolicy, found: Result, market: Market) -> tuple[float, float]:
    """Return measured / modelled of the traded notional and of the rms stray."""
    assert targets.assets[-1] == targets.quote
    weights = frozen([float(targets.fraction(asset)) for asset in targets.assets])
    widths, stop = band_widths(weights, bands).tolist(), float(bands.destination)
    measured = found.fee_percent_year / 100 / float(FEE)
    return (
        measured / traded_year(weights.tolist(), widths, stop, market),
        found.rms_pp / 100 / stray(widths, stop, market),
    )


def apart(one: float, other: float) -> float:
    """Return by which factor two numbers differ, 1 or more."""
    return max(one / other, other / one)


def main() -> None:
    made = parser(__doc__ or "")
    made.set_defaults(runs=3)
    made.add_argument("--days", type=int, default=365, help="length of each history (default 365)")
    options = made.parse_args()
    tasks = [
        Task(name, seed, options.days, portfolio)
        for name in PACES
        for seed in range(options.runs)
        for portfolio in range(len(PORTFOLIOS))
    ]
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(measure, tasks))
    figures = []
    for name, bundled in CLASSES.items():
        ours = [each for each in found if each.name == name]
        traded, strays = ([ratio for each in ours for ratio in getattr(each, what)] for what in ("traded", "stray"))
        measured = Market(
            statistics.mean(each.volatility for each in ours), statistics.median(traded), statistics.median(strays)
        )
        if not options.json:
            spread = ", ".join(f"{quantile:.2f}" for quantile in np.quantile(traded, (0.1, 0.9)))
            print(f"{name.upper()} = {measured}  # traded: eight tenths within {spread}")
        figures += [
            Figure(f"{name}: traded, measured / bundled", apart(measured.traded, bundled.traded), 1.25, "x"),
            Figure(f"{name}: stray, measured / bundled", apart(measured.stray, bundled.stray), 1.1, "x"),
        ]
    say(figures, as_json=options.json)


if __name__ == "__main__":
    main()
