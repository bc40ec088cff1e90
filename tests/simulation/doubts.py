"""Coins in doubt: what plans remember of each, held against the lies that were told, and what no order may do then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from tests.simulation.known import Known
from tests.simulation.lies import AGREEING, TELLING
from tests.simulation.world import World, must

DOUBTED = {"suspect", "frozen"}
SMALLEST, SMALLEST_SHARE = Decimal(30), Decimal("0.002")  # of NAV: the smallest order is worth less than either
ROUGHLY = (Decimal("0.3"), Decimal(3))  # of what a coin costs
TENFOLD = (Decimal(8), Decimal(12))  # what a lie says a coin costs, with what its price moved in the slot


@dataclass
class Doubts:
    """Follows what the rows of plans remember of coins."""

    world: World
    coins: dict[str, dict[str, Any]] = field(default_factory=dict)
    counted: dict[str, Decimal] = field(default_factory=dict)  # prices of those in doubt, in the last plan
    doubted: Counter[str] = field(default_factory=Counter)  # times that a look stopped a coin, by its new state
    passed: frozenset[str] = frozenset()  # coins whose price passed in any look
    told_truly: frozenset[str] = (
        frozenset()
    )  # coins whose price in some look was no lie: two alike are all that is asked
    passed_before: dict[str, frozenset[str]] = field(default_factory=dict)  # the plan of a run

    def at_plan(self, run: str, coins: Mapping[str, dict[str, Any]], lines: Iterable[dict[str, Any]]) -> None:
        """Take in what a plan's row remembers, and at what its lines count each coin."""
        self.counted = {line["asset"]: Decimal(line["price"]) for line in lines if line["state"] in DOUBTED}
        before, self.coins = self.coins, dict(coins)
        for asset, coin in coins.items():
            self.doubted[coin["state"]] += (
                coin["state"] in DOUBTED and before.get(asset, {}).get("state") != coin["state"]
            )
            self._remembers_no_lie(asset, coin, before.get(asset, {}))
            if "price" in coin and ROUGHLY[0] < Decimal(coin["price"]) / self.world.price(asset) < ROUGHLY[1]:
                self.told_truly |= {asset}
        self.passed_before[run] = self.passed
        self.passed |= {asset for asset, coin in coins.items() if {"price", "fresh"} & coin.keys()}

    def _remembers_no_lie(self, asset: str, coin: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        """O5: where there was a price to hold the next one against, one that was only a lie is never remembered."""
        lied_about = asset.lower() == self.world.lied_about and self.world.lies & AGREEING
        if not lied_about or "price" not in before or before.get("accepted"):
            return
        times = Decimal(coin["price"]) / self.world.price(asset)
        must(not TENFOLD[0] < times < TENFOLD[1], "O5", f"{asset} is remembered at {times:.2f} times what it costs")

    def answered(self, asset: str) -> None:
        """Take in the owner's word on a coin; O3: there is none on a coin that asks for none."""
        coin = self.coins[asset]
        asks = coin["state"] == "frozen" or ("rowless_since" in coin and not coin.get("excused"))
        must(asks, "O3", f"a word on {asset} is no answer to anything: {coin}")
        rowless = {name: coin[name] for name in ("rowless_since",) if name in coin}
        self.coins[asset] = {"state": "normal", "accepted": True, **rowless, "excused": bool(rowless)}

    def ask_again(self) -> None:
        """Forget every word on a missing row."""
        self.coins = {asset: {**coin, "excused": False} for asset, coin in self.coins.items()}

    def at_post(self, known: Known, row: Mapping[str, Any], listed: Collection[str]) -> None:
        """O3: no order touches a coin in doubt, and of one never seen before, or without a row, it is the smallest.

        `row` is its plan's, `listed` the rows of the last look at the balances.
        """
        coins, lied = {*known.coins()} - {"USDT"}, self.world.lied_about.upper()
        states = {line["asset"]: line["state"] for line in row["plan"]["assets"]}
        must(not {c for c in coins if states[c] in DOUBTED}, "O3", f"{known.cid} trades {coins}: {states}")
        must(lied not in coins or not self.world.lies & TELLING, "O3", f"{known.cid} believes {self.world.lies}")
        notional = Decimal((known.sending or {})["notional_quote"])
        if notional <= max(SMALLEST, SMALLEST_SHARE * Decimal(row["nav_quote"])):
            return
        must(coins <= {*listed}, "O6", f"{known.cid}: {notional} of {coins}, not all of which have a row")
        new = coins - self.passed_before[known.run]
        must(not new, "O3", f"{known.cid}: {notional} of {new}, which was never looked at")
        believed = lied in coins & self.told_truly and self.world.lies & AGREEING
        must(not believed, "O3", f"{known.cid} believes {self.world.lies} for {notional}")

    def price(self, asset: str) -> Decimal:
        """Return what a coin counts at: in doubt at its last trusted price, for nobody told the service of another."""
        coin = self.coins.get(asset, {"state": "normal"})
        trusted = Decimal(coin["price"]) if coin["state"] in DOUBTED and "price" in coin else self.world.price(asset)
        return self.counted.get(asset, trusted)  # which coin cannot be traded, only a look tells

    def clone(self) -> Doubts:
        return replace(
            self, coins=dict(self.coins), doubted=Counter(self.doubted), passed_before=dict(self.passed_before)
        )
