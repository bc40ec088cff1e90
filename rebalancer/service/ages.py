"""How long ago something was, for what must not be acted on when it is old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rebalancer.seams import Clock


@dataclass(frozen=True, slots=True)
class Instant:
    """When something was, by the machine's count of seconds and by its wall clock."""

    monotonic_s: float
    wall: datetime


def this_instant(clock: Clock) -> Instant:
    """Return now."""
    return Instant(clock.monotonic_s(), clock.now())


def age_s(clock: Clock, since: Instant) -> float:
    """Return how many seconds ago that was, by whichever of the two says more.

    The count of seconds stands still while the machine sleeps, and the wall clock may be set back.
    """
    now = this_instant(clock)
    return max(now.monotonic_s - since.monotonic_s, (now.wall - since.wall).total_seconds())
