"""What became of orders whose answer never came: asking, waiting, proving; never sending.

An order is found by its client id, among the open orders, or in the order history. That it never was is concluded
only from four things together: the signed request is dead, two answers after that found nothing, the history since
then was read completely, and the balances are what they were without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from rebalancer.core.model import Order
from rebalancer.core.money import EXACT
from rebalancer.core.orders import Event, IntentState
from rebalancer.errors import MalformedReply, RecordNotFound, Rejected, VenueError
from rebalancer.journal import records
from rebalancer.journal.fold import IntentRecord, balance_changes
from rebalancer.service.settle import mismatch, poll_once, quarantine
from rebalancer.service.shell import Progress, Shell, Step

SCAN_BEFORE = timedelta(seconds=120)
SCAN_WINDOW = timedelta(hours=48)  # HTX's widest
SCAN_LIFE = timedelta(days=179)  # HTX refuses to search further back than 180 days
APART = timedelta(seconds=30)
AFTER_DEADLINE_S = 30.0
POLLS_S = (5.0, 10.0, 20.0, 40.0)
POLL_LATER_S = 60.0
ASKED_ABOUT = frozenset({IntentState.ACKED, IntentState.UNKNOWN})
UNANSWERED_MAX = timedelta(hours=6)  # longer than a maintenance; then only the owner can look


def resolve(shell: Shell, settle_s: float) -> int:
    """Resolve what is open, waiting up to `settle_s`; return how many intents still are."""
    until_s = shell.clock.monotonic_s() + settle_s
    attempt = 0
    while True:
        left = resolve_once(shell)
        now_s = shell.clock.monotonic_s()
        if not left or now_s >= until_s or shell.stop_requested():
            return left
        if all(record.state is IntentState.QUARANTINED for record in shell.journal.state.unresolved):
            return left
        shell.clock.sleep(min(next_poll_s(shell, attempt), until_s - now_s))
        attempt += 1


def next_poll_s(shell: Shell, attempt: int) -> float:
    """Return when to ask again: soon at first, then every minute, and always at a deadline and 30 s after it."""
    pause_s = POLLS_S[attempt] if attempt < len(POLLS_S) else POLL_LATER_S
    now = shell.venue.server_now()
    for record in shell.journal.state.unresolved:
        if record.state is IntentState.UNKNOWN and record.deadline is not None:
            for moment_s in (0.0, AFTER_DEADLINE_S):
                ahead_s = (record.deadline - now).total_seconds() + moment_s + 0.5
                if 0 < ahead_s < pause_s:
                    pause_s = ahead_s
    return pause_s


def resolve_once(shell: Shell) -> int:
    """Ask once about every open intent; return how many are still open. A failed query is not an answer."""
    for record in shell.journal.state.unresolved:
        try:
            if record.state is IntentState.ACKED:
                poll_once(shell, record.key)
            elif record.state is IntentState.UNKNOWN:
                _look_for(shell, record)
            _answered(shell, record)
        except VenueError as exc:
            shell.say(Progress(Step.WARNING, f"cannot ask about {record.client_order_id} now: {exc}", record.symbol))
            if isinstance(exc, (Rejected, MalformedReply)):
                _unanswered(shell, record, exc)
    return len(shell.journal.state.unresolved)


def _unanswered(shell: Shell, record: IntentRecord, error: VenueError) -> None:
    """Note that the exchange answers, with nothing of use; what it did not answer for hours goes to the owner."""
    try:
        at = shell.venue.fetch_server_time()
    except VenueError:  # it says nothing of use about anything: that passes
        return
    record = shell.journal.state.intents[record.key]
    if record.unanswered_since is None:
        facts = {"text": str(error)}
        shell.journal.append(records.evidence(record.run_id, record.intent_seq, records.REFUSED, facts, at))
    elif at - record.unanswered_since > UNANSWERED_MAX:
        quarantine(shell, record, f"no question about it is answered since {record.unanswered_since}: {error}")


def _answered(shell: Shell, record: IntentRecord) -> None:
    record = shell.journal.state.intents[record.key]
    if record.unanswered_since is not None and record.state in ASKED_ABOUT:
        now = shell.venue.server_now()
        shell.journal.append(records.evidence(record.run_id, record.intent_seq, records.ANSWERED, {}, now))


def _look_for(shell: Shell, record: IntentRecord) -> None:
    # The proof goes by exchange time: measured now, for our clock may have been set since, or is new to this process.
    asked_at = shell.venue.fetch_server_time()
    assert record.signed_at is not None
    if asked_at - record.signed_at > SCAN_LIFE:
        quarantine(shell, record, "older than anything the exchange still remembers")
        return
    found = _by_client_id(shell, record)
    try:
        scanned = _scan(shell, record)
    except Rejected:  # as of a pair that is not listed any more
        if found is None:
            raise
        scanned = ()
    ours = _of_one_id(record, scanned if found is None else [found, *scanned])
    if _halted_by_twins(shell, record, ours):
        return
    if ours:
        _found(shell, record, ours[0])
    else:
        _not_found(shell, record, asked_at, scanned)


def look_for_twins(shell: Shell, record: IntentRecord) -> bool:
    """Return whether more orders than one carry a sent intent's id; it is quarantined then, and trading halts."""
    return _halted_by_twins(shell, record, _of_one_id(record, _scan(shell, record)))


