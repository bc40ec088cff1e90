"""What the outside world is passed in as: time, chance and overlapping calls.

Everything that needs one of these takes it as an argument, so that a test or a simulation can own it.
The real ones live in `service/clock.py` and `service/gather.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Wall time, monotonic time and sleep."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait that long; an implementation may return early when the process is told to stop."""
        ...


class Gather(Protocol):
    """Run independent reads, overlapping if it can, and return their results in the order given.

    Every call is run to its end; then the first exception, in the order given, is raised.
    """

    def __call__(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Return one result per call."""
        ...
