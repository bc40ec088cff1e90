"""Which slots run, which do not, and what is said: the real scheduler on a clock that moves when it sleeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rebalancer.core.targets import Schedule
from rebalancer.errors import GuardTripped, JournalError
from rebalancer.scheduler import TURN_S, Note
from tests.scheduling import DST_DAYS, HOURLY, NOON, Book, Desk, Rig, machine_frozen_at
from tests.served import frozen_at

HOUR = timedelta(hours=1)


def slot_of(hour: int) -> datetime:
    return datetime(2026, 3, 1, hour, 7, tzinfo=UTC)


@pytest.mark.parametrize("zone", DST_DAYS)
@pytest.mark.parametrize("change", ["spring", "autumn"])
def test_a_day_with_a_clock_change_and_a_restart_has_24_slots_24_keys_no_gap_no_double(
    tmp_path: Path, zone: str, change: str
) -> None:
    start = DST_DAYS[zone][change == "autumn"]
    with frozen_at(start, tmp_path, Schedule("7 * * * *", zone, 60)) as served:
        served.life(hours=9.5)
        served.life(hours=14.5)
        first = datetime.fromisoformat(start).replace(minute=7, tzinfo=UTC)
        assert served.slots() == [first + timedelta(hours=number) for number in range(24)]
        assert len(set(served.run_keys())) == 24
        assert served.results[0].orders and not served.results[-1].orders
        assert not any(rig.said(Note.FAILED) or rig.said(Note.MADE_UP) for rig in served.rigs)
        served.house.journal.verify()


def test_frozen_real_time_is_followed_by_the_real_clock_and_scheduler() -> None:
    book = Book()
    with machine_frozen_at("2026-03-28 22:00") as clock:
        Rig(clock, book, book.ran.append, Schedule("30 2 * * *", "Europe/Berlin", 0)).serve(hours=26)
    assert book.ran == [datetime(2026, 3, 29, 1, 0, tzinfo=UTC)]  # 02:30 does not exist there: 03:00


def test_a_first_start_waits_for_its_first_slot() -> None:
    desk = Desk()
    desk.rig.serve(hours=0.1)
    assert not desk.ran and desk.rig.supervised.heard[0] == "ready"
    desk.rig.serve(hours=0.1)
    assert desk.ran == [slot_of(12)]


def test_a_slot_missed_while_down_is_made_up_once_and_older_ones_are_not() -> None:
    desk = Desk(slot_of(8))
    desk.rig.serve(hours=1)
    assert desk.ran == [slot_of(11), slot_of(12)]
    assert desk.rig.said(Note.MADE_UP) == ["2 earlier slot(s) were missed; running 2026-03-01 11:07 UTC only"]
    desk.rig.serve(hours=0.05)
    assert desk.ran == [slot_of(11), slot_of(12)], "made up again after a restart"


def test_a_wish_to_stop_that_comes_during_the_start_leaves_the_missed_slot_to_the_next_one() -> None:
    desk = Desk(slot_of(10))
    desk.rig.stop = True
    desk.rig.serve(hours=1)
    assert not desk.ran and desk.rig.supervised.heard == ["stopping"]
    desk.rig.stop = False
    desk.rig.serve(hours=0.05)
    assert desk.ran == [slot_of(11)]


def test_a_slot_older_than_a_day_is_not_made_up_and_that_is_said() -> None:
    monthly, month_ago = Schedule("0 3 1 * *", "UTC", 0), datetime(2026, 2, 1, 3, 0, tzinfo=UTC)
    in_time = Desk(month_ago, schedule=monthly, start=datetime(2026, 3, 2, 2, 59, tzinfo=UTC))
    in_time.rig.serve(hours=0.5)
    assert len(in_time.ran) == 1
    late = Desk(month_ago, schedule=monthly, start=datetime(2026, 3, 2, 3, 1, tzinfo=UTC))
    late.rig.serve(hours=0.5)
    assert not late.ran and "waiting for the next" in late.rig.said(Note.TOO_LATE)[0]


def test_a_cycle_longer_than_its_slot_is_followed_by_the_newest_slot_only() -> None:
    desk = Desk()
    under_way: list[datetime] = []

    def slow(slot: datetime) -> None:
        assert not under_way, f"{slot} began within {under_way}"
        under_way.append(slot)
        desk.clock.advance(2.5 * 3600)
        under_way.clear()

    desk.during = slow
    desk.rig.serve(hours=10)
    assert desk.hours == [12, 14, 17, 19]
    assert len(desk.rig.said(Note.MADE_UP)) == 3


def test_a_refused_cycle_is_said_and_the_next_slot_comes_all_the_same() -> None:
    desk = Desk()

    def refused(_slot: datetime) -> None:
        raise GuardTripped("paused", "paused by hand")

    desk.during = refused
    desk.rig.serve(hours=3)
    assert desk.hours == [12, 13, 14]
    assert desk.rig.said(Note.FAILED) == ["paused by hand"] * 3


@pytest.mark.parametrize("error", [JournalError("disk full"), ZeroDivisionError("a defect")])
@pytest.mark.parametrize("when", ["in a slot made up at the start", "later"])
def test_a_journal_that_cannot_be_written_and_a_defect_end_the_service(error: Exception, when: str) -> None:
    desk = Desk(slot_of(11 if when == "later" else 10))

    def failing(_slot: datetime) -> None:
        raise error

    desk.during = failing
    with pytest.raises(type(error)):
        desk.rig.serve(hours=5)
    assert len(desk.ran) == 1
    assert ("ready" in desk.rig.supervised.heard) == (when == "later")
    assert desk.rig.supervised.heard[-1] == "stopping"


def test_the_watchdog_is_fed_at_each_turn_and_no_turn_is_longer_than_said() -> None:
    desk = Desk()
    heard = desk.rig.supervised.heard
    fed: list[int] = []

    def count(_slot: datetime) -> None:
        fed.append(heard.count("alive"))
        desk.clock.advance(1200)
        fed.append(heard.count("alive"))

    desk.during = count
    desk.rig.serve(hours=1)
    assert fed[0] == fed[1] > 0, "fed while a cycle ran"
    assert heard.count("alive") >= (3600 - 1200) / TURN_S - 2
    assert max(desk.clock.slept_s) <= TURN_S


def test_turns_are_as_long_as_the_service_wants_them() -> None:
    desk = Desk()
    desk.rig.service = replace(desk.rig.service, turn_s=10 * TURN_S)
    desk.rig.serve(hours=2)
    assert desk.hours == [12, 13] and TURN_S < max(desk.clock.slept_s) <= 10 * TURN_S


def test_a_turn_that_breaks_off_does_not_feed_the_watchdog() -> None:
    desk = Desk()

    def breaks() -> int:
        if "ready" in desk.rig.supervised.heard:
            raise JournalError("disk full")
        return 1

    desk.rig.resolve = breaks
    with pytest.raises(JournalError):
        desk.rig.serve(hours=1)
    assert "alive" not in desk.rig.supervised.heard


def test_open_orders_are_asked_about_at_each_turn_until_none_is_left() -> None:
    desk = Desk()
    desk.rig.resolve = lambda: 2
    desk.rig.serve(hours=0.1)
    turns = desk.rig.supervised.heard.count("alive")
    assert desk.rig.resolved == 1 + turns
    assert "2 order(s) unresolved" in desk.rig.said(Note.WAITING)[0]
    desk.rig.resolve = lambda: 0
    desk.rig.serve(hours=0.1)
    asked = desk.rig.resolved
    desk.rig.serve(hours=0.5)
    assert desk.rig.resolved <= asked + 2


def test_a_machine_that_slept_says_so_and_runs_the_newest_slot() -> None:
    desk = Desk()
    desk.clock.set_wall_once(NOON + HOUR / 2, 5 * HOUR)
    desk.rig.serve(hours=6.5)
    assert desk.rig.said(Note.WOKE) == ["18000 s passed unseen"]
    assert desk.hours == [12, 17, 18]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("back_h", [0.25, 1, 3])
def test_a_clock_that_steps_back_runs_no_slot_twice(back_h: float, restarted: bool) -> None:
    desk = Desk(slot_of(11))
    if restarted:
        desk.rig.serve(hours=2)
        desk.clock.set_wall(-back_h * HOUR)
    else:
        desk.clock.set_wall_once(NOON + 2 * HOUR, -back_h * HOUR)
    desk.rig.serve(hours=back_h + 3)
    assert len(set(desk.ran)) == len(desk.ran), desk.ran
    assert desk.ran[:2] == [slot_of(12), slot_of(13)] and slot_of(14) in desk.ran


def test_a_clock_that_steps_back_behind_the_first_slot_invents_none_before_it() -> None:
    desk = Desk(start=NOON)
    desk.clock.set_wall_once(NOON + HOUR / 3, -HOUR / 2)
    desk.rig.serve(hours=1.5)
    assert desk.ran == [slot_of(12), slot_of(13)]
    assert desk.rig.said(Note.SET_BACK) == ["by 1800 s"]


@pytest.mark.parametrize("restarted", [False, True])
def test_slots_of_a_clock_that_was_a_year_ahead_do_not_silence_the_right_one(restarted: bool) -> None:
    ahead = timedelta(days=365)
    desk = Desk(start=NOON + ahead)
    if restarted:
        desk.rig.serve(hours=1)
        desk.clock.set_wall(-ahead)
    else:
        desk.clock.set_wall_once(NOON + ahead + HOUR, -ahead)
    desk.rig.service = replace(
        desk.rig.service, stop_requested=lambda: NOON + 3 * HOUR < desk.clock.now() < NOON + ahead
    )
    desk.rig.serve(hours=0)
    assert desk.ran[-2:] == [slot_of(13), slot_of(14)]
    assert bool(desk.rig.said(Note.SET_BACK)) != restarted


def test_a_changed_schedule_is_taken_at_the_next_turn_and_back() -> None:
    desk = Desk()

    def change(_slot: datetime) -> None:
        if len(desk.ran) == 1:
            desk.rig.schedule = Schedule("*/10 * * * *", "UTC", 0)
        if len(desk.ran) == 6:
            desk.rig.schedule = HOURLY

    desk.during = change
    desk.rig.serve(hours=2.5)
    assert [f"{slot:%H:%M}" for slot in desk.ran] == [
        "12:07", "12:10", "12:20", "12:30", "12:40", "12:50", "13:07", "14:07",
    ]  # fmt: skip
    assert desk.rig.said(Note.RESCHEDULED) == ["*/10 * * * * UTC", "7 * * * * UTC"]
