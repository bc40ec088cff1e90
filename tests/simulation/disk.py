"""The disk: a database in memory that outlives its process. What was committed survives, nothing else does."""

from __future__ import annotations

import itertools
import sqlite3
from typing import Any

from tests.simulation.rows import Listed
from tests.simulation.world import World

_names = itertools.count()


class _Connection(sqlite3.Connection):
    """Dies, when the world says so, on either side of a transaction's beginning and end."""

    world: World
    kinds: frozenset[str] = frozenset()  # of the rows that the next commit makes durable

    def executemany(self, sql: str, values: Any, /) -> sqlite3.Cursor:
        self.kinds = frozenset(row[3] for row in values)
        return super().executemany(sql, values)

    def execute(self, sql: str, /, *more: Any) -> sqlite3.Cursor:
        if sql not in ("BEGIN IMMEDIATE", "COMMIT"):
            return super().execute(sql, *more)
        self.world.step += 1
        self.world.maybe_crash(f"before {sql}")
        cursor = super().execute(sql, *more)
        if sql == "COMMIT":
            self.world.at_the_brink(self.kinds)
        self.world.maybe_crash(f"after {sql}")
        return cursor


class Disk:
    """Opens the journal for one process life at a time, and keeps copies as a backup would."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._uri = f"file:simulated-{next(_names)}?mode=memory&cache=shared"
        self._keeper = sqlite3.connect(self._uri, uri=True, isolation_level=None)
        self._life: _Connection | None = None
        self._copies: list[tuple[bytes, Listed]] = []
        self.generation = 0  # how often an older copy was put in its place

    def connect(self, _place: str) -> sqlite3.Connection:
        connection = sqlite3.connect(self._uri, uri=True, isolation_level=None, factory=_Connection)
        connection.world = self._world
        self._life = connection
        return connection

    def crash(self) -> None:
        """End the life that had the disk open: what it had not committed is gone."""
        if self._life is not None:
            self._life.close()
            self._life = None

    def fill(self) -> None:
        """Leave no room for another page."""
        assert self._life is not None
        pages = self._life.execute("PRAGMA page_count").fetchone()[0]
        self._life.execute(f"PRAGMA max_page_count = {pages}")

    def free(self) -> None:
        self._keeper.execute("PRAGMA max_page_count = 1000000")

    def rows(self, after_seq: int) -> list[tuple[Any, ...]]:
        """Return what is durable, read by other eyes than the journal's."""
        if not self.exists():
            return []
        query = "SELECT seq, run_id, intent_seq, kind, payload, t_exch, fence FROM journal WHERE seq > ? ORDER BY seq"
        return self._keeper.execute(query, (after_seq,)).fetchall()

    def exists(self) -> bool:
        return bool(self._keeper.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])

    def copy(self, listed: Listed) -> None:
        """Make a copy, with what answers had shown until then."""
        self._copies = [*self._copies[-3:], (self._keeper.serialize(), listed)]

    def restore(self, which: int) -> Listed:
        """Put an old copy in the journal's place while nobody has it open; return what answers had shown then."""
        assert self._life is None
        self.free()  # whoever restores makes room
        source = sqlite3.connect(":memory:")
        content, listed = self._copies[which % len(self._copies)]
        source.deserialize(content)
        source.backup(self._keeper)
        source.close()
        self.generation += 1
        return listed

    @property
    def has_copies(self) -> bool:
        return bool(self._copies)

    def twin(self, world: World) -> Disk:
        """Return a clone of the disk, as a copied machine has it."""
        other = Disk(world)
        self._keeper.backup(other._keeper)
        return other

    def close(self) -> None:
        self.crash()
        self._keeper.close()
