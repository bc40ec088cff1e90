"""The only recovery path; a clean start uses it too. After it, what is open is known to be open."""

from __future__ import annotations

from datetime import timedelta

from rebalancer.core.ids import PREFIX
from rebalancer.core.model import Order
from rebalancer.core.orders import Event, IntentState
from rebalancer.core.targets import Targets
from rebalancer.journal import records
from rebalancer.service.execute import close_plan
from rebalancer.service.reconcile import resolve_once
from rebalancer.service.shell import Progress, Shell, Step

FOREIGN_SCAN = timedelta(hours=47)  # inside HTX's 48 h, whatever the clocks say


def recover(shell: Shell, targets: Targets) -> int:
    """Close what a stop or a crash left open, ask about open orders once, look for orders that we do not know.

    Returns how many intents are still unresolved.
    """
    journal = shell.journal
    for record in journal.state.unresolved:
        if record.state is IntentState.SENDING:
            # It may have left and it may not have; from here it is an unknown like any other.
            text = "the process ended while this was being sent"
            journal.append(records.outcome(record.run_id, record.intent_seq, Event.LOSE_SIGHT, text=text))
    if journal.state.open_plan:
        close_plan(shell, journal.state.open_plan, "the process ended before the plan did")
    if journal.state.open_run:
        journal.append(records.run_closed(journal.state.open_run, status="interrupted", text="the process ended"))
    if not shell.live:
        return len(journal.state.unresolved)
    left = resolve_once(shell)
    _look_for_strangers(shell, targets)
    if left:
        shell.say(Progress(Step.RECOVERED, f"{left} order(s) still unresolved from before"))
    return left


def _look_for_strangers(shell: Shell, targets: Targets) -> None:
    """Halt on an order with our prefix that no intent of this journal explains: a clone, or an older journal."""
    known = {record.client_order_id for record in shell.journal.state.intents.values()}
    acknowledged = {halt.text for halt in shell.journal.state.halts.values()}
    for asset in targets.assets:
        if asset == targets.quote:
            continue
        for order in _recent(shell, shell.venue.symbol_of(asset, targets.quote)):
            if order.client_order_id.startswith(PREFIX) and order.client_order_id not in known:
                text = f"order {order.venue_order_id} carries our prefix, but this journal does not know it"
                if text not in acknowledged and not _answered(shell, text):
                    shell.journal.append(records.halt("foreign_order", text))
                    shell.say(Progress(Step.HALTED, text, order.symbol, order.side))


def _recent(shell: Shell, symbol: str) -> list[Order]:
    now = shell.venue.server_now()
    open_now = shell.venue.fetch_open_orders(shell.account_id, symbol)
    return [*open_now, *shell.venue.search_orders(symbol, now - FOREIGN_SCAN, now)]


def _answered(shell: Shell, text: str) -> bool:
    """Return whether the owner already answered a halt of this text."""
    return text in shell.journal.state.answered_halts
