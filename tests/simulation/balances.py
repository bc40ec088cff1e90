"""Balances as the rows have them, held against what the exchange really holds and what its answers showed."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode
from collections import deque
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.simulation.known import Known
from tests.simulation.world import EPOCH, World, must

FEE_OFF_MAX = Decimal("0.0001")  # of what was traded: fees are rounded
LOOK_MS = 30_000  # a look takes less, as far as anybody may say when in it the balances were read
RECENT_MS = 300_000  # a plan is no older when its orders leave
ANSWERS_KEPT = 40
LATENCY_MS = 40  # by which the moment that a plan says it was taken at may be off


@dataclass
class Balances:
    """Adds up what the rows tell of each asset since the last look, by other arithmetic than the journal's."""

    world: World
    totals: dict[str, Decimal] = field(default_factory=dict)
    traded: dict[str, Decimal] = field(default_factory=dict)
    looked_ms: dict[str, int] = field(default_factory=dict)  # when each was; 0 where an answer was not of its time
    answers: deque[tuple[int, bool]] = field(default_factory=lambda: deque(maxlen=ANSWERS_KEPT))
    listed: frozenset[str] = frozenset()  # in the last answer
    told_ms: dict[str, int] = field(default_factory=dict)  # by coin, of the last true answer, from the plan's look on
    shown: dict[str, deque[tuple[Decimal | None, Decimal | None]]] = field(
        default_factory=dict
    )  # free and locked, as answered

    def see(self, rows: Iterable[Mapping[str, Any]], *, of_now: bool) -> None:
        """Take in an answer about balances that arrived whole; `of_now` unless it lags behind."""
        self.answers.append((self.world.true_ms, of_now))
        parts: dict[str, dict[str, Decimal]] = {}
        for row in rows:
            parts.setdefault(row["currency"].upper(), {})[row["type"]] = Decimal(row["balance"])
        self.listed = frozenset(parts)
        self.told_ms |= dict.fromkeys(parts if of_now else (), self.world.true_ms)
        for coin, part in parts.items():
            pair = (part.get("trade"), part.get("frozen"))
            self.shown.setdefault(coin, deque(maxlen=ANSWERS_KEPT)).append(pair)

    def at_snapshot(self, payload: Mapping[str, Any]) -> None:
        """I18: whatever balance a plan is made of stood in an answer; nothing absent became a figure."""
        if not self.shown:  # a copy of an older disk, whose answers are not known here
            return
        document = json.loads(zlib.decompress(b64decode(payload["zlib"])))
        for coin, (free, locked) in document["balances"].items():
            pair = (Decimal(free), Decimal(locked))
            must(pair in self.shown.get(coin, ()), "I18", f"a plan is made of {pair} {coin}, which no answer held")

    def at_plan(self, payload: Mapping[str, Any]) -> None:
        """Begin anew with a look that passed; I8: what it changed was written down as another hand's before."""
        looked_ms = self.answers[-1][0] if self.answers else 0
        self.told_ms = {coin: ms for coin, ms in self.told_ms.items() if ms == looked_ms}
        if payload["mode"] == "live" and payload["validated"]:
            looked = {asset: Decimal(held) for asset, held in payload["totals"].items()}
            for asset in looked.keys() & self.totals.keys():
                self._must_be(asset, looked[asset], "a plan was made")
            self.totals = looked
            self.traded = {}
            self.looked_ms = dict.fromkeys(self.totals, self._told_at(payload["plan"]["taken_at"]))

    @property
    def are_of_now(self) -> bool:
        """Return whether no answer of the last minutes lagged behind."""
        return all(of_now for ms, of_now in self.answers if ms >= self.world.true_ms - RECENT_MS)

    def at_flow(self, payload: Mapping[str, Any], t_exch: str) -> None:
        """Take in that somebody else moved coins."""
        self.totals |= {asset: Decimal(held) for asset, held in payload["held"].items()}
        self.looked_ms |= dict.fromkeys(payload["held"], self._told_at(t_exch))

    def _told_at(self, moment: str) -> int:
        at_ms = round((datetime.fromisoformat(moment) - EPOCH).total_seconds() * 1000)
        around = [(ms, of_now) for ms, of_now in self.answers if at_ms - LOOK_MS <= ms <= at_ms + LOOK_MS]
        # Of a machine that slept in the middle of a look, what it was told before is as old as the sleep was long.
        told = any(ms <= at_ms + LATENCY_MS for ms, _ in around)
        return at_ms if told and all(of_now for _, of_now in around) else 0

    def at_end(self, known: Known, fees: Mapping[str, str], *, sure: bool) -> None:
        """Take in what a settled order did; what only the owner knows leaves its coins unknown."""
        coin, priced = known.coins()
        if not sure:
            self.totals = {asset: held for asset, held in self.totals.items() if asset not in (coin, priced)}
            return
        sign = 1 if known.side == "buy" else -1
        moved = {coin: sign * known.filled, priced: -sign * known.quote}
        for asset, fee in fees.items():
            moved[asset] = moved.get(asset, Decimal(0)) - Decimal(fee)
        for asset, change in moved.items():
            if asset in self.totals:
                self.totals[asset] += change
            self.traded[asset] = self.traded.get(asset, Decimal(0)) + abs(change)

    def must_agree_at_post(self, known: Known, touched_ms: int) -> None:
        """I8: what an order moves is there as the rows make it, unless somebody moved coins after the last answer."""
        at_ms, of_now = self.answers[-1] if self.answers else (0, False)
        for coin in known.coins():
            if of_now and coin in self.listed:
                self._must_agree(coin, touched_ms, at_ms, f"{known.cid} is sent")

    def must_agree_at_rest(self, touched_ms: int) -> None:
        """I8: with nothing open all is there as the rows make it, unless somebody moved coins after the last look."""
        for coin, at_ms in self.looked_ms.items():
            self._must_agree(coin, touched_ms, at_ms, "nothing is open")

    def _must_agree(self, coin: str, touched_ms: int, told_ms: int, what: str) -> None:
        if coin in self.totals and touched_ms < told_ms - LOOK_MS:
            self._must_be(coin, self.world.held(coin), what)

    def _must_be(self, coin: str, held: Decimal, what: str) -> None:
        off, most = abs(held - self.totals[coin]), self.traded.get(coin, Decimal(0)) * FEE_OFF_MAX
        must(off <= most, "I8", f"{what}: {held} {coin} are there, the rows make it {self.totals[coin]}")

    def forget(self) -> None:
        """Start anew on an older disk."""
        self.totals, self.traded, self.looked_ms, self.told_ms = {}, {}, {}, {}
        self.answers.clear()
        self.shown = {}

    def clone(self) -> Balances:
        return replace(
            self,
            **{name: deepcopy(getattr(self, name)) for name in ("totals", "traded", "looked_ms", "told_ms", "answers")},
            shown={coin: deque(pairs, ANSWERS_KEPT) for coin, pairs in self.shown.items()},
        )
