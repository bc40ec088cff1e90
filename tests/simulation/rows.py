"""Balance rows that are missing for long: the worlds in which they are, their owners, and what no plan may do then."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from rebalancer.core.targets import Targets
from tests.simulation.world import COINS, World, must

SHARE = 0.25  # of the worlds
ROWS_SHARE = 0.9  # of those of before: an answer that is shorter may lack any row


@dataclass(frozen=True)
class Look:
    """One answer about balances: which coins had a row, and of which there was anything."""

    rows: frozenset[str]
    held: frozenset[str]


@dataclass
class Listed:
    """What answers about balances showed, and what the owner said: O6 holds plans and orders against that."""

    world: World
    looks: list[Look] = field(default_factory=list)  # the last two
    listed_ms: dict[str, int] = field(default_factory=dict)  # when a row was last shown, by coin
    held: set[str] = field(default_factory=set)  # of which the journal can know that they were: by a plan, or bought
    words: dict[str, int] = field(default_factory=dict)  # when the owner said last that none is held
    count: int = 0  # rows of the last look that a plan was made on

    def see(self, totals: Mapping[str, Decimal]) -> None:
        """Take in an answer about balances that arrived whole."""
        now_ms = self.world.true_ms
        held = frozenset(coin for coin, total in totals.items() if total)
        self.looks = [*self.looks[-1:], Look(frozenset(totals), held)]
        self.listed_ms.update(dict.fromkeys(totals, now_ms))

    def said(self, coin: str, at_ms: int) -> None:
        self.words[coin] = at_ms

    def bought(self, coin: str) -> None:
        if self.looks and coin not in self.looks[-1].rows:
            self.world.fired["bought_without_row"] += 1
        self.held.add(coin)

    def at_plan(self, payload: Mapping[str, Any], coins: Collection[str]) -> None:
        """Hold a plan that its guards let pass against the look that it was made on: the last before its row."""
        if not self.looks:  # a copy of an older disk, whose answers are not known here
            return
        look, before = self.looks[-1], set(self.held)
        # Where a row was missing it was looked twice: the plan knows nothing of what only the second look held.
        self.held |= look.held.intersection(*(each.held for each in self.looks if set(coins) - each.rows))
        if not payload["validated"]:
            return
        for coin in set(coins) - look.rows:
            must(coin not in before, "O6", f"a plan without a row of {coin}, which was held before")
            must(self._excused(coin), "O6", f"a plan without a row of {coin}, which nobody said is not held")
            enough = len(look.rows) >= ROWS_SHARE * self.count
            must(enough, "O6", f"a plan without a row of {coin} on {len(look.rows)} of {self.count} rows")
            alike = [each.rows for each in self.looks] == [look.rows] * 2
            must(alike, "O6", f"a plan without a row of {coin} on one look, or on two that differ")
        self.count = len(look.rows)

    def at_post(self, cid: str, coins: Collection[str]) -> None:
        """Hold an order against the last look before it."""
        for coin in set(coins) - self.looks[-1].rows:
            must(self._excused(coin), "O6", f"{cid} trades {coin}, which has no row and was not excused")

    def _excused(self, coin: str) -> bool:
        return coin in self.words and self.words[coin] > self.listed_ms.get(coin, 0)

    def memory(self) -> Listed:
        """Return a copy without the looks, as it goes with a copy of the disk."""
        return replace(
            self, looks=[], **{name: deepcopy(getattr(self, name)) for name in ("listed_ms", "held", "words")}
        )


class Unlisted:
    """In a share of the worlds the exchange lists no balance of one coin, held or not, for long or for good."""

    def __init__(self, world: World) -> None:
        self._world, self._rng = world, world.chance["rows"]
        rng = self._rng
        self.coin = rng.choice(COINS) if rng.random() < SHARE else ""
        self.was_held = rng.random() < 0.4
        self.owner = rng.choice(("looks", "looks", "looks", "careless", "silent"))
        self._from = rng.choice((0, 3, 8)) + self.was_held * 3
        self._until = self._from + rng.choice((4, 15, 40, 1000))
        self._aside_until = self._from + 4 if self._from == 0 else -1
        if self.coin and not self.was_held:
            world.user.wallet(self.coin.lower()).trade = Decimal(0)

    @property
    def is_gone(self) -> bool:
        return self.coin.lower() in self._world.user.unlisted

    @property
    def hides(self) -> bool:
        """Whether something is held that nobody lists: what harm is, only who knows of it can tell."""
        return self.is_gone and bool(self._world.held(self.coin))

    def before_slot(self, number: int) -> None:
        """Let rows vanish and come back, and let somebody deposit what is not listed."""
        world, rng = self._world, self._rng
        if not self.coin:
            return
        if number == self._from and not world.quiet:
            self._hide(self.coin)
            world.fired["row_gone" if self.was_held else "row_never_held"] += 1
        if not self.is_gone:
            return
        if number == self._until or (world.quiet and self.hides):
            world.user.unlisted.clear()
            world.fired["row_back"] += 1
        elif not world.quiet and rng.random() < 0.03:
            world.deposit(self.coin, Decimal(rng.randint(1, 40)) / 100 * world.scale)
            world.fired["hidden_deposit"] += 1
        self._shorten()

    def _shorten(self) -> None:
        """Let other rows vanish with it for a slot: so short an answer may lack anything."""
        world, dust = self._world, ["old1", "old2"]
        gone = [name for name in world.user.unlisted if name not in dust]
        short = bool(gone) and not world.quiet and self._rng.random() < 0.05
        world.fired["short_answer"] += short
        world.user.unlisted[:] = [*gone, *dust] if short else gone

    def _hide(self, coin: str) -> None:
        self._world.user.unlisted.append(coin.lower())

    def is_excused(self, coin: str) -> bool:
        """Return whether the owner says that none of a coin is held, on being asked now."""
        if self.owner == "silent":
            return False
        return self.owner == "careless" or not self._world.held(coin)

    def put_aside(self, refusals: str, number: int) -> None:
        """Follow the advice to plan without the coin once, which the first slots may not have come to."""
        if "plan once without" in refusals and self.owner != "silent":
            self._aside_until = number + 2

    def in_force(self, targets: Targets, number: int) -> Targets:
        """Return the targets as the owner wants them now: the first look is made without a coin that has no row."""
        if not self.coin or number >= self._aside_until:
            return targets
        weights = {asset: weight for asset, weight in targets.weights.items() if asset != self.coin}
        weights[targets.quote] += targets.weights.get(self.coin, Decimal(0))
        others = {
            name: {asset: value for asset, value in getattr(targets, name).items() if asset != self.coin}
            for name in ("kept", "external")
        }
        leaving = tuple(asset for asset in targets.leaving if asset != self.coin)
        digest = hashlib.sha256(f"{targets.digest} without".encode()).hexdigest()
        return replace(targets, weights=weights, leaving=leaving, digest=digest, **others)
