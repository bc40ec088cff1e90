"""`rebalancer history`: what was."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.context import journal_to_read, load_settings, note
from rebalancer.cli.plan import write_report
from rebalancer.cli.progress import progress_bar
from rebalancer.cli.tax import TAX, tax_table
from rebalancer.cli.terminal import document_text, heading, lines_of
from rebalancer.journal.queries import RunView, begun_between, run_view
from rebalancer.journal.rows import Kind
from rebalancer.report.words import amount, money
from rebalancer.service.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.journal.store import Journal
    from rebalancer.settings import Settings

COLUMNS = (
    "run_id", "started_at", "mode", "intent_seq", "symbol", "side", "amount", "state", "filled_quantity",
    "filled_quote", "fees", "client_order_id", "venue_order_id",
)  # fmt: skip
ORDERS = "orders"
RUNS, RUNS_MAX = 20, 100_000
Period = tuple[datetime | None, datetime | None]
EPILOG = """\b
Examples:
  rebalancer history 5
  rebalancer history 1000 --csv > orders.csv
  rebalancer history --csv koinly --from 2025-01-01 --to 2025-12-31 --output 2025.csv
"""


@click.command(epilog=EPILOG)
@click.argument("count", type=click.IntRange(1, RUNS_MAX), required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--csv", "table", type=click.Choice((ORDERS, *TAX)), is_flag=False, flag_value=ORDERS,
              help="A line an order, or every trade as a tax program imports it.")  # fmt: skip
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="First day, UTC.")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Last day, UTC, itself included.")
@click.option("--account-currency", metavar="CODE",
              help="Of your CoinTracking account: fills its two value columns.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead of stdout.")
def command(
    *,
    count: int | None,
    as_json: bool,
    table: str | None,
    first: datetime | None,
    last: datetime | None,
    account_currency: str | None,
    output: Path | None,
) -> None:
    """Show the last COUNT runs (20), or those of some days, newest first, with their orders.

    The tables for tax programs hold trades only: deposits, withdrawals and trades by hand come from the exchange.
    Their moments are UTC, and the value is what was known when each trade was decided. CoinTracking's value columns
    count your account's currency there, so they stay empty unless you name it and it is that of the quote coin.
    """
    period = _period(first, last)
    _require_fitting(count, table, account_currency, as_json=as_json)
    settings = load_settings()
    with journal_to_read(settings.paths.journal(settings.venue_kind), SystemClock()) as journal:
        if table in TAX:
            shown = tax_table(settings, journal, table, period, account_currency)
        else:
            shown = _told(settings, _runs(journal, period, count), _quote(journal), table, as_json=as_json)
    if output is None:
        click.echo(shown, nl=False)
    else:
        write_report(output, shown)
        note(f"{heading(settings.mode, settings.venue_kind)}: the history is in {output}")


def _period(first: datetime | None, last: datetime | None) -> Period:
    """Return from when to before when, in UTC."""
    if first is not None and last is not None and last < first:
        raise click.UsageError(f"--to {last:%Y-%m-%d} is before --from {first:%Y-%m-%d}")
    until = None if last is None else last.replace(tzinfo=UTC) + timedelta(days=1)
    return None if first is None else first.replace(tzinfo=UTC), until


def _require_fitting(count: int | None, table: str | None, account_currency: str | None, *, as_json: bool) -> None:
    if as_json and table is not None:
        raise click.UsageError("--json and --csv are two forms; ask for one")
    if count is not None and table in TAX:
        raise click.UsageError(f"COUNT counts runs; a table for {table} takes --from and --to")
    if account_currency is not None and table != TAX[0]:
        raise click.UsageError(f"--account-currency is for --csv {TAX[0]}")


def _runs(journal: Journal, period: Period, count: int | None) -> list[RunView]:
    """Return the newest runs, or those of a period, newest first."""
    begun = begun_between(journal, *period)[:count] if any(period) else journal.newest(Kind.RUN, count or RUNS)
    with progress_bar("reading runs", len(begun)) as progress:
        runs = []
        for number, row in enumerate(begun, start=1):
            runs.append(run_view(journal, row))
            progress(number)
        return runs


def _quote(journal: Journal) -> str:
    return journal.state.binding.quote if journal.state.binding else ""


def _told(settings: Settings, runs: list[RunView], quote: str, table: str | None, *, as_json: bool) -> str:
    if as_json:
        where = {"mode": settings.mode, "venue": settings.venue_kind}
        document = {"schema": "rebalancer.history/1", **where, "runs": [run.document() for run in runs]}
        return document_text(document)
    if table is not None:
        return _csv(runs)
    lines = _lines(runs, quote) or ["no run yet; `rebalancer run` makes the first"]
    return "\n".join([heading(settings.mode, settings.venue_kind), *lines]) + "\n"


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
