"""`rebalancer history`: what was."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import click

from rebalancer.cli.context import journal_to_read, load_settings
from rebalancer.journal.queries import RunView, recent_runs
from rebalancer.service.clock import SystemClock

COLUMNS = (
    "run_id", "started_at", "mode", "intent_seq", "symbol", "side", "amount", "state", "filled_quantity",
    "filled_quote", "fees", "client_order_id", "venue_order_id",
)  # fmt: skip


@click.command()
@click.argument("count", type=click.IntRange(1, 100_000), default=20)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--csv", "as_csv", is_flag=True, help="A line an order.")
def command(*, count: int, as_json: bool, as_csv: bool) -> None:
    """Show the last COUNT runs (20), newest first, with their orders."""
    settings = load_settings()
    with journal_to_read(settings.paths.journal(settings.venue_kind), SystemClock()) as journal:
        runs = recent_runs(journal, count)
    if as_json:
        document = {"schema": "rebalancer.history/1", "runs": [run.document() for run in runs]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif as_csv:
        click.echo(_csv(runs), nl=False)
    else:
        click.echo("\n".join(_lines(runs)) or "no run yet; `rebalancer run` makes the first")


def _lines(runs: list[RunView]) -> list[str]:
    lines = []
    for run in runs:
        worth = f"{Decimal(run.nav_quote):,.2f}" if run.nav_quote else "-"
        lines.append(f"{run.started_at[:16]}  {run.mode:<8}{run.status:<16}{worth:>14}  {run.run_id}")
        if run.text:
            lines.append(f"    {run.text}")
        for order in run.orders:
            lines.append(
                f"    {order['side']:<4} {order['symbol']:<10} {order['amount']:<14} {order['state']:<10}"
                f" {order['filled_quantity']} for {order['filled_quote']}"
            )
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
