"""Orders in the account that this journal cannot explain: a clone, an older journal, another hand, a broken belief."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from rebalancer.core.ids import PREFIX
from rebalancer.core.model import Order
from rebalancer.core.orders import IntentState
from rebalancer.journal import records
from rebalancer.journal.fold import IntentRecord
from rebalancer.service.settle import quarantine
from rebalancer.service.shell import Progress, Shell, Step

LOOK_BACK = timedelta(hours=47)  # inside HTX's 48 h, whatever the clocks say
DAY = timedelta(hours=24)
BY_HAND_MAX = 3  # orders of another hand within a day before a human is asked
BY_HAND = f"over {BY_HAND_MAX} orders a day were not sent by this service; the newest is "
NEVER_WAS = frozenset({IntentState.ABSENT, IntentState.REJECTED, IntentState.ABANDONED, IntentState.DENIED})


def look_for_strangers(shell: Shell) -> None:
    """Read the recent orders of all symbols, and halt over what cannot be; a failed read raises its VenueError."""
    # Measured now: our clock may have been set since it last was.
    recent = shell.venue.fetch_recent_orders(shell.venue.fetch_server_time() - LOOK_BACK)
    known = {record.client_order_id: record for record in shell.journal.state.intents.values()}
    ours = [order for order in recent if order.client_order_id.startswith(PREFIX)]
    for order in ours:
        record = known.get(order.client_order_id)
        if record is None:
            text = f"order {order.venue_order_id} carries our prefix, but this journal does not know it"
            _halt(shell, "foreign_order", text, order)
        else:
            _compare(shell, record, order, ours)
    _count_other_hands(shell, [order for order in recent if not order.client_order_id.startswith(PREFIX)])


def _compare(shell: Shell, record: IntentRecord, order: Order, ours: Sequence[Order]) -> None:
    """Hold an order against what the journal believes of its intent."""
    twins = {each.venue_order_id for each in ours if each.client_order_id == record.client_order_id}
    if len(twins) > 1:
        contradiction = f"{len(twins)} orders carry the id {record.client_order_id} of one intent"
        code = "duplicate_order"
    elif record.state in NEVER_WAS:
        contradiction = f"order {order.venue_order_id} exists, but its intent was {record.state}"
        code = "contradiction"
    else:
        return
    state = shell.journal.state  # as it is by now: the twin before this one may have been answered for already
    waits = state.intents[record.key].state is IntentState.QUARANTINED
    if contradiction not in state.answered_halts and not waits:
        quarantine(shell, record, contradiction)
    _halt(shell, code, contradiction, order)


def _count_other_hands(shell: Shell, orders: Sequence[Order]) -> None:
    """Leave the owner's own orders alone, but ask when they are more than a hand makes in a day."""
    since = shell.venue.server_now() - DAY
    today = [order for order in orders if order.created_at > since]
    if len(today) > BY_HAND_MAX:
        newest = max(today, key=lambda order: (order.created_at, int(order.venue_order_id)))
        # Named by its newest alone: as the day moves on, what was answered must not come back with another number.
        if not _was_asked_about(shell, newest):
            _halt(shell, "other_hand", f"{BY_HAND}{newest.venue_order_id}", newest)


def _was_asked_about(shell: Shell, newest: Order) -> bool:
    """Return whether the owner was asked when a newer order was there: one that is cancelled leaves the history."""
    state = shell.journal.state
    texts = [*state.answered_halts, *(halt.text for halt in state.halts.values())]
    named = [int(text.removeprefix(BY_HAND)) for text in texts if text.startswith(BY_HAND)]
    return max(named, default=0) >= int(newest.venue_order_id)


def _halt(shell: Shell, code: str, text: str, order: Order) -> None:
    """Stop all trading until the owner answers, once a text: what was answered is not asked again."""
    state = shell.journal.state
    if text in state.answered_halts or text in {halt.text for halt in state.halts.values()}:
        return
    shell.journal.append(records.halt(code, text))
    shell.say(Progress(Step.HALTED, text, order.symbol, order.side))
