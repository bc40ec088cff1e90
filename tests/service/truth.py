"""What must hold whatever happened: the exchange's truth, the bytes on the wire and the journal against each other."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from rebalancer.core.ids import PREFIX
from rebalancer.core.orders import IntentState
from tests.service.house import House

NEVER_AN_ORDER = (IntentState.REJECTED, IntentState.ABSENT, IntentState.ABANDONED, IntentState.DENIED)
CYCLES_ENOUGH = 2
TRADED = (IntentState.FILLED, IntentState.PARTIAL)


def must_hold(house: House, why: object = "") -> None:
    """Raise unless no intent was posted or became an order twice, none is orphaned, and every end is true."""
    posted = Counter(post["client-order-id"] for post in house.wire.posts)
    assert all(count == 1 for count in posted.values()), (why, posted)
    ours = [o for o in house.exchange.state.orders.values() if o.client_order_id.startswith(PREFIX)]
    known = {record.client_order_id: record for record in house.records}
    assert all(order.client_order_id in known for order in ours), (why, "orphan")
    per_intent = Counter(order.client_order_id for order in ours)
    assert all(count == 1 for count in per_intent.values()), (why, per_intent)
    for record in house.records:
        found = house.orders_of(record.client_order_id)
        if record.state in NEVER_AN_ORDER:
            assert not found, (why, record)
        if record.state in TRADED:
            assert [(order.filled, order.cash) for order in found] == [(record.filled_quantity, record.filled_quote)], (
                why,
                record,
            )
    for post in house.wire.posts:
        record = known[post["client-order-id"]]
        wire = (post["symbol"], post["type"], Decimal(post["amount"]))
        assert wire == (record.symbol, f"{record.side}-{record.order_type}", record.sent_amount), (why, post, record)
        assert (Decimal(post["price"]) if "price" in post else None) == record.price, (why, post, record)
        assert record.sent_amount is not None and record.sent_amount <= record.amount, (why, record)


def must_be_settled(house: House, why: object = "") -> None:
    """Raise unless nothing is open, a few more cycles are enough, and the one after them has nothing to do.

    Coins that just traded rest for hours, so half of the cycles are after that.
    """
    must_hold(house, why)
    assert not house.journal.state.unresolved, (why, house.journal.state.unresolved)
    assert not house.journal.state.open_plan, why
    statuses = [house.cycle().status.value for _ in range(CYCLES_ENOUGH)]
    house.clock.advance(float(house.targets.limits.cooldown_h) * 3600)
    statuses += [house.cycle().status.value for _ in range(CYCLES_ENOUGH)]
    posts = len(house.wire.posts)
    assert house.cycle().status == "within_bands", (why, statuses)
    assert len(house.wire.posts) == posts, why
    must_hold(house, why)
