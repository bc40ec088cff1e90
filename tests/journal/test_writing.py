"""What a writer says, by place and to the letter, when its disk fails it, and what it leaves behind."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rebalancer.errors import ConfigError, JournalError
from rebalancer.journal import records, schema
from rebalancer.journal.rows import Kind
from rebalancer.journal.store import Journal
from tests.journal.builders import new_journal, started
from tests.journal.sealing import rewrite
from tests.service.test_disk import FailingDisk
from tests.support import FakeClock

HALT = records.halt("foreign_order", "order 7")
NEXT = "nothing of this step is sent"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with new_journal(path) as made:
        yield made


def refusal(journal: Journal) -> str:
    """Return the words with which a row is refused; the journal stays what it was."""
    state, rows = journal.state.draft(), journal.last_seq
    with pytest.raises(JournalError) as refused:
        journal.append(HALT)
    assert (journal.state, journal.last_seq) == (state, rows)
    return str(refused.value)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR])
def test_a_disk_that_failed_is_not_believed_again(journal: Journal, path: Path, code: int) -> None:
    disk = FailingDisk(journal._database, Kind.HALT, code)
    journal._database = disk  # type: ignore[assignment]
    assert refusal(journal) == f"{path}: cannot write: the disk failed; {NEXT}"
    later = f"{path}: the disk failed (the disk failed); only a new start can tell what is there"
    assert [refusal(journal), refusal(journal)] == [later, later] and not disk.commits_after
    with Journal.open(path, FakeClock()) as again:
        assert [row.kind for row in again.rows()] == [Kind.FENCE, Kind.BINDING, Kind.FENCE]


def test_a_disk_that_was_only_full_is_believed_again(journal: Journal, path: Path) -> None:
    journal._database = FailingDisk(journal._database, Kind.HALT, sqlite3.SQLITE_FULL)  # type: ignore[assignment]
    assert refusal(journal) == f"{path}: cannot write: the disk failed; {NEXT}"
    journal.append(HALT)
    assert [row.kind for row in journal.rows()] == [Kind.FENCE, Kind.BINDING, Kind.HALT]


def test_a_journal_that_somebody_holds_takes_nothing_and_the_first_error_is_told(journal: Journal, path: Path) -> None:
    journal._database.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert refusal(journal) == f"{path}: cannot write: database is locked; {NEXT}"
    journal.append(HALT)


def test_a_journal_that_was_closed_takes_nothing_and_says_so(journal: Journal, path: Path) -> None:
    journal.close()
    assert refusal(journal) == f"{path}: cannot write: Cannot operate on a closed database.; {NEXT}"
    assert refusal(journal) == f"{path}: cannot write: Cannot operate on a closed database.; {NEXT}"


def test_a_connection_begins_no_transaction_by_itself(path: Path) -> None:
    with closing(schema.connect(str(path))) as database:
        database.execute("CREATE TABLE one (x)")
        database.execute("INSERT INTO one VALUES (1)")
        assert not database.in_transaction


def test_a_journal_in_memory_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with new_journal() as journal:
        journal.append(started())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["-wal", "-journal"])
def test_a_log_without_its_journal_is_told_with_what_to_do(path: Path, ending: str) -> None:
    log = path.with_name(f"journal.db{ending}")
    log.write_bytes(b"rows")
    with pytest.raises(ConfigError) as refused:
        Journal.open(path, FakeClock())
    assert str(refused.value) == (
        f"{log}: the journal that this log is a part of is not here any more, and its rows would be mixed into "
        "another one; move it to where that journal is now, or delete it if that is lost for good"
    )


def test_a_row_that_was_changed_is_told_by_its_place_whichever_way_it_is_read(journal: Journal, path: Path) -> None:
    (row,) = journal.append(HALT)
    rewrite(path, replace(row, payload_text="{}"))
    words = f"{path}: row {row.seq} was changed or is missing; restore a backup or move the file away"
    for reading in (
        lambda: list(journal.rows()),
        lambda: journal.newest(Kind.HALT, 1),
        lambda: journal.sample(Kind.HALT, 2),
    ):
        with pytest.raises(JournalError, match=f"^{re.escape(words)}$"):
            reading()


def test_a_checkpoint_that_was_changed_is_told_by_its_place_and_row(path: Path) -> None:
    with new_journal(path, checkpoint_rows=3) as journal:
        journal.append(HALT)
        (row,) = journal.newest(Kind.CHECKPOINT, 1)
    rewrite(path, replace(row, payload_text="{}"))
    with pytest.raises(JournalError) as refused:
        Journal.open_to_read(path, FakeClock())
    assert str(refused.value) == f"{path}: row 4 was changed or is missing; restore a backup or move the file away"


def test_an_index_that_lacks_rows_is_damage_though_every_row_is_whole(path: Path) -> None:
    new_journal(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA writable_schema = ON")
        turned = (
            "UPDATE sqlite_master SET sql = replace(sql, '(kind, seq)', '(run_id, kind)') WHERE name = 'journal_kind'"
        )
        assert database.execute(turned).rowcount == 1
    with pytest.raises(JournalError) as refused:
        Journal.open_to_read(path, FakeClock())
    words = "the file is damaged: row 1 missing from index journal_kind; restore a backup or move the file away"
    assert str(refused.value) == f"{path}: {words}"


def test_a_place_is_named_to_the_database_as_what_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every SQLite takes a name that begins with `file:` for more than a name unless it is told to."""
    new_journal(path).close()
    asked: list[dict[str, object]] = []
    connect = sqlite3.connect

    def watched(place: str, **options: Any) -> sqlite3.Connection:
        asked.append(options)
        made: sqlite3.Connection = connect(place, **options)
        return made

    monkeypatch.setattr(sqlite3, "connect", watched)
    assert schema.is_journal(path)
    Journal.open_to_read(path, FakeClock()).close()
    assert [options["uri"] for options in asked] == [True, True]
