"""`rebalancer status`: what is. Takes no lock, asks nobody, writes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.context import journal_to_read, load_settings
from rebalancer.core.canonical import moment_text
from rebalancer.service.clock import SystemClock
from rebalancer.service.pause import PauseSwitch

if TYPE_CHECKING:
    from rebalancer.journal.store import Journal
    from rebalancer.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--paths", is_flag=True, help="Only print where things lie.")
def command(*, as_json: bool, paths: bool) -> None:
    """Show mode, venue, last run, open questions and pause."""
    settings = load_settings()
    if paths:
        where = _paths(settings)
        click.echo(json.dumps(where) if as_json else "\n".join(f"{name:<8} {path}" for name, path in where.items()))
        return
    clock = SystemClock()
    with journal_to_read(settings.paths.journal(settings.venue_kind), clock) as journal:
        document = status_document(settings, journal, clock)
    click.echo(json.dumps(document, indent=2, ensure_ascii=False) if as_json else _text(document), nl=as_json)


def _paths(settings: Settings) -> dict[str, str]:
    paths = settings.paths
    return {
        "state": str(paths.state),
        "targets": str(paths.targets),
        "journal": str(paths.journal(settings.venue_kind)),
        "lock": str(paths.lock),
        "pause": str(paths.pause),
    }


def status_document(settings: Settings, journal: Journal, clock: SystemClock) -> dict[str, Any]:
    """Return `rebalancer.status/1`."""
    from rebalancer.journal.queries import recent_runs  # noqa: PLC0415

    switch, state = PauseSwitch(settings.paths.pause), journal.state
    runs = recent_runs(journal, 1)
    usage = state.usage(clock.now(), "")
    binding = state.binding
    return {
        "schema": "rebalancer.status/1",
        "mode": settings.mode,
        "venue": settings.venue_kind,
        "account_id": binding.account_id if binding else None,
        "at": moment_text(clock.now()),
        "paused": switch.reason() or "yes" if switch.active() else None,
        "halts": [
            {"id": halt.seq, "code": halt.code, "text": halt.text, "since": halt.since}
            for halt in state.halts.values()
        ],
        "unresolved": [
            {"id": f"{r.run_id}/{r.intent_seq}", "symbol": r.symbol, "side": r.side.value, "state": r.state.value,
             "since": r.changed_at, "text": r.text}
            for r in state.unresolved
        ],
        "last_run": runs[0].document() if runs else None,
        "nav_quote": None if state.nav_validated_quote is None else str(state.nav_validated_quote),
        "last_24_h": {
            "orders": usage.orders,
            "notional_quote": str(usage.notional_quote),
            "turnover_quote": str(usage.turnover_quote),
        },
    }  # fmt: skip


def _text(document: dict[str, Any]) -> str:
    lines = [f"{document['mode'].upper()} on {document['venue']}"]
    if document["paused"]:
        lines.append(f"! PAUSED: {document['paused']}; `rebalancer resume` lifts it")
    for halt in document["halts"]:
        lines.append(f"! HALTED since {halt['since']}: {halt['text']}; `rebalancer ack {halt['id']}`")
    for order in document["unresolved"]:
        lines.append(f"! {order['state'].upper()}: {order['side']} {order['symbol']} ({order['id']}) {order['text']}")
    run = document["last_run"]
    if run is None:
        lines.append("no run yet; `rebalancer run` makes the first")
    else:
        lines.append(f"last run  {run['run_id']}: {run['status']} ({run['mode']}), {len(run['orders'])} order(s)")
        if run["text"]:
            lines.append(f"          {run['text']}")
    day = document["last_24_h"]
    lines.append(f"24 hours  {day['orders']} order(s), notional {day['notional_quote']}")
    if not (document["paused"] or document["halts"] or document["unresolved"]):
        lines.append("nothing is open")
    return "\n".join(lines) + "\n"
