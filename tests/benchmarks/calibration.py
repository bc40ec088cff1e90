"""Measures the table of `rebalancer/report/price_tag.py`: the planner over generated hourly markets against its model.

Several portfolios, band factors, destinations and seeds; for each class of markets the median of measured / modelled,
and how far apart the middle eight tenths lie. A generated history is made calm or wild by letting its clock run
slower or faster: the same path, over more or less time.

python -m tests.benchmarks.calibration [--seeds N] [--days N] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from rebalancer.backtest.calibrate import Point, sweep
from rebalancer.backtest.policies import Bands
from rebalancer.backtest.series import YEAR_S, Series, generate
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.bands import band_widths
from rebalancer.core.drift import frozen
from rebalancer.core.targets import BandPolicy, Targets
from rebalancer.report.price_tag import CALM, USUAL, WILD, Market, stray, traded_year

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


def measure(pace: float, seeds: int, days: int) -> tuple[float, list[float], list[float]]:
    """Return the volatility of a class, and measured / modelled of traded notional and of stray."""
    spreads, traded, strays = [], [], []
    for seed in range(seeds):
        for targets in portfolios():
            coins = [asset for asset in targets.assets if asset != targets.quote]
            series = paced(seed, days, coins, pace)
            spreads.append(volatility(series))
            policies = [replace(BandPolicy(), k=k, destination=stop) for k in FACTORS for stop in STOPS]
            setting = BacktestSetting(FEE, guards=False, caps=False)
            points = [Point(Bands(), replace(targets, bands=bands), setting) for bands in policies]
            for bands, figures in zip(policies, sweep(series, points), strict=True):
                ratios = compare(targets, bands, figures, Market(spreads[-1], 1.0, 1.0))
                traded.append(ratios[0])
                strays.append(ratios[1])
    return statistics.mean(spreads), traded, strays


def compare(targets: Targets, bands: BandPolicy, figures: dict[str, float], market: Market) -> tuple[float, float]:
    """Return measured / modelled of the traded notional and of the rms stray."""
    weights = frozen([float(targets.fraction(asset)) for asset in targets.assets])
    widths, stop = band_widths(weights, bands).tolist(), float(bands.destination)
    measured = figures["fee_percent_year"] / 100 / float(FEE)
    return (
        measured / traded_year(weights.tolist(), widths, stop, market),
        figures["rms_pp"] / 100 / stray(widths, stop, market),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {name: measure(pace, options.seeds, options.days) for name, pace in PACES.items()}
    rows = {
        name: {
            "volatility": round(spread, 3),
            "traded": round(statistics.median(traded), 3),
            "traded_spread": [round(float(q), 2) for q in np.quantile(traded, (0.1, 0.9))],
            "stray": round(statistics.median(strays), 3),
            "stray_spread": [round(float(q), 2) for q in np.quantile(strays, (0.1, 0.9))],
            "bundled": [CLASSES[name].volatility, CLASSES[name].traded, CLASSES[name].stray],
        }
        for name, (spread, traded, strays) in found.items()
    }
    if options.json:
        print(json.dumps(rows))
        return
    for name, row in rows.items():
        print(f"{name:<6} volatility {row['volatility']}, traded {row['traded']} {row['traded_spread']}, "
              f"stray {row['stray']} {row['stray_spread']}; bundled {row['bundled']}")  # fmt: skip


if __name__ == "__main__":
    main()
