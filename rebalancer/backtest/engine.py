"""A walk over a series: at each close the service's own planner decides, and its legs are filled at that close.

A plan has no legs while every asset is inside its band, so only closes at which one may be outside are planned: the
band test is made for many closes at once in float64, with room for its noise, and the planner has the last word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np

from rebalancer.backtest import account
from rebalancer.backtest.market import DAY, Market
from rebalancer.backtest.result import Result, Trade
from rebalancer.backtest.series import Series
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.drift import FloatArray, drifts_of, frozen
from rebalancer.core.model import Side, Usage
from rebalancer.core.model import Trade as LastTrade
from rebalancer.core.money import EXACT, ZERO, to_float
from rebalancer.core.plan import Leg
from rebalancer.core.planner import make_plan
from rebalancer.core.targets import Limits, Targets
from rebalancer.core.trust import CoinState, CoinTrust
from rebalancer.core.valuation import owner_bands

NOISE = 1e-9  # of NAV: between this float64 test and the planner's own
BLOCK_MIN, BLOCK_MAX = 16, 512  # closes looked at together; doubled while nothing happens
NO_LIMIT = Decimal(10) ** 9
POLICY = "bands"


def run_backtest(
    series: Series,
    targets: Targets,
    setting: BacktestSetting,
    *,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """Return what the planner would have done. `progress` is told how many closes are done.

    Raises ConfigError when the series lacks a target coin.
    """
    # The account is made of its weights alone: what an owner keeps, has elsewhere or sells is of another account.
    plain = replace(targets.with_leaving(()), kept={}, external={})
    return _Walk(Market(series, plain, setting), plain, setting).run(progress)


def uncapped(targets: Targets) -> Targets:
    """Return the targets with the limits on turnover, notional, number of orders and cool-downs lifted."""
    limits = Limits(
        max_turnover_per_cycle=NO_LIMIT,
        max_turnover_per_day=NO_LIMIT,
        max_orders_per_day=int(NO_LIMIT),
        max_slippage_bps=targets.limits.max_slippage_bps,
        cooldown_h=ZERO,
    )
    return replace(targets, limits=limits)


@dataclass(frozen=True, slots=True)
class _Sent:
    """One order of the last 24 hours."""

    at: int
    side: Side
    notional_quote: Decimal
    direct: bool  # it sold one coin for another, and counts on both sides


@dataclass(slots=True)
class _Past:
    """What the planner is told of earlier closes."""

    planned_at: int = -1  # index of the last close that was planned, whatever came of it
    passed_at: int | None = None  # index of the last close whose data passed the guards
    nav_quote: Decimal | None = None  # of that close; None while the balances are as they were then
    sent: list[_Sent] = field(default_factory=list)
    traded: dict[str, LastTrade] = field(default_factory=dict)  # by asset
    doubted: dict[str, CoinTrust] = field(default_factory=dict)  # coins that do not trade now


class _Walk:
    """One account on its way through a series."""

    def __init__(self, market: Market, targets: Targets, setting: BacktestSetting) -> None:
        self.market, self.setting = market, setting
        self.targets = targets if setting.caps else uncapped(targets)
        self.closes = market.with_cash(targets)
        self.fractions = frozen([to_float(targets.fraction(asset)) for asset in targets.assets])
        self.suspect = market.suspect() if setting.guards else np.zeros(len(market.times), dtype=np.bool_)
        self.held = account.at_targets(targets, market.rules, market.prices(0), setting.nav_quote)
        self.past = _Past()
        self.trades: list[Trade] = []
        n_times = len(market.times)
        # The planner may act on what lies nearer than its band, but on nothing nearer than half of its target.
        self.quiet = np.minimum(owner_bands(targets), self.fractions / 2) - NOISE
        self.drift = np.empty_like(self.closes)
        self.nav, self.fee, self.spread, self.turnover = (np.zeros(n_times) for _ in range(4))
        self.orders, self.denied = (np.zeros(n_times, dtype=np.int64) for _ in range(2))

    def run(self, progress: Callable[[int], None] | None) -> Result:
        initial, first = dict(self.held), self._amounts()
        at, block = 0, BLOCK_MIN
        while at < len(self.nav):
            done = self._walk_block(at, min(at + block, len(self.nav)))
            block = BLOCK_MIN if done < at + block else min(2 * block, BLOCK_MAX)
            at = done
            if progress is not None:
                progress(at)
        return Result(
            policy=POLICY,
            assets=self.targets.assets,
            times=self.market.times,
            targets=self.fractions,
            drift=self.drift.T,
            nav_quote=self.nav,
            shadow_quote=first @ self.closes,
            fee_quote=self.fee,
            spread_quote=self.spread,
            turnover=self.turnover,
            orders=self.orders,
            denied=self.denied,
            initial=initial,
            final=dict(self.held),
            trades=tuple(self.trades),
        )

    def _amounts(self) -> FloatArray:
        return frozen([float(self.held[asset]) for asset in self.targets.assets])

    def _walk_block(self, first: int, last: int) -> int:
        """Go on until something is traded or the block ends; return the next close to look at."""
        values = self.closes[:, first:last] * self._amounts()[:, np.newaxis]
        self.nav[first:last] = values.sum(axis=0)
        self.drift[:, first:last] = drifts_of(values, self.fractions)
        for at in self._may_act(first, last):
            self._note_passed(at - 1)
            if self._act(at):
                return at + 1
        self._note_passed(last - 1)
        return last

    def _may_act(self, first: int, last: int) -> list[int]:
        """Return the closes at which the planner may trade or object: all of them while a coin is in doubt."""
        if self.past.doubted:
            return list(range(first, last))
        outside = np.abs(self.drift[:, first:last]) > self.quiet[:, np.newaxis]
        return [first + int(offset) for offset in np.flatnonzero(outside.any(axis=0) | self.suspect[first:last])]

    def _note_passed(self, at: int) -> None:
        """Count the closes that needed no plan as seen, up to and with this one."""
        if at > self.past.planned_at:
            self.past.passed_at, self.past.nav_quote = at, None

    def _act(self, at: int) -> bool:
        """Plan at this close and fill the legs; return whether what may happen at the next ones has changed."""
        prices = self.market.prices(at)
        plan = make_plan(self.market.snapshot(at, self.held, prices), self.targets, self._usage(at))
        self.past.planned_at = at
        was_doubted = self.past.doubted.keys()
        self._remember(plan.trust)
        changed = was_doubted != self.past.doubted.keys()
        if plan.denials:
            self.denied[at] = 1
            return changed
        self.past.passed_at, self.past.nav_quote = at, plan.nav_quote
        self._fill(at, plan.legs, prices)
        return changed or bool(plan.legs)

    def _remember(self, trust: Mapping[str, CoinTrust]) -> None:
        """Keep what is in doubt; an owner is taken to answer for a frozen coin before the next close."""
        states = {asset: coin.state for asset, coin in trust.items()} if self.setting.guards else {}
        self.past.doubted = {
            asset: trust[asset].acked() if state is CoinState.FROZEN else trust[asset]
            for asset, state in states.items()
            if state is not CoinState.NORMAL
        }

    def _fill(self, at: int, legs: tuple[Leg, ...], prices: Mapping[str, Decimal]) -> None:
        before = self._amounts()
        for leg in legs:
            rules = self.market.markets[leg.symbol]
            trade = account.fill(
                leg, rules, prices, at, fee_rate=self.setting.fee_rate, half_spread=self.market.half_spread
            )
            account.apply(trade, self.held)
            self.trades.append(trade)
            self.past.sent.append(_Sent(at, leg.side, leg.notional_quote, leg.direct is not None))
            for asset, side in ((leg.spent, Side.SELL), (leg.received, Side.BUY)):
                self.past.traded[asset] = LastTrade(self.market.times[at], side, rest=leg.capped)
            self.fee[at] += float(account.fee_value(trade, prices))
            self.spread[at] += float(account.spread_value(trade, prices))
        self.orders[at] = len(legs)
        moved = (self._amounts() - before) * self.closes[:, at]
        coins = np.array([asset != self.targets.quote for asset in self.targets.assets])
        moved = moved[coins]
        self.turnover[at] = max(-moved[moved < 0].sum(), moved[moved > 0].sum()) / self.nav[at]

    def _usage(self, at: int) -> Usage:
        """Return what the journal would have told: the limits' rolling day, and the last close that passed."""
        now = self.market.times[at]
        self.past.sent = [sent for sent in self.past.sent if self.market.times[sent.at] > now - DAY]
        sent = self.past.sent
        sums = {side: sum((s.notional_quote for s in sent if s.side is side or s.direct), ZERO) for side in Side}
        usage = Usage(
            sold_quote=sums[Side.SELL],
            bought_quote=sums[Side.BUY],
            direct_quote=sum((s.notional_quote for s in sent if s.direct), ZERO),
            orders=len(self.past.sent),
            has_traded=True,
            trades=self.past.traded,
        )
        return self._with_last_look(usage) if self.setting.guards else usage

    def _with_last_look(self, usage: Usage) -> Usage:
        """Add what the last close that passed was worth, and its prices if they are of the same day."""
        seen = self.past.passed_at
        if seen is None:
            return usage
        mids = self.market.prices(seen)
        nav_quote = self.past.nav_quote
        if nav_quote is None:
            nav_quote = sum((EXACT.multiply(self.held[asset], mids[asset]) for asset in self.held), ZERO)
        del mids[self.market.quote]
        coins = {asset: CoinTrust(mid, self.market.times[seen]) for asset, mid in mids.items()}
        return replace(usage, nav_validated_quote=nav_quote, coins=coins | self.past.doubted)
