"""Snapshots and targets in one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rebalancer.core.model import Balance, Book, CrossPair, FeeRate, Level, MarketRules, Snapshot, Ticker
from rebalancer.core.targets import BandPolicy, Limits, Targets

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LOOSE = Limits(
    max_turnover_per_cycle=Decimal(100), max_turnover_per_day=Decimal(100000), max_slippage_bps=Decimal(5000)
)


def d(value: str | int | Decimal) -> Decimal:
    return Decimal(value)


def rules(base: str, quote: str = "USDT", **changes: Any) -> MarketRules:
    made = MarketRules(
        symbol=(base + quote).lower(),
        base=base,
        quote=quote,
        online=True,
        api_enabled=True,
        tick_size=d("0.01"),
        lot_size=d("0.0001"),
        quote_step=d("0.00000001"),
        min_notional=d(10),
        sell_quantity_min=d("0.0001"),
        sell_quantity_max=d(1_000_000),
        buy_notional_max=d(1_000_000),
        limit_quantity_min=d("0.0001"),
        limit_buy_quantity_max=d(1_000_000),
        limit_sell_quantity_max=d(1_000_000),
    )
    return replace(made, **changes)


def book(symbol: str, mid: Decimal, *, half_bps: int = 2, level_quote: int = 1_000_000, at: datetime = NOW) -> Book:
    half = mid * half_bps / 10_000
    quantity = level_quote / mid
    bids = tuple(Level(mid - half * (1 + i), quantity) for i in range(20))
    asks = tuple(Level(mid + half * (1 + i), quantity) for i in range(20))
    return Book(symbol, bids, asks, at)


def targets(
    weights: Mapping[str, str | int], *, bands: BandPolicy | None = None, limits: Limits = LOOSE, quote: str = "USDT"
) -> Targets:
    return Targets(
        quote=quote,
        weights={asset: d(weight) for asset, weight in weights.items()},
        digest="0" * 64,
        bands=bands or BandPolicy(),
        limits=limits,
    )


def snapshot(
    holdings: Mapping[str, str | int | Decimal],
    prices: Mapping[str, str | int | Decimal],
    *,
    quote: str = "USDT",
    locked: Mapping[str, str] | None = None,
    rule_changes: Mapping[str, dict[str, Any]] | None = None,
    level_quote: int = 1_000_000,
    fee: str = "0.002",
) -> Snapshot:
    """Holdings in coins; `prices` name the coins that are traded against the quote."""
    made = {asset: rules(asset, quote, **(rule_changes or {}).get(asset, {})) for asset in prices}
    return Snapshot(
        taken_at=NOW,
        account_id="10101010",
        quote=quote,
        balances={a: Balance(a, d(h), d((locked or {}).get(a, 0))) for a, h in holdings.items()},
        rules=made,
        books={a: book(made[a].symbol, d(p), level_quote=level_quote) for a, p in prices.items()},
        tickers={a: Ticker(made[a].symbol, d(p), d(p), d(p), d(p)) for a, p in prices.items()},
        fees={a: FeeRate(made[a].symbol, d(fee)) for a in prices},
    )


def with_crosses(
    seen: Snapshot,
    pairs: Mapping[tuple[str, str], str | Decimal],
    *,
    fee: str = "0.002",
    half_bps: int = 3,
    **changes: Any,
) -> Snapshot:
    """Return the snapshot with pairs of (base, quote), each at the ratio of the two mids times the given factor."""
    made = {}
    for (base, quote), factor in pairs.items():
        mids = {coin: seen.books[coin].mid or d(0) for coin in (base, quote)}
        limits = {"min_notional": 8 / mids[quote], "sell_quantity_min": d(0), "lot_size": seen.rules[base].lot_size}
        listed = rules(base, quote, **(limits | changes))
        mid = mids[base] / mids[quote] * d(factor)
        quotes = book(listed.symbol, mid, half_bps=half_bps, level_quote=1, at=seen.taken_at)
        deep = 1_000_000 / mids[base]
        quotes = replace(
            quotes,
            bids=tuple(Level(level.price, deep) for level in quotes.bids),
            asks=tuple(Level(level.price, deep) for level in quotes.asks),
        )
        made[listed.symbol] = CrossPair(listed, quotes, FeeRate(listed.symbol, d(fee)))
    return replace(seen, crosses=made)
