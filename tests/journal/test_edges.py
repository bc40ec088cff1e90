"""The journal at its edges: what is kept, what is counted, what a dead start left behind, and which place errors name."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rebalancer.core.canonical import moment_text
from rebalancer.core.model import Side
from rebalancer.core.orders import Event, IntentState
from rebalancer.errors import JournalError
from rebalancer.journal import records, schema
from rebalancer.journal.checkpoint import _optional, read_state, text_of
from rebalancer.journal.queries import recent_runs
from rebalancer.journal.rows import Kind
from rebalancer.journal.state import JournalState, balance_changes
from rebalancer.journal.store import Journal
from tests.core.builders import NOW, d
from tests.journal.builders import (
    PLAN,
    RUN,
    brought_to,
    intent,
    moved,
    new_journal,
    path_to,
    planned,
    random_life,
    started,
)
from tests.journal.sealing import long_journal, rewrite
from tests.support import FakeClock

HOUR = timedelta(hours=1)


def test_what_was_done_since_an_unknown_order_was_signed_is_kept_only_until_its_fate_is_known() -> None:
    """Later orders push earlier ones out of the limits' count, so that nothing else keeps them."""
    with new_journal() as journal:
        lost = brought_to(journal, IntentState.UNKNOWN)
        brought_to(journal, IntentState.FILLED, intent(2))
        newest, at = intent(3, run="run-b"), NOW + 99 * HOUR
        journal.append(planned("run-b", at=at), records.intent(newest))
        journal.append(*(moved(newest, event, at) for event in path_to(IntentState.FILLED)))
        journal.append(records.plan_closed("run-b", "done", whole=True))
        kept = journal.state.draft()
        kept.forget()
        assert set(kept.intents) == {(RUN, 1), (RUN, 2), ("run-b", 3)}
        journal.append(moved(lost, Event.FIND, at), moved(lost, Event.FILL, at))
        journal.state.forget()
        assert set(journal.state.intents) == {("run-b", 3)}


@pytest.mark.parametrize("state", [IntentState.ACKED, IntentState.QUARANTINED])
def test_an_order_that_is_not_searched_for_keeps_itself_and_no_other(state: IntentState) -> None:
    with new_journal() as journal:
        brought_to(journal, state)
        brought_to(journal, IntentState.DENIED, intent(2))
        journal.append(planned("run-b", at=NOW + 99 * HOUR))
        journal.state.forget()
        assert set(journal.state.intents) == {(RUN, 1)}


def test_of_days_without_orders_an_exact_zero_is_used() -> None:
    usage = JournalState().usage(NOW, "")
    amounts = (usage.sold_quote, usage.bought_quote, usage.direct_quote)
    assert [(each, type(each)) for each in amounts] == [(0, Decimal)] * 3


def test_a_fee_in_a_third_coin_leaves_that_coin() -> None:
    with new_journal() as journal:
        made = brought_to(journal, IntentState.FILLED)
        record = journal.state.intents[made.run_id, 1]
    paid = replace(record, filled_quantity=d(2), filled_quote=d(800), fees={"HTX": d(3), "USDT": d(1)})
    assert balance_changes(paid) == {"BTC": -2, "USDT": 799, "HTX": -3}
    bought = replace(paid, side=Side.BUY, fees={"BTC": d("0.5")})
    assert balance_changes(bought) == {"BTC": d("1.5"), "USDT": -800}


def test_a_run_without_a_value_tells_none() -> None:
    with new_journal() as journal:
        journal.append(started(), planned(plan=replace(PLAN, nav_quote=None)))
        assert recent_runs(journal, 1)[0].nav_quote == ""


def test_time_does_not_go_back_at_a_start_from_a_checkpoint_either(tmp_path: Path) -> None:
    path, clock = tmp_path / "journal.db", FakeClock()
    with new_journal(path, clock, checkpoint_rows=2) as journal:
        journal.append(started())
        while journal.checkpoint_seq != journal.last_seq:
            journal.append(started())
        written = list(journal.rows())[-1].t_wall
    clock.advance(-3600)
    with Journal.open(path, clock) as journal:
        (fence,) = (row for row in journal.rows() if row.kind is Kind.FENCE and row.fence == 2)
        assert fence.t_wall == written == moment_text(clock.now() + HOUR)


@pytest.mark.parametrize("ending", ["", "-journal", "-wal", "-shm"])
def test_nothing_of_a_start_that_died_is_there_when_the_next_one_makes_its_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    (tmp_path / f".journal.db.new{ending}").write_bytes(b"half a page")
    seen, connect = [], schema.connect

    def watched(place: str) -> sqlite3.Connection:
        seen.append([path.name for path in tmp_path.iterdir()])
        return connect(place)

    monkeypatch.setattr(schema, "connect", watched)
    schema.make_new(tmp_path / "journal.db")
    assert seen == [[]]
    assert [path.name for path in tmp_path.iterdir()] == ["journal.db"]


def refusal(path: Path) -> str:
    """Return the words with which a journal that was changed is refused, at its opening or at a look at every row."""
    with pytest.raises(JournalError) as refused, Journal.open_to_read(path, FakeClock()) as journal:
        journal.verify()
    return str(refused.value)


