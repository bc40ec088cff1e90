"""Copies of a journal in use: one moment of it, whole, proved, and told apart from every other."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from rebalancer.errors import JournalError
from rebalancer.journal import records
from rebalancer.journal.copies import (
    Head,
    Relation,
    drafted_copy,
    head_of,
    merge_log,
    put,
    relation_of,
    remove,
    set_aside,
)
from rebalancer.journal.schema import is_journal
from rebalancer.journal.store import Journal
from tests.journal.builders import BOUND, new_journal, random_life, started
from tests.journal.sealing import forged, long_journal, rewrite
from tests.support import FakeClock

CLOCK = FakeClock()


def back_up(source: Path, target: Path) -> None:
    with drafted_copy(source, target, CLOCK) as draft:
        put(draft, target)


@pytest.mark.parametrize("seed", range(4))
def test_a_copy_made_while_the_service_writes_is_a_whole_moment_of_it(tmp_path: Path, seed: int) -> None:
    clock, copies = FakeClock(), []
    with new_journal(tmp_path / "journal.db", clock, checkpoint_rows=15) as journal:
        for number, _rows in enumerate(random_life(journal, clock, seed)):
            if number % 9 == 0:
                copies.append((tmp_path / f"{number}.db", journal.last_seq, journal.state.draft()))
                back_up(tmp_path / "journal.db", copies[-1][0])
        rows = list(journal.rows())
    for path, last_seq, state in copies:
        with Journal.open_to_read(path, CLOCK) as copy:
            assert list(copy.rows()) == rows[:last_seq] and copy.verify() == last_seq, seed
            assert copy.state.totals == state.totals and copy.state.intents == state.intents
        used, copied = head_of(tmp_path / "journal.db", CLOCK), head_of(path, CLOCK)
        assert relation_of(used, copied, CLOCK) is Relation.AHEAD
        assert relation_of(copied, used, CLOCK) is Relation.BEHIND
        assert relation_of(copied, copied, CLOCK) is Relation.SAME
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_copy_is_one_file_for_its_owner_alone_and_opens_where_nothing_can_be_written(tmp_path: Path) -> None:
    with new_journal(tmp_path / "journal.db"):
        (tmp_path / "there").mkdir()
        back_up(tmp_path / "journal.db", tmp_path / "there" / "copy.db")
    copy = tmp_path / "there" / "copy.db"
    assert [path.name for path in copy.parent.iterdir()] == ["copy.db"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    before = copy.read_bytes()
    assert head_of(copy, CLOCK).rows == 2
    assert [path.name for path in copy.parent.iterdir()] == ["copy.db"] and copy.read_bytes() == before


def test_whoever_waits_is_told_of_every_row_that_was_looked_at(tmp_path: Path) -> None:
    rows, heard = long_journal(tmp_path / "journal.db"), []

    @contextmanager
    def watch(total: int) -> Iterator[Callable[[int], None]]:
        heard.append(total)
        yield heard.append

    head_of(tmp_path / "journal.db", CLOCK, watch)
    assert heard == [len(rows), *range(1, len(rows) + 1)]


def test_two_lives_of_one_backup_are_apart(tmp_path: Path) -> None:
    with new_journal(tmp_path / "one.db"):
        pass
    shutil.copy(tmp_path / "one.db", tmp_path / "two.db")
    for name in ("one.db", "two.db"):
        with Journal.open(tmp_path / name, CLOCK) as journal:
            journal.append(started())
    one, two = (head_of(tmp_path / name, CLOCK) for name in ("one.db", "two.db"))
    assert relation_of(one, two, CLOCK) is relation_of(two, one, CLOCK) is Relation.APART


def test_a_journal_that_parts_from_a_copy_in_the_last_row_of_it_does_not_go_on_where_it_ends(tmp_path: Path) -> None:
    with new_journal(tmp_path / "one.db"):
        pass
    shutil.copy(tmp_path / "one.db", tmp_path / "two.db")
    Journal.open(tmp_path / "one.db", CLOCK).close()
    with Journal.open(tmp_path / "two.db", CLOCK) as journal:
        journal.append(started())
    one, two = (head_of(tmp_path / name, CLOCK) for name in ("one.db", "two.db"))
    assert (one.rows, two.rows) == (3, 4)
    assert relation_of(one, two, CLOCK) is relation_of(two, one, CLOCK) is Relation.APART


@pytest.mark.parametrize("seed", range(3))
def test_a_journal_of_which_one_row_was_changed_cannot_be_copied_as_whole(tmp_path: Path, seed: int) -> None:
    rows = long_journal(tmp_path / "journal.db", seed)
    number = random.Random(seed).randrange(2, len(rows) // 2)
    rewrite(tmp_path / "journal.db", forged(rows, number, {"more": 1})[0])
    source, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    with drafted_copy(source, copy, CLOCK) as draft, pytest.raises(JournalError, match="row"):
        head_of(draft, CLOCK)  # it opens: what was changed is before its last checkpoint


def test_a_copy_that_fails_leaves_nothing_and_the_older_one_as_it_was(tmp_path: Path) -> None:
    with new_journal(tmp_path / "journal.db"):
        pass
    copy = tmp_path / "copy.db"
    back_up(tmp_path / "journal.db", copy)
    before = copy.read_bytes()
    with pytest.raises(ZeroDivisionError), drafted_copy(tmp_path / "journal.db", copy, CLOCK):
        raise ZeroDivisionError
    assert copy.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_log_of_the_file_that_was_there_is_never_replayed_into_the_one_that_comes(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with new_journal(path) as journal:
        back_up(path, tmp_path / "copy.db")
        for _ in range(20):
            journal.append(records.halt("foreign_order", "x" * 400))
        lost = tmp_path / "lost"
        lost.mkdir()
        for each in tmp_path.glob("journal.db*"):
            shutil.copy(each, lost / each.name)  # as a crash leaves it: rows wait in the log
    assert (lost / "journal.db-wal").stat().st_size
    merge_log(lost / "journal.db")
    assert [each.name for each in lost.iterdir()] == ["journal.db"]
    with Journal.open_to_read(lost / "journal.db", CLOCK) as merged:
        assert merged.last_seq == 22
    back_up(tmp_path / "copy.db", lost / "journal.db")
    put_back, copy = head_of(lost / "journal.db", CLOCK), head_of(tmp_path / "copy.db", CLOCK)
    assert (put_back.rows, put_back.last_hash) == (copy.rows, copy.last_hash)


def test_what_is_set_aside_stays_in_place_until_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"damage" * 100)
    path.with_name("journal.db-wal").write_bytes(b"log")
    kept = set_aside(path, "journal.db.damaged")
    assert kept.read_bytes() == path.read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "journal.db",
        "journal.db.damaged",
        "journal.db.damaged-wal",
    ]


def test_a_journal_is_told_from_any_other_file(tmp_path: Path) -> None:
    with new_journal(tmp_path / "journal.db"):
        pass
    (tmp_path / "text").write_text("version = 1\n" * 100)
    (tmp_path / "empty").touch()
    names = ("journal.db", "text", "empty")
    assert [is_journal(tmp_path / name) for name in names] == [True, False, False]


def test_the_head_of_a_journal_is_its_last_row_and_what_it_is_about(tmp_path: Path) -> None:
    path, clock = tmp_path / "journal.db", FakeClock()
    with new_journal(path, clock) as journal:
        clock.advance(1.5)
        (row,) = journal.append(started())
    assert head_of(path, CLOCK) == Head(path, 3, row.hash, "2026-03-01T12:00:01.500000Z", BOUND)
    with Journal.open(tmp_path / "blank.db", clock) as blank:
        (fence,) = blank.rows()
    assert head_of(tmp_path / "blank.db", CLOCK) == Head(tmp_path / "blank.db", 1, fence.hash, fence.t_wall, None)


def test_a_copy_is_put_in_its_place_with_its_mode_and_given_to_its_owner_as_far_as_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Path, int, int]] = []

    def refuse(place: Path, user: int, group: int) -> None:
        given.append((place, user, group))
        raise PermissionError

    monkeypatch.setattr(os, "chown", refuse)
    for owner, mode in ((None, 0o640), ((17, 18), 0o604)):
        draft = tmp_path / "draft"
        draft.write_bytes(b"whole")
        put(draft, tmp_path / "copy", mode=mode, owner=owner)
        assert (tmp_path / "copy").read_bytes() == b"whole" and not draft.exists()
        assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == mode
    assert given == [(tmp_path / "draft", 17, 18)]


def test_what_is_removed_takes_the_files_beside_it_along_and_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal", ".kept"):
        (tmp_path / f"journal.db{ending}").touch()
    for _again in range(2):
        remove(tmp_path / "journal.db")
        assert [path.name for path in tmp_path.iterdir()] == ["journal.db.kept"]


def test_a_draft_stands_hidden_beside_its_place_and_is_gone_whatever_happens(tmp_path: Path) -> None:
    with new_journal(tmp_path / "journal.db"):
        pass
    (tmp_path / "there").mkdir()
    with drafted_copy(tmp_path / "journal.db", tmp_path / "there" / "copy.db", CLOCK) as draft:
        assert draft.parent == tmp_path / "there" and draft.name.startswith(".copy.db.")
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600
        assert head_of(draft, CLOCK).rows == 2
    assert not list((tmp_path / "there").iterdir())


def test_a_copy_for_which_there_is_no_room_is_told_with_both_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_journal: Journal, _target: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with new_journal(tmp_path / "journal.db"):
        pass
    (tmp_path / "there").mkdir()
    monkeypatch.setattr(Journal, "copy_to", full)
    source, copy = tmp_path / "journal.db", tmp_path / "there" / "copy.db"
    with pytest.raises(JournalError) as refused, drafted_copy(source, copy, CLOCK):
        pass
    assert str(refused.value) == f"{source}: cannot be copied to {copy.parent}: database or disk is full"
    assert not list(copy.parent.iterdir())


def test_a_log_that_somebody_reads_just_now_is_not_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    with new_journal(path) as journal, closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM journal").fetchone()
        journal.append(started())
        monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, timeout=0))  # not for five seconds
        with pytest.raises(JournalError) as refused:
            merge_log(path)
        assert str(refused.value) == f"{path}: somebody is reading it just now; try again"
        assert path.with_name("journal.db-wal").stat().st_size
