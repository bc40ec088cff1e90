"""What a back-test found: lines over time, every fill, and the figures that policies are compared by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from rebalancer.backtest.series import YEAR_S
from rebalancer.core.drift import FloatArray
from rebalancer.core.model import Side

IntArray = NDArray[np.int64]
POINTS = 100.0


@dataclass(frozen=True, slots=True)
class Trade:
    """One filled order: exact amounts, the fee taken from the coin received."""

    at: int  # index into the times
    symbol: str
    side: Side
    base: str
    quote: str  # of the symbol, which is not the account's quote coin on a direct pair
    quantity: Decimal  # base, before the fee
    paid: Decimal  # in the symbol's quote, before the fee
    fee: Decimal
    fee_asset: str

    @property
    def changes(self) -> dict[str, Decimal]:
        """Return what this did to the balances, by asset, the fee included."""
        sign = 1 if self.side is Side.BUY else -1
        made = {self.base: sign * self.quantity, self.quote: -sign * self.paid}
        made[self.fee_asset] -= self.fee
        return made


@dataclass(frozen=True, eq=False)
class Result:
    """One policy over one series. Arrays have one row a time, seen before that time's trades; money is in quote.

    `assets` is the order of `targets` and of the columns of `drift` and `weights`, all fractions of NAV.
    """

    policy: str
    assets: tuple[str, ...]
    times: tuple[datetime, ...]
    targets: FloatArray  # (n_assets,)
    drift: FloatArray  # (n_times, n_assets), weight minus target
    nav_quote: FloatArray  # (n_times,)
    shadow_quote: FloatArray  # NAV had nothing ever been traded
    fee_quote: FloatArray  # paid at each time, valued at its close
    spread_quote: FloatArray  # lost to the half-spread at each time
    turnover: FloatArray  # max(sold, bought) / NAV at each time, cash left out
    orders: IntArray  # sent at each time
    denied: IntArray  # 1 where a guard or a limit refused the whole plan
    initial: Mapping[str, Decimal]  # balances before the first time
    final: Mapping[str, Decimal]  # balances after the last time
    trades: tuple[Trade, ...] = field(default=(), repr=False)  # of the planner; rivals keep none

    @property
    def years(self) -> float:
        """Return the time covered, in years of 365.25 days."""
        return (self.times[-1] - self.times[0]).total_seconds() / YEAR_S

    @property
    def weights(self) -> FloatArray:
        """Return each asset's share of NAV at each time, shape (n_times, n_assets)."""
        return np.asarray(self.drift + self.targets)

    @property
    def stray_pp(self) -> FloatArray:
        """Return the Euclidean distance of weights and targets at each time, in percentage points."""
        return np.asarray(np.linalg.norm(self.drift, axis=1) * POINTS)

    @property
    def rms_pp(self) -> float:
        """Return the root mean square of the Euclidean distance, before trading, in percentage points."""
        return float(np.sqrt(np.mean(self.stray_pp**2)))

    @property
    def worst_stray_pp(self) -> float:
        """Return the furthest that one asset was ever from its target, in percentage points."""
        return float(np.abs(self.drift).max() * POINTS)

    @property
    def fee_percent_year(self) -> float:
        """Return the fees, each as percent of the NAV it was paid from, per year."""
        return float((self.fee_quote / self.nav_quote).sum()) * POINTS / self.years

    @property
    def cost_percent_year(self) -> float:
        """Return fees and half-spreads, each as percent of the NAV it was paid from, per year."""
        return float(((self.fee_quote + self.spread_quote) / self.nav_quote).sum()) * POINTS / self.years

    @property
    def fees_quote(self) -> float:
        """Return all fees in quote, each valued when it was paid."""
        return float(self.fee_quote.sum())

    @property
    def turnover_year(self) -> float:
        """Return how many times a year the portfolio was turned over."""
        return float(self.turnover.sum()) / self.years

    @property
    def orders_total(self) -> int:
        """Return the number of orders sent."""
        return int(self.orders.sum())

    @property
    def orders_year(self) -> float:
        """Return the number of orders sent per year."""
        return self.orders_total / self.years

    def figures(self) -> dict[str, float]:
        """Return the figures by which policies are compared, under stable names."""
        return {
            "fee_percent_year": self.fee_percent_year,
            "cost_percent_year": self.cost_percent_year,
            "rms_pp": self.rms_pp,
            "worst_stray_pp": self.worst_stray_pp,
            "turnover_year": self.turnover_year,
            "orders_year": self.orders_year,
            "orders": float(self.orders_total),
            "fees_quote": self.fees_quote,
            "denied": float(self.denied.sum()),
            "nav_first_quote": float(self.nav_quote[0]),
            "nav_last_quote": float(self.nav_quote[-1]),
            "never_rebalanced_quote": float(self.shadow_quote[-1]),
        }
