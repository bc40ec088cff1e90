"""The figures over many markets: one history is one draw, and a few trades more or less move a ratio by a tenth.

A ratio of fees rests on the dozen or so times that the yardstick trades in a history of some years. So the same figures
are taken over parts of the history, other weights and other coins of it, and, where prices are generated, other seeds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from rebalancer.backtest.policies import Threshold, run_policy
from rebalancer.backtest.series import Series, generate
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.money import HUNDRED
from rebalancer.core.targets import Targets
from tests.benchmarks.policy_parts.portfolios import STEP, targets_of
from tests.benchmarks.policy_parts.ratios import LIMITS, measure

SEEDS = 12
SEEDS_OTHER = 3  # of each other portfolio
CASH_HEAVY = Decimal(30)
NAVS = (Decimal(3_000), Decimal(100_000))


@dataclass(frozen=True, slots=True)
class Market:
    """One history, portfolio and size of account to take the figures of."""

    name: str
    series: Series
    targets: Targets
    nav_quote: Decimal


def of_file(series: Series, targets: Targets, nav_quote: Decimal) -> Iterator[Market]:
    """Yield the whole history, its parts, other portfolios over it and other sizes of account."""
    middle, third = len(series) // 2, len(series) // 3
    parts = {
        "whole": series,
        "first half": series.part(0, middle),
        "second half": series.part(middle, len(series)),
        **{f"third {n + 1}": series.part(n * third, (n + 1) * third) for n in range(3)},
    }
    yield from (Market(name, part, targets, nav_quote) for name, part in parts.items())
    yield from (Market(name, series, other, nav_quote) for name, other in portfolios(targets).items())
    yield from (Market(f"NAV {nav:,}", series, targets, nav) for nav in NAVS if nav != nav_quote)


def of_seeds(days: int, targets: Targets, nav_quote: Decimal) -> Iterator[Market]:
    """Yield generated histories of the portfolio, and fewer of others."""
    coins = _coins(targets)
    yield from (Market(f"seed {seed}", generate(seed, days, coins), targets, nav_quote) for seed in range(1, SEEDS + 1))
    for name, other in portfolios(targets).items():
        for seed in range(1, SEEDS_OTHER + 1):
            yield Market(f"{name}, seed {seed}", generate(seed, days, coins), other, nav_quote)


def portfolios(targets: Targets) -> dict[str, Targets]:
    """Return other portfolios of the same coins, by name: those that differ from the one given and can be made."""
    coins, cash = sorted(_coins(targets), key=lambda coin: -targets.weights[coin]), targets.weights[targets.quote]
    given = {coin: targets.weights[coin] for coin in coins}
    made = {
        "equal weights": (dict.fromkeys(coins, Decimal(1)), cash),
        f"{CASH_HEAVY} % cash": (given, CASH_HEAVY),
        "two largest": ({coin: given[coin] for coin in coins[:2]}, cash),
        "without the largest": ({coin: given[coin] for coin in coins[1:]}, cash),
        "every other coin": ({coin: given[coin] for coin in coins[::2]}, cash),
    }
    found = {name: _sharing(shares, cash, targets.quote) for name, (shares, cash) in made.items() if shares}
    return {name: other for name, other in found.items() if other.weights != targets.weights}


def table_of(
    markets: Iterator[Market],
    setting: BacktestSetting,
    wanted_pp: float,
    *,
    progress: Callable[[str], None] = lambda _name: None,
) -> list[dict[str, Any]]:
    """Return the five figures of each market, caps and guards off, and how often the yardstick traded in it."""
    made = []
    for market in markets:
        progress(market.name)
        free = replace(setting, nav_quote=market.nav_quote, caps=False, guards=False)
        row = measure(market.series, market.targets, free, wanted_pp)
        yardstick = row.policies["threshold"]
        trades = None
        if yardstick is not None:
            found = run_policy(Threshold(yardstick.width), market.series, market.targets, free)
            trades = int(found.orders.astype(bool).sum())
        made.append({"market": market.name, **row.figures, "threshold_trades": trades})
    return made


def spread_of(rows: list[dict[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return of each figure the least, median and greatest, and in how many markets it holds; those measured only."""
    made: dict[str, Mapping[str, Any]] = {}
    for name, limit in LIMITS.items():
        values = [row[name] for row in rows if row[name] is not None]
        if values:
            made[name] = {
                "least": min(values),
                "median": statistics.median(values),
                "greatest": max(values),
                "measured": len(values),
                "within_limit": sum(value <= limit for value in values),
            }
    return made


def lines(rows: list[dict[str, Any]], spread: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the table for a reader."""
    heads = [name.removeprefix("fee_ratio_").removeprefix("rms_pp_") for name in LIMITS]
    made = [f"{'market':<27}" + "".join(f"{head:>9}" for head in heads) + "  trades"]
    for row in rows:
        trades = "-" if row["threshold_trades"] is None else str(row["threshold_trades"])
        made.append(f"{row['market']:<27}" + "".join(_cell(row[name]) for name in LIMITS) + f"{trades:>8}")
    for what in ("least", "median", "greatest"):
        made.append(f"{what:<27}" + "".join(_cell(spread[name][what] if name in spread else None) for name in LIMITS))
    within = (f"{s['within_limit']}/{s['measured']}" if (s := spread.get(name)) else "-" for name in LIMITS)
    return [
        *made,
        f"{'within the limit':<27}" + "".join(f"{each:>9}" for each in within),
        "half, direct, sell_all: ratios of fees; nav_*: rms points of small accounts",
        "trades: how often the threshold rule traded; few of them make a ratio chance",
    ]


def _coins(targets: Targets) -> list[str]:
    return [asset for asset in targets.assets if asset != targets.quote]


def _sharing(shares: Mapping[str, Decimal], cash: Decimal, quote: str) -> Targets:
    """Return targets of these coins in the proportion of their shares, beside so much cash."""
    total = sum(shares.values())
    weights = {coin: (share * (HUNDRED - cash) / total).quantize(STEP) for coin, share in shares.items()}
    return targets_of(weights | {quote: HUNDRED - sum(weights.values())}, quote)


def _cell(value: float | None) -> str:
    return f"{'-':>9}" if value is None else f"{value:>9.3f}"
