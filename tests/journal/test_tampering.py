"""A changed, missing or moved row is found and named; so is damage that no row shows."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import astuple, replace
from itertools import pairwise
from pathlib import Path

import pytest

from rebalancer.errors import JournalError
from rebalancer.journal.rows import Kind, Row, hash_of
from rebalancer.journal.store import Journal
from tests.core.builders import NOW
from tests.journal.builders import new_journal, random_life, started
from tests.support import FakeClock

COLUMNS = ("seq", "run_id", "intent_seq", "kind", "payload", "t_wall", "t_exch", "prev_hash", "hash", "fence")
DELETED = ""
OPENINGS = (Journal.open_to_read, Journal.open)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Row]]:
    """The bytes and the rows of a closed journal."""
    path, clock = tmp_path_factory.mktemp("whole") / "journal.db", FakeClock()
    with new_journal(path, clock) as journal:
        journal.append(started())
        for _rows in random_life(journal, clock, seed=5, steps=25):
            pass
        rows = list(journal.rows())
    assert {row.intent_seq is None for row in rows} == {True, False}
    return path.read_bytes(), rows


def tampered(folder: Path, content: bytes, *changes: tuple[str, int]) -> Path:
    """Return a copy of the journal, changed by somebody who took the triggers away first."""
    path = folder / "journal.db"
    path.write_bytes(content)
    with closing(sqlite3.connect(path)) as database, database:
        for name, _sql in database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        for change, seq in changes:
            what = "DELETE FROM journal" if change == DELETED else f"UPDATE journal {change}"
            assert database.execute(f"{what} WHERE seq = ?", (seq,)).rowcount == 1, change
    return path


def require_refused(path: Path, row: int | str) -> None:
    before = path.read_bytes()
    for opening in OPENINGS:
        with pytest.raises(JournalError, match=rf"row {row} .*restore a backup or move the file away"):
            opening(path, FakeClock())
    assert path.read_bytes() == before


@pytest.mark.parametrize("column", COLUMNS)
def test_a_change_in_any_column_of_any_row_is_found_and_the_row_named(
    tmp_path: Path, whole: tuple[bytes, list[Row]], column: str
) -> None:
    content, rows = whole
    rng = random.Random(column)
    for row in rows:
        value = astuple(row)[COLUMNS.index(column)]
        if value is None:
            changed = "0"
        elif isinstance(value, int):
            changed = str(value + rng.choice([-1, 1]) * len(rows))
        else:
            at = rng.randrange(len(value) + 1)
            changed = "'" + f"{value[:at]}~{value[at + 1 :]}".replace("'", "''") + "'"
        path = tampered(tmp_path, content, (f"SET {column} = {changed}", row.seq))
        # A row whose number went down stands first, so the first row is the one that is not what it should be.
        moved_up = column == "seq" and int(changed) < row.seq
        require_refused(path, 1 if moved_up else row.seq)


def test_a_missing_number_is_not_the_number_nought(tmp_path: Path, whole: tuple[bytes, list[Row]]) -> None:
    content, rows = whole
    row = next(row for row in rows if row.intent_seq is not None)
    require_refused(tampered(tmp_path, content, ("SET intent_seq = NULL", row.seq)), row.seq)


def test_a_deleted_row_is_found_where_it_stood(tmp_path: Path, whole: tuple[bytes, list[Row]]) -> None:
    content, rows = whole
    for row in rows[:-1]:
        require_refused(tampered(tmp_path, content, (DELETED, row.seq)), row.seq)


def test_rows_cut_off_the_end_are_missed_by_the_process_that_wrote_them(tmp_path: Path) -> None:
    """The chain alone cannot know its own end; orders of lost rows are found by their prefix at the exchange."""
    path = tmp_path / "journal.db"
    with new_journal(path) as journal:
        journal.append(started())
        with closing(sqlite3.connect(path)) as database, database:
            database.executescript("DROP TRIGGER journal_keeps_rows; DELETE FROM journal WHERE seq = 3")
        with pytest.raises(JournalError, match="the last row is 2, this one knows 3"):
            journal.append(started())
        with pytest.raises(JournalError, match="row 3 was there and is missing"):
            journal.verify()


def test_swapped_rows_are_found(tmp_path: Path, whole: tuple[bytes, list[Row]]) -> None:
    content, rows = whole
    for one, two in pairwise(rows):
        moves = [(one.seq, -1), (two.seq, one.seq), (-1, two.seq)]
        swaps = [(f"SET seq = {new}", old) for old, new in moves]
        require_refused(tampered(tmp_path, content, *swaps), one.seq)


def test_a_changed_row_with_its_own_hash_made_anew_betrays_itself_in_the_next(
    tmp_path: Path, whole: tuple[bytes, list[Row]]
) -> None:
    content, rows = whole
    for row in rows[:-1]:
        forged = hash_of(replace(row, t_exch="2026-01-01T00:00:00Z"))
        change = f"SET t_exch = '2026-01-01T00:00:00Z', hash = '{forged}'"
        require_refused(tampered(tmp_path, content, (change, row.seq)), row.seq + 1)


def test_a_kind_that_this_program_does_not_know_is_refused(tmp_path: Path, whole: tuple[bytes, list[Row]]) -> None:
    content, _rows = whole
    require_refused(tampered(tmp_path, content, ("SET kind = 'GIFT'", 4)), 4)


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_file_cut_short_anywhere_is_refused(
    tmp_path: Path, whole: tuple[bytes, list[Row]], opening: Callable[[Path, FakeClock], Journal]
) -> None:
    content, _rows = whole
    path, rng = tmp_path / "journal.db", random.Random(11)
    for cut in [0, 1, 100, 4096, len(content) - 4096, len(content) - 1, *rng.sample(range(len(content)), 30)]:
        path.write_bytes(content[:cut])
        with pytest.raises(JournalError):
            opening(path, FakeClock())


def everything(journal: Journal) -> tuple[object, ...]:
    """Return what is read by the table and by each index."""
    by_kind = [list(journal.rows(kinds=[kind])) for kind in Kind]
    by_run = [list(journal.rows(run_id=row.run_id)) for row in journal.rows(kinds=[Kind.RUN])]
    return list(journal.rows()), by_kind, by_run, journal.attempts("test", NOW)


def test_a_changed_byte_anywhere_in_the_file_is_refused_or_changes_nothing(
    tmp_path: Path, whole: tuple[bytes, list[Row]]
) -> None:
    content, _rows = whole
    path, rng = tmp_path / "journal.db", random.Random(7)
    path.write_bytes(content)
    with Journal.open_to_read(path, FakeClock()) as journal:
        truth = everything(journal)
    refused = 0
    for position in [*range(0, 100, 3), *rng.sample(range(100, len(content)), 400)]:
        changed = bytearray(content)
        changed[position] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        try:
            journal = Journal.open_to_read(path, FakeClock())
        except JournalError:
            refused += 1
            continue
        with journal:
            assert everything(journal) == truth, f"byte {position}"
    assert refused > 100  # most of the rest is free space inside pages
