"""What an append promises: one transaction, durable, or refused as a whole."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from rebalancer.cli.exits import Exit, exit_of
from rebalancer.core.canonical import moment_text, parse_moment
from rebalancer.core.ids import run_id
from rebalancer.errors import ConfigError, JournalError
from rebalancer.journal import records
from rebalancer.journal.records import Binding
from rebalancer.journal.rows import Entry, Kind
from rebalancer.journal.schema import SCHEMA_VERSION
from rebalancer.journal.store import Journal
from tests.core.builders import NOW
from tests.journal.builders import BOUND, intent, new_journal, planned, random_life, started
from tests.support import FakeClock

STEP = tuple(records.plan_and_intents(planned(), [intent(number) for number in range(1, 6)]))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with new_journal(tmp_path / "journal.db") as made:
        yield made


def kinds_of(journal: Journal) -> list[Kind]:
    return [row.kind for row in journal.rows()]


def copy_of(folder: Path, target: Path, *, log_bytes: int | None = None) -> Path:
    """Return the journal as a loss of power would leave it: the file and the first bytes of its log."""
    target.mkdir()
    shutil.copy(folder / "journal.db", target)
    (target / "journal.db-wal").write_bytes((folder / "journal.db-wal").read_bytes()[:log_bytes])
    return target / "journal.db"


def test_every_commit_is_synced_and_the_types_of_columns_are_kept(journal: Journal) -> None:
    asked = [journal._database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]
    assert asked == [2, "wal"]  # 2 is FULL: the log is synced at every commit
    table = journal._database.execute("SELECT strict FROM pragma_table_list WHERE name = 'journal'").fetchone()
    assert table == (1,)


def test_what_append_returned_is_on_disk_without_closing(tmp_path: Path) -> None:
    clock = FakeClock()
    with new_journal(tmp_path / "journal.db", clock) as journal:
        for number, _rows in enumerate(random_life(journal, clock, seed=1, steps=12)):
            with Journal.open(copy_of(tmp_path, tmp_path / f"copy{number}"), clock) as found:
                assert list(found.rows())[:-1] == list(journal.rows()), f"step {number}"


def test_a_log_cut_anywhere_holds_whole_steps_only(tmp_path: Path) -> None:
    clock = FakeClock()
    with new_journal(tmp_path / "journal.db", clock) as journal:
        ends = [0, 1, journal.last_seq]
        ends += [rows[-1].seq for rows in random_life(journal, clock, seed=2, steps=10)]
        written, size = list(journal.rows()), (tmp_path / "journal.db-wal").stat().st_size
        for cut in range(0, size, size // 60):
            with Journal.open(copy_of(tmp_path, tmp_path / f"cut{cut}", log_bytes=cut), clock) as found:
                kept = list(found.rows())[:-1]
            assert kept == written[: len(kept)], f"cut at {cut}"
            assert len(kept) in ends, f"cut at {cut}: {len(kept)} rows is half a step"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE journal SET payload = '{}' WHERE seq = 1",
        "UPDATE journal SET seq = 99 WHERE seq = 2",
        "DELETE FROM journal WHERE seq = 2",
        "DELETE FROM journal",
        "REPLACE INTO journal SELECT 1, run_id, 7, kind, payload, t_wall, t_exch, prev_hash, hash, fence FROM journal",
        "INSERT INTO journal SELECT seq + 5, run_id, 7, kind, payload, t_wall, t_exch, prev_hash, hash, fence FROM journal",
    ],
)
def test_the_database_itself_refuses_to_change_or_drop_a_row(tmp_path: Path, journal: Journal, change: str) -> None:
    before = list(journal.rows())
    with (
        closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other,
        pytest.raises(sqlite3.IntegrityError, match="only grows"),
    ):
        other.execute(change)
    journal.verify()
    assert list(journal.rows()) == before


def test_a_second_writer_is_noticed_before_the_first_writes_again(tmp_path: Path, journal: Journal) -> None:
    with Journal.open(tmp_path / "journal.db", FakeClock()) as second:
        before = second.state.draft()
        for _again in range(2):
            with pytest.raises(JournalError, match="another process wrote: the last row is 3, this one knows 2"):
                journal.append(started())
        second.append(started())
        assert kinds_of(second) == [Kind.FENCE, Kind.BINDING, Kind.FENCE, Kind.RUN]
        assert (second.state.fence, before.fence, journal.state.fence) == (2, 2, 1)


def test_every_opening_takes_a_higher_fence_and_its_rows_carry_it(tmp_path: Path) -> None:
    fences = []
    for number in range(1, 4):
        with Journal.open(tmp_path / "journal.db", FakeClock()) as journal:
            fences.append(journal.append(started(run_id("test", NOW, number)))[0].fence)
    assert fences == [1, 2, 3]


def test_two_lives_of_one_journal_draw_different_numbers_and_a_seed_repeats_them(tmp_path: Path) -> None:
    drawn = []
    for rng in (None, None, random.Random(1), random.Random(1)):
        with Journal.open(tmp_path / "journal.db", FakeClock(), rng=rng) as journal:
            drawn.append(journal.state.nonce)
    assert len(set(drawn[:3])) == 3
    assert drawn[2] == drawn[3]
    assert all(re.fullmatch("[0-9a-f]{16}", nonce) for nonce in drawn)


def test_a_full_disk_writes_nothing_of_the_step_and_the_journal_goes_on_after(journal: Journal) -> None:
    pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
    journal._database.execute(f"PRAGMA max_page_count = {pages}")
    before, rows = journal.state.draft(), list(journal.rows())
    large = [records.run_closed("r", status="done", text="x" * 5000), *STEP]
    for _again in range(2):
        with pytest.raises(JournalError, match=r"cannot write: .* full; nothing of this step is sent"):
            journal.append(*large)
        assert (journal.state, journal.last_seq) == (before, len(rows))
    journal._database.execute("PRAGMA max_page_count = 1000000")
    journal.append(*large)
    assert journal.verify() == len(rows) + len(large)
    assert list(journal.rows())[: len(rows)] == rows


@pytest.mark.parametrize("back_s", [0.25, 0.75, 1.0, 86_400.0])
def test_time_in_the_journal_never_goes_back(tmp_path: Path, back_s: float) -> None:
    clock = FakeClock(NOW + timedelta(milliseconds=500))
    with new_journal(tmp_path / "journal.db", clock) as journal:
        clock.advance(-back_s)
        journal.append(started())
    with Journal.open(tmp_path / "journal.db", clock) as journal:
        clock.advance(back_s + 0.125)
        journal.append(*STEP)
        written = [parse_moment(row.t_wall) for row in journal.rows()]
        assert written == sorted(written)
        assert written[-1] == clock.now()


def test_an_exchange_time_is_kept_beside_the_wall_time(journal: Journal) -> None:
    at = NOW + timedelta(milliseconds=1)
    (row,) = journal.append(Entry(Kind.CONFIG, t_exch=at))
    assert (row.t_exch, row.t_wall) == (moment_text(at), moment_text(NOW))


@pytest.mark.parametrize("changed", ["venue", "host", "account_id", "quote"])
def test_a_journal_of_another_account_is_refused_as_a_setting(journal: Journal, changed: str) -> None:
    journal.ensure_binding(BOUND)  # the same again changes nothing
    mine = {"venue": "embedded", "host": "127.0.0.1", "account_id": "10101010", "quote": "USDT"}
    with pytest.raises(ConfigError, match=r"belongs to embedded at .*not to .*OTHER.*REBALANCER_STATE_DIR") as refused:
        journal.ensure_binding(Binding(**mine | {changed: "OTHER"}))
    assert exit_of(refused.value) is Exit.CONFIG == 78
    assert kinds_of(journal) == [Kind.FENCE, Kind.BINDING]


def test_attempts_count_the_runs_of_one_slot_of_one_schedule(journal: Journal) -> None:
    later = NOW + timedelta(minutes=1)
    for schedule, slot, attempt in (("a", NOW, 1), ("a", NOW, 2), ("a", later, 1), ("ab", NOW, 1)):
        run = run_id(schedule, slot, attempt)
        journal.append(started(run, schedule=schedule, slot=slot), records.run_closed(run, status="done"))
    assert [journal.attempts("a", NOW), journal.attempts("a", later), journal.attempts("ab", NOW)] == [2, 1, 1]
    assert [journal.attempts("a", NOW + timedelta(days=1)), journal.attempts("*", NOW)] == [0, 0]
    assert (journal.last_slot("a"), journal.last_slot("ab"), journal.last_slot("none")) == (later, NOW, None)


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 0])
def test_a_journal_of_another_version_is_refused_and_left_as_it_is(tmp_path: Path, version: int) -> None:
    path = tmp_path / "journal.db"
    new_journal(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    for opening in (Journal.open, Journal.open_to_read):
        with pytest.raises(JournalError, match=f"version {version}, this program knows {SCHEMA_VERSION}"):
            opening(path, FakeClock())
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not a database at all, but a long enough text" * 30], ids=["empty", "text"])
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    for opening in (Journal.open, Journal.open_to_read):
        with pytest.raises(JournalError, match=r"journal\.db"):
            opening(path, FakeClock())
    assert path.read_bytes() == content


def test_a_foreign_database_is_not_even_turned_into_another_journal_mode(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="version 0"):
        Journal.open(path, FakeClock())
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_a_journal_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal.open(tmp_path / "missing" / "journal.db", FakeClock())


def test_a_first_start_that_dies_half_way_leaves_nothing_that_the_next_would_refuse(tmp_path: Path) -> None:
    """The tables are made beside the place, and what a dead start left there is made anew."""
    (tmp_path / ".journal.db.new").write_bytes(b"")
    (tmp_path / ".journal.db.new-wal").write_bytes(b"half a page")
    with Journal.open(tmp_path / "journal.db", FakeClock()) as journal:
        assert journal.last_seq == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal.db"]


@pytest.mark.parametrize("ending", ["-wal", "-journal"])
def test_a_log_whose_journal_was_moved_away_is_not_mixed_into_a_new_one(tmp_path: Path, ending: str) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    with new_journal(tmp_path / "journal.db") as journal:
        journal.append(records.halt("foreign_order", "look"))
        for each in tmp_path.glob("journal.db*"):
            shutil.copy(each, moved / each.name)  # as a crash leaves it
    (moved / "journal.db").unlink()
    (moved / "journal.db-wal").rename(moved / f"journal.db{ending}")
    before = (moved / f"journal.db{ending}").read_bytes()
    with pytest.raises(ConfigError, match=f"journal.db{ending}: the journal .* is not here any more"):
        Journal.open(moved / "journal.db", FakeClock())
    assert not (moved / "journal.db").exists() and (moved / f"journal.db{ending}").read_bytes() == before
    (moved / f"journal.db{ending}").write_bytes(b"")
    with Journal.open(moved / "journal.db", FakeClock()) as journal:
        assert journal.last_seq == 1, "an empty one holds nothing to be mixed in"
