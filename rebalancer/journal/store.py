"""The journal on disk: SQLite in WAL mode with full sync, rows that are only added, each bound to the one before.

A commit that returned survives the loss of power; nothing that follows from a row happens before its commit returns.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rebalancer.core.canonical import moment_text, parse_moment
from rebalancer.core.ids import run_prefix
from rebalancer.errors import ConfigError, JournalError
from rebalancer.journal import proof, records, schema
from rebalancer.journal.chain import Chain
from rebalancer.journal.checkpoint import read_state, state_document
from rebalancer.journal.fold import IMPOSSIBLE
from rebalancer.journal.records import Binding
from rebalancer.journal.rows import Entry, Kind, Row, row_of
from rebalancer.journal.state import JournalState
from rebalancer.seams import Clock

CHECKPOINT_ROWS = 10_000
PRIMARY_CODE = 0xFF  # of SQLite's extended result codes


class Journal:
    """One writer, one thread. `state` is always the fold of what is on disk."""

    def __init__(
        self, database: sqlite3.Connection, clock: Clock, place: str, *, checkpoint_rows: int = CHECKPOINT_ROWS
    ) -> None:
        self._database = database
        self._clock = clock
        self._place = place
        self._checkpoint_rows = checkpoint_rows
        self._chain = Chain()
        self._failed = ""  # what the disk said when it failed; from then on it is not believed

    @property
    def state(self) -> JournalState:
        """Return what the rows add up to."""
        return self._chain.state

    @property
    def last_seq(self) -> int:
        """Return the number of rows."""
        return self._chain.last_seq

    @property
    def checkpoint_seq(self) -> int:
        """Return the row of the last checkpoint, from which a start verifies; 0 when there is none."""
        return self._chain.checkpoint_seq

    @classmethod
    def open(
        cls,
        path: Path | str,
        clock: Clock,
        *,
        connect: Callable[[str], sqlite3.Connection] = schema.connect,
        rng: random.Random | None = None,
        checkpoint_rows: int = CHECKPOINT_ROWS,
    ) -> Journal:
        """Open for writing, creating it if need be; verify from the last checkpoint on and take a new fence.

        The fence carries a number drawn by chance, so that two lives of one journal, one from a backup or on a
        cloned machine among them, never mint the same client order id.

        Raises JournalError when the file cannot be opened, written or trusted; ConfigError where only its log is left.
        """
        schema.require_not_emptied(Path(path))
        with ExitStack() as on_failure:
            try:
                if connect is schema.connect and str(path) != ":memory:" and not Path(path).exists():
                    schema.require_no_orphaned_log(Path(path))
                    schema.make_new(Path(path))
                database = connect(str(path))
                on_failure.callback(database.close)
                schema.prepare(database, str(path))
            except (sqlite3.Error, OSError) as exc:
                raise JournalError(f"{path}: cannot be opened as a journal: {exc}") from exc
            journal = cls(database, clock, str(path), checkpoint_rows=checkpoint_rows)
            journal._chain = proof.prove_tail(database, str(path))
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
            journal._chain = proof.prove_tail(database, str(path))
            on_failure.pop_all()
        return journal

    def append(self, *entries: Entry) -> tuple[Row, ...]:
        """Write rows in one transaction; they are durable when this returns. JournalError means none was written.

        The checkpoint that they make due is written with them.
        """
        fence = self.state.fence + 1 if entries[0].kind is Kind.FENCE else self.state.fence
        rows = self._made(entries, self._chain, fence)
        draft = self._chain.draft()
        try:
            for row in rows:
                draft.take(row)
            seal = self._seal(draft)
        except IMPOSSIBLE as exc:
            raise JournalError(f"{self._place}: refused to write an impossible row: {exc}") from exc
        self._write((*rows, *seal))
        self._chain = draft
        return rows

    def _made(self, entries: Collection[Entry], after: Chain, fence: int) -> tuple[Row, ...]:
        made: list[Row] = []
        previous = after.last_hash
        # Time in the journal never goes back, whatever the machine's clock does.
        now = self._clock.now()
        t_wall = moment_text(now if after.last_wall is None else max(now, after.last_wall))
        for seq, entry in enumerate(entries, start=after.last_seq + 1):
            made.append(row_of(entry, seq=seq, t_wall=t_wall, prev_hash=previous, fence=fence))
            previous = made[-1].hash
        return tuple(made)

    def _seal(self, draft: Chain) -> tuple[Row, ...]:
        """Return the checkpoint if it is due, with the draft moved onto it; what it would forget is forgotten."""
        if draft.last_seq - draft.checkpoint_seq < self._checkpoint_rows:
            return ()
        draft.state.forget()
        (row,) = self._made([records.checkpoint(state_document(draft.state))], draft, draft.state.fence)
        if read_state(json.loads(row.payload_text)) != draft.state:
            raise ValueError("the checkpoint does not read back as the state")
        draft.take(row)
        return (row,)

    def _write(self, rows: tuple[Row, ...]) -> None:
        if self._failed:
            raise JournalError(
                f"{self._place}: the disk failed ({self._failed}); only a new start can tell what is there"
            )
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._require_own_head()
            values = [
                (r.seq, r.run_id, r.intent_seq, r.kind.value, r.payload_text, r.t_wall, r.t_exch, r.prev_hash, r.hash,
                 r.fence)
                for r in rows
            ]  # fmt: skip
            self._database.executemany(f"INSERT INTO journal ({proof.COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)", values)  # noqa: S608  # a constant
            self._database.execute("COMMIT")
        except (sqlite3.Error, JournalError) as exc:
            with suppress(sqlite3.Error):  # the transaction may be gone already; the first error is the one to tell
                self._database.execute("ROLLBACK")
            if isinstance(exc, JournalError):
                raise
            # After a sync that failed the next one may succeed without what the first was about (PostgreSQL wiki,
            # "Fsync Errors"). A full disk is no such failure: it took nothing.
            if getattr(exc, "sqlite_errorcode", 0) & PRIMARY_CODE == sqlite3.SQLITE_IOERR:
                self._failed = str(exc)
            raise JournalError(f"{self._place}: cannot write: {exc}; nothing of this step is sent") from exc

    def _require_own_head(self) -> None:
        head = self._database.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()[0]
        if head != self.last_seq:
            raise JournalError(
                f"{self._place}: another process wrote: the last row is {head}, this one knows {self.last_seq} "
                "and must not go on"
            )

    def verify(self, progress: Callable[[int], None] = proof.unheard) -> int:
        """Check every row, every checkpoint and the file as a whole, refold, and return the number of rows.

        `progress` is told the number of each row. Raises JournalError that names the bad row.
        """
        found = proof.prove_all(self._database, self._place, progress)
        proof.require_kept(self._chain, found, self._place)
        self._chain = found
        return self.last_seq

    def rows(self, *, after_seq: int = 0, kinds: Collection[Kind] = (), run_id: str = "") -> Iterator[Row]:
        """Yield rows in order, all that `state` holds or those of some kinds or of one run, each held to its hash."""
        where: list[str] = ["seq > ? AND seq <= ?"]
        values: list[str | int] = [after_seq, self.last_seq]
        if kinds:
            where.append(f"kind IN ({','.join('?' * len(kinds))})")
            values += [kind.value for kind in kinds]
        if run_id:
            where.append("run_id = ?")
            values.append(run_id)
        yield from proof.each_whole(proof.select(self._database, " AND ".join(where), values), self._place)

    def newest(self, kind: Kind, count: int, *, before_seq: int | None = None) -> tuple[Row, ...]:
        """Return the last rows of a kind, the newest first."""
        values = (kind.value, self.last_seq if before_seq is None else before_seq - 1)
        rows = proof.select(self._database, "kind = ? AND seq <= ?", values, order=f"seq DESC LIMIT {int(count)}")
        return tuple(proof.each_whole(rows, self._place))

    def sample(self, kind: Kind, count: int) -> tuple[Row, ...]:
        """Return at most `count` rows, two or more, of a kind, evenly over all, the first and the last among them."""
        query = "SELECT seq FROM journal WHERE kind = ? AND seq <= ? ORDER BY seq"
        seqs = [seq for (seq,) in self._database.execute(query, (kind.value, self.last_seq))]
        if len(seqs) > count:
            seqs = [seqs[number * (len(seqs) - 1) // (count - 1)] for number in range(count)]
        marks = ",".join("?" * len(seqs))
        return tuple(proof.each_whole(proof.select(self._database, f"seq IN ({marks})", seqs), self._place))

    def seq_from(self, moment: datetime) -> int:
        """Return the first row that was written at a moment or after it; the number after the last where none was."""
        low, high = 1, self.last_seq + 1
        while low < high:  # time in the journal never goes back
            middle = (low + high) // 2
            (row,) = self._database.execute("SELECT t_wall FROM journal WHERE seq = ?", (middle,))
            low, high = (middle + 1, high) if parse_moment(row[0]) < moment else (low, middle)
        return low

    def copy_to(self, target: sqlite3.Connection) -> None:
        """Copy all that is on disk at one moment into a blank database; sqlite3.Error where that fails."""
        self._database.backup(target)

    def follow(self) -> None:
        """Take in what the writer added since; for one that only reads. JournalError as for opening."""
        self._chain = proof.prove_on(self._database, self._chain, self._place)

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
            self.append(records.binding(wanted))
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
