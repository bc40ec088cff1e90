"""What must hold afterwards, seen from outside: the exchange's orders against the rows of the journal."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from rebalancer.core.ids import PREFIX
from rebalancer.core.orders import IntentState
from rebalancer.journal.fold import IntentRecord, balance_changes
from rebalancer.journal.store import Journal
from rebalancer.simulator.state import SimOrder
from tests.kills.world import BALANCES, World, copied_journal

TRADED = {IntentState.FILLED: "filled", IntentState.PARTIAL: "partial-canceled", IntentState.CANCELED: "canceled"}
NEVER_WAS = {IntentState.ABSENT, IntentState.ABANDONED, IntentState.DENIED, IntentState.REJECTED}
UNFINISHED = {IntentState.PLANNED, IntentState.SENDING}


def complaints_at_the_end(world: World) -> list[str]:
    """Return whatever is wrong once everything has settled."""
    with copied_journal(world.journal_path) as journal:
        if journal is None:
            return ["there is no journal"]
        rows = journal.verify()
        found = [
            *_orders(world, journal),
            *_intents(world, journal),
            *_durable(world, journal),
            *_balances(world, journal),
        ]
        state = journal.state
        if state.halts:
            found.append(f"halted: {[halt.text for halt in state.halts.values()]}")
        if state.open_plan or state.open_run:
            found.append(f"left open: plan {state.open_plan!r}, run {state.open_run!r}")
        if rows != journal.last_seq:
            found.append(f"{rows} rows verify of {journal.last_seq}")
    return found


def complaints_after_a_stop(world: World) -> list[str]:
    """Return what a process that was asked to stop, and ended by itself, left undone or did too much."""
    found = [f"sent after the signal: {name}" for name in world.placed_after_the_signal()]
    with copied_journal(world.journal_path) as journal:
        if journal is None:
            return [*found, "there is no journal"]
        state = journal.state
        if state.open_plan or state.open_run:
            found.append(f"left open by the stop: plan {state.open_plan!r}, run {state.open_run!r}")
        unfinished = [record for record in state.intents.values() if record.state in UNFINISHED]
        found += [f"intent {record.key} was left {record.state}" for record in unfinished]
        found += _durable(world, journal)
    return found


def unresolved(world: World) -> int:
    """Return how many intents are open on disk now."""
    with copied_journal(world.journal_path) as journal:
        return 0 if journal is None else len(journal.state.unresolved)


def _orders(world: World, journal: Journal) -> list[str]:
    """Say which orders, or place calls, are one too many, or of no intent of ours."""
    known = {record.client_order_id for record in journal.state.intents.values()}
    ids = Counter(order.client_order_id for order in world.exchange.state.orders.values())
    found = [f"{count} orders of one intent: {name}" for name, count in ids.items() if count > 1]
    found += [f"{count} place calls of one intent: {n}" for n, count in world.exchange.arrived.items() if count > 1]
    found += [f"order without an intent: {name}" for name in ids if name not in known or not name.startswith(PREFIX)]
    return found + [f"place call before its SENDING row: {name}" for name in world.exchange.unwritten]


def _intents(world: World, journal: Journal) -> list[str]:
    """Say which intent is not at its end, or believes something else than the exchange knows."""
    orders = {order.client_order_id: order for order in world.exchange.state.orders.values()}
    found = []
    for record in journal.state.intents.values():
        wrong = _untrue(record, orders.get(record.client_order_id))
        if wrong:
            found.append(f"intent {record.key} is {record.state}, but {wrong}")
    return found


def _untrue(record: IntentRecord, order: SimOrder | None) -> str:
    if record.state in NEVER_WAS:
        return "" if order is None else f"order {order.order_id} exists"
    if record.state not in TRADED:
        return "that is no end"
    if order is None:
        return "there is no such order"
    believed = (TRADED[record.state], record.venue_order_id, record.filled_quantity, record.filled_quote)
    true = (order.state, str(order.order_id), order.filled, order.cash)
    if believed != true:
        return f"{believed} is believed where {true} is true"
    paid = sum(record.fees.values(), Decimal(0))
    return "" if paid == order.fees else f"fees of {paid} are believed where {order.fees} are true"


def _durable(world: World, journal: Journal) -> list[str]:
    """Say which rows are gone whose append had returned to a process that has died since."""
    there = {row.seq: row.hash for row in journal.rows()}
    told = [(seq, digest) for rows in world.notes("durable") for seq, digest in rows]
    return [f"row {seq} was durable and is gone" for seq, digest in told if there.get(seq) != digest]


def _balances(world: World, journal: Journal) -> list[str]:
    """Say which coins of the account the journal's fills do not explain, to the last digit."""
    booked = dict(BALANCES)
    for record in journal.state.intents.values():
        for asset, change in balance_changes(record).items():
            booked[asset] += change
    held = {asset: world.user.wallet(asset.lower()) for asset in booked}
    return [
        f"{asset}: {held[asset].trade + held[asset].frozen} is held, the journal says {amount}"
        for asset, amount in booked.items()
        if held[asset].trade + held[asset].frozen != amount
    ]
