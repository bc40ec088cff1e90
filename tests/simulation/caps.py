"""The limits on what is sent, by notionals and values of the judge's own: of an order, a cycle, a day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from rebalancer.core.targets import Limits
from tests.simulation.known import Known
from tests.simulation.world import DAY_MS, World, must

OFF_MAX = Decimal("1.02")  # of a decision's mid over the last price, and of what fills before left of the value
AGE_OFF_MS = 15_000  # an order is counted from its signing, which is so much before its first byte at the most


@dataclass
class Caps:
    """Counts what was sent of late, at prices of the slot's beginning: those that its plan was made at."""

    world: World
    prices: dict[str, Decimal] = field(default_factory=dict)
    value: Decimal = Decimal(0)  # of what the account holds and does not keep
    worth: dict[str, Decimal] = field(default_factory=dict)  # of each order that was ever sent, by its id

    def look(self, coins: Iterable[str], value: Decimal) -> None:
        """Take down what a slot begins with: prices of the coins and the value of all that may be traded."""
        self.prices = {coin: self.world.price(coin) for coin in coins}
        self.value = value

    def _worth(self, known: Known) -> Decimal:
        """Return what an order is worth in USDT: what it counts times what one of that costs."""
        counted = known.coins()[known.side == "buy" and known.price is None]
        price = min(self.prices[counted], self.world.price(counted))  # it may have run away meanwhile
        return Decimal((known.sending or {})["amount"]) * price

    def at_post(self, known: Known, limits: Limits, posts: Sequence[tuple[int, Known]], value: Decimal) -> None:
        """I13: an order, what its cycle turned over, and what a day did are within their limits.

        `posts` are those that the journal knows of with their times, this one among them; `value` is what the account holds now.
        """
        self.worth[known.cid] = self._worth(known)
        value = max(self.value, value) * OFF_MAX
        day = [k for at_ms, k in posts if at_ms > self.world.true_ms - DAY_MS + AGE_OFF_MS]
        worth = [self.worth[k.cid] for k in day]
        _within(limits.max_order_notional, self.worth[known.cid], f"{known.cid} is worth")
        _within(limits.max_notional_per_day, sum(worth, Decimal(0)), "orders of a day are worth")
        must(len(day) <= limits.max_orders_per_day, "I13", f"{len(day)} orders within a day")
        for side in known.sides():
            of_side = [k for k in day if side in k.sides()]
            turned = sum((self.worth[k.cid] for k in of_side), Decimal(0))
            _within(limits.max_turnover_per_day / 100 * value, turned, f"on side {side} a day turned over")
            turned = sum((self.worth[k.cid] for k in of_side if k.run == known.run), Decimal(0))
            _within(limits.max_turnover_per_cycle / 100 * value, turned, f"on side {side} a cycle turned over")


def _within(most: Decimal | None, figure: Decimal, what: str) -> None:
    must(most is None or figure <= most * OFF_MAX, "I13", f"{what} {figure:.2f}, at most {most} are allowed")
