"""`rebalancer export`: the journal as CSV tables, in a folder or in one zip."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path

import click

from rebalancer.cli.bundle import OWNER_ONLY, write_private
from rebalancer.cli.context import journal_to_read, load_settings
from rebalancer.cli.progress import progress_bar
from rebalancer.cli.terminal import echo_document, heading
from rebalancer.durable import write_durably
from rebalancer.errors import ConfigError
from rebalancer.service.clock import SystemClock


@click.command(epilog="\b\nExamples:\n  rebalancer export tables\n  rebalancer export 2026.zip --json")
@click.argument("place", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(*, place: Path, as_json: bool) -> None:
    """Write runs, orders, fills and nav as CSV into the folder PLACE, or into one zip where it ends in .zip.

    Amounts have all their digits, moments are UTC. Older files of these names are replaced; only you can read them.
    """
    from rebalancer.journal.tables import TABLES, read_tables  # noqa: PLC0415

    settings = load_settings()
    with (
        journal_to_read(settings.paths.journal(settings.venue_kind), SystemClock()) as journal,
        progress_bar("reading the journal", journal.last_seq) as progress,
    ):
        tables = read_tables(journal, progress)
    texts = {f"{name}.csv": _csv(columns, tables[name]) for name, columns in TABLES.items()}
    if place.suffix.lower() == ".zip":
        write_private(place, texts)
    else:
        _write_folder(place, texts)
    counts = {name: len(rows) for name, rows in tables.items()}
    if as_json:
        document = {"schema": "rebalancer.export/1", "path": str(place), "rows": counts}
        echo_document(document)
        return
    click.echo(f"{heading(settings.mode, settings.venue_kind)}\n{place} holds")
    for name, count in counts.items():
        click.echo(f"  {name + '.csv':<12} {count:>9,} rows")


def _csv(columns: tuple[str, ...], rows: Iterable[dict[str, str]]) -> str:
    from rebalancer.report.tables import field_text  # noqa: PLC0415

    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, "text": field_text(row["text"])} if "text" in row else row)
    return out.getvalue()


def _write_folder(folder: Path, texts: dict[str, str]) -> None:
    """Write files that only their owner can read; ConfigError where that fails."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in texts.items():
            write_durably(folder / name, text.encode(), OWNER_ONLY)
    except OSError as exc:
        raise ConfigError(f"{folder}: cannot be written: {os.strerror(exc.errno or 0)}; name another place") from None
