"""Cycles on a schedule: the real scheduler and journal on a clock that only moves when somebody sleeps."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time

from rebalancer.core.targets import Schedule
from rebalancer.errors import GuardTripped, JournalError
from rebalancer.journal.rows import Kind
from rebalancer.scheduler import TURN_S, Note, Service, SlotScheduler
from rebalancer.sdnotify import Notifier
from rebalancer.service.clock import SystemClock
from tests.service.house import House
from tests.support import FakeClock

HOURLY = Schedule("7 * * * *", "UTC", 0)
CRON = "cron"


class Supervised(Notifier):
    """Writes down what the supervisor would hear."""

    def __init__(self) -> None:
        super().__init__({"WATCHDOG_USEC": "900000000"}, pid=1)
        self.heard: list[str] = []

    def ready(self, status: str) -> None:
        self.heard.append("ready")

    def alive(self) -> None:
        self.heard.append("alive")

    def stopping(self) -> None:
        self.heard.append("stopping")


class Rig:
    """A scheduler over a journal, with a slot counter or real cycles in it."""

    def __init__(
        self, clock: Any, book: Any, run_slot: Callable[[datetime], None], schedule: Schedule = HOURLY
    ) -> None:
        self.clock, self.until = clock, clock.now()
        self.notes: list[tuple[Note, str]] = []
        self.supervised = Supervised()
        self.schedule = schedule
        self.resolved = 0
        self.service = Service(
            schedule_id=CRON, book=book, run_slot=run_slot, resolve=self._resolve, schedule=lambda: self.schedule,
            clock=clock, rng=random.Random(1), notifier=self.supervised, stop_requested=lambda: clock.now() >= self.until,
            say=lambda kind, text: self.notes.append((kind, text)),
        )  # fmt: skip

    def _resolve(self) -> int:
        self.resolved += 1
        return 0

    def serve(self, hours: float) -> None:
        self.until = self.clock.now() + timedelta(hours=hours)
        SlotScheduler(self.service).serve()

    def said(self, kind: Note) -> list[str]:
        return [text for each, text in self.notes if each is kind]


class Book:
    """Slots that ran, without a journal."""

    def __init__(self) -> None:
        self.ran: list[datetime] = []

    def last_slot(self, _schedule_id: str) -> datetime | None:
        return self.ran[-1] if self.ran else None


def counting(
    schedule: Schedule = HOURLY, start: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
) -> tuple[Rig, Book]:
    book = Book()
    return Rig(FakeClock(start), book, book.ran.append, schedule), book


def run_keys(house: House) -> list[str]:
    return [row.run_id for row in house.journal.rows(kinds=(Kind.RUN,))]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
def test_a_day_with_a_clock_change_and_a_restart_has_24_slots_24_keys_no_gap_no_double(
    tmp_path: Path, zone: str
) -> None:
    """Autumn's repeated hour lies in the day for Berlin; the real cycle runs against the embedded exchange."""
    clock = FakeClock(datetime(2026, 10, 24, 12, 0, tzinfo=UTC))
    house = House(tmp_path, clock=clock)
    schedule = Schedule("7 * * * *", zone, 60)

    def run_slot(slot: datetime) -> None:
        from rebalancer.service.cycle import run_cycle  # noqa: PLC0415  # beside its use

        run_cycle(house.shell, house.targets, schedule_id=CRON, slot=slot, settle_s=0)

    Rig(clock, house.journal, run_slot, schedule).serve(hours=10)
    house.restart()
    Rig(clock, house.journal, run_slot, schedule).serve(hours=14)
    keys = run_keys(house)
    slots = [datetime.strptime(key.split("-")[1], "%Y%m%dT%H%MZ").replace(tzinfo=UTC) for key in keys]
    first = datetime(2026, 10, 24, 12, 7, tzinfo=UTC)
    assert slots == [first + timedelta(hours=number) for number in range(24)]
    assert len(set(keys)) == 24


def test_frozen_real_time_is_followed_by_the_real_clock_and_scheduler() -> None:
    """freezegun moves the system's time; the system clock and the scheduler follow it over Berlin's spring change."""
    book = Book()
    with freeze_time("2026-03-28 22:00:00", tz_offset=0) as frozen:
        clock = SystemClock()
        clock.sleep = frozen.tick  # type: ignore[method-assign]
        rig = Rig(clock, book, book.ran.append, Schedule("30 2 * * *", "Europe/Berlin", 0))
        rig.serve(hours=26)
    assert [slot.isoformat() for slot in book.ran] == ["2026-03-29T01:00:00+00:00"]  # 02:30 does not exist: 03:00


