"""Prices and books at any instant: a pure function of the market's seed and of time."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

from rebalancer.simulator.replay import Replay
from rebalancer.simulator.specs import (
    CROSSES,
    DUST_CURRENCIES,
    ODD_PRICES,
    SNAPSHOT,
    Coin,
    SymbolSpec,
    cross_pair,
    default_specs,
    usdt_pair,
)
from rebalancer.simulator.walk import log_move

Side = list[tuple[Decimal, Decimal]]

DAY_MS = 86_400_000
LEVELS = 30
TICKS_MS = 1000  # HTX refreshes about once a second: within one, nothing moves
STABLE = ("usdt", "usdc", "husd")
PRICE = Context(prec=28)


class Market:
    """The listing and its prices. At `anchor_ms` the prices are the snapshot's exactly.

    `speed` is market seconds per wall second. With `still`, prices stay where the snapshot has them. `listing` keeps
    the market to some pairs; `dust` is how many long-gone currencies have balance rows.
    """

    def __init__(
        self,
        *,
        seed: int,
        anchor_ms: int,
        speed: float = 1.0,
        still: bool = False,
        replay: Replay | None = None,
        listing: Collection[str] | None = None,
        dust: int = DUST_CURRENCIES,
    ) -> None:
        self.seed = seed
        self.anchor_ms = anchor_ms
        self.speed = speed
        self._still = still
        self._replay = replay
        self._coins = {coin.code: coin for coin in SNAPSHOT}
        specs = default_specs() if replay is None else self._replay_specs(replay)
        self._specs = {name: spec for name, spec in specs.items() if listing is None or name in listing}
        self._dust = dust

    def _replay_specs(self, replay: Replay) -> dict[str, SymbolSpec]:
        coins = {}
        for code in replay.coins:
            price = replay.close(code, replay.start_ms)
            like = self._coins.get(code, Coin(code, price, Decimal(0), 6, 4, Decimal(5), Decimal(8000)))
            digits = max(2, 5 - price.adjusted())
            coins[code] = replace(like, price_usd=price, price_precision=digits)
        pairs = [usdt_pair(coin, Decimal(1)) for coin in coins.values()]
        crosses = [cross_pair(coins[base], coins[quote]) for base, quote in CROSSES if {base, quote} <= coins.keys()]
        return {spec.symbol: spec for spec in (*pairs, *crosses)}

    def specs(self) -> Mapping[str, SymbolSpec]:
        """Return every listed pair by symbol."""
        return self._specs

    def change_spec(self, symbol: str, **fields: Any) -> None:
        """Change a pair's rules or state, as the exchange's operator does."""
        self._specs[symbol] = replace(self._specs[symbol], **fields)

    def delist(self, symbol: str) -> None:
        """Take a pair out of every list, as an exchange does in the end."""
        del self._specs[symbol]

    def currencies(self) -> Sequence[str]:
        """Return every currency that has balance rows: the listed ones, then long-gone dust."""
        listed = {spec.base for spec in self._specs.values()} | {spec.quote for spec in self._specs.values()} | {"htx"}
        return [*sorted(listed), *(f"old{number}" for number in range(1, self._dust + 1))]

    @property
    def oldest_ms(self) -> int | None:
        """Return when the first trade was: a replayed market has no past before its anchor, a seeded one always was."""
        return None if self._replay is None else self.anchor_ms

    def last_price(self, symbol: str, now_ms: int) -> Decimal:
        """Return the price around which the book stands, on the pair's tick."""
        spec = self._specs[symbol]
        price = self._exact(spec, now_ms)
        return price.quantize(Decimal(1).scaleb(-spec.price_precision))

    def _exact(self, spec: SymbolSpec, now_ms: int) -> Decimal:
        return PRICE.divide(self._usd(spec.base, now_ms), self._usd(spec.quote, now_ms))

    def _usd(self, code: str, now_ms: int) -> Decimal:
        elapsed_ms = int((now_ms // TICKS_MS * TICKS_MS - self.anchor_ms) * self.speed)
        if self._replay is not None:
            return Decimal(1) if code == "usdt" else self._replay.close(code, self._replay.start_ms + elapsed_ms)
        base = self._coins[code].price_usd if code in self._coins else ODD_PRICES[code]
        if self._still or code in STABLE or elapsed_ms == 0:
            return base
        return base * Decimal(repr(math.exp(log_move(self.seed, code, elapsed_ms) + self._pull(code, elapsed_ms))))

    def _pull(self, code: str, elapsed_ms: int) -> float:
        """Return what bends the walk so that a day before the anchor the price was the snapshot's 24 h open."""
        coin = self._coins.get(code)
        if coin is None or elapsed_ms >= 0:
            return 0.0
        wanted = -math.log(1 + float(coin.change_24h_pct) / 100)
        return (wanted - log_move(self.seed, code, -DAY_MS)) * min(1.0, -elapsed_ms / DAY_MS)

    def open_24h(self, symbol: str, now_ms: int) -> Decimal:
        """Return the price a market day ago."""
        spec = self._specs[symbol]
        if self._still and self._replay is None:
            return self._snapshot_open(spec)
        before_ms = now_ms - round(DAY_MS / self.speed)
        price = self._exact(spec, before_ms)
        return price.quantize(Decimal(1).scaleb(-spec.price_precision))

    def _snapshot_open(self, spec: SymbolSpec) -> Decimal:
        def opened(code: str) -> Decimal:
            coin = self._coins.get(code)
            return ODD_PRICES[code] if coin is None else coin.price_usd / (1 + coin.change_24h_pct / 100)

        return (opened(spec.base) / opened(spec.quote)).quantize(Decimal(1).scaleb(-spec.price_precision))

    def book(self, symbol: str, now_ms: int, levels: int = LEVELS) -> tuple[Side, Side]:
        """Return the best levels of a book, bids descending and asks ascending, as (price, base quantity)."""
        spec = self._specs[symbol]
        price = self._exact(spec, now_ms)
        tick = Decimal(1).scaleb(-spec.price_precision)
        half = max(price * spec.spread_bps / 20_000, tick / 2)
        gap = max(price * max(spec.spread_bps, Decimal(1)) / 10_000, tick)
        salt = hashlib.blake2b(f"{self.seed}/{symbol}/{now_ms // TICKS_MS}".encode(), digest_size=2 * LEVELS).digest()
        lot = Decimal(1).scaleb(-spec.amount_precision)
        bids, asks = [], []
        for level in range(levels):
            value = spec.level_quote * (1 + Decimal(level) / 4)
            bid = (price - half - gap * level).quantize(tick, ROUND_FLOOR)
            ask = (price + half + gap * level).quantize(tick, ROUND_CEILING)
            if bid > 0:
                bids.append((bid, _lots(value * (64 + salt[level]) / 192 / price, lot)))
            asks.append((ask, _lots(value * (64 + salt[LEVELS + level]) / 192 / price, lot)))
        return bids, asks


def _lots(quantity: Decimal, lot: Decimal) -> Decimal:
    return max(lot, quantity.quantize(lot, ROUND_FLOOR))
