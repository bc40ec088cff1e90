"""What others do, for comparison: small float64 ledgers with the same fees, spread and minimum as the planner's.

They trade without lots, caps or guards, which only helps them. Orders below the minimum are not sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

import numpy as np

from rebalancer.backtest.engine import BLOCK_MAX, BLOCK_MIN, run_backtest
from rebalancer.backtest.market import Market
from rebalancer.backtest.result import POINTS, Result
from rebalancer.backtest.series import Series
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.drift import BoolArray, FloatArray, drifts_of, frozen
from rebalancer.core.money import BPS, from_float, to_float
from rebalancer.core.targets import Targets

DUST_QUOTE = 1e-9  # what float64 leaves of a sum that is zero


class Period(StrEnum):
    """How often a calendar rebalances: at the first close of each new one."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Bands:
    """The planner itself, with the bands, limits and routes of the targets."""

    @property
    def name(self) -> str:
        """Return the policy's name."""
        return "bands"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Everything to its target at each new period, through the quote coin, the difference only."""

    period: Period = Period.MONTH

    @property
    def name(self) -> str:
        """Return the policy's name."""
        return f"calendar-{self.period}"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Everything to its target, the difference only, once one asset strays more than `trigger_pp` points."""

    trigger_pp: float = 5.0

    @property
    def name(self) -> str:
        """Return the policy's name."""
        return "threshold"


@dataclass(frozen=True, slots=True)
class SellAll:
    """Everything sold and bought again at its target, once one asset strays more than `trigger_pp` points."""

    trigger_pp: float = 5.0

    @property
    def name(self) -> str:
        """Return the policy's name."""
        return "sell_all"


@dataclass(frozen=True, slots=True)
class Never:
    """Nothing, ever."""

    @property
    def name(self) -> str:
        """Return the policy's name."""
        return "never"


Policy = Bands | Calendar | Threshold | SellAll | Never


def run_policy(policy: Policy, series: Series, targets: Targets, setting: BacktestSetting) -> Result:
    """Return what `policy` would have done; the planner's own is `run_backtest`."""
    if isinstance(policy, Bands):
        return run_backtest(series, targets, setting)
    return _Ledger(policy, series, targets, setting).run()


def standard_policies() -> tuple[Policy, ...]:
    """Return the policies that a comparison shows unless told otherwise."""
    return Bands(), Threshold(), SellAll(), Calendar(Period.MONTH), Calendar(Period.WEEK), Never()


def period_of(at: datetime, period: Period) -> tuple[int, int]:
    """Return a name of the period in which a time lies; ISO weeks begin on Monday."""
    match period:
        case Period.DAY:
            return at.year, at.timetuple().tm_yday
        case Period.WEEK:
            week = at.isocalendar()
            return week.year, week.week
        case Period.MONTH:
            return at.year, at.month


