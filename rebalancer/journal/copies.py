"""Copies of the journal: a backup of one in use, whole and proved, and what one journal is to another."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rebalancer.errors import JournalError
from rebalancer.journal.proof import unheard
from rebalancer.journal.records import Binding
from rebalancer.journal.store import Journal
from rebalancer.seams import Clock

OWNER_ONLY = 0o600
BESIDE = ("-wal", "-shm", "-journal")  # of SQLite, which takes them for part of whatever file has the name


@dataclass(frozen=True, slots=True)
class Head:
    """Where a proved journal ends, and what it is about."""

    path: Path
    rows: int
    last_hash: str
    written_at: str
    binding: Binding | None


class Relation(StrEnum):
    """What a journal in use is to a copy."""

    SAME = "same"
    BEHIND = "behind"  # the copy goes on where it ends
    AHEAD = "ahead"  # it goes on where the copy ends
    APART = "apart"  # each has rows that the other lacks


Watch = Callable[[int], AbstractContextManager[Callable[[int], None]]]


@contextmanager
def unwatched(_rows: int) -> Iterator[Callable[[int], None]]:
    """Yield what takes the numbers of rows that were looked at, for nobody."""
    yield unheard


def head_of(path: Path, clock: Clock, watch: Watch = unwatched) -> Head:
    """Return the end of a journal after a look at every row; JournalError where one cannot be trusted.

    `watch` is given the number of rows, and yields what is told each of them.
    """
    with Journal.open_to_read(path, clock) as journal:
        with watch(journal.last_seq) as progress:
            journal.verify(progress)
        (last,) = journal.rows(after_seq=journal.last_seq - 1)
        return Head(path, last.seq, last.hash, last.t_wall, journal.state.binding)


def relation_of(used: Head, copy: Head, clock: Clock) -> Relation:
    """Return what the journal in use is to a copy, both of them proved."""
    if (used.rows, used.last_hash) == (copy.rows, copy.last_hash):
        return Relation.SAME
    shared = min(used.rows, copy.rows)
    if _hash_at(used.path, shared, clock) != _hash_at(copy.path, shared, clock):
        return Relation.APART
    return Relation.BEHIND if used.rows < copy.rows else Relation.AHEAD


def _hash_at(path: Path, seq: int, clock: Clock) -> str:
    with Journal.open_to_read(path, clock) as journal:
        return next(journal.rows(after_seq=seq - 1)).hash


@contextmanager
def drafted_copy(source: Path, beside: Path, clock: Clock) -> Iterator[Path]:
    """Yield a copy of a journal in one file beside a place, for its owner alone; it is gone unless moved from there.

    The source may be in use meanwhile: what is copied is one moment of it. OSError where nothing can be written.
    """
    handle, name = tempfile.mkstemp(dir=beside.parent, prefix=f".{beside.name}.")  # 0600
    os.close(handle)
    draft = Path(name)
    try:
        _copy(source, draft, clock)
        yield draft
    finally:
        remove(draft)


def _copy(source: Path, draft: Path, clock: Clock) -> None:
    with Journal.open_to_read(source, clock) as journal, closing(sqlite3.connect(draft, isolation_level=None)) as made:
        try:
            journal.copy_to(made)
            made.execute("PRAGMA journal_mode = DELETE")  # one file, which opens where nothing can be written
        except sqlite3.Error as exc:
            raise JournalError(f"{source}: cannot be copied to {draft.parent}: {exc}") from exc


def put(draft: Path, path: Path, *, mode: int = OWNER_ONLY, owner: tuple[int, int] | None = None) -> None:
    """Move a draft to its place, whole, with its mode; it survives the loss of power when this returns."""
    if owner is not None:
        with suppress(PermissionError):  # only root gives files away; root must, or the service cannot read it
            os.chown(draft, *owner)
    draft.chmod(mode)
    _sync(draft)
    draft.replace(path)
    _sync(path.parent)


def _sync(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Delete a journal with the files beside it, as far as there are any."""
    _clear_beside(path)
    path.unlink(missing_ok=True)


def _clear_beside(path: Path) -> None:
    for ending in BESIDE:
        path.with_name(path.name + ending).unlink(missing_ok=True)


def merge_log(path: Path) -> None:
    """Bring the rows that wait beside a journal into its file, and leave nothing beside it that could be replayed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise JournalError(f"{path}: somebody is reading it just now; try again")
    _clear_beside(path)


def set_aside(path: Path, name: str) -> Path:
    """Keep a damaged journal and its log under another name in its folder, and return that name.

    The file itself stays until it is replaced: a start in between meets damage and stops, instead of beginning anew.
    """
    kept = path.with_name(name)
    os.link(path, kept)
    for ending in BESIDE:
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(kept.with_name(kept.name + ending))
    return kept
