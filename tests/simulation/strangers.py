"""Orders of ours that no journal explains: whatever the exchange shows of them must stop the service before it plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rebalancer.simulator.private import OPEN_STATES
from rebalancer.simulator.state import SimOrder
from tests.simulation.world import World, must

PREFIX = "rb1-"
NOT_LASTING = (*OPEN_STATES, "canceled")  # what never traded leaves the history after two hours
NEVER = {"rejected", "absent", "abandoned", "denied"}
# Well inside the 47 hours that are read back, and older than a clock may be wrong by when it still passes for right.
OLDEST_MS, NEWEST_MS = 45 * 3_600_000, 20_000


@dataclass
class Strangers:
    """What each reading of the order history must show from a slot's beginning on, and which halts name it."""

    world: World
    shown: list[SimOrder] = field(default_factory=list)
    halts: list[str] = field(default_factory=list)

    def look(self) -> None:
        """Take down our orders that traded, which anybody sees who reads the history from now on."""
        now_ms = self.world.true_ms
        self.shown = [
            order
            for order in self.world.exchange.state.orders.values()
            if order.client_order_id.startswith(PREFIX)
            and order.state not in NOT_LASTING
            and now_ms - OLDEST_MS < order.created_ms
            and max(order.created_ms, order.visible_ms) < now_ms - NEWEST_MS
        ]

    def forget(self) -> None:
        """Start anew on an older disk: its rows are read again, and they knew nothing of now."""
        self.shown, self.halts = [], []

    def must_be_named(self, states: Mapping[str, str]) -> None:
        """I4: a plan is made only after a halt over each order without an intent, or whose intent never was, or twice.

        `states` is what the journal believes, by client id.
        """
        ids = [order.client_order_id for order in self.shown]
        for order in self.shown:
            cid = order.client_order_id
            explained = states.get(cid, "absent") not in NEVER and ids.count(cid) == 1
            named = any(f"order {order.order_id} " in text or cid in text for text in self.halts)
            must(explained or named, "I4", f"a plan beside order {order.order_id} of {cid}, which no halt names")

    def clone(self) -> Strangers:
        return replace(self, shown=list(self.shown), halts=list(self.halts))
