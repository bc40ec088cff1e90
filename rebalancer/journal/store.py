"""The journal on disk: SQLite in WAL mode with full sync, rows that are only added, each bound to the one before.

A commit that returned survives the loss of power; nothing that follows from a row happens before its commit returns.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rebalancer.core.canonical import canonical, moment_text, parse_moment
from rebalancer.core.ids import run_prefix
from rebalancer.core.orders import IllegalMoveError
from rebalancer.errors import ConfigError, JournalError
from rebalancer.journal.fold import JournalState, fold
from rebalancer.journal.records import Binding
from rebalancer.journal.records import binding as binding_entry
from rebalancer.journal.rows import GENESIS, Entry, Kind, Row, hash_of
from rebalancer.seams import Clock

SCHEMA_VERSION = 1
BUSY_MS = 5000
_SCHEMA = """
CREATE TABLE journal (
    seq        INTEGER PRIMARY KEY,
    run_id     TEXT NOT NULL,
    intent_seq INTEGER,
    kind       TEXT NOT NULL,
    payload    TEXT NOT NULL,
    t_wall     TEXT NOT NULL,
    t_exch     TEXT NOT NULL,
    prev_hash  TEXT NOT NULL,
    hash       TEXT NOT NULL,
    fence      INTEGER NOT NULL
) STRICT;
CREATE INDEX journal_run ON journal (run_id, seq);
CREATE INDEX journal_kind ON journal (kind, seq);
CREATE TRIGGER journal_keeps_rows BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
CREATE TRIGGER journal_keeps_text BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
"""
_COLUMNS = "seq, run_id, intent_seq, kind, payload, t_wall, t_exch, prev_hash, hash, fence"


class Journal:
    """One writer, one thread. `state` is always the fold of what is on disk."""

    def __init__(self, database: sqlite3.Connection, clock: Clock, place: str) -> None:
        self._database = database
        self._clock = clock
        self._place = place
        self._last_hash = GENESIS
        self._last_seq = 0
        self._last_wall = ""
        self.state = JournalState()

    @property
    def last_seq(self) -> int:
        """Return the number of rows."""
        return self._last_seq

    @classmethod
    def open(cls, path: Path | str, clock: Clock) -> Journal:
        """Open for writing, creating it if need be; verify every row and take a new fence.

        Raises JournalError when the file cannot be opened, written or trusted.
        """
        try:
            database = sqlite3.connect(path, isolation_level=None)
            database.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            _ensure_schema(database, str(path))
        except sqlite3.Error as exc:
            raise JournalError(f"{path}: cannot be opened as a journal: {exc}") from exc
        journal = cls(database, clock, str(path))
        journal.verify()
        journal.append(Entry(Kind.FENCE, {"epoch": journal.state.epoch}))
        return journal

    @classmethod
    def open_to_read(cls, path: Path, clock: Clock) -> Journal:
        """Open without writing anything, also while the service writes; JournalError when there is no journal."""
        if not path.exists():
            raise JournalError(f"{path}: there is no journal yet; the first `rebalancer run` makes it")
        failure: sqlite3.Error | None = None
        # Without a writer, and without the right to make its helper files, a WAL database opens only as immutable.
        for how in ("mode=ro", "immutable=1"):
            try:
                database = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
                _ensure_schema(database, str(path))
                journal = cls(database, clock, str(path))
                journal.verify()
            except sqlite3.Error as exc:
                failure = exc
                continue
            return journal
        raise JournalError(f"{path}: cannot be read as a journal: {failure}") from failure

    def append(self, *entries: Entry) -> tuple[Row, ...]:
        """Write rows in one transaction; they are durable when this returns. JournalError means none was written."""
        fence = self.state.fence + 1 if entries[0].kind is Kind.FENCE else self.state.fence
        rows = self._made(entries, fence)
        draft = self.state.draft()
        try:
            for row in rows:
                fold(draft, row)
        except (IllegalMoveError, KeyError) as exc:
            raise JournalError(f"{self._place}: refused to write an impossible row: {exc}") from exc
        self._write(rows)
        self.state = draft
        self._last_hash, self._last_seq, self._last_wall = rows[-1].hash, rows[-1].seq, rows[-1].t_wall
        return rows

    def _made(self, entries: Collection[Entry], fence: int) -> tuple[Row, ...]:
        made: list[Row] = []
        previous = self._last_hash
        # Time in the journal never goes back, whatever the machine's clock does.
        t_wall = max(moment_text(self._clock.now()), self._last_wall)
        for seq, entry in enumerate(entries, start=self._last_seq + 1):
            payload, t_exch = canonical(entry.payload), moment_text(entry.t_exch) if entry.t_exch else ""
            digest = hash_of(
                previous,
                seq=seq,
                run_id=entry.run_id,
                intent_seq=entry.intent_seq,
                kind=entry.kind,
                payload=payload,
                times=f"{t_wall} {t_exch}",
                fence=fence,
            )
            made.append(
                Row(
                    seq=seq,
                    run_id=entry.run_id,
                    intent_seq=entry.intent_seq,
                    kind=entry.kind,
                    payload_text=payload,
                    t_wall=t_wall,
                    t_exch=t_exch,
                    prev_hash=previous,
                    hash=digest,
                    fence=fence,
                )
            )
            previous = digest
        return tuple(made)

    def _write(self, rows: tuple[Row, ...]) -> None:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._require_own_head()
            values = [
                (r.seq, r.run_id, r.intent_seq, r.kind.value, r.payload_text, r.t_wall, r.t_exch, r.prev_hash, r.hash,
                 r.fence)
                for r in rows
            ]  # fmt: skip
            self._database.executemany(f"INSERT INTO journal ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)", values)  # noqa: S608  # a constant
            self._database.execute("COMMIT")
        except (sqlite3.Error, JournalError) as exc:
            with suppress(sqlite3.Error):  # the transaction may be gone already; the first error is the one to tell
                self._database.execute("ROLLBACK")
            if isinstance(exc, JournalError):
                raise
            raise JournalError(f"{self._place}: cannot write: {exc}; nothing of this step is sent") from exc

    def _require_own_head(self) -> None:
        head = self._database.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()[0]
        if head != self._last_seq:
            raise JournalError(f"{self._place}: another process wrote row {head}; this one must not go on")

    def verify(self) -> int:
        """Check every row's hash and order, refold, and return the number of rows; JournalError names the bad row."""
        state, previous, expected = JournalState(), GENESIS, 1
        row = None
        try:
            for row in self.rows():
                _check_row(row, expected, previous, self._place)
                fold(state, row)
                previous, expected = row.hash, expected + 1
        except (sqlite3.DatabaseError, IllegalMoveError, KeyError, ValueError, TypeError) as exc:
            place = f"row {expected}"
            raise JournalError(
                f"{self._place}: {place} cannot be trusted ({exc}); restore a backup or move the file away"
            ) from exc
        self.state, self._last_hash, self._last_seq = state, previous, expected - 1
        self._last_wall = row.t_wall if row is not None else ""
        return self._last_seq

    def rows(self, *, after_seq: int = 0, kinds: Collection[Kind] = (), run_id: str = "") -> Iterator[Row]:
        """Yield rows in order, all of them or those of some kinds or of one run."""
        where, values = ["seq > ?"], [str(after_seq)]
        if kinds:
            where.append(f"kind IN ({','.join('?' * len(kinds))})")
            values += [kind.value for kind in kinds]
        if run_id:
            where.append("run_id = ?")
            values.append(run_id)
        query = f"SELECT {_COLUMNS} FROM journal WHERE {' AND '.join(where)} ORDER BY seq"  # noqa: S608  # no values in it
        for found in self._database.execute(query, [int(values[0]), *values[1:]]):
            seq, run, intent_seq, kind, *rest = found
            yield Row(seq, run, intent_seq, Kind(kind), *rest)

    def attempts(self, schedule_id: str, slot: datetime) -> int:
        """Return how many runs this slot already had."""
        query = "SELECT count(*) FROM journal WHERE kind = ? AND run_id GLOB ?"
        prefix = run_prefix(schedule_id, slot)
        return int(self._database.execute(query, (Kind.RUN.value, f"{prefix}-a*")).fetchone()[0])

    def last_slot(self, schedule_id: str) -> datetime | None:
        """Return the newest slot that has a run."""
        return self.state.last_slots.get(schedule_id)

    def ensure_binding(self, wanted: Binding) -> None:
        """Bind a new journal; ConfigError when it is bound to something else."""
        bound = self.state.binding
        if bound is None:
            self.append(binding_entry(wanted))
        elif bound != wanted:
            raise ConfigError(
                f"{self._place} belongs to {_named(bound)}, not to {_named(wanted)}; "
                "use another REBALANCER_STATE_DIR for another account"
            )

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def _ensure_schema(database: sqlite3.Connection, place: str) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version == 0 and not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        script = f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        database.executescript(script)
    elif version != SCHEMA_VERSION:
        raise JournalError(f"{place}: journal version {version}, this program knows {SCHEMA_VERSION}; nothing was done")


def _check_row(row: Row, expected: int, previous: str, place: str) -> None:
    digest = hash_of(
        row.prev_hash,
        seq=row.seq,
        run_id=row.run_id,
        intent_seq=row.intent_seq,
        kind=row.kind,
        payload=row.payload_text,
        times=f"{row.t_wall} {row.t_exch}",
        fence=row.fence,
    )
    if (row.seq, row.prev_hash, row.hash) != (expected, previous, digest):
        raise JournalError(f"{place}: row {expected} was changed or is missing; restore a backup or move the file away")


def _named(bound: Binding) -> str:
    return f"{bound.venue} at {bound.host}, account {bound.account_id}, in {bound.quote}"


def payload_of(row: Row) -> dict[str, object]:
    """Return a row's payload."""
    loaded = json.loads(row.payload_text)
    assert isinstance(loaded, dict), row.seq
    return loaded


def wall_of(row: Row) -> datetime:
    """Return when a row was written."""
    return parse_moment(row.t_wall)
