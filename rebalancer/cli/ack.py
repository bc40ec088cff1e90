"""`rebalancer ack`: the owner's answer to a halt, or to an order that only the owner can judge."""

from __future__ import annotations

import getpass

import click

from rebalancer.cli.context import load_settings
from rebalancer.core.orders import Event, IntentState
from rebalancer.errors import ConfigError
from rebalancer.journal import records
from rebalancer.journal.store import Journal
from rebalancer.service.clock import SystemClock
from rebalancer.service.lock import hold_lock

OUTCOMES = {"filled": Event.ACK_FILLED, "partial": Event.ACK_PARTIAL, "absent": Event.ACK_ABSENT}


@click.command(
    epilog="\b\nExamples:\n  rebalancer ack 118\n  rebalancer ack manual-20260301T1200Z-a1/2 --outcome absent"
)
@click.argument("what")
@click.option("--outcome", type=click.Choice(list(OUTCOMES)), help="What became of the order.")
@click.option("--reason", default="", help="Kept in the journal: what you looked at.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(*, what: str, outcome: str | None, reason: str, yes: bool) -> None:
    """Answer WHAT: the number of a halt, or RUN/NUMBER of a quarantined order, as `status` shows them."""
    settings = load_settings()
    path = settings.paths.journal(settings.venue_kind)
    if not path.exists():
        raise ConfigError(f"{path}: there is no journal, so nothing waits for an answer")
    who = getpass.getuser()
    with hold_lock(settings.paths.lock), Journal.open(path, SystemClock()) as journal:
        if what.isdecimal():
            _answer_halt(journal, int(what), who, yes=yes)
        else:
            _answer_order(journal, what, outcome, who, reason, yes=yes)


def _answer_halt(journal: Journal, number: int, who: str, *, yes: bool) -> None:
    halt = journal.state.halts.get(number)
    if halt is None:
        known = ", ".join(map(str, journal.state.halts)) or "none"
        raise ConfigError(f"{number} is no open halt; open: {known}")
    click.echo(f"Halt {number} since {halt.since}: {halt.text}")
    if not yes:
        click.confirm("Have you looked into it, and may trading go on?", abort=True)
    journal.append(records.ack_halt(number, who))
    click.echo("Acknowledged; the next cycle plans afresh.")


def _answer_order(journal: Journal, what: str, outcome: str | None, who: str, reason: str, *, yes: bool) -> None:
    run, _, number = what.rpartition("/")
    record = journal.state.intents.get((run, int(number))) if number.isdecimal() else None
    if record is None or record.state is not IntentState.QUARANTINED:
        waiting = [r for r in journal.state.unresolved if r.state is IntentState.QUARANTINED]
        known = ", ".join(f"{r.run_id}/{r.intent_seq}" for r in waiting) or "none"
        raise ConfigError(f"{what} is no order that waits for your answer; waiting: {known}")
    if outcome is None:
        raise click.UsageError(f"say what became of {what}: --outcome {' | '.join(OUTCOMES)}")
    click.echo(f"{record.side} {record.symbol} {record.sent_amount}, {record.client_order_id}: {record.text}")
    if not yes:
        click.confirm(f"Record it as {outcome}?", abort=True)
    event = OUTCOMES[outcome]
    journal.append(records.ack_intent(record.run_id, record.intent_seq, event, who=who, text=reason or outcome))
    click.echo("Recorded; the next cycle plans from the balances.")