class _Ledger:
    """One rival's account: amounts of each asset in float64, the quote coin among them."""

    def __init__(
        self, policy: Calendar | Threshold | SellAll | Never, series: Series, targets: Targets, setting: BacktestSetting
    ) -> None:
        market = Market(series, targets, setting)
        self.policy, self.assets, self.times = policy, targets.assets, market.times
        self.closes = market.with_cash(targets)
        self.cash = targets.assets.index(targets.quote)
        self.goals = frozen([to_float(targets.fraction(asset)) for asset in targets.assets])
        self.fee_rate = to_float(setting.fee_rate)
        self.half_spread = to_float(setting.spread_bps / BPS / 2)
        self.min_order = to_float(setting.min_order_quote)
        self.held = self.goals * to_float(setting.nav_quote) / self.closes[:, 0]
        n_times = len(self.times)
        self.drift = np.empty_like(self.closes)
        self.nav, self.fee, self.spread, self.turnover = (np.zeros(n_times) for _ in range(4))
        self.orders = np.zeros(n_times, dtype=np.int64)
        self.due = self._turns_of_period()

    def _turns_of_period(self) -> BoolArray:
        """Return where a calendar policy acts: at the first close of a new period."""
        made = np.zeros(len(self.times), dtype=np.bool_)
        if isinstance(self.policy, Calendar):
            names = [period_of(at, self.policy.period) for at in self.times]
            made[1:] = [name != before for before, name in pairwise(names)]
        return made

    def run(self) -> Result:
        initial = self.held.copy()
        at, block = 0, BLOCK_MIN
        while at < len(self.nav):
            last = min(at + block, len(self.nav))
            found = self._first_trade(at, last)
            if found is None:
                at, block = last, min(2 * block, BLOCK_MAX)
            else:
                self._trade(found)
                at, block = found + 1, BLOCK_MIN
        return Result(
            policy=self.policy.name,
            assets=self.assets,
            times=self.times,
            targets=self.goals,
            drift=self.drift.T,
            nav_quote=self.nav,
            shadow_quote=initial @ self.closes,
            fee_quote=self.fee,
            spread_quote=self.spread,
            turnover=self.turnover,
            orders=self.orders,
            denied=np.zeros_like(self.orders),
            initial=self._named(initial),
            final=self._named(self.held),
        )

    def _named(self, held: FloatArray) -> dict[str, Decimal]:
        return {asset: from_float(float(amount)) for asset, amount in zip(self.assets, held, strict=True)}

    def _first_trade(self, first: int, last: int) -> int | None:
        """Value the closes of a block and return the first at which the policy acts."""
        values = self.closes[:, first:last] * self.held[:, np.newaxis]
        self.nav[first:last] = values.sum(axis=0)
        self.drift[:, first:last] = drifts_of(values, self.goals)
        match self.policy:
            case Never():
                return None
            case Calendar():
                acts = self.due[first:last]
            case Threshold(trigger_pp) | SellAll(trigger_pp):
                stray = np.abs(self.drift[:, first:last]).max(axis=0)
                acts = stray > trigger_pp / POINTS
        found = np.flatnonzero(acts)
        return first + int(found[0]) if len(found) else None

    def _trade(self, at: int) -> None:
        """Sell what is too much, or all, then buy with what that brought."""
        prices, before = self.closes[:, at], self.held.copy()
        wanted = self.goals * self.nav[at] / prices
        floor = np.zeros_like(self.held) if isinstance(self.policy, SellAll) else np.minimum(self.held, wanted)
        self._sell(at, self.held - floor)
        self._buy(at, np.maximum(wanted - self.held, 0.0))
        moved = np.delete((self.held - before) * prices, self.cash)
        self.turnover[at] = max(-moved[moved < 0].sum(), moved[moved > 0].sum()) / self.nav[at]

    def _sell(self, at: int, amounts: FloatArray) -> None:
        values = self._sent(at, amounts)
        got = values * (1 - self.half_spread)
        self.held -= values / self.closes[:, at]
        self.held[self.cash] += got.sum() * (1 - self.fee_rate)
        self.fee[at] += got.sum() * self.fee_rate
        self.spread[at] += (values - got).sum()

    def _buy(self, at: int, amounts: FloatArray) -> None:
        """Buy the amounts, all cut alike where that would take cash below its own target."""
        wished = float(np.delete(amounts * self.closes[:, at], self.cash).sum())
        free = self.held[self.cash] - self.goals[self.cash] * float(self.held @ self.closes[:, at])
        spent = self._sent(at, amounts * (min(1.0, max(free, 0.0) / wished) if wished > 0 else 0.0))
        got = spent / (1 + self.half_spread)
        self.held += got / self.closes[:, at] * (1 - self.fee_rate)
        self.held[self.cash] -= spent.sum()
        self.fee[at] += got.sum() * self.fee_rate
        self.spread[at] += (spent - got).sum()

    def _sent(self, at: int, amounts: FloatArray) -> FloatArray:
        """Return what each order is worth, zero where it is below the minimum; count them."""
        values = amounts * self.closes[:, at]
        values[self.cash] = 0.0
        values[values < max(self.min_order, DUST_QUOTE)] = 0.0
        self.orders[at] += np.count_nonzero(values)
        return values
