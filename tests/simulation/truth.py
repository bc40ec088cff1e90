"""What really became of our orders, by the exchange's own books, against what the rows say of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from rebalancer.simulator.private import OPEN_STATES
from rebalancer.simulator.state import SimOrder
from tests.simulation.known import Known
from tests.simulation.strangers import NEVER, PREFIX
from tests.simulation.world import World, must

TRADED = ("filled", "partial")
ENDED = (*TRADED, "canceled")
CALLED = {"filled": "filled", "partial-canceled": "partial", "canceled": "canceled"}  # ends, in the rows' words


@dataclass(frozen=True)
class Real:
    """One order that came to its end."""

    end: str
    filled: Decimal
    cash: Decimal
    fees: Mapping[str, Decimal]
    finished_ms: int


class Truth:
    """Reads the exchange's orders; an ended one once, for it changes no more."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ended: dict[int, Real] = {}

    def ours(self) -> list[SimOrder]:
        """Return the orders with our prefix that the exchange really holds."""
        orders = self._world.exchange.state.orders.values()
        return [order for order in orders if order.client_order_id.startswith(PREFIX)]

    def real(self, order: SimOrder) -> Real:
        if order.order_id in self._ended:
            return self._ended[order.order_id]
        fees: dict[str, Decimal] = {}
        for trade in order.trades:
            coin, fee = (
                (trade.deduct_currency, trade.points) if trade.deduct_currency else (trade.fee_currency, trade.fee)
            )
            fees[coin.upper()] = fees.get(coin.upper(), Decimal(0)) + fee
        made = Real(CALLED.get(order.state, "open"), order.filled, order.cash, fees, order.finished_ms)
        if order.state not in OPEN_STATES:
            self._ended[order.order_id] = made
            _must_be_within_price(order)
        return made

    def must_be_told(self, known: Mapping[str, Known], forgiven: Collection[str]) -> None:
        """I1, I4 and I5: no order that no intent sent, and what the rows say of an end is so, from then on for good.

        I4 sees that a halt names what is excused.
        """
        by_cid: dict[str, list[Real]] = {}
        for order in self.ours():
            by_cid.setdefault(order.client_order_id, []).append(self.real(order))
        for cid in by_cid.keys() - forgiven:
            must(cid in known, "I4", f"the exchange holds {cid}, the journal does not")
            must(cid in self._world.posted, "I1", f"there is an order of {cid}, which was never sent")
        for cid, each in known.items():
            found = by_cid.get(cid, [])
            if each.state in NEVER:
                excused = not found or cid in forgiven or cid in self._world.unforeseen
                must(excused, "I5", f"{cid} is {each.state}, but exists")
            elif each.state in ENDED:
                must(found, "I5", f"{cid} is {each.state}, but does not exist")
                if cid not in forgiven:
                    _must_be_one_of(each, found)

    def unexplained_ms(self, known: Mapping[str, Known]) -> int:
        """Return when an order of ours last traded that the rows do not book: for them it is another hand's."""
        booked, latest = set(), 0
        for order in self.ours():
            if not order.trades:
                continue
            real, each = self.real(order), known.get(order.client_order_id)
            told = each is not None and each.state in TRADED and (each.filled, each.quote) == (real.filled, real.cash)
            if told and order.client_order_id not in booked:
                booked.add(order.client_order_id)
            else:
                latest = max(latest, real.finished_ms)
        return latest


def _must_be_within_price(order: SimOrder) -> None:
    price, sign = order.price, 1 if order.side == "buy" else -1
    worse = [trade.price for trade in order.trades if price and sign * (trade.price - price) > 0]
    must(not worse, "I10", f"{order.client_order_id}: filled at {worse}, its price is {price}")


def _must_be_one_of(known: Known, found: list[Real]) -> None:
    """Hold a booked end against the orders of its id; beside a second one it may be that of either."""
    booked = (known.state, known.filled, known.quote, known.fees)
    if not any((each.end, each.filled, each.cash, each.fees) == booked for each in found):  # the text costs time
        must(holds=False, invariant="I5", text=f"{known.cid} is booked as {booked}, real is {found}")
