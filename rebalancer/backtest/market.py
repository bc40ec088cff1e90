"""A made-up exchange around one series: rules, and at each close a deep book and a ticker."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

import numpy as np

from rebalancer.backtest.crosses import cross_rules, crosses_at
from rebalancer.backtest.series import Series
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.drift import BoolArray, FloatArray
from rebalancer.core.model import Balance, Book, FeeRate, Level, MarketRules, Snapshot, Ticker
from rebalancer.core.money import BPS, EXACT, ONE, from_float
from rebalancer.core.targets import Targets
from rebalancer.errors import ConfigError

DAY = timedelta(hours=24)
ACCOUNT = "backtest"
HAIR = Decimal("1E-12")  # of the price: a book without any spread would read as crossed
DEEP_QUOTE = Decimal(10) ** 15  # offered on each side: no order of ours moves the price
LOT_QUOTE = 0.01  # what one lot was worth at the first close, at most
QUOTE_STEP = Decimal("1E-8")
MOVE_SUSPECT = 0.39  # a little below the 40 % of the guards: these closes are shown to them, the others cannot fail


class Market:
    """Snapshots of one series, for one account, at any of its times."""

    def __init__(self, series: Series, targets: Targets, setting: BacktestSetting) -> None:
        self.quote = targets.quote
        self.coins = tuple(asset for asset in targets.assets if asset != targets.quote)
        missing = [coin for coin in self.coins if coin not in series.assets]
        if missing:
            have = ", ".join(series.assets)
            raise ConfigError(f"the prices hold no {', '.join(missing)} (they hold {have}); take it out of the targets")
        self.times = series.times
        self.closes = np.ascontiguousarray(series.closes[:, [series.assets.index(coin) for coin in self.coins]])
        self.setting = setting
        half = setting.spread_bps / BPS / 2
        self.half_spread = half
        self._book_half = max(half, HAIR)
        self.rules = {coin: self._rules(coin, index) for index, coin in enumerate(self.coins)}
        self._crosses = cross_rules(targets, self.rules)
        self.markets: Mapping[str, MarketRules] = {rules.symbol: rules for rules in self.rules.values()} | self._crosses
        self._fees = {coin: FeeRate(rules.symbol, setting.fee_rate) for coin, rules in self.rules.items()}

    def prices(self, at: int) -> dict[str, Decimal]:
        """Return every coin's close and the quote coin's one."""
        row = self.closes[at].tolist()
        return {coin: from_float(price) for coin, price in zip(self.coins, row, strict=True)} | {self.quote: ONE}

    def with_cash(self, targets: Targets) -> FloatArray:
        """Return closes by asset, shape (n_assets, n_times), in the targets file's order; the quote coin's are ones."""
        made = np.ones((len(targets.assets), len(self.times)))
        made[[targets.assets.index(coin) for coin in self.coins]] = self.closes.T
        return made

    def snapshot(self, at: int, balances: Mapping[str, Decimal], prices: Mapping[str, Decimal]) -> Snapshot:
        """Return what the planner would have seen at this close, and nothing of later ones."""
        taken_at = self.times[at]
        books, tickers = {}, {}
        opened = self.prices(self._day_before(at)) if self.setting.guards else prices
        for coin in self.coins:
            price, symbol = prices[coin], self.rules[coin].symbol
            bid, ask, deep = price * (ONE - self._book_half), price * (ONE + self._book_half), DEEP_QUOTE / price
            books[coin] = Book(symbol, (Level(bid, deep),), (Level(ask, deep),), taken_at)
            tickers[coin] = Ticker(symbol, price, opened[coin], bid, ask)
        return Snapshot(
            taken_at=taken_at,
            account_id=ACCOUNT,
            quote=self.quote,
            balances={asset: Balance(asset, free, Decimal(0)) for asset, free in balances.items()},
            rules=self.rules,
            books=books,
            tickers=tickers,
            fees=self._fees,
            crosses=crosses_at(
                self._crosses,
                prices,
                taken_at,
                book_half=self._book_half,
                deep_quote=DEEP_QUOTE,
                fee_rate=self.setting.fee_rate,
            ),
        )

    def suspect(self) -> BoolArray:
        """Return at which times the guards might object: some coin moved nearly as far as they allow."""
        before = [self._day_before(at) for at in range(len(self.times))]
        made = _moved(self.closes, self.closes[before])
        stamps = np.array([time.timestamp() for time in self.times])
        for lag in range(1, len(self.times)):  # every earlier close of the same day, which may be the last one seen
            near = stamps[lag:] - stamps[:-lag] < DAY.total_seconds()
            if not near.any():
                break
            made[lag:] |= near & _moved(self.closes[lag:], self.closes[:-lag])
        return made

    def _day_before(self, at: int) -> int:
        """Return the index of the last close at least 24 hours old, or of the first of all."""
        return max(0, bisect_right(self.times, self.times[at] - DAY) - 1)

    def _rules(self, coin: str, index: int) -> MarketRules:
        first = float(self.closes[0, index])
        lot = self.setting.lots.get(coin, ONE.scaleb(int(np.floor(np.log10(LOT_QUOTE / first)))))
        deep = EXACT.divide(DEEP_QUOTE, from_float(first))
        return MarketRules(
            symbol=(coin + self.quote).lower(),
            base=coin,
            quote=self.quote,
            online=True,
            api_enabled=True,
            tick_size=QUOTE_STEP,
            lot_size=lot,
            quote_step=QUOTE_STEP,
            min_notional=self.setting.min_order_quote,
            sell_quantity_min=lot,
            sell_quantity_max=deep,
            buy_notional_max=DEEP_QUOTE,
            limit_quantity_min=lot,
            limit_buy_quantity_max=deep,
            limit_sell_quantity_max=deep,
        )


def _moved(closes: FloatArray, before: FloatArray) -> BoolArray:
    return np.asarray((np.abs(closes / before - 1) > MOVE_SUSPECT).any(axis=1))
