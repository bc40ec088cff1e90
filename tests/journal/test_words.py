"""What the owner reads when a journal is refused: the place, what is wrong with it and the next step, to the letter."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rebalancer.core.canonical import canonical
from rebalancer.errors import ConfigError, JournalError, RebalancerError
from rebalancer.journal import records
from rebalancer.journal.records import Binding
from rebalancer.journal.rows import Entry, Kind, hash_of
from rebalancer.journal.store import Journal
from tests.journal.builders import RUN, intent, new_journal, planned, started
from tests.journal.sealing import rewrite
from tests.support import FakeClock

REMEDY = "restore a backup or move the file away"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def told(act: Callable[[], object], error: type[RebalancerError] = JournalError) -> str:
    with pytest.raises(error) as refused:
        act()
    assert type(refused.value) is error
    return str(refused.value)


def read(path: Path) -> Journal:
    return Journal.open_to_read(path, FakeClock())


def damage(path: Path, change: str) -> None:
    """Change what is on disk as somebody would who took the triggers away first."""
    rewrite(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(change)


def test_a_journal_that_is_not_there(path: Path) -> None:
    words = f"{path}: there is no journal yet; the first `rebalancer run` makes it"
    assert told(lambda: read(path)) == words


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"not a database at all, but a long enough text" * 30)
    assert told(lambda: read(path)) == f"{path}: cannot be read as a journal: file is not a database"
    words = f"{path}: cannot be opened as a journal: file is not a database"
    assert told(lambda: Journal.open(path, FakeClock())) == words


def test_a_file_too_short_for_a_database(path: Path) -> None:
    path.write_bytes(b"x" * 99)
    assert told(lambda: Journal.open(path, FakeClock())) == (
        f"{path}: row 1 is missing, the file is empty; restore a backup, or delete the file to begin a new one"
    )
    path.write_bytes(b"x" * 100)
    words = f"{path}: cannot be opened as a journal: file is not a database"
    assert told(lambda: Journal.open(path, FakeClock())) == words


def test_a_journal_that_was_opened_to_read_where_nothing_can_be_written(path: Path, tmp_path: Path) -> None:
    new_journal(path).close()
    path.with_name("journal.db-shm").symlink_to(tmp_path / "nowhere" / "at-all")
    with read(path) as reader:
        words = "cannot write: attempt to write a readonly database; nothing of this step is sent"
        assert told(lambda: reader.append(started())) == f"{path}: {words}"


def test_a_journal_whose_last_rows_only_its_user_can_merge(path: Path, tmp_path: Path) -> None:
    crashed = tmp_path / "crashed" / "journal.db"
    crashed.parent.mkdir()
    with new_journal(path):
        for name in ("journal.db", "journal.db-wal"):
            (crashed.parent / name).write_bytes((path.parent / name).read_bytes())
    crashed.with_name("journal.db-shm").symlink_to(tmp_path / "nowhere" / "at-all")
    words = "its last rows are in journal.db-wal, which only the user of the service can merge: unable to open database file"
    assert told(lambda: read(crashed)) == f"{crashed}: {words}"


def test_a_journal_of_another_version(path: Path) -> None:
    new_journal(path).close()
    damage(path, "PRAGMA user_version = 7")
    words = f"{path}: journal version 7, this program knows 1; nothing was done"
    for opening in (Journal.open, Journal.open_to_read):
        assert told(lambda opening=opening: opening(path, FakeClock())) == words  # type: ignore[misc]


def test_a_journal_of_another_account(path: Path) -> None:
    with new_journal(path) as journal:
        other = Binding("htx", "api.huobi.pro", "7", "USDC")
        assert told(lambda: journal.ensure_binding(other), ConfigError) == (
            f"{path} belongs to embedded at 127.0.0.1, account 10101010, in USDT, not to htx at api.huobi.pro, "
            "account 7, in USDC; use another REBALANCER_STATE_DIR for another account"
        )


def test_a_row_of_no_known_kind(path: Path) -> None:
    with new_journal(path) as journal:
        journal.append(started())
    with read(path) as reader:
        damage(path, "UPDATE journal SET kind = 'GIFT' WHERE seq = 2")
        words = f"{path}: the row after 1 cannot be read ('GIFT' is not a valid Kind); {REMEDY}"
        assert told(lambda: list(reader.rows())) == words
        assert told(lambda: list(reader.rows(after_seq=1))) == words.replace("after 1", "after 0")
    words = f"{path}: row 2 cannot be trusted ('GIFT' is not a valid Kind); {REMEDY}"
    assert told(lambda: read(path)) == words


def test_a_row_that_does_not_follow_from_those_before_it(path: Path) -> None:
    with new_journal(path) as journal:
        (row,) = journal.append(started())
    bare = replace(row, kind=Kind.ACK, payload_text=canonical({"halt": 7, "who": "owner"}))
    rewrite(path, replace(bare, hash=hash_of(bare)))
    words = f"{path}: row 3 cannot be trusted (7); {REMEDY}"
    assert told(lambda: read(path)) == told(lambda: Journal.open(path, FakeClock())) == words


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        (Kind.OUTCOME, '{"event":"fill"}', "it names no intent"),
        (Kind.EXTERNAL_FLOW, '{"held":"all","moved":{}}', "'str' object has no attribute 'items'"),
        (Kind.CHECKPOINT, "[]", "'list' object has no attribute 'get'"),
    ],
)
def test_a_row_with_a_hash_of_its_own_that_says_what_no_row_can(path: Path, kind: Kind, text: str, why: str) -> None:
    with new_journal(path) as journal:
        journal.append(started(), planned())
        row = list(journal.rows())[-1]
    bare = replace(row, kind=kind, payload_text=text)
    rewrite(path, replace(bare, hash=hash_of(bare)))
    place = "no row can be trusted as the last checkpoint" if kind is Kind.CHECKPOINT else "row 4 cannot be trusted"
    assert told(lambda: read(path)) == f"{path}: {place} ({why}); {REMEDY}"


def test_an_order_in_a_journal_that_is_about_nothing(path: Path) -> None:
    with Journal.open(path, FakeClock()) as journal:
        words = f"{path}: refused to write an impossible row: no row before it says what the journal is about"
        assert told(lambda: journal.append(records.intent(intent()))) == words


def test_a_checkpoint_that_cannot_be_read(path: Path) -> None:
    with new_journal(path, checkpoint_rows=3) as journal:
        journal.append(started())
        (seal,) = journal.newest(Kind.CHECKPOINT, 1)
    forged = replace(seal, payload_text="{")
    rewrite(path, replace(forged, hash=hash_of(forged)))
    with pytest.raises(json.JSONDecodeError) as why:
        json.loads("{")
    assert told(lambda: read(path)) == f"{path}: no row can be trusted as the last checkpoint ({why.value}); {REMEDY}"


def test_a_row_that_cannot_be(path: Path) -> None:
    with new_journal(path) as journal:
        words = f"{path}: refused to write an impossible row: 'slot'"
        assert told(lambda: journal.append(Entry(Kind.RUN, {}, RUN))) == words
        words = f"{path}: refused to write an impossible row: 7"
        assert told(lambda: journal.append(records.ack_halt(7, "owner"))) == words


def test_a_row_that_came_while_somebody_read(path: Path) -> None:
    with new_journal(path) as journal, read(path) as reader:
        (row,) = journal.append(started())
        rewrite(path, replace(row, payload_text="{}"))
        assert told(reader.follow) == f"{path}: row 3 was changed or is missing; {REMEDY}"


class Malformed:
    """A database that cannot look at itself."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
        if "integrity" in sql.lower():
            raise sqlite3.DatabaseError("database disk image is malformed")
        return self._database.execute(sql, *more)

    def close(self) -> None:
        self._database.close()


def test_a_file_that_is_too_damaged_to_be_looked_at(path: Path) -> None:
    with new_journal(path) as journal:
        journal._database = Malformed(journal._database)  # type: ignore[assignment]
        words = f"{path}: the file is damaged: database disk image is malformed; {REMEDY}"
        assert told(journal.verify) == words


def test_rows_that_were_there(path: Path) -> None:
    with new_journal(path) as journal:
        journal.append(started(), started())
        damage(path, "DELETE FROM journal WHERE seq > 2")
        assert told(journal.verify) == f"{path}: row 3 was there and is missing; {REMEDY}"
        assert told(lambda: journal.append(started())) == (
            f"{path}: another process wrote: the last row is 2, this one knows 4 and must not go on"
        )
