"""The real clock; the only place that reads the machine's time or sleeps."""

from __future__ import annotations

import os
import select
import time
import weakref
from contextlib import suppress
from datetime import UTC, datetime, timedelta

BREATH_S = 0.01


class SystemClock:
    """Wall, monotonic and an interruptible sleep. With `rate`, seconds pass that many times faster.

    A rate other than 1 is for a loopback exchange started with the same `--clock-rate`: both count from the midnight
    (UTC) before their start, so that processes started one after the other agree.
    """

    def __init__(self, rate: float = 1.0) -> None:
        assert rate > 0, rate
        self._rate = rate
        started = datetime.now(UTC)  # noqa: TID251  # this is the one place
        self._midnight = started.replace(hour=0, minute=0, second=0, microsecond=0)
        self._start_s = time.monotonic()  # noqa: TID251
        # A pipe and not a threading.Event: `stop` is called by signal handlers, and an Event whose waiter is just
        # taking or leaving its lock would wait for itself for ever.
        self._woken, self._waking = os.pipe()
        os.set_blocking(self._waking, False)
        weakref.finalize(self, _close, self._woken, self._waking)

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        wall = datetime.now(UTC)  # noqa: TID251
        return wall if self._rate == 1.0 else self._midnight + (wall - self._midnight) * self._rate

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return self._start_s + (time.monotonic() - self._start_s) * self._rate  # noqa: TID251

    def sleep(self, seconds: float) -> None:
        """Wait, or return at once when `stop` was or is called: nearly, so that who asks on does not spin."""
        if seconds > 0:
            waiting = select.poll()
            waiting.register(self._woken, select.POLLIN)
            if waiting.poll(seconds / self._rate * 1000):
                time.sleep(min(seconds / self._rate, BREATH_S))  # noqa: TID251

    def stop(self) -> None:
        """Wake every sleeper, now and from now on."""
        with suppress(BlockingIOError):  # full of earlier calls: everybody is awake already
            os.write(self._waking, b"!")


class HurriedClock(SystemClock):
    """A clock that waits `rate` times faster than it says, and keeps its pace while somebody works.

    So an exchange and a service that share it see weeks in minutes, and what a cycle reads is as old as it says: with
    every second hurried, the prices of one look would lie hours apart.
    """

    def __init__(self, rate: float, *, ahead: timedelta = timedelta()) -> None:
        super().__init__()
        assert rate > 0, rate
        self._hurry = rate
        self._skipped = ahead
        self._due_s = super().monotonic_s()

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        return super().now() + self._skipped

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return super().monotonic_s() + self._skipped.total_seconds()

    def sleep(self, seconds: float) -> None:
        """Let that much time pass; what work took of the shortened wait before is made up, up to a second."""
        if seconds > 0:
            here_s = super().monotonic_s()
            self._due_s = max(self._due_s, here_s - 1) + seconds / self._hurry
            super().sleep(self._due_s - here_s)
            self._skipped += timedelta(seconds=seconds)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
