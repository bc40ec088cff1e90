"""Cycles on a schedule: one run a slot, a missed slot made up once, no overlap, a clean end. Imports apscheduler.

Everything runs in the calling thread: the journal belongs to one thread, and a cycle that is late is better than two.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.base import STATE_STOPPED
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.base import BaseTrigger

from rebalancer.core.targets import Schedule
from rebalancer.cron_trigger import latest_slot, next_slot, slots_between
from rebalancer.errors import JournalError, RebalancerError
from rebalancer.sdnotify import Notifier
from rebalancer.seams import Clock

TURN_S = 15.0  # the longest wait between two turns: stop, new schedule, open orders and watchdog are looked at then
CATCH_UP_MAX = timedelta(hours=24)
GAP = timedelta(seconds=60)  # wall time moved by more than this against monotonic time: suspended, or the clock was set
JOB_ID = "cycle"


class SlotBook(Protocol):
    """What the journal knows of slots."""

    def last_slot(self, schedule_id: str) -> datetime | None:
        """Return the newest slot that had a run."""
        ...

    def attempts(self, schedule_id: str, slot: datetime) -> int:
        """Return how many runs a slot had."""
        ...


class Note(StrEnum):
    """What the scheduler has to say."""

    WAITING = "waiting"
    MADE_UP = "made_up"
    TOO_LATE = "too_late"
    FAILED = "failed"
    WOKE = "woke_after_gap"
    SET_BACK = "clock_set_back"
    RESCHEDULED = "rescheduled"


@dataclass(frozen=True)
class Service:
    """What the scheduler drives, and what it is driven by."""

    schedule_id: str
    book: SlotBook
    run_slot: Callable[[datetime], None]
    resolve: Callable[[], int]  # one pass over open orders; returns how many are left
    schedule: Callable[[], Schedule]  # the schedule in force, read again at each turn
    clock: Clock
    rng: random.Random
    notifier: Notifier
    stop_requested: Callable[[], bool]
    say: Callable[[Note, str], None]
    obey: Callable[[], None] = lambda: None  # what was asked for from outside; looked at once a turn
    turn_s: float = TURN_S


class SlotTrigger(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """APScheduler's view of a schedule: the next slot, plus this slot's own jitter."""

    def __init__(self, schedule: Schedule, rng: random.Random) -> None:
        self._schedule = schedule
        self._rng = rng

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """Return when to start the cycle of the next slot."""
        slot = next_slot(self._schedule.cron, self._schedule.timezone, now)
        following = next_slot(self._schedule.cron, self._schedule.timezone, slot)
        # A start never comes as late as the slot after it.
        spread_s = min(float(self._schedule.jitter_s), (following - slot).total_seconds() / 2)
        return slot + timedelta(seconds=self._rng.uniform(0, spread_s) if spread_s else 0)


class SlotScheduler(BlockingScheduler):  # type: ignore[misc]
    """APScheduler with its waiting done by our clock, in turns that also do what must not wait."""

    def __init__(self, service: Service) -> None:
        super().__init__(timezone=UTC, executors={"default": DebugExecutor()})
        self._service = service
        self._schedule = service.schedule()
        self._failure: BaseException | None = None
        self._wall_ahead = self._ahead()
        self._open_orders = 0
        self._told: datetime | None = None

    def serve(self) -> None:
        """Run until told to stop; raises what must end the process."""
        trigger = SlotTrigger(self._schedule, self._service.rng)
        self.add_job(
            self._tick,
            trigger,
            id=JOB_ID,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,  # what is too late is decided in _tick, and said
            next_run_time=trigger.get_next_fire_time(None, self._service.clock.now()),
        )
        self.start()
        if self._failure is not None:
            raise self._failure

    def _main_loop(self) -> None:
        service = self._service
        self._open_orders = service.resolve()
        if not self._ending():
            self._tick()  # a slot missed while we were not running
        if not self._ending():
            service.notifier.ready(self._waiting())
        while self.state != STATE_STOPPED and not self._ending():
            self._run_due()
            if self._ending():
                break
            self._turn()
            service.clock.sleep(min(max(self._due_s(), 0.0), service.turn_s))
        service.notifier.stopping()
        if self.state != STATE_STOPPED:
            self.shutdown(wait=False)

    def _run_due(self) -> None:
        """Run the job when its time has come by our clock; apscheduler itself would look at the machine's."""
        if self._due_s() <= 0:
            now = self._service.clock.now()
            self._tick()
            job = self.get_job(JOB_ID)
            # Counted from before the cycle: a slot that passed meanwhile is due at once, and made up once.
            job.modify(next_run_time=job.trigger.get_next_fire_time(job.next_run_time, now))

    def _due_s(self) -> float:
        due: datetime = self.get_job(JOB_ID).next_run_time
        return (due - self._service.clock.now()).total_seconds()

    def _ending(self) -> bool:
        return self._failure is not None or self._service.stop_requested()

    def _turn(self) -> None:
        """Do what every turn does; the watchdog is fed at its very end."""
        service = self._service
        ahead = self._ahead()
        jump, self._wall_ahead = ahead - self._wall_ahead, ahead
        if jump > GAP:
            service.say(Note.WOKE, f"{jump.total_seconds():.0f} s passed unseen")
        elif jump < -GAP:
            service.say(Note.SET_BACK, f"by {-jump.total_seconds():.0f} s")
            self._take(self._schedule)  # the start agreed upon may be years away now
        schedule = service.schedule()
        if schedule != self._schedule:
            self._take(schedule)
            service.say(Note.RESCHEDULED, f"{schedule.cron} {schedule.timezone}")
        if self._open_orders:
            self._open_orders = service.resolve()
        service.obey()
        service.notifier.status(self._waiting())
        service.notifier.alive()

    def _take(self, schedule: Schedule) -> None:
        """Put a schedule in force from now on; a slot that only waits for its jitter to pass is not lost by that."""
        now = self._service.clock.now()
        last = self._service.book.last_slot(self._service.schedule_id)
        pending = last is not None and last <= now and self._due_slot(now) is not None
        self._schedule = schedule
        trigger = SlotTrigger(schedule, self._service.rng)
        next_run = now if pending else trigger.get_next_fire_time(None, now)
        self.get_job(JOB_ID).modify(trigger=trigger, next_run_time=next_run)

    def _ahead(self) -> timedelta:
        """Return wall time minus monotonic time; it jumps when the machine slept or its clock was set."""
        clock = self._service.clock
        return clock.now() - datetime.fromtimestamp(clock.monotonic_s(), UTC)

    def _waiting(self) -> str:
        upcoming = next_slot(self._schedule.cron, self._schedule.timezone, self._service.clock.now())
        text = f"next cycle at {upcoming:%Y-%m-%d %H:%M} UTC"
        if self._open_orders:
            text += f"; {self._open_orders} order(s) unresolved"
        if upcoming != self._told:
            self._told = upcoming
            self._service.say(Note.WAITING, text)
        return text

    def _tick(self) -> None:
        """Run the newest slot that is due and was not run; older missed ones are not made up."""
        service = self._service
        now = service.clock.now()
        slot = self._due_slot(now)
        last = service.book.last_slot(service.schedule_id)
        running = self.state != STATE_STOPPED and self._told is not None
        if slot is None or (last is None and not running):
            return
        missed = 0 if last is None else slots_between(self._schedule.cron, self._schedule.timezone, last, slot) - 1
        if now - slot > CATCH_UP_MAX:
            service.say(Note.TOO_LATE, f"slot {slot:%Y-%m-%d %H:%M} UTC is {now - slot} old; waiting for the next")
            return
        if missed > 0:
            service.say(Note.MADE_UP, f"{missed} earlier slot(s) were missed; running {slot:%Y-%m-%d %H:%M} UTC only")
        self._run(slot)

    def _due_slot(self, now: datetime) -> datetime | None:
        """Return the newest slot, unless it or a later one had its run."""
        book, schedule_id = self._service.book, self._service.schedule_id
        slot = latest_slot(self._schedule.cron, self._schedule.timezone, now)
        last = book.last_slot(schedule_id)
        if slot is None or last is None or last < slot:
            return slot
        # A run in the future is from a clock that was wrong: to wait for that day would be silence, perhaps for years.
        return slot if last > now and not book.attempts(schedule_id, slot) else None

    def _run(self, slot: datetime) -> None:
        service = self._service
        service.notifier.status(f"cycle of {slot:%Y-%m-%d %H:%M} UTC")
        try:
            service.run_slot(slot)
        except JournalError as exc:
            self._failure = exc  # cannot record, so must not go on
        except RebalancerError as exc:
            service.say(Note.FAILED, str(exc))
        except Exception as exc:  # noqa: BLE001  # apscheduler would only log it; `serve` raises it
            self._failure = exc
        # Whatever the run left open is asked about from now on, a turn at a time.
        self._open_orders = max(self._open_orders, 1)
