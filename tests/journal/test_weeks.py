"""A week read from the journal: its figures add up to the books, whole lives through, and nothing of it is lost."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.errors import RebalancerError
from rebalancer.journal import records
from rebalancer.journal.rows import Kind
from rebalancer.journal.weeks import Period, read_period, week_of
from rebalancer.report.digest import moved_in
from tests.journal.builders import new_journal, started
from tests.service.house import House
from tests.support import FakeClock

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house that was looked at every six hours for three days: deposits, trades, refusals, a silence and a halt."""
    house = House(tmp_path_factory.mktemp("house"), faults="partial@place=0.3")
    for turn in range(12):
        if turn == 3:
            house.exchange.deposit(house.user, "USDT", Decimal("5000.00000001"))
        house.set_faults("one_sided=1" if turn == 6 else "partial@place=0.3")
        if turn == 8:
            house.clock.advance(24 * 3600)
        if turn == 9:
            house.journal.append(records.halt("foreign_order", "order 7 is not ours"))
        with suppress(RebalancerError):
            house.cycle()
        house.clock.advance(6 * 3600)
    return house


def whole(house: House) -> tuple[datetime, datetime]:
    return FakeClock().now() - HOUR, house.clock.now() + HOUR


def test_consecutive_periods_add_up_to_the_whole(lived: House) -> None:
    since, until = whole(lived)
    all_of_it, step = read_period(lived.journal, since, until), timedelta(hours=17)
    parts: list[Period] = []
    while since < until:
        parts.append(read_period(lived.journal, since, min(since + step, until)))
        since += step
    assert [trade for part in parts for trade in part.trades] == all_of_it.trades != []
    assert [began for part in parts for began in part.began] == all_of_it.began
    for name in ("statuses", "denials", "skips"):
        for code, count in getattr(all_of_it, name).items():
            assert sum(getattr(part, name)[code].times for part in parts if code in getattr(part, name)) == count.times
    moved, known = moved_in(all_of_it), [each for part in parts if (each := moved_in(part)) is not None]
    assert moved is not None and lived.journal.state.books == moved.closed
    assert sum(each.gain_quote for each in known) == moved.gain_quote != 0
    assert sum(each.flows_quote for each in known) == moved.flows_quote == Decimal("5000.00000001")
    assert sum(each.against_never_quote for each in known) == moved.against_never_quote < 0
    strays = [part.stray for part in parts if part.stray is not None]
    assert max(abs(stray.drift) for stray in strays) == abs(all_of_it.stray.drift if all_of_it.stray else 0)


def test_what_a_plan_acted_on_is_not_called_outside_its_band(lived: House) -> None:
    first = read_period(lived.journal, FakeClock().now() - HOUR, FakeClock().now() + 2 * HOUR)
    assert first.trades and first.stray is not None and first.stray.outside and first.still_outside == []
    assert len(read_period(lived.journal, *whole(lived)).looks) == len(lived.payloads(Kind.LEDGER))


def test_a_period_holds_what_began_in_it_and_how_it_stood_at_both_ends(lived: House) -> None:
    told = read_period(lived.journal, *whole(lived))
    assert told.mode == "live" and told.denials.keys() == {"quote_one_sided", "too_many_doubts"}
    assert told.statuses["refused"].times == 1 + 3, "one for its data, and each after the halt"
    assert [halt.text for halt in told.halts] == ["order 7 is not ours"] == [halt.text for halt in told.open_halts]
    later = read_period(lived.journal, lived.clock.now(), lived.clock.now() + HOUR)
    assert later.began == [] and later.trades == [] and later.ran_before
    assert later.opened == later.closed == lived.journal.state.books
    before = read_period(lived.journal, whole(lived)[0] - HOUR, whole(lived)[0])
    assert before.opened is None and not before.ran_before and moved_in(before) is None


def test_an_empty_journal_has_an_empty_week() -> None:
    with new_journal() as journal:
        told = read_period(journal, *week_of(datetime(2026, 3, 4, tzinfo=UTC)))
    assert told.quote == "USDT" and not told.began and told.opened is None


@given(st.lists(st.integers(-30, 200), max_size=30), st.integers(-50, 300))
def test_the_first_row_of_a_moment_is_found_as_by_looking_at_each(steps: list[int], asked: int) -> None:
    clock = FakeClock()
    start = clock.now()
    with new_journal(clock=clock) as journal:
        for number, step in enumerate(steps):
            clock.advance(step)  # backwards too: the journal's own time stands still then
            journal.append(started(f"run-{number}"))
        moment = start + timedelta(seconds=asked)
        later = [row.seq for row in journal.rows() if datetime.fromisoformat(row.t_wall) >= moment]
        assert journal.seq_from(moment) == (later[0] if later else journal.last_seq + 1)


@given(st.integers(0, 10_000_000).map(lambda minutes: FakeClock().now() + timedelta(minutes=minutes)))
def test_a_week_begins_on_monday_and_holds_its_day(moment: datetime) -> None:
    since, until = week_of(moment)
    assert since <= moment < until and until - since == timedelta(days=7)
    assert since.weekday() == 0 and since.time() == until.time() == datetime.min.time()


def test_checkpoints_and_a_day_without_books_change_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, mode="dry-run")
    house.cycle()
    told = read_period(house.journal, FakeClock().now() - HOUR, house.clock.now() + HOUR)
    moved = moved_in(told)
    assert moved is not None and moved.gain_quote == moved.flows_quote == 0, "one look has no move"
