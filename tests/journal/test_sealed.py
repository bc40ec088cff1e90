"""What a start believes because of a checkpoint, and what finds it out when it is not to be believed."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rebalancer.errors import JournalError
from rebalancer.journal.queries import recent_runs
from rebalancer.journal.rows import Kind
from rebalancer.journal.store import Journal
from tests.journal.sealing import forged, long_journal, rewrite, seals
from tests.support import FakeClock

OPENINGS = (Journal.open_to_read, Journal.open)


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_start_does_not_look_behind_the_last_checkpoint_and_the_deep_check_does(tmp_path: Path, opening: Any) -> None:
    path = tmp_path / "journal.db"
    rows = long_journal(path)
    last = seals(rows)[-1]
    with opening(path, FakeClock()) as sound:
        state = replace(sound.state, fence=0, nonce="")
        assert sound.checkpoint_seq == last
    rewrite(path, replace(rows[4], payload_text="{}"))
    with opening(path, FakeClock()) as journal:
        assert replace(journal.state, fence=0, nonce="") == state
        with pytest.raises(JournalError, match="row 5 was changed"):
            journal.verify()


@pytest.mark.parametrize("text", ['{"mode": "live"}', "{", "\x00"])
def test_a_row_behind_the_last_checkpoint_that_was_changed_is_named_and_never_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "journal.db"
    first = next(row for row in long_journal(path) if row.kind is Kind.RUN)
    rewrite(path, replace(first, payload_text=text))
    with Journal.open_to_read(path, FakeClock()) as journal:
        with pytest.raises(JournalError, match=f"row {first.seq} was changed or is missing; restore"):
            recent_runs(journal, 100_000)
        assert [row.seq for row in journal.rows(after_seq=first.seq)] == [*range(first.seq + 1, journal.last_seq + 1)]


def test_a_row_of_no_known_kind_behind_the_last_checkpoint_is_damage_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    long_journal(path)
    rewrite(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE journal SET kind = 'NOTHING' WHERE seq = 4")
    with (
        Journal.open_to_read(path, FakeClock()) as journal,
        pytest.raises(JournalError, match="the row after 3 cannot"),
    ):
        list(journal.rows())


def test_a_change_from_the_row_before_the_last_checkpoint_on_stops_a_start(tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    rows = long_journal(whole)
    path, last = tmp_path / "journal.db", seals(rows)[-1]
    for row in rows[last - 2 :]:
        shutil.copy(whole, path)
        rewrite(path, replace(row, payload_text=row.payload_text.replace("}", ',"x":1}', 1)))
        named = max(row.seq, last)  # what the checkpoint does not follow from, makes the checkpoint the bad row
        for opening in OPENINGS:
            with pytest.raises(JournalError, match=rf"row {named} was changed or is missing; restore"):
                opening(path, FakeClock())


@pytest.mark.parametrize("behind", [1, 0, -1])
def test_a_row_taken_out_beside_the_last_checkpoint_stops_a_start(tmp_path: Path, behind: int) -> None:
    path = tmp_path / "journal.db"
    last = seals(long_journal(path))[-1]
    rewrite(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM journal WHERE seq = ?", (last - behind,))
    for opening in OPENINGS:
        with pytest.raises(JournalError, match=r"row \d+ was changed or is missing; restore"):
            opening(path, FakeClock())


def test_a_checkpoint_that_is_none_any_more_is_found_from_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    rows = long_journal(path)
    last = seals(rows)[-1]
    for change in ({"kind": Kind.HALT}, {"payload_text": '{"format":99}'}, {"payload_text": "{"}):
        rewrite(path, replace(rows[last - 1], **change))  # type: ignore[arg-type]
        for opening in OPENINGS:
            with pytest.raises(JournalError, match=f"row {last} was changed"):
                opening(path, FakeClock())


@pytest.mark.parametrize("change", [{"open_plan": "another"}, {"fence": 99}, {"answered_halts": ["order 1"]}])
def test_a_checkpoint_that_is_not_the_fold_is_found_by_the_deep_check_though_every_hash_is_right(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    path = tmp_path / "journal.db"
    rows = long_journal(path)
    for seq in seals(rows)[-2:]:
        rewrite(path, *forged(rows, seq, change))
        told = rf"row {seq} cannot be trusted \(this checkpoint is not the fold of the rows before it\)"
        with (
            Journal.open_to_read(path, FakeClock()) as journal,
            pytest.raises(JournalError, match=told),
        ):
            journal.verify()
        rewrite(path, *rows[seq - 1 :])


def test_the_last_checkpoint_is_found_though_the_index_does_not_know_of_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    last = seals(long_journal(path))[-1]
    whole, part = "ON journal (kind, seq)", "ON journal (kind, seq) WHERE kind <> 'CHECKPOINT'"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("DROP INDEX journal_kind")
        database.execute(f"CREATE INDEX journal_kind {part}")
        database.execute("PRAGMA writable_schema = ON")
        turned = "UPDATE sqlite_master SET sql = ? WHERE name = 'journal_kind'"
        assert database.execute(turned, (f"CREATE INDEX journal_kind {whole}",)).rowcount == 1
    with Journal.open_to_read(path, FakeClock()) as journal:
        assert journal.newest(Kind.CHECKPOINT, 1) == (), "the index is the one that look-ups go by"
        assert journal.checkpoint_seq == last
        with pytest.raises(JournalError, match=r"the file is damaged: row .* missing from index journal_kind"):
            journal.verify()
