"""From an order id to a final state with its fills and fees: polling, never sending."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from rebalancer.core.model import Fill, Order, OrderState
from rebalancer.core.money import EXACT, ZERO, total
from rebalancer.core.orders import Event
from rebalancer.errors import RecordNotFound, VenueError
from rebalancer.journal.fold import IntentRecord, Key
from rebalancer.journal.records import outcome
from rebalancer.service.shell import Progress, Shell, Step

POLLS_S = (0.2, 0.3, 0.5, 1.0, 2.0, 2.0, 4.0, 5.0, 5.0, 10.0)
POLL_AGAIN_S = 0.2  # where the pauses above were cut short
MISSING_MAX = timedelta(minutes=30)  # an accepted order that stays invisible longer goes to the owner
# HTX API reference, 6.13: for a moment a freshly cancelled order may show less than it filled, its match results too.
FIGURES_LATE = timedelta(seconds=5)
CREATED_EARLY = timedelta(seconds=120)  # clocks differ
CREATED_LATE = timedelta(seconds=420)  # the signed request is dead by then
_EVENTS = {OrderState.FILLED: Event.FILL, OrderState.PARTIAL: Event.PART, OrderState.CANCELED: Event.CANCEL}


@dataclass(frozen=True, slots=True)
class Settled:
    """An order's end: what it traded, and the fees by the asset that paid them."""

    order: Order
    fills: tuple[Fill, ...]
    fees: Mapping[str, Decimal]


def settle(shell: Shell, key: Key, *, polls_s: Sequence[float] = POLLS_S) -> bool:
    """Poll an ACKED intent until it is terminal, or the time of the polls is over; return whether it is settled.

    A failed query is not an answer: the intent stays ACKED and blocks the next plan. Whoever is told to stop sleeps no
    more, but the order under way has its time all the same.
    """
    until_s = shell.clock.monotonic_s() + sum(polls_s)
    for pause_s in itertools.chain((0.0,), polls_s, itertools.repeat(POLL_AGAIN_S)):
        if pause_s:
            shell.clock.sleep(pause_s)
        try:
            if poll_once(shell, key):
                return True
        except VenueError as exc:
            shell.say(Progress(Step.WARNING, f"order {key}: cannot be read now: {exc}"))
        if shell.clock.monotonic_s() >= until_s:
            break
    return False


def poll_once(shell: Shell, key: Key) -> bool:
    """Look at an ACKED order once and record its end if it has one; return whether it is settled or quarantined."""
    record = shell.journal.state.intents[key]
    try:
        order = shell.venue.fetch_order(record.venue_order_id)
    except RecordNotFound:
        return _missing(shell, record)
    wrong = mismatch(record, order, shell.account_id)
    if wrong:
        return quarantine(shell, record, f"order {order.venue_order_id} is not the one we sent: {wrong}")
    if order.state is OrderState.UNRECOGNISED:
        return quarantine(shell, record, f"order {order.venue_order_id} is in a state we do not know")
    if order.state is OrderState.OPEN:
        return False
    if order.state is not OrderState.FILLED and shell.venue.server_now() - order.created_at < FIGURES_LATE:
        return False
    if (order.state is OrderState.CANCELED) == (order.filled_quantity > ZERO):  # they may be late, too
        text = f"order {order.venue_order_id} is {order.state_text} with {order.filled_quantity} filled"
        return _missing(shell, record, f"{text}, which contradicts itself")
    settled = _with_fills(shell, order)
    if settled is None:
        return _missing(shell, record)
    _record_end(shell, record, settled)
    return True


def _with_fills(shell: Shell, order: Order) -> Settled | None:
    """Return the order with its match results, or None while they are not complete and final."""
    try:
        fills = tuple(shell.venue.fetch_fills(order.venue_order_id))
    except RecordNotFound:  # what HTX says of an order that has none, or none yet, where an empty list would do
        fills = ()
    if total(fill.quantity for fill in fills) != order.filled_quantity or not all(f.settled for f in fills):
        return None
    return Settled(order, fills, fees_of(fills))


def fees_of(fills: Sequence[Fill]) -> dict[str, Decimal]:
    """Return what the fills really cost, by asset, deductions in other coins included."""
    fees: dict[str, Decimal] = {}
    for fill in fills:
        for asset, paid in ((fill.fee_asset, fill.fee), (fill.deducted_asset, fill.deducted)):
            if asset and paid:
                fees[asset] = EXACT.add(fees.get(asset, ZERO), paid)
    return fees


def _record_end(shell: Shell, record: IntentRecord, settled: Settled) -> None:
    order = settled.order
    shell.journal.append(
        outcome(
            record.run_id,
            record.intent_seq,
            _EVENTS[order.state],
            order=order,
            fees=settled.fees,
            fills=settled.fills,
            t_exch=shell.venue.server_now(),
        )
    )
    text = f"{order.state_text}: {order.filled_quantity} for {order.filled_quote}"
    shell.say(Progress(Step.SETTLED, text, record.symbol, record.side))


def _missing(shell: Shell, record: IntentRecord, text: str = "") -> bool:
    """Return False while an accepted order may still appear as it is; quarantine it when it never did."""
    assert record.signed_at is not None
    if shell.venue.server_now() - record.signed_at <= MISSING_MAX:
        return False
    lost = f"order {record.venue_order_id} was accepted and cannot be found, or its fills"
    return quarantine(shell, record, text or lost)


def quarantine(shell: Shell, record: IntentRecord, text: str) -> bool:
    """Hand an intent to the owner and stop trading until the answer."""
    shell.journal.append(
        outcome(
            record.run_id, record.intent_seq, Event.QUARANTINE, text=text, t_exch=shell.venue.server_now()
        )
    )  # fmt: skip
    shell.say(Progress(Step.HALTED, text, record.symbol, record.side))
    return True


def mismatch(record: IntentRecord, order: Order, account_id: str) -> str:
    """Return how an order differs from what was sent, or an empty text."""
    assert record.signed_at is not None
    wanted = {
        "account": (order.account_id, account_id),
        "client id": (order.client_order_id, record.client_order_id),
        "symbol": (order.symbol, record.symbol),
        "side": (order.side, record.side),
        "kind": (order.kind, record.order_type),
        "amount": (order.requested, record.sent_amount),
        "price": (order.price, record.price),
    }
    for name, (found, sent) in wanted.items():
        if found != sent:
            return f"its {name} is {found}, we sent {sent}"
    if not record.signed_at - CREATED_EARLY <= order.created_at <= record.signed_at + CREATED_LATE:
        return f"it was created at {order.created_at}, we signed at {record.signed_at}"
    return ""
