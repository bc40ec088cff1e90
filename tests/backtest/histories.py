"""Histories, targets and settings of many kinds, each from one seed."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np

from rebalancer.backtest.series import Series, generate
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.targets import BandPolicy, Limits, Targets

COINS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
FREE = BacktestSetting(caps=False, guards=False)
HOUR = timedelta(hours=1)
NARROW = BandPolicy(k=Decimal("0.02"), floor=Decimal("0.1"))  # so that hourly closes leave them often


def d(value: str | int) -> Decimal:
    return Decimal(value)


def targets(weights: dict[str, str | int] | None = None, **limits: Decimal) -> Targets:
    shares = weights or {"AAA": 40, "BBB": 30, "CCC": 20, "USDT": 10}
    made = Targets("USDT", {asset: d(share) for asset, share in shares.items()}, "0" * 64)
    return replace(made, limits=Limits(**limits)) if limits else made


def a_history(seed: int) -> tuple[Series, Targets, BacktestSetting]:
    """Return a random case: daily or hourly, large or small, tight or wide, with and without caps and guards."""
    rng = random.Random(seed)
    coins = COINS[: rng.randint(1, len(COINS))]
    cash = rng.randint(3, 30)
    cuts = [rng.randint(1, 20) for _ in coins]
    shares = [(Decimal(100 - cash) * cut / sum(cuts)).quantize(Decimal("0.01")) for cut in cuts]
    weights = dict(zip(coins, shares, strict=True))
    weights["USDT"] = 100 - sum(weights.values())
    bands = BandPolicy(k=d(rng.choice(["0.03", "0.06", "0.12"])), destination=d(rng.choice(["0", "0.5", "1"])))
    series = generate(seed, rng.randint(60, 160), coins, step=rng.choice([timedelta(days=1), HOUR, 6 * HOUR]))
    if rng.random() < 0.5:
        series = with_jumps(series, rng)
    setting = BacktestSetting(
        fee_rate=d(rng.choice(["0", "0.001", "0.002"])),
        spread_bps=d(rng.choice(["0", "3", "20"])),
        nav_quote=d(10 ** rng.randint(2, 6)),
        min_order_quote=d(rng.choice([1, 10])),
        caps=rng.random() < 0.5,
        guards=rng.random() < 0.7,
    )
    return series, replace(Targets("USDT", weights, "0" * 64), bands=bands), setting


def with_jumps(series: Series, rng: random.Random) -> Series:
    """Return the history with a few moves of one coin beyond what the guards let pass, some of them back again."""
    closes = series.closes.copy()
    for _ in range(rng.randint(1, 4)):
        at, coin = rng.randrange(1, len(series)), rng.randrange(len(series.assets))
        until = rng.choice([at + rng.randint(1, 30), len(series)])
        closes[at:until, coin] *= rng.choice([0.55, 0.62, 1.38, 1.45, 3.0])
    return Series(series.assets, series.times, closes)


def write_csv(path: Path, series: Series, column: str = "date") -> Path:
    """Write a history as its owner would have it."""
    lines = [",".join([column, *series.assets])]
    for at, row in zip(series.times, series.closes, strict=True):
        shown = at.strftime("%Y-%m-%d" if column == "date" else "%Y-%m-%dT%H:%M")
        lines.append(",".join([shown, *(repr(float(price)) for price in row)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def flat(days: int, **prices: list[float]) -> Series:
    """Return daily closes, each coin's given from the start; the last one holds to the end."""
    closes = np.array([[line[min(at, len(line) - 1)] for line in prices.values()] for at in range(days)], dtype=float)
    return Series(tuple(prices), generate(0, days, ("AAA",)).times, closes)
