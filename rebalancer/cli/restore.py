"""`rebalancer restore`: a backup put in the journal's place, behind a halt that asks the owner to look."""

from __future__ import annotations

import os
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rebalancer.cli.context import load_settings, make_state_dir
from rebalancer.cli.local_disk import require_local_disk
from rebalancer.cli.progress import progress_bar
from rebalancer.cli.terminal import echo_document, heading, lines_of
from rebalancer.errors import ConfigError, GuardTripped, JournalError
from rebalancer.service.clock import SystemClock
from rebalancer.service.lock import hold_lock

if TYPE_CHECKING:
    from rebalancer.journal.copies import Head
    from rebalancer.settings import Settings

NEWER = "journal_newer"
NEW_FILE = 0o666
WATCH = partial(progress_bar, "verifying each row")


@click.command(epilog="\b\nExample:\n  rebalancer restore /var/backups/rebalancer/rebalancer-htx-20260301T020000Z.db")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; needs --yes.")
def command(*, file: Path, yes: bool, as_json: bool) -> None:
    """Put the backup FILE in the place of the journal; stop the service first.

    Every row of it is verified. A journal that has rows which the backup lacks is never replaced (4); a damaged one is
    kept beside it under another name. The restored journal does not know what was traded after the backup, so it is
    halted: look at the exchange's orders since then, then `rebalancer ack` lets live cycles go on.
    """
    from rebalancer.journal.copies import head_of  # noqa: PLC0415

    if as_json and not yes:
        raise click.UsageError("--json asks no questions: it needs --yes")
    settings, clock = load_settings(), SystemClock()
    path, head = settings.paths.journal(settings.venue_kind), head_of(file, clock, WATCH)
    _require_binding(settings, file, head)
    make_state_dir(settings)
    require_local_disk(settings.paths.state)
    with hold_lock(settings.paths.lock):
        found = _standing(path, head, clock)
        if found != "same":
            if not yes:
                _ask(path, file, head, found)
            kept = put_back(path, file, head, clock, damaged=found == "damaged")
    _say(settings, path, head, found, None if found == "same" else kept, as_json=as_json)


def _require_binding(settings: Settings, file: Path, head: Head) -> None:
    """Refuse the journal of another venue or account, which would only be refused by the next run."""
    bound = head.binding
    if bound is None:
        raise ConfigError(f"{file}: this journal is of no account yet; there is nothing to restore")
    account = settings.htx_account_id or bound.account_id
    if bound.venue != settings.venue_kind or (settings.venue_kind != "embedded" and bound.account_id != account):
        raise ConfigError(
            f"{file} is about {bound.venue}, account {bound.account_id}, not about {settings.venue_kind}"
            f"{f', account {settings.htx_account_id}' if settings.htx_account_id else ''}; see `rebalancer status`"
        )


def _standing(path: Path, copy: Head, clock: SystemClock) -> str:
    """Return what stands at the journal's place: none, same, behind or damaged.

    GuardTripped for what would be lost, ConfigError where a log would be mixed into what is put there.
    """
    from rebalancer.journal.copies import Relation, head_of, relation_of  # noqa: PLC0415
    from rebalancer.journal.schema import require_no_orphaned_log  # noqa: PLC0415

    if not path.exists():
        require_no_orphaned_log(path)
        return "none"
    if path.samefile(copy.path):
        raise ConfigError(f"{copy.path} is the journal itself")
    if not os.access(path, os.R_OK | os.W_OK):
        raise ConfigError(f"{path}: cannot be read and replaced by you; run as the user of the service")
    try:
        used = head_of(path, clock, WATCH)
    except JournalError:
        return "damaged"
    relation = relation_of(used, copy, clock)
    if relation in {Relation.AHEAD, Relation.APART}:
        raise GuardTripped(
            NEWER,
            f"{path} has rows that {copy.path.name} lacks: replacing it would forget orders. If that is what you want, "
            "stop the service and move it away, with the -wal file beside it",
        )
    return relation.value


def _ask(path: Path, file: Path, head: Head, found: str) -> None:
    what = {
        "none": f"There is no journal at {path}.",
        "behind": f"The journal at {path} ends before this backup does.",
        "damaged": f"The journal at {path} is damaged; it is kept beside the restored one.",
    }[found]
    click.echo("\n".join(lines_of(f"{file} holds {head.rows:,} rows until {head.written_at}. {what}")), err=True)
    click.confirm(
        "Restore it, and halt until you have looked at the exchange's orders since then?", abort=True, err=True
    )


def put_back(path: Path, file: Path, head: Head, clock: SystemClock, *, damaged: bool) -> Path | None:
    """Put a copy of the backup in the journal's place, its halt already in it; return where a damaged one is kept."""
    from rebalancer.journal import records  # noqa: PLC0415
    from rebalancer.journal.copies import drafted_copy, merge_log, put, set_aside  # noqa: PLC0415
    from rebalancer.journal.store import Journal  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"restored from {file.name}, which ends at {head.written_at}: look at the exchange's orders since then"
    folder = path.parent.stat()
    mode = path.stat().st_mode & 0o777 if path.exists() else NEW_FILE & ~_umask()
    try:
        with drafted_copy(file, path, clock) as draft:
            # Opened as the service does: the new fence mints no order id of the lost life again.
            with Journal.open(draft, clock) as journal:
                journal.append(records.halt(records.RESTORED, text))
            merge_log(draft)
            kept = None
            if damaged:
                kept = set_aside(path, f"{path.name}.damaged-{clock.now().astimezone(UTC):%Y%m%dT%H%M%SZ}")
            elif path.exists():
                merge_log(path)
            put(draft, path, mode=mode, owner=(folder.st_uid, folder.st_gid))
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be replaced: {os.strerror(exc.errno or 0)}; nothing was changed") from None
    return kept


def _umask() -> int:
    """Return the mask of new files; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _say(settings: Settings, path: Path, head: Head, found: str, kept: Path | None, *, as_json: bool) -> None:
    if as_json:
        figures = {"path": str(path), "rows": head.rows, "until": head.written_at, "found": found}
        echo_document({"schema": "rebalancer.restore/1", **figures, "kept": None if kept is None else str(kept)})
        return
    click.echo(heading(settings.mode, settings.venue_kind))
    if found == "same":
        click.echo("\n".join(lines_of(f"{path} is what the backup holds; nothing was changed.")))
        return
    lines = [f"{path} holds the {head.rows:,} rows of the backup, until {head.written_at}, and a halt."]
    lines += [f"The damaged journal is {kept}."] if kept is not None else []
    lines.append("Look at the exchange's orders since then; `rebalancer status` shows what to acknowledge.")
    lines.append("If the page runs, restart it: it still reads the file that was there.")
    for line in lines:
        click.echo("\n".join(lines_of(line)))
