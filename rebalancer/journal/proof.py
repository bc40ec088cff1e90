"""What is on disk, read and held against its own hashes: the whole of it, or from the last checkpoint on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator

from rebalancer.errors import JournalError
from rebalancer.journal.chain import Chain, is_bound
from rebalancer.journal.checkpoint import is_readable
from rebalancer.journal.fold import IMPOSSIBLE
from rebalancer.journal.rows import Kind, Row, hash_of

COLUMNS = "seq, run_id, intent_seq, kind, payload, t_wall, t_exch, prev_hash, hash, fence"
_REMEDY = "restore a backup or move the file away"
_UNREADABLE = (sqlite3.DatabaseError, *IMPOSSIBLE)


def select(
    database: sqlite3.Connection,
    where: str = "TRUE",
    values: Collection[str | int] = (),
    *,
    source: str = "journal",
    order: str = "seq",
) -> Iterator[Row]:
    """Yield rows as they stand on disk."""
    query = f"SELECT {COLUMNS} FROM {source} WHERE {where} ORDER BY {order}"  # noqa: S608  # no values in it
    for found in database.execute(query, tuple(values)):
        seq, run, intent_seq, kind, *rest = found
        yield Row(seq, run, intent_seq, Kind(kind), *rest)


def each_whole(rows: Iterator[Row], place: str) -> Iterator[Row]:
    """Yield rows that agree with their own hash: what a start believed behind its checkpoint is shown only if whole.

    Raises JournalError that names the first that is not.
    """
    seen = 0
    try:
        for row in rows:
            seen = row.seq
            if hash_of(row) != row.hash:
                raise _broken(place, row.seq)
            yield row
    except _UNREADABLE as exc:
        raise JournalError(f"{place}: the row after {seen} cannot be read ({exc}); {_REMEDY}") from exc


def unheard(_seq: int) -> None:
    """Take the number of a row that was looked at, for nobody."""


def prove_all(database: sqlite3.Connection, place: str, progress: Callable[[int], None] = unheard) -> Chain:
    """Return the chain at the last row after a look at every row, every checkpoint and the file as a whole.

    `progress` is told the number of each row. Raises JournalError that names the bad row.
    """
    chain = _walked(Chain(), select(database), place, progress)
    # The rows are whole; the indexes that look-ups go by are not covered by their hashes.
    try:
        sound = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as exc:
        sound = str(exc)
    if sound != "ok":
        raise JournalError(f"{place}: the file is damaged: {sound}; {_REMEDY}")
    return chain


def prove_tail(database: sqlite3.Connection, place: str) -> Chain:
    """Return the chain at the last row after a look at those from the last checkpoint on; at all if there is none.

    What stands before the checkpoint is believed: a start takes as long after ten years as after ten days.
    """
    try:
        chain = _sealed(database, place)
    except _UNREADABLE as exc:
        raise JournalError(f"{place}: no row can be trusted as the last checkpoint ({exc}); {_REMEDY}") from exc
    if chain is None:
        return prove_all(database, place)
    return _walked(chain, select(database, "seq > ?", (chain.last_seq,)), place)


def prove_on(database: sqlite3.Connection, known: Chain, place: str) -> Chain:
    """Return the chain at the last row after a look at those that follow what is known; that stays as it is."""
    return _walked(known.draft(), select(database, "seq > ?", (known.last_seq,)), place)


def require_kept(known: Chain, found: Chain, place: str) -> None:
    """Raise JournalError when rows that were there are not found any more: the chain cannot know its own end."""
    if found.last_seq < known.last_seq:
        raise JournalError(f"{place}: row {found.last_seq + 1} was there and is missing; {_REMEDY}")


def _sealed(database: sqlite3.Connection, place: str) -> Chain | None:
    """Return the chain at the last checkpoint, which is whole and bound to the row before it."""
    # Looked for in the table itself: no hash covers the index.
    source, kind = "journal NOT INDEXED", Kind.CHECKPOINT.value
    for row in select(database, "kind = ?", (kind,), source=source, order="seq DESC"):
        if not is_bound(row, next(select(database, "seq = ?", (row.seq - 1,)), None)):
            raise _broken(place, row.seq)
        if is_readable(row):
            return Chain.from_checkpoint(row)
    return None


def _walked(chain: Chain, rows: Iterator[Row], place: str, progress: Callable[[int], None] = unheard) -> Chain:
    """Return the chain after following the rows to the last one."""
    try:
        for row in rows:
            if not chain.is_followed_by(row):
                raise _broken(place, chain.last_seq + 1)
            chain.take(row)
            progress(row.seq)
    except _UNREADABLE as exc:
        raise JournalError(f"{place}: row {chain.last_seq + 1} cannot be trusted ({exc}); {_REMEDY}") from exc
    return chain


def _broken(place: str, seq: int) -> JournalError:
    return JournalError(f"{place}: row {seq} was changed or is missing; {_REMEDY}")
