"""What a cycle works with, and what it says while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from rebalancer.core.model import Side
from rebalancer.journal.store import Journal
from rebalancer.seams import Clock, Gather
from rebalancer.service.pause import PauseSwitch
from rebalancer.venues.base import Venue

DRY_RUN, LIVE = "dry-run", "live"


class Step(StrEnum):
    """What just happened."""

    RECOVERED = "recovered"
    OBSERVED = "observed"
    PLANNED = "planned"
    SENDING = "sending"
    SETTLED = "settled"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    RESOLVED = "resolved"
    HALTED = "halted"
    WARNING = "warning"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Progress:
    """One thing to show or to log."""

    step: Step
    text: str
    symbol: str = ""
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class Shell:
    """The parts that a cycle is given; nothing in it is reached for from elsewhere."""

    venue: Venue
    venue_name: str  # embedded | loopback | htx
    mode: str  # dry-run | live
    account_id: str
    journal: Journal
    clock: Clock
    gather: Gather
    pause: PauseSwitch
    stop_requested: Callable[[], bool]
    say: Callable[[Progress], None]
    free_bytes: Callable[[], int | None] = lambda: None  # of the journal's disk; None where nobody knows

    @property
    def live(self) -> bool:
        """Whether orders may be sent."""
        return self.mode == LIVE

    def stopped(self) -> bool:
        """Whether nothing more may be sent: paused, or told to stop."""
        return self.pause.active() or self.stop_requested()
