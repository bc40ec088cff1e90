"""When a schedule fires: cron's own meaning, once a local day on every day of every zone, never twice."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from rebalancer.cron_trigger import latest_slot, next_slot, slots_between

ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Europe/Kyiv", "Australia/Sydney", "America/Santiago")
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def local_days(cron: str, zone: str, first: datetime, last: datetime) -> list[date]:
    days, at = [], first
    while (at := next_slot(cron, zone, at)) < last:
        days.append(at.astimezone(ZoneInfo(zone)).date())
    return days


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hour", [0, 1, 2, 3, 23])
def test_a_daily_job_fires_once_on_every_local_day_of_two_years(zone: str, hour: int) -> None:
    first, last = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2028, 1, 1, 12, tzinfo=UTC)
    days = local_days(f"30 {hour} * * *", zone, first, last)
    wanted = [days[0] + timedelta(days=number) for number in range(len(days))]
    assert days == wanted, f"{zone}: lost or doubled {sorted(set(wanted) ^ set(days))}"
    assert len(days) >= 729


@pytest.mark.parametrize("zone", ZONES)
def test_an_hourly_job_has_no_instant_twice_and_no_gap_in_either_direction_of_the_clocks(zone: str) -> None:
    at, last = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    slots = []
    while (at := next_slot("7 * * * *", zone, at)) < last:
        slots.append(at)
    steps = {later - earlier for earlier, later in itertools.pairwise(slots)}
    assert steps == {timedelta(hours=1)}, steps


def test_days_of_the_week_count_from_sunday_and_seven_is_sunday_too() -> None:
    for text in ("0 3 * * 0", "0 3 * * 7"):
        assert next_slot(text, "UTC", START).strftime("%A") == "Sunday", text
    assert next_slot("0 3 * * 1", "UTC", START).strftime("%A") == "Monday"


def test_day_of_month_or_day_of_week_is_enough_where_both_are_given() -> None:
    at, found = START, []
    for _ in range(6):
        at = next_slot("0 3 13 * 5", "UTC", at)
        found.append((at.day, at.strftime("%A")))
    assert all(day == 13 or name == "Friday" for day, name in found)
    assert any(day != 13 for day, _ in found)


@pytest.mark.parametrize("seed", range(60))
def test_latest_and_next_slot_agree_and_slots_between_counts_them(seed: int) -> None:
    rng = random.Random(seed)
    cron = (
        f"{rng.randint(0, 59)} {rng.choice(['*', '*/3', str(rng.randint(0, 23))])} * * {rng.choice(['*', '1', '0,3'])}"
    )
    zone = rng.choice(ZONES)
    at = START + timedelta(minutes=rng.randint(0, 500_000))
    latest = latest_slot(cron, zone, at)
    assert latest is not None and latest <= at < next_slot(cron, zone, at), f"seed {seed}: {cron} {zone}"
    assert next_slot(cron, zone, latest) == next_slot(cron, zone, at), f"seed {seed}"
    later = at
    for _ in range(5):
        later = next_slot(cron, zone, later)
    assert slots_between(cron, zone, at, later) == 5, f"seed {seed}"


def test_a_schedule_that_fires_on_leap_days_only_still_has_its_latest_slot() -> None:
    assert latest_slot("0 0 29 2 *", "UTC", START) == datetime(2024, 2, 29, tzinfo=UTC)
