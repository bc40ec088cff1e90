"""The real scheduler in a test's hands: on a clock that only moves when somebody sleeps, over a book or a journal."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from freezegun import freeze_time
from freezegun.api import FakeDatetime

from rebalancer.core.targets import Schedule
from rebalancer.scheduler import Note, Service, SlotBook, SlotScheduler
from rebalancer.sdnotify import Notifier
from rebalancer.seams import Clock
from rebalancer.service.clock import SystemClock
from tests.support import FakeClock

HOURLY = Schedule("7 * * * *", "UTC", 0)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CRON = "cron"
# Local clocks change within the 24 hours that follow.
DST_DAYS = {
    "Europe/Berlin": ("2026-03-28 12:00", "2026-10-24 12:00"),
    "America/New_York": ("2026-03-07 18:00", "2026-10-31 18:00"),
    "Australia/Sydney": ("2026-10-03 06:00", "2026-04-04 06:00"),
    "America/Santiago": ("2026-09-05 18:00", "2026-04-04 18:00"),
    "UTC": ("2026-03-29 00:00", "2028-02-28 12:00"),
}


class FrozenClock(SystemClock):
    """The real clock while freezegun holds the machine's time; a sleeper moves that time."""

    def __init__(self, tick: Callable[[timedelta], object]) -> None:
        super().__init__()
        self._tick = tick

    def sleep(self, seconds: float) -> None:
        self._tick(timedelta(seconds=seconds))


@contextmanager
def machine_frozen_at(text: str) -> Iterator[FrozenClock]:
    """Freeze the machine's time, in UTC, and yield the real clock over it."""

    def faked(real: datetime) -> FakeDatetime:
        parts = (real.year, real.month, real.day, real.hour, real.minute, real.second, real.microsecond)
        return FakeDatetime(*parts, real.tzinfo, fold=real.fold)

    # freezegun's own datetimes forget which of the two repeated hours of autumn they lie in.
    with patch("freezegun.api.datetime_to_fakedatetime", faked), freeze_time(text, tz_offset=0) as frozen:
        yield FrozenClock(frozen.tick)


class SettableClock(FakeClock):
    """A clock whose wall time can be set while its monotonic time goes on, as by NTP or a suspended machine."""

    def set_wall(self, change: timedelta) -> None:
        self._now += change

    def set_wall_once(self, at: datetime, change: timedelta) -> None:
        """Set the wall time at the first sleep that ends at or after an instant."""
        sleep = self.sleep

        def set_once(seconds: float) -> None:
            sleep(seconds)
            if self.now() >= at:
                self.set_wall(change)
                self.sleep = sleep  # type: ignore[method-assign]

        self.sleep = set_once  # type: ignore[method-assign]


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


class Book:
    """Slots that ran, without a journal."""

    def __init__(self, *ran: datetime) -> None:
        self.ran = list(ran)

    def last_slot(self, _schedule_id: str) -> datetime | None:
        return max(self.ran, default=None)

    def attempts(self, _schedule_id: str, slot: datetime) -> int:
        return self.ran.count(slot)


class Rig:
    """A scheduler with everything it says and does written down; each `serve` is a new life of the process."""

    def __init__(
        self,
        clock: Clock,
        book: SlotBook,
        run_slot: Callable[[datetime], None],
        schedule: Schedule,
        resolve: Callable[[], int] = lambda: 0,
    ) -> None:
        self.clock, self.schedule, self.until = clock, schedule, clock.now()
        self.supervised = Supervised()
        self.notes: list[tuple[Note, str]] = []
        self.resolve = resolve
        self.resolved = 0
        self.stop = False
        self.service = Service(
            schedule_id=CRON,
            book=book,
            run_slot=run_slot,
            resolve=self._resolve,
            schedule=lambda: self.schedule,
            clock=clock,
            rng=random.Random(1),
            notifier=self.supervised,
            stop_requested=lambda: self.stop or clock.now() >= self.until,
            say=lambda kind, text: self.notes.append((kind, text)),
        )

    def _resolve(self) -> int:
        self.resolved += 1
        return self.resolve()

    def serve(self, hours: float) -> None:
        self.until = self.clock.now() + timedelta(hours=hours)
        SlotScheduler(self.service).serve()

    def said(self, kind: Note) -> list[str]:
        return [text for each, text in self.notes if each is kind]


class Desk:
    """A rig over a book: slots are only written down, after whatever a test lets happen in them."""

    def __init__(self, *ran: datetime, schedule: Schedule = HOURLY, start: datetime = NOON) -> None:
        self.clock, self.book = SettableClock(start), Book(*ran)
        self.during: Callable[[datetime], None] = lambda _slot: None
        self.started: list[datetime] = []
        self.rig = Rig(self.clock, self.book, self._run, schedule)
        self._before = len(ran)

    def _run(self, slot: datetime) -> None:
        self.book.ran.append(slot)
        self.started.append(self.clock.now())
        self.during(slot)

    @property
    def ran(self) -> list[datetime]:
        """Return the slots that ran since the test began."""
        return self.book.ran[self._before :]

    @property
    def hours(self) -> list[int]:
        return [slot.hour for slot in self.ran]
