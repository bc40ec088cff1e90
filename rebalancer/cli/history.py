"""`rebalancer history`: what was."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import click

from rebalancer.cli.context import journal_to_read, load_settings
from rebalancer.cli.terminal import echo_document, heading, lines_of
from rebalancer.journal.queries import RunView, recent_runs
from rebalancer.report.words import amount, money
from rebalancer.service.clock import SystemClock

COLUMNS = (
    "run_id", "started_at", "mode", "intent_seq", "symbol", "side", "amount", "state", "filled_quantity",
    "filled_quote", "fees", "client_order_id", "venue_order_id",
)  # fmt: skip


@click.command(epilog="\b\nExamples:\n  rebalancer history 5\n  rebalancer history 1000 --csv > orders.csv")
@click.argument("count", type=click.IntRange(1, 100_000), default=20)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--csv", "as_csv", is_flag=True, help="A line an order.")
def command(*, count: int, as_json: bool, as_csv: bool) -> None:
    """Show the last COUNT runs (20), newest first, with their orders."""
    settings = load_settings()
    with journal_to_read(settings.paths.journal(settings.venue_kind), SystemClock()) as journal:
        runs = recent_runs(journal, count)
        quote = journal.state.binding.quote if journal.state.binding else ""
    if as_json:
        where = {"mode": settings.mode, "venue": settings.venue_kind}
        echo_document({"schema": "rebalancer.history/1", **where, "runs": [run.document() for run in runs]})
    elif as_csv:
        click.echo(_csv(runs), nl=False)
    else:
        click.echo(heading(settings.mode, settings.venue_kind))
        click.echo("\n".join(_lines(runs, quote)) or "no run yet; `rebalancer run` makes the first")


def _lines(runs: list[RunView], quote: str) -> list[str]:
    lines = []
    for run in runs:
        # The run's name begins with what started it and the minute of its slot.
        worth = f"{money(Decimal(run.nav_quote))} {quote}" if run.nav_quote else "-"
        lines.append(f"{run.run_id:<27} {run.mode:<8} {run.status.replace('_', ' '):<15} {worth:>20}".rstrip())
        if run.text:
            lines += lines_of(run.text, first="    ", later="    ")
        for order in run.orders:
            lines += _order_lines(order, quote)
    return lines


def _order_lines(order: dict[str, Any], quote: str) -> list[str]:
    """Return what became of an order; one that traded nothing with what was asked for, and why."""
    filled, ended = Decimal(order["filled_quantity"]), order["state"].replace("_", " ")
    cash = Decimal(order["filled_quote"])
    paid = f"{money(cash) if order['quote'] == quote else amount(cash)} {order['quote']}"
    did = f"{amount(filled)} for {paid}" if filled else f"of {order['amount']}"
    lines = [f"    {order['side']:<4} {order['symbol']:<10} {ended} {did}".rstrip()]
    if order["text"] and ended != "filled":
        lines += lines_of(order["text"], first=" " * 9, later=" " * 9)
    return lines


def _csv(runs: list[RunView]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in runs:
        for order in run.orders:
            fees = " ".join(f"{paid} {asset}" for asset, paid in order["fees"].items())
            row = {**order, "run_id": run.run_id, "started_at": run.started_at, "mode": run.mode, "fees": fees}
            writer.writerow([row[column] for column in COLUMNS])
    return out.getvalue()