def _of_one_id(record: IntentRecord, orders: Sequence[Order]) -> list[Order]:
    ours = {order.venue_order_id: order for order in orders if order.client_order_id == record.client_order_id}
    return list(ours.values())


def _halted_by_twins(shell: Shell, record: IntentRecord, ours: Sequence[Order]) -> bool:
    """Stop over two orders of one intent. A look-up by client id alone shows the latest of them only."""
    if len(ours) < 2:  # noqa: PLR2004  # two are one too many
        return False
    text = f"{len(ours)} orders carry the id {record.client_order_id} of one intent"
    quarantine(shell, record, text)
    shell.journal.append(records.halt("duplicate_order", text, run_id=record.run_id))
    return True


def _by_client_id(shell: Shell, record: IntentRecord) -> Order | None:
    try:
        return shell.venue.fetch_order_by_client_id(record.client_order_id)
    except RecordNotFound:
        return None


def _scan(shell: Shell, record: IntentRecord) -> Sequence[Order]:
    """Return every order of the symbol since just before signing: the open ones and the whole history, all pages."""
    assert record.signed_at is not None
    orders = {o.venue_order_id: o for o in shell.venue.fetch_open_orders(shell.account_id, record.symbol)}
    start = record.signed_at - SCAN_BEFORE
    # Beyond 48 hours only the window in which the order can have been made is of interest.
    end = None if shell.venue.server_now() - start <= SCAN_WINDOW else start + SCAN_WINDOW
    for order in shell.venue.search_orders(record.symbol, start, end):
        orders[order.venue_order_id] = order
    return [order for order in orders.values() if order.created_at >= start]


def _found(shell: Shell, record: IntentRecord, order: Order) -> None:
    wrong = mismatch(record, order, shell.account_id)
    if wrong:
        quarantine(shell, record, f"an order with our id is not the one we sent: {wrong}")
        return
    shell.journal.append(
        records.outcome(
            record.run_id,
            record.intent_seq,
            Event.FIND,
            venue_order_id=order.venue_order_id,
            text="found",
            t_exch=shell.venue.server_now(),
        )
    )
    shell.say(Progress(Step.RESOLVED, f"found as order {order.venue_order_id}", record.symbol, record.side))
    poll_once(shell, record.key)


def _not_found(shell: Shell, record: IntentRecord, asked_at: datetime, scanned: Sequence[Order]) -> None:
    """Write down that nothing was found, and conclude absence when the proof is complete."""
    assert record.signed_at is not None and record.deadline is not None
    facts = {"scanned": len(scanned), "since": record.signed_at - SCAN_BEFORE}
    shell.journal.append(records.evidence(record.run_id, record.intent_seq, records.NOT_FOUND, facts, asked_at))
    record = shell.journal.state.intents[record.key]
    times = record.not_found_at
    if len(times) < 2 or times[-1] - times[0] < APART:  # noqa: PLR2004  # two answers
        return
    strange = _looks_like_ours(shell, record, scanned)
    if strange is not None:
        quarantine(shell, record, f"order {strange.venue_order_id} has our side and amount but not our id")
        return
    differing = _balances_differ(shell, record)
    if differing:
        quarantine(shell, record, f"no order was found, but the balances moved: {differing}")
        return
    text = "proven absent: the request is dead, two look-ups and the history found nothing, the balances are unmoved"
    shell.journal.append(
        records.outcome(record.run_id, record.intent_seq, Event.PROVE_ABSENT, text=text, t_exch=asked_at)
    )
    shell.say(Progress(Step.RESOLVED, "proven never to have become an order", record.symbol, record.side))


def _looks_like_ours(shell: Shell, record: IntentRecord, scanned: Sequence[Order]) -> Order | None:
    """Return an order that might be ours under another id: same side and amount, and no intent of ours."""
    known = {each.client_order_id for each in shell.journal.state.intents.values()}
    return next(
        (
            order
            for order in scanned
            if order.client_order_id not in known
            and (order.side, order.kind, order.requested) == (record.side, record.order_type, record.sent_amount)
        ),
        None,
    )


def _balances_differ(shell: Shell, record: IntentRecord) -> str:
    """Return how balances differ from those before sending plus what our later fills did, or an empty text."""
    balances = shell.venue.fetch_balances(shell.account_id)
    expected = dict(record.balances_before)
    for other in shell.journal.state.intents.values():
        if other.signed_at is not None and record.signed_at is not None and other.signed_at > record.signed_at:
            for asset, change in balance_changes(other).items():
                if asset in expected:
                    expected[asset] = EXACT.add(expected[asset], change)
    off = [asset for asset, held in expected.items() if asset not in balances or balances[asset].total != held]
    return ", ".join(
        f"{a} {balances[a].total if a in balances else 'has no row'} instead of {expected[a]}" for a in off
    )