@pytest.mark.parametrize("place", [0, 0.5, 1], ids=["first", "middle", "last"])
def test_a_journal_that_was_changed_is_refused_by_its_file_and_row(tmp_path: Path, place: float) -> None:
    path = tmp_path / "journal.db"
    rows = long_journal(path)
    row = rows[int(place * (len(rows) - 1))]
    rewrite(path, replace(row, payload_text='{"a":1}'))
    remedy = "restore a backup or move the file away"
    assert refusal(path) == f"{path}: row {row.seq} was changed or is missing; {remedy}"


def test_rows_that_were_there_and_are_gone_are_missed_by_file_and_number(tmp_path: Path) -> None:
    path, clock = tmp_path / "journal.db", FakeClock()
    with new_journal(path, clock) as journal:
        journal.append(started(), planned())
        rewrite(path)
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("DELETE FROM journal WHERE seq = 4")
        with pytest.raises(JournalError, match=f"^{re.escape(str(path))}: row 4 was there and is missing; restore "):
            journal.verify()


def test_a_second_writer_is_refused_by_file_and_both_numbers(tmp_path: Path) -> None:
    path, clock = tmp_path / "journal.db", FakeClock()
    words = "another process wrote: the last row is 3, this one knows 2 and must not go on"
    with new_journal(path, clock) as journal:
        new_journal(path, clock).close()
        with pytest.raises(JournalError, match=f"^{re.escape(f'{path}: {words}')}$"):
            journal.append(started())


def test_an_impossible_row_is_refused_by_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    words = re.escape(f"{path}: refused to write an impossible row: ")
    with new_journal(path) as journal, pytest.raises(JournalError, match=f"^{words}"):
        journal.append(moved(intent(), Event.ACCEPT))


def kinds(value: object) -> object:
    """Return the types within a value: an enum is not the text that equals it, nor a Decimal the number."""
    if is_dataclass(value):
        return type(value), {each.name: kinds(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return [(kinds(key), kinds(each)) for key, each in value.items()]
    if isinstance(value, tuple):
        return [kinds(each) for each in value]
    return type(value)


@pytest.mark.parametrize("seed", range(6))
def test_what_comes_back_from_a_checkpoint_is_of_the_types_that_decisions_ask_for(seed: int) -> None:
    clock = FakeClock()
    with new_journal(clock=clock) as journal:
        for number, _rows in enumerate(random_life(journal, clock, seed)):
            found = read_state(json.loads(text_of(journal.state)))
            assert kinds(found) == kinds(journal.state), f"seed {seed}, step {number}"


def test_the_limits_count_after_a_start_at_a_checkpoint_what_they_counted_before(tmp_path: Path) -> None:
    path, clock = tmp_path / "journal.db", FakeClock()
    with new_journal(path, clock, checkpoint_rows=2) as journal:
        for made in (intent(1), intent(2, side=Side.BUY, amount="30")):
            brought_to(journal, IntentState.FILLED, made)
        while journal.checkpoint_seq != journal.last_seq:
            journal.append(started())
        used = journal.state.usage(NOW, "")
    assert (used.sold_quote, used.bought_quote, used.orders) == (100, 100, 2)
    with Journal.open_to_read(path, clock) as reader:
        assert reader.checkpoint_seq == reader.last_seq
        assert reader.state.usage(NOW, "") == used


def test_a_part_that_may_be_absent_is_read_only_where_it_is_there() -> None:
    reader = _optional(Decimal)
    assert (reader(None), reader("1.5")) == (None, d("1.5"))


def test_what_fills_moved_adds_up_until_the_next_look() -> None:
    with new_journal() as journal:
        journal.append(planned())
        brought_to(journal, IntentState.FILLED, intent(1))
        brought_to(journal, IntentState.FILLED, intent(2))
        assert journal.state.traded == {"BTC": d("0.5"), "USDT": d("199.6")}
        journal.append(planned("run-b"))
        assert journal.state.traded == {}


def test_a_database_that_is_no_journal_is_refused_by_its_place_by_writer_and_reader(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (x)")
    for opening in (Journal.open, Journal.open_to_read):
        with pytest.raises(JournalError, match=f"^{re.escape(str(path))}: journal version 0, this program knows 1"):
            opening(path, FakeClock())


def test_a_reader_asks_for_no_right_to_write_and_where_that_fails_for_no_helper_files_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked, connect = tmp_path / "journal.db", [], sqlite3.connect
    new_journal(path).close()

    def reluctant(place: str, **options: Any) -> sqlite3.Connection:
        asked.append(place.partition("?")[2])
        if len(asked) == 1:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(place, **options)

    monkeypatch.setattr(sqlite3, "connect", reluctant)
    Journal.open_to_read(path, FakeClock()).close()
    assert asked == ["mode=ro", "mode=ro&immutable=1"]


def test_what_was_sent_is_remembered_for_less_than_two_days() -> None:
    with new_journal() as journal:
        for number, hours in ((1, 0), (2, 1), (3, 48)):
            made = intent(number)
            journal.append(records.intent(made), moved(made, Event.SEND, NOW + hours * HOUR))
        assert [sent.key for sent in journal.state.sent] == [(RUN, 2), (RUN, 3)]


def test_a_runs_document_tells_everything_but_its_place_in_the_journal() -> None:
    with new_journal() as journal:
        journal.append(started(), planned())
        (view,) = recent_runs(journal, 1)
    assert view.document().keys() == {each.name for each in fields(view)} - {"seq"}
