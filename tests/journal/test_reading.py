"""Reading while the service writes, while it does not, and where it must not be believed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rebalancer.errors import JournalError
from rebalancer.journal import records
from rebalancer.journal.rows import Kind
from rebalancer.journal.store import Journal
from tests.journal.builders import intent, new_journal, planned, random_life, started
from tests.support import FakeClock


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return what the journal and its log hold; an empty log is none."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}
    return {name: content for name, content in found.items() if content}


def block_helper_files(path: Path) -> None:
    """Make the shared index impossible, as in a folder where the reader may not write."""
    path.with_name(f"{path.name}-shm").symlink_to(path.parent / "nowhere" / "at-all")


def test_a_reader_beside_a_living_writer_sees_every_row_and_changes_nothing(tmp_path: Path) -> None:
    path, clock = tmp_path / "journal.db", FakeClock()
    with new_journal(path, clock) as writer:
        for _rows in random_life(writer, clock, seed=3, steps=8):
            before = bytes_of(tmp_path)
            with Journal.open_to_read(path, clock) as reader:
                assert (list(reader.rows()), reader.state) == (list(writer.rows()), writer.state)
                assert reader.last_seq == writer.last_seq
            assert bytes_of(tmp_path) == before


def test_a_reader_without_a_writer_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with new_journal(path) as writer:
        written = list(writer.rows())
    before = bytes_of(tmp_path)
    assert set(before) == {"journal.db"}
    with Journal.open_to_read(path, FakeClock()) as reader:
        assert list(reader.rows()) == written
    assert bytes_of(tmp_path) == before


def test_a_reader_who_may_not_make_helper_files_reads_a_closed_journal_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with new_journal(path) as writer:
        writer.append(started())
        written = list(writer.rows())
    block_helper_files(path)
    with (
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as plain,
        pytest.raises(sqlite3.OperationalError, match="unable to open"),
    ):
        plain.execute("PRAGMA user_version")
    with Journal.open_to_read(path, FakeClock()) as reader:
        assert list(reader.rows()) == written


def test_rows_left_in_the_log_by_a_crash_are_never_passed_over_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "live" / "journal.db"
    path.parent.mkdir()
    crashed = tmp_path / "crashed" / "journal.db"
    crashed.parent.mkdir()
    with new_journal(path) as writer:
        writer.append(started())
        for name in ("journal.db", "journal.db-wal"):
            (crashed.parent / name).write_bytes((path.parent / name).read_bytes())
        block_helper_files(crashed)
        with pytest.raises(JournalError, match=r"last rows are in journal\.db-wal"):
            Journal.open_to_read(crashed, FakeClock())
        crashed.with_name("journal.db-shm").unlink()
        with Journal.open_to_read(crashed, FakeClock()) as reader:
            assert list(reader.rows()) == list(writer.rows())


def test_a_reader_cannot_append(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with new_journal(path) as writer, Journal.open_to_read(path, FakeClock()) as reader:
        with pytest.raises(JournalError, match=r"cannot write: .*readonly"):
            reader.append(started())
        assert reader.state == writer.state
        writer.append(started())


def test_rows_and_state_of_a_reader_agree_while_the_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with new_journal(path) as writer:
        writer.append(started())
        with Journal.open_to_read(path, FakeClock()) as reader:
            seen = list(reader.rows())
            writer.append(*records.plan_and_intents(planned(), [intent()]))
            assert list(reader.rows()) == seen
            assert not reader.state.intents
            assert reader.verify() == writer.last_seq
            assert (list(reader.rows()), reader.state) == (list(writer.rows()), writer.state)


def test_a_journal_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal yet"):
        Journal.open_to_read(tmp_path / "journal.db", FakeClock())
    assert not list(tmp_path.iterdir())


def test_a_reader_follows_a_living_writer_without_reading_again_what_it_knows(tmp_path: Path) -> None:
    path, clock = tmp_path / "journal.db", FakeClock()
    with new_journal(path, clock, checkpoint_rows=20) as writer, Journal.open_to_read(path, clock) as reader:
        for _rows in random_life(writer, clock, seed=4, steps=60):
            reader.follow()
            assert (reader.last_seq, reader.state) == (writer.last_seq, writer.state)


def test_a_row_that_does_not_follow_from_what_the_reader_knows_is_damage(tmp_path: Path) -> None:
    path, clock = tmp_path / "journal.db", FakeClock()
    with new_journal(path, clock) as writer, Journal.open_to_read(path, clock) as reader:
        known = reader.last_seq
        writer.append(records.halt("foreign_order", "order 7"))
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("DROP TRIGGER journal_keeps_text")
            database.execute("UPDATE journal SET payload = '{}' WHERE seq = ?", (known + 1,))
        with pytest.raises(JournalError, match=f"row {known + 1} was changed"):
            reader.follow()
        assert reader.last_seq == known and not reader.state.halts


def test_a_sample_has_the_first_the_last_and_evenly_what_lies_between(tmp_path: Path) -> None:
    with new_journal(tmp_path / "journal.db") as journal:
        seqs = [journal.append(records.halt("foreign_order", f"order {n}"))[0].seq for n in range(101)]
        assert [row.seq for row in journal.sample(Kind.HALT, 1000)] == seqs
        assert [row.seq for row in journal.sample(Kind.HALT, 11)] == seqs[::10]
        assert journal.sample(Kind.PLAN, 5) == ()
        assert [row.kind for row in journal.sample(Kind.BINDING, 1)] == [Kind.BINDING]
        assert [row.seq for row in journal.newest(Kind.HALT, 3)] == seqs[:-4:-1]
        assert [row.seq for row in journal.newest(Kind.HALT, 3, before_seq=seqs[2])] == [seqs[1], seqs[0]]
