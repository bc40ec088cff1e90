"""The real clock; the only place that reads the machine's time or sleeps."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from threading import Event


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
        self._stop = Event()

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        wall = datetime.now(UTC)  # noqa: TID251
        return wall if self._rate == 1.0 else self._midnight + (wall - self._midnight) * self._rate

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return self._start_s + (time.monotonic() - self._start_s) * self._rate  # noqa: TID251

    def sleep(self, seconds: float) -> None:
        """Wait, or return at once when `stop` was or is called."""
        if seconds > 0:
            self._stop.wait(seconds / self._rate)

    def stop(self) -> None:
        """Wake every sleeper, now and from now on."""
        self._stop.set()
