"""Checkpoints in the chain: when they are written, what a start believes because of them, and what finds them out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rebalancer.core.ids import run_id
from rebalancer.core.orders import Event
from rebalancer.errors import JournalError
from rebalancer.journal import checkpoint, records
from rebalancer.journal.fold import fold
from rebalancer.journal.queries import recent_runs
from rebalancer.journal.rows import Kind
from rebalancer.journal.state import JournalState
from rebalancer.journal.store import CHECKPOINT_ROWS, Journal
from tests.core.builders import NOW
from tests.journal.builders import intent, new_journal, planned, random_life, started
from tests.journal.sealing import long_journal, seals
from tests.support import FakeClock

EVERY = 15
OPENINGS = (Journal.open_to_read, Journal.open)


@pytest.mark.parametrize("seed", range(8))
def test_state_is_the_fold_of_all_rows_whether_a_start_begins_at_a_checkpoint_or_at_the_first_row(
    tmp_path: Path, seed: int
) -> None:
    path, clock = tmp_path / "journal.db", FakeClock()
    with new_journal(path, clock, checkpoint_rows=7) as journal:
        for number, _rows in enumerate(random_life(journal, clock, seed)):
            state = JournalState()
            for row in journal.rows():
                fold(state, row)
            assert journal.state == state, f"seed {seed}, step {number}"
            with Journal.open_to_read(path, clock) as reader:
                assert reader.state == state, f"seed {seed}, step {number}"
                assert reader.checkpoint_seq == journal.checkpoint_seq, f"seed {seed}, step {number}"
                assert list(reader.state.intents) == list(state.intents), f"seed {seed}, step {number}"
                assert reader.verify() == journal.last_seq, f"seed {seed}, step {number}"
                assert reader.state == state, f"seed {seed}, step {number}"


def test_a_checkpoint_follows_the_step_that_makes_it_due_and_is_not_handed_back_as_part_of_it() -> None:
    with new_journal(checkpoint_rows=5) as journal:
        assert journal.last_seq == 2
        assert [row.kind for row in journal.append(started(), started())] == [Kind.RUN, Kind.RUN]
        assert journal.checkpoint_seq == 0
        made = journal.append(*records.plan_and_intents(planned(), [intent(1), intent(2)]))
        assert [row.kind for row in made] == [Kind.PLAN, Kind.INTENT, Kind.INTENT]
        assert seals(journal.rows()) == [8] == [journal.last_seq] == [journal.checkpoint_seq]
        *_, before, seal = journal.rows()
        assert (seal.prev_hash, seal.t_wall, seal.fence) == (before.hash, before.t_wall, before.fence)
        for _step in range(5):
            journal.append(started())
        assert seals(journal.rows()) == [8, 14]


def test_rows_are_sealed_by_the_ten_thousand() -> None:
    assert CHECKPOINT_ROWS == 10_000
    with new_journal() as journal:
        journal.append(*[started()] * (CHECKPOINT_ROWS - 3))
        assert (journal.last_seq, journal.checkpoint_seq) == (CHECKPOINT_ROWS - 1, 0)
        journal.append(started())
        assert journal.checkpoint_seq == CHECKPOINT_ROWS + 1


def test_a_checkpoint_and_the_step_that_made_it_due_are_one_transaction(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    path, clock = tmp_path / "journal.db", FakeClock()
    with new_journal(path, clock, checkpoint_rows=4) as journal:
        ends = [0, 1, journal.last_seq]
        for _rows in random_life(journal, clock, seed=2, steps=12):
            ends.append(journal.last_seq)
        written, log = list(journal.rows()), (tmp_path / "journal.db-wal").read_bytes()
        assert len(seals(written)) > 3
        for cut in range(0, len(log), len(log) // 60):
            shutil.rmtree(copy, ignore_errors=True)
            copy.mkdir()
            shutil.copy(path, copy)
            (copy / "journal.db-wal").write_bytes(log[:cut])
            with Journal.open(copy / "journal.db", clock) as found:
                kept = list(found.rows())[:-1]
            assert kept == written[: len(kept)], f"cut at {cut}"
            assert len(kept) in ends, f"cut at {cut}: {len(kept)} rows is half a step"


def test_a_disk_too_full_for_the_checkpoint_takes_nothing_of_the_step(tmp_path: Path) -> None:
    with new_journal(tmp_path / "journal.db", checkpoint_rows=4) as journal:
        journal.append(*[records.halt("foreign_order", "x" * 3000 + str(number)) for number in range(3)])
        journal.append(*[records.halt("foreign_order", "x" * 3000 + str(number)) for number in range(3)])
        pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
        before, state = list(journal.rows()), journal.state.draft()
        journal._database.execute(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(JournalError, match="full; nothing of this step is sent"):
            journal.append(*[started()] * 4)
        assert (list(journal.rows()), journal.state) == (before, state)
        journal._database.execute("PRAGMA max_page_count = 1000000")
        journal.append(*[started()] * 4)
        assert journal.checkpoint_seq == journal.verify()


def test_checkpoints_of_another_format_are_passed_over_and_a_new_one_is_written_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    monkeypatch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT - 1)
    rows = long_journal(path)
    monkeypatch.undo()
    with Journal.open_to_read(path, FakeClock()) as reader:
        assert (reader.checkpoint_seq, reader.verify()) == (0, len(rows))
        state = reader.state
    with Journal.open(path, FakeClock(), checkpoint_rows=EVERY) as journal:
        assert journal.checkpoint_seq == journal.last_seq == len(rows) + 2
        state.forget()
        assert journal.state.intents == state.intents
        assert journal.verify() == len(rows) + 2


def test_a_journal_without_a_checkpoint_is_verified_whole_and_sealed_when_it_is_due(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    rows = long_journal(path, every=CHECKPOINT_ROWS)
    assert not seals(rows)
    with Journal.open(path, FakeClock(), checkpoint_rows=len(rows)) as journal:
        assert seals(journal.rows()) == [len(rows) + 2]
    with Journal.open_to_read(path, FakeClock()) as journal:
        assert journal.checkpoint_seq == len(rows) + 2


def test_a_checkpoint_that_would_not_read_back_is_refused_before_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with new_journal(checkpoint_rows=4) as journal:
        monkeypatch.setattr("rebalancer.journal.store.read_state", lambda document: JournalState())
        before = list(journal.rows())
        with pytest.raises(JournalError, match="impossible row: the checkpoint does not read back"):
            journal.append(started(), started())
        assert list(journal.rows()) == before


def test_orders_that_the_state_forgot_are_told_from_the_rows() -> None:
    clock = FakeClock()
    old, new = run_id("test", NOW, 1), run_id("test", NOW, 2)
    with new_journal(clock=clock, checkpoint_rows=8) as journal:
        sealed = records.plan_closed(old, "done", whole=True), records.run_closed(old, status="done")
        made = intent(1, run=old)
        journal.append(started(old), planned(old), records.intent(made))
        (told,) = recent_runs(journal, 1)[0].orders
        closing_row = records.outcome(old, 1, Event.CLOSE, text="closed")
        journal.append(closing_row, *sealed)
        clock.advance(80 * 3600)
        journal.append(started(new), planned(new, at=clock.now()), *[records.halt("x", "y")] * 8)
        assert (old, 1) not in journal.state.intents
        assert recent_runs(journal, 2)[-1].orders == [told | {"state": "abandoned", "text": "closed"}]
