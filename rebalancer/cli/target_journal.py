"""The history of the targets: written into the journal by whoever holds the lock, read by anybody."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rebalancer.core.targets import Targets
from rebalancer.errors import ConfigError
from rebalancer.journal import records
from rebalancer.journal.rows import Kind, Row
from rebalancer.journal.store import Journal
from rebalancer.logs import logger
from rebalancer.targets.changes import Change, How, changes_since, version_of, words_of_author, words_of_change
from rebalancer.targets.file import parse_bytes
from rebalancer.targets.toml_text import read_bytes
from rebalancer.targets.versions import NOTES_MAX, change_of, document_of, drop_notes, keep, noted

if TYPE_CHECKING:
    from rebalancer.settings import Paths


def record_targets(journal: Journal, paths: Paths, targets: Targets, now: datetime) -> list[Change]:
    """Write down how the targets that a cycle is about to use came about; return what changed since the last time.

    For the holder of the lock alone. An edit that no verb left word of was made by hand.
    """
    known = [_change(row) for row in journal.newest(Kind.TARGETS, NOTES_MAX)]
    written = {change.note for change in known if change.note}
    waiting = noted(paths.state)
    again = [change.note for change in waiting if change.note in written]  # a crash came before they were dropped
    fresh = [change for change in waiting if change.note not in written]
    last = known[0].after if known else None
    changes, done = changes_since(last, fresh, version_of(targets), now)
    if changes:
        _keep_content(paths, targets)
        journal.append(*(records.targets_changed(document_of(change)) for change in changes))
    drop_notes(paths.state, [*again, *done])
    for change in changes:
        if change.how is not How.FIRST:
            text = words_of_change(change.before, change.after)
            logger().info("targets_recorded", how=words_of_author(change), text=text, digest=change.after.digest[:12])
    return [change for change in changes if change.how is not How.FIRST]


def _keep_content(paths: Paths, targets: Targets) -> None:
    """Keep the file as it is, where it is still the version in question."""
    try:
        raw = read_bytes(paths.targets)
        if parse_bytes(raw, "").digest == targets.digest:
            keep(paths.state, targets.digest, raw)
    except ConfigError:  # edited again meanwhile, and not in order: what is in force is the last good version
        return
    except OSError as exc:
        logger().warning("version_not_kept", text=f"{exc.strerror}: `targets undo` cannot go back to this version")


def recorded(journal: Journal, count: int) -> list[tuple[Change, str]]:
    """Return the newest changes of the journal, newest first, each with the moment at which a cycle took it over."""
    return [(_change(row), row.t_wall) for row in journal.newest(Kind.TARGETS, count)]


def waiting(state: Path, journal: Journal) -> list[Change]:
    """Return the changes that no cycle has taken over yet, newest first."""
    written = {change.note for change, _ in recorded(journal, NOTES_MAX)}
    return [change for change in reversed(noted(state)) if change.note not in written]


def _change(row: Row) -> Change:
    return change_of(json.loads(row.payload_text))
