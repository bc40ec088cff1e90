"""The journal's disk fails under a plan: what is not written down is not sent, and what was sent is found again."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from rebalancer.errors import GuardTripped, JournalError
from rebalancer.journal import records
from rebalancer.journal.rows import Kind
from tests.service.house import House
from tests.service.test_strangers import answer_halts
from tests.service.truth import must_be_settled

FULL, NO_SYNC = sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_FSYNC


class FailingDisk:
    """A database whose next commit of a row of some kind fails, once."""

    def __init__(self, database: sqlite3.Connection, kind: Kind, code: int) -> None:
        self._database, self._kind, self._code = database, kind, code
        self._kinds: set[str] = set()
        self.failed = 0
        self.commits_after = 0

    def executemany(self, sql: str, rows: list[tuple[Any, ...]]) -> sqlite3.Cursor:
        self._kinds = {row[3] for row in rows}
        return self._database.executemany(sql, rows)

    def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            self.commits_after += self.failed
            if self._kind in self._kinds and not self.failed:
                self.failed = 1
                error = sqlite3.OperationalError("the disk failed")
                error.sqlite_errorcode = self._code
                raise error
        return self._database.execute(sql, *more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


def failing(house: House, kind: Kind, code: int) -> FailingDisk:
    disk = FailingDisk(house.journal._database, kind, code)
    house.journal._database = disk  # type: ignore[assignment]
    return disk


@pytest.mark.parametrize("code", [FULL, NO_SYNC])
@pytest.mark.parametrize("kind", [Kind.INTENT, Kind.SENDING])
def test_what_a_failing_disk_does_not_take_is_not_sent(kind: Kind, code: int, tmp_path: Path) -> None:
    house = House(tmp_path)
    disk = failing(house, kind, code)
    with pytest.raises(JournalError):
        house.cycle()
    assert disk.failed and not house.wire.posts and not house.exchange.state.orders
    house.restart()
    must_be_settled(house, kind)


@pytest.mark.parametrize("code", [FULL, NO_SYNC])
def test_an_order_whose_outcome_finds_no_room_stays_sending_and_is_found_by_the_next_start(
    code: int, tmp_path: Path
) -> None:
    house = House(tmp_path)
    disk = failing(house, Kind.OUTCOME, code)
    with pytest.raises(JournalError):
        house.cycle()
    assert disk.failed and len(house.wire.posts) == len(house.exchange.state.orders) == 1
    assert house.states() == ["sending", "planned", "planned"]
    house.restart()
    house.cycle()
    must_be_settled(house, code)


def test_after_a_failed_sync_nothing_more_is_written_until_the_journal_was_opened_and_verified_again(
    tmp_path: Path,
) -> None:
    house = House(tmp_path)
    disk = failing(house, Kind.SENDING, NO_SYNC)
    with pytest.raises(JournalError, match="the disk failed"):
        house.cycle()
    with pytest.raises(JournalError, match="only a new start can tell what is there"):
        house.journal.append(records.halt("foreign_order", "anything"))
    assert disk.failed and not disk.commits_after, "not even how the run ended"
    house.restart()
    assert house.payloads(Kind.RUN_CLOSED)[-1]["status"] == "interrupted"


def test_a_full_disk_is_not_for_good(tmp_path: Path) -> None:
    house = House(tmp_path)
    failing(house, Kind.SENDING, FULL)
    with pytest.raises(JournalError, match="nothing of this step is sent"):
        house.cycle()
    assert house.payloads(Kind.RUN_CLOSED)[-1]["status"] == "failed"


def test_a_journal_whose_log_was_deleted_halts_over_the_orders_that_it_lost(tmp_path: Path) -> None:
    """Whoever copies or keeps the one file alone loses what SQLite had not yet written back into it."""
    house = House(tmp_path)
    house.close()
    house.start()
    house.cycle()
    lost = {post["client-order-id"] for post in house.wire.posts}
    content, log = (tmp_path / "journal.db").read_bytes(), tmp_path / "journal.db-wal"
    assert log.stat().st_size, "the last rows are in the log alone"
    house.close()
    (tmp_path / "journal.db").write_bytes(content)
    log.unlink(missing_ok=True)
    house.start()
    assert not house.records
    with pytest.raises(GuardTripped, match="does not know it"):
        house.cycle()
    assert len(house.wire.posts) == len(lost)
    answer_halts(house)
    house.exchange.deposit(house.user, "BTC", house.balances["BTC"])
    house.cycle()
    new = {post["client-order-id"] for post in house.wire.posts[len(lost) :]}
    assert new and not new & lost


def test_a_stranger_who_locks_the_journal_for_writing_stops_the_order_and_not_its_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rebalancer.journal.schema.BUSY_MS", 50)
    house = House(tmp_path)
    house.restart()
    stranger = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    house.on_progress = lambda progress: (
        stranger.execute("BEGIN IMMEDIATE") and None if progress.step == "planned" else None
    )
    with pytest.raises(JournalError, match="locked"):
        house.cycle()
    assert not house.wire.posts
    stranger.execute("ROLLBACK")
    stranger.close()
    house.on_progress = lambda _progress: None
    house.restart()
    must_be_settled(house)
