"""The journal on disk: SQLite in WAL mode with full sync, rows that are only added, each bound to the one before.

A commit that returned survives the loss of power; nothing that follows from a row happens before its commit returns.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rebalancer.core.canonical import canonical, moment_text, parse_moment
from rebalancer.core.ids import run_prefix
from rebalancer.errors import ConfigError, JournalError
from rebalancer.journal import schema
from rebalancer.journal.fold import IMPOSSIBLE, JournalState, fold
from rebalancer.journal.records import Binding
from rebalancer.journal.records import binding as binding_entry
from rebalancer.journal.rows import GENESIS, Entry, Kind, Row, hash_of
from rebalancer.seams import Clock

_REMEDY = "restore a backup or move the file away"
_COLUMNS = "seq, run_id, intent_seq, kind, payload, t_wall, t_exch, prev_hash, hash, fence"


class Journal:
    """One writer, one thread. `state` is always the fold of what is on disk."""

    def __init__(self, database: sqlite3.Connection, clock: Clock, place: str) -> None:
        self._database = database
        self._clock = clock
        self._place = place
        self._last_hash = GENESIS
        self._last_seq = 0
        self._last_wall: datetime | None = None
        self.state = JournalState()

    @property
    def last_seq(self) -> int:
        """Return the number of rows."""
        return self._last_seq

    @classmethod
    def open(
        cls,
        path: Path | str,
        clock: Clock,
        *,
        connect: Callable[[str], sqlite3.Connection] = schema.connect,
        rng: random.Random | None = None,
    ) -> Journal:
        """Open for writing, creating it if need be; verify every row and take a new fence.

        The fence carries a number drawn by chance, so that two lives of one journal, one from a backup or on a
        cloned machine among them, never mint the same client order id.

        Raises JournalError when the file cannot be opened, written or trusted.
        """
        schema.require_not_emptied(Path(path))
        with ExitStack() as on_failure:
            try:
                database = connect(str(path))
                on_failure.callback(database.close)
                schema.prepare(database, str(path))
            except sqlite3.Error as exc:
                raise JournalError(f"{path}: cannot be opened as a journal: {exc}") from exc
            journal = cls(database, clock, str(path))
            journal.verify()
            nonce = (rng or random.SystemRandom()).getrandbits(64)
            journal.append(Entry(Kind.FENCE, {"nonce": f"{nonce:016x}"}))
            on_failure.pop_all()
        return journal

    @classmethod
    def open_to_read(cls, path: Path, clock: Clock) -> Journal:
        """Open without changing the journal, also while the service writes; JournalError when there is none.

        What is read is the journal as it was at this moment (or at the last `verify`): state and rows agree.
        """
        if not path.exists():
            raise JournalError(f"{path}: there is no journal yet; the first `rebalancer run` makes it")
        try:
            return cls._read(path, clock, "mode=ro")
        except sqlite3.Error as exc:
            # Without a writer, and without the right to make its helper files, a WAL database opens only as
            # immutable; but then the rows that still wait in the log are not seen.
            log = path.with_name(f"{path.name}-wal")
            if log.is_file() and log.stat().st_size:
                raise JournalError(
                    f"{path}: its last rows are in {log.name}, which only the user of the service can merge: {exc}"
                ) from exc
        try:
            return cls._read(path, clock, "mode=ro&immutable=1")
        except sqlite3.Error as exc:
            raise JournalError(f"{path}: cannot be read as a journal: {exc}") from exc

    @classmethod
    def _read(cls, path: Path, clock: Clock, how: str) -> Journal:
        with ExitStack() as on_failure:
            database = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
            on_failure.callback(database.close)
            schema.require_version(database, str(path))
            journal = cls(database, clock, str(path))
            journal.verify()
            on_failure.pop_all()
        return journal

    def append(self, *entries: Entry) -> tuple[Row, ...]:
        """Write rows in one transaction; they are durable when this returns. JournalError means none was written."""
        fence = self.state.fence + 1 if entries[0].kind is Kind.FENCE else self.state.fence
        rows = self._made(entries, fence)
        draft = self.state.draft()
        try:
            for row in rows:
                fold(draft, row)
        except IMPOSSIBLE as exc:
            raise JournalError(f"{self._place}: refused to write an impossible row: {exc}") from exc
        self._write(rows)
        self.state = draft
        self._stand_at(rows[-1])
        return rows

    def _made(self, entries: Collection[Entry], fence: int) -> tuple[Row, ...]:
        made: list[Row] = []
        previous = self._last_hash
        # Time in the journal never goes back, whatever the machine's clock does.
        now = self._clock.now()
        t_wall = moment_text(now if self._last_wall is None else max(now, self._last_wall))
        for seq, entry in enumerate(entries, start=self._last_seq + 1):
            row = Row(
                seq=seq,
                run_id=entry.run_id,
                intent_seq=entry.intent_seq,
                kind=entry.kind,
                payload_text=canonical(entry.payload),
                t_wall=t_wall,
                t_exch=moment_text(entry.t_exch) if entry.t_exch else "",
                prev_hash=previous,
                hash="",
                fence=fence,
            )
            made.append(replace(row, hash=hash_of(row)))
            previous = made[-1].hash
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
            raise JournalError(
                f"{self._place}: another process wrote: the last row is {head}, this one knows {self._last_seq} "
                "and must not go on"
            )

    def verify(self) -> int:
        """Check every row's hash and order, refold, and return the number of rows; JournalError names the bad row."""
        state, previous, expected = JournalState(), GENESIS, 1
        row = None
        try:
            for row in self._select("TRUE", ()):
                if (row.seq, row.prev_hash, row.hash) != (expected, previous, hash_of(row)):
                    raise JournalError(f"{self._place}: row {expected} was changed or is missing; {_REMEDY}")
                fold(state, row)
                previous, expected = row.hash, expected + 1
            # The rows are whole; the indexes that look-ups go by are not covered by their hashes.
            sound = self._database.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except (sqlite3.DatabaseError, *IMPOSSIBLE) as exc:
            raise JournalError(f"{self._place}: row {expected} cannot be trusted ({exc}); {_REMEDY}") from exc
        if sound != "ok":
            raise JournalError(f"{self._place}: the file is damaged: {sound}; {_REMEDY}")
        if expected <= self._last_seq:
            raise JournalError(f"{self._place}: row {expected} was there and is missing; {_REMEDY}")
        self.state = state
        if row is not None:
            self._stand_at(row)
        return self._last_seq

    def _stand_at(self, row: Row) -> None:
        self._last_hash, self._last_seq, self._last_wall = row.hash, row.seq, parse_moment(row.t_wall)

    def rows(self, *, after_seq: int = 0, kinds: Collection[Kind] = (), run_id: str = "") -> Iterator[Row]:
        """Yield rows in order, all that `state` holds or those of some kinds or of one run."""
        where: list[str] = ["seq > ? AND seq <= ?"]
        values: list[str | int] = [after_seq, self._last_seq]
        if kinds:
            where.append(f"kind IN ({','.join('?' * len(kinds))})")
            values += [kind.value for kind in kinds]
        if run_id:
            where.append("run_id = ?")
            values.append(run_id)
        yield from self._select(" AND ".join(where), values)

    def _select(self, where: str, values: Collection[str | int]) -> Iterator[Row]:
        query = f"SELECT {_COLUMNS} FROM journal WHERE {where} ORDER BY seq"  # noqa: S608  # no values in it
        for found in self._database.execute(query, tuple(values)):
            seq, run, intent_seq, kind, *rest = found
            yield Row(seq, run, intent_seq, Kind(kind), *rest)

    def attempts(self, schedule_id: str, slot: datetime) -> int:
        """Return how many runs this slot already had."""
        query = "SELECT count(*) FROM journal WHERE kind = ? AND run_id >= ? AND run_id < ?"
        prefix = run_prefix(schedule_id, slot)
        return int(self._database.execute(query, (Kind.RUN.value, f"{prefix}-a", f"{prefix}-b")).fetchone()[0])

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


def _named(bound: Binding) -> str:
    return f"{bound.venue} at {bound.host}, account {bound.account_id}, in {bound.quote}"