def test_a_slot_missed_while_down_is_made_up_once_and_older_ones_are_not() -> None:
    rig, book = counting()
    book.ran.append(datetime(2026, 3, 1, 8, 7, tzinfo=UTC))
    rig.serve(hours=1)
    assert book.ran[1:] == [datetime(2026, 3, 1, 11, 7, tzinfo=UTC), datetime(2026, 3, 1, 12, 7, tzinfo=UTC)]
    assert "2 earlier slot(s) were missed" in rig.said(Note.MADE_UP)[0]


def test_a_slot_older_than_a_day_is_not_made_up_and_that_is_said() -> None:
    rig, book = counting(Schedule("0 3 1 * *", "UTC", 0), datetime(2026, 3, 4, 12, 0, tzinfo=UTC))
    book.ran.append(datetime(2026, 2, 1, 3, 0, tzinfo=UTC))
    rig.serve(hours=2)
    assert len(book.ran) == 1
    assert rig.said(Note.TOO_LATE)


def test_a_first_start_waits_for_its_first_slot() -> None:
    rig, book = counting()
    rig.serve(hours=0.1)
    assert not book.ran
    assert rig.supervised.heard[0] == "ready"


def test_a_cycle_longer_than_its_slot_is_followed_by_the_newest_slot_only() -> None:
    rig, book = counting()

    def slow(slot: datetime) -> None:
        book.ran.append(slot)
        if len(book.ran) == 1:
            rig.clock.advance(2.5 * 3600)

    rig = Rig(rig.clock, book, slow)
    rig.serve(hours=4)
    hours = [slot.hour for slot in book.ran]
    assert hours == [12, 14, 15]


def test_a_refused_cycle_is_said_and_the_next_slot_comes_all_the_same() -> None:
    rig, book = counting()

    def refused(slot: datetime) -> None:
        book.ran.append(slot)
        raise GuardTripped("paused", "paused by hand")

    rig = Rig(rig.clock, book, refused)
    rig.serve(hours=3)
    assert len(book.ran) == 3
    assert rig.said(Note.FAILED) == ["paused by hand"] * 3


@pytest.mark.parametrize("error", [JournalError("disk full"), ZeroDivisionError("a defect")])
def test_a_journal_that_cannot_be_written_and_a_defect_end_the_service(error: Exception) -> None:
    rig, book = counting()

    def failing(slot: datetime) -> None:
        book.ran.append(slot)
        raise error

    rig = Rig(rig.clock, book, failing)
    with pytest.raises(type(error)):
        rig.serve(hours=5)
    assert len(book.ran) == 1
    assert rig.supervised.heard[-1] == "stopping"


def test_the_watchdog_is_fed_at_each_turn_and_no_turn_is_longer_than_said() -> None:
    rig, _ = counting()
    rig.serve(hours=1)
    assert rig.supervised.heard.count("alive") >= 3600 / TURN_S - 2
    assert max(rig.clock.slept_s) <= TURN_S


def test_a_machine_that_slept_says_so_and_runs_the_newest_slot() -> None:
    rig, book = counting()
    wake = rig.clock.now() + timedelta(minutes=30)
    sleep = rig.clock.sleep

    def suspended(seconds: float) -> None:
        sleep(seconds)
        if rig.clock.now() > wake and not rig.said(Note.WOKE):
            rig.clock._now += timedelta(hours=5)  # wall time alone: the monotonic clock stood still

    rig.clock.sleep = suspended
    rig.serve(hours=6.5)
    assert rig.said(Note.WOKE)
    assert [slot.hour for slot in book.ran] == [12, 17, 18]


def test_a_clock_that_steps_back_runs_no_slot_twice() -> None:
    rig, book = counting()
    rig.serve(hours=2)
    rig.clock._now -= timedelta(hours=1)
    rig.serve(hours=2)
    assert [slot.hour for slot in book.ran] == [12, 13, 14]


def test_a_schedule_changed_in_the_file_is_taken_at_the_next_turn() -> None:
    rig, book = counting()
    rig.serve(hours=1)
    rig.schedule = Schedule("*/10 * * * *", "UTC", 0)
    rig.serve(hours=1)
    assert len(book.ran) == 1 + 6
    rig.schedule = HOURLY
    before = len(book.ran)
    rig.serve(hours=1)
    assert len(book.ran) == before + 1


@pytest.mark.parametrize("seed", range(20))
def test_jitter_stays_within_its_bound_and_before_the_next_slot(seed: int) -> None:
    from rebalancer.scheduler import SlotTrigger  # noqa: PLC0415  # one test of it

    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    for cron, jitter_s, bound_s in (("7 * * * *", 60, 60), ("* * * * *", 3600, 30)):
        fire = SlotTrigger(Schedule(cron, "UTC", jitter_s), random.Random(seed)).get_next_fire_time(None, now)
        slot = datetime(2026, 3, 1, 12, 7 if cron.startswith("7") else 1, tzinfo=UTC)
        assert timedelta(0) <= fire - slot <= timedelta(seconds=bound_s), f"seed {seed}"
