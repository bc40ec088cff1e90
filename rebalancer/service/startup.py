"""The only recovery path; a clean start uses it too. After it, what is open is known to be open."""

from __future__ import annotations

from rebalancer.core.orders import Event, IntentState
from rebalancer.journal import records
from rebalancer.service.execute import close_plan
from rebalancer.service.reconcile import resolve_once
from rebalancer.service.shell import Progress, Shell, Step
from rebalancer.service.strangers import look_for_strangers


def recover(shell: Shell) -> int:
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
    look_for_strangers(shell)
    if left:
        shell.say(Progress(Step.RECOVERED, f"{left} order(s) still unresolved from before"))
    return left
