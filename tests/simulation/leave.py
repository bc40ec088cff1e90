"""The owner's leave for a first build or a change of targets: how much was allowed, and what was filled since."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from rebalancer.core.targets import Targets
from tests.simulation.doubts import DOUBTED
from tests.simulation.known import Known
from tests.simulation.world import World, must


@dataclass
class Leave:
    """O2: beyond a cycle's cap such a plan trades only what the owner allowed."""

    world: World
    allowed: dict[str, Decimal] = field(default_factory=dict)  # turnover by digest of the weights, the last leave alone
    used: Counter[str] = field(default_factory=Counter)  # quote filled since, by side
    count: int = 0  # leaves that were given so far

    def given(self, weights_digest: str, up_to_quote: str) -> None:
        self.allowed, self.used = {weights_digest: Decimal(up_to_quote)}, Counter()

    def filled(self, known: Known) -> None:
        for side, amount in known.turned().items():
            self.used[side] += amount  # type: ignore[assignment]

    def at_post(self, known: Known, row: dict[str, Any], targets: Targets) -> None:
        """Judge one order by the row of its plan."""
        if row["trigger"] not in ("first_build", "targets_changed"):
            return
        nav, here = Decimal(row["nav_quote"]), Decimal(row["nav_here_quote"])
        counted = [line for line in row["plan"]["assets"] if line["state"] not in DOUBTED and line["asset"] != "USDT"]
        drift = [Decimal(line["drift"]) for line in counted]
        needed = max(sum(each for each in drift if each > 0), -sum(each for each in drift if each < 0)) * nav
        if needed <= targets.limits.max_turnover_per_cycle / 100 * here + nav / 1000:
            return
        allowed = self.allowed.get(row["weights_digest"])
        must(allowed is not None, "O2", f"{known.cid} is part of a turnover of {needed:.2f} that nobody allowed")
        for side in known.sides():
            total = self.used[side] + self._worth(known)
            must(total <= (allowed or 0), "O2", f"{known.cid} makes it {total:.2f}, {allowed} are allowed")

    def _worth(self, known: Known) -> Decimal:
        """Return the most that an order turns over at the prices of now, in USDT; coin for coin at its own word."""
        sending = known.sending or {}
        amount, notional = Decimal(sending["amount"]), Decimal(sending["notional_quote"])
        if len(known.sides()) > 1:
            return notional
        if known.side == "buy":
            return amount * Decimal(known.price or 1)
        bids, _ = self.world.market.book(known.symbol, self.world.true_ms, levels=1)
        return max(notional, amount * bids[0][0])

    def clone(self) -> Leave:
        return replace(self, allowed=dict(self.allowed), used=Counter(self.used))
