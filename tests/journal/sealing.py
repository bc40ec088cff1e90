"""Journals long enough to have checkpoints, and hands that change what is on disk."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from rebalancer.core.canonical import canonical
from rebalancer.journal import records
from rebalancer.journal.rows import Kind, Row, hash_of
from tests.journal.builders import new_journal, random_life
from tests.support import FakeClock


def long_journal(path: Path, seed: int = 5, *, every: int = 15) -> list[Row]:
    """Make a closed journal of some checkpoints with rows after the last one; return its rows."""
    clock = FakeClock()
    with new_journal(path, clock, checkpoint_rows=every) as journal:
        for _rows in random_life(journal, clock, seed, steps=70):
            pass
        while journal.last_seq - journal.checkpoint_seq < 3:
            journal.append(records.halt("foreign_order", f"order {journal.last_seq}"))
        return list(journal.rows())


def seals(rows: Iterable[Row]) -> list[int]:
    return [row.seq for row in rows if row.kind is Kind.CHECKPOINT]


def rewrite(path: Path, *rows: Row) -> None:
    """Put rows in the place of others as somebody would who took the triggers away first."""
    with closing(sqlite3.connect(path)) as database, database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        for row in rows:
            values = (row.kind, row.payload_text, row.prev_hash, row.hash, row.seq)
            query = "UPDATE journal SET kind = ?, payload = ?, prev_hash = ?, hash = ? WHERE seq = ?"
            assert database.execute(query, values).rowcount == 1


def forged(rows: list[Row], seq: int, change: dict[str, Any]) -> list[Row]:
    """Return the rows from `seq` on with one payload changed and every hash after it made anew."""
    made: list[Row] = []
    for row in rows[seq - 1 :]:
        text = row.payload_text if row.seq != seq else canonical(json.loads(row.payload_text) | change)
        previous = made[-1].hash if made else row.prev_hash
        bare = replace(row, payload_text=text, prev_hash=previous)
        made.append(replace(bare, hash=hash_of(bare)))
    return made
