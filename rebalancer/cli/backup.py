"""`rebalancer backup`: the journal as one file, copied while the service goes on."""

from __future__ import annotations

import os
from datetime import UTC
from functools import partial
from pathlib import Path

import click

from rebalancer.cli.context import load_settings
from rebalancer.cli.progress import progress_bar
from rebalancer.cli.terminal import echo_document, heading, lines_of
from rebalancer.errors import ConfigError
from rebalancer.service.clock import SystemClock


@click.command(
    epilog="\b\nExamples:\n  rebalancer backup /var/backups/rebalancer\n  rebalancer backup journal-2026.db --json"
)
@click.argument("place", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(*, place: Path, as_json: bool) -> None:
    """Copy the journal to PLACE: a file, or a folder in which the moment names it.

    It takes no lock and stops nothing. Every row of the copy is verified before it is put in place, whole, readable by
    you alone; an older backup of that name is replaced. It holds no key, and neither targets.toml nor credentials.
    """
    from rebalancer.journal.copies import drafted_copy, head_of, put  # noqa: PLC0415

    settings, clock = load_settings(), SystemClock()
    source = settings.paths.journal(settings.venue_kind)
    if not source.exists():
        raise ConfigError(f"{source}: there is no journal yet; the first `rebalancer run` makes it")
    path = place
    if place.is_dir():
        path = place / f"rebalancer-{settings.venue_kind}-{clock.now().astimezone(UTC):%Y%m%dT%H%M%SZ}.db"
    _require_replaceable(path, source)
    try:
        with drafted_copy(source, path, clock) as draft:
            head = head_of(draft, clock, partial(progress_bar, "verifying each row"))
            put(draft, path)
    except OSError as exc:
        reason = os.strerror(exc.errno or 0)
        raise ConfigError(f"{path}: cannot be written: {reason}; name another place") from None
    size = path.stat().st_size
    if as_json:
        figures = {"path": str(path), "rows": head.rows, "last_hash": head.last_hash, "bytes": size}
        echo_document({"schema": "rebalancer.backup/1", **figures, "until": head.written_at})
        return
    click.echo(heading(settings.mode, settings.venue_kind))
    said = f"{path} holds {head.rows:,} rows until {head.written_at[:16].replace('T', ' ')} UTC, {size:,} bytes; every "
    click.echo("\n".join(lines_of(f"{said}row was verified. `rebalancer restore` puts it back.")))


def _require_replaceable(path: Path, source: Path) -> None:
    """Refuse to write over what is no backup: a slip of the hand must cost neither targets nor the journal itself."""
    from rebalancer.journal.schema import is_journal  # noqa: PLC0415

    if not path.exists():
        return
    if path.samefile(source):
        raise ConfigError(f"{path} is the journal itself; name another place")
    if not is_journal(path):
        raise ConfigError(f"{path} is there and is no journal; name another place, or remove it first")
