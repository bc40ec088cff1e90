"""When a schedule fires: cron's own meaning, in a zone, as instants in UTC. Pure.

APScheduler's cron trigger counts 0 as Monday, joins day and weekday with "and", loses a local midnight in spring and
fires twice in autumn; cronsim does what cron does, with Debian's rules for the hours that are missing or repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from cronsim import CronSim

OFTEN = 24  # a day; a schedule with as many need not be followed through a year
LOOK_BACK = (timedelta(hours=2), timedelta(days=2), timedelta(days=40), timedelta(days=800), timedelta(days=3700))


def next_slot(cron: str, timezone: str, after: datetime) -> datetime:
    """Return the first slot after an instant, in UTC."""
    return next(_slots(cron, timezone, after))


def _slots(cron: str, timezone: str, after: datetime) -> Iterator[datetime]:
    """Yield slots after an instant, each later than the one before, whatever the zone's clocks do."""
    last = after.astimezone(UTC)
    for local in CronSim(cron, after.astimezone(ZoneInfo(timezone))):
        slot = local.astimezone(UTC)
        if slot > last:
            yield slot
            last = slot


def latest_slot(cron: str, timezone: str, at: datetime) -> datetime | None:
    """Return the newest slot at or before an instant, in UTC; None when there was none for ten years."""
    for back in LOOK_BACK:
        found = None
        for slot in _slots(cron, timezone, at - back):
            if slot > at:
                break
            found = slot
        if found is not None:
            return found
    return None


def slots_between(cron: str, timezone: str, after: datetime, up_to: datetime, limit: int = 10_000) -> int:
    """Return how many slots lie after one instant and not after another, counting no further than `limit`."""
    count = 0
    for slot in _slots(cron, timezone, after):
        if slot > up_to or count >= limit:
            break
        count += 1
    return count


def slots_a_day(cron: str, timezone: str, after: datetime) -> Decimal:
    """Return how many slots a day has, on the average of the year to come; of a rarer schedule, one a year."""
    days = 1 if slots_between(cron, timezone, after, after + timedelta(days=1), OFTEN) >= OFTEN else 365
    return Decimal(max(1, slots_between(cron, timezone, after, after + timedelta(days=days)))) / days
