"""When a schedule fires: cron's own meaning, once a local day on every day of every zone, never twice."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from rebalancer.cron_trigger import latest_slot, next_slot, slots_a_day, slots_between

ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Europe/Kyiv", "Australia/Sydney", "America/Santiago")
DAY = timedelta(days=1)
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@cache
def days_of_change(zone: str) -> tuple[datetime, ...]:
    """Return the noon before each change of a zone's clocks from 2024 to 2035."""
    noons = [datetime(2024, 1, 1, 12, tzinfo=UTC) + DAY * number for number in range(12 * 365)]
    clock = ZoneInfo(zone)
    return tuple(
        noon for noon in noons if noon.astimezone(clock).utcoffset() != (noon + DAY).astimezone(clock).utcoffset()
    )


def slots(cron: str, zone: str, first: datetime, last: datetime) -> Iterator[datetime]:
    at = first
    while (at := next_slot(cron, zone, at)) < last:
        yield at


def local_dates(found: list[datetime], zone: str) -> list[date]:
    return [slot.astimezone(ZoneInfo(zone)).date() for slot in found]


def a_cron(rng: random.Random) -> str:
    minute = rng.choice(["0", "30", "*/20", "5,35", str(rng.randint(0, 59))])
    hour = rng.choice(["*", "*/2", "0-3", "1,2", str(rng.randint(0, 23))])
    return f"{minute} {hour} * * {rng.choice(['*', '*', '1-5', '0,3'])}"


def test_the_zones_looked_at_do_change_their_clocks_but_utc() -> None:
    assert {zone: len(days_of_change(zone)) >= 4 for zone in ZONES} == {zone: zone != "UTC" for zone in ZONES}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hour", range(24))
def test_a_daily_job_fires_once_on_the_local_days_around_every_change_of_twelve_years(zone: str, hour: int) -> None:
    for noon in days_of_change(zone) or (START,):
        clock = ZoneInfo(zone)
        first = (noon - DAY).astimezone(clock).replace(hour=0, minute=0) - timedelta(minutes=1)
        last = (noon + 2 * DAY).astimezone(clock).replace(hour=23, minute=59)
        dates = local_dates(list(slots(f"30 {hour} * * *", zone, first, last)), zone)
        assert dates == [(noon - DAY).astimezone(clock).date() + DAY * number for number in range(4)], (noon, dates)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hour", [0, 1, 2, 3, 23])
def test_a_daily_job_fires_once_on_every_local_day_of_two_years(zone: str, hour: int) -> None:
    found = slots(f"30 {hour} * * *", zone, datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2028, 1, 1, 12, tzinfo=UTC))
    days = local_dates(list(found), zone)
    assert days == [days[0] + DAY * number for number in range(730)]


@pytest.mark.parametrize("zone", ZONES)
def test_an_hourly_job_fires_every_hour_of_real_time_whatever_the_local_clock_does(zone: str) -> None:
    for noon in days_of_change(zone) or (START,):
        found = list(slots("7 * * * *", zone, noon - DAY, noon + 2 * DAY))
        steps = {later - earlier for earlier, later in itertools.pairwise(found)}
        assert steps == {timedelta(hours=1)} and len(found) == 72, noon


@pytest.mark.parametrize("seed", range(40))
def test_a_slot_is_the_same_from_wherever_one_looks_for_it(seed: int) -> None:
    """A restart within the repeated or the missing hour sees the slots that a service running for days sees."""
    rng = random.Random(seed)
    cron, zone = a_cron(rng), rng.choice(ZONES)
    noon = rng.choice(days_of_change(zone) or (START,))
    chain = list(slots(cron, zone, noon - 8 * DAY, noon + 10 * DAY))
    for _ in range(60):
        at = noon + timedelta(minutes=rng.randint(-720, 2160), seconds=rng.choice([0, 0, 31.5]))
        message = f"seed {seed}: {cron!r} in {zone} at {at}"
        upcoming = [slot for slot in chain if slot > at]
        assert next_slot(cron, zone, at) == upcoming[0], message
        assert latest_slot(cron, zone, at) == max(set(chain) - set(upcoming)), message
        later = at + timedelta(minutes=rng.randint(0, 3000))
        assert slots_between(cron, zone, at, later) == sum(at < slot <= later for slot in chain), message


@pytest.mark.parametrize("seed", range(40))
def test_latest_and_next_slot_enclose_an_instant_with_nothing_between(seed: int) -> None:
    rng = random.Random(seed)
    cron, zone = a_cron(rng), rng.choice(ZONES)
    at = START + timedelta(minutes=rng.randint(0, 5_000_000))
    latest, upcoming = latest_slot(cron, zone, at), next_slot(cron, zone, at)
    message = f"seed {seed}: {cron!r} in {zone} at {at}"
    assert latest is not None and latest <= at < upcoming, message
    assert latest_slot(cron, zone, latest) == latest and latest_slot(cron, zone, upcoming) == upcoming, message
    assert slots_between(cron, zone, latest, at) == 0 and slots_between(cron, zone, latest, upcoming) == 1, message
    assert latest.utcoffset() == upcoming.utcoffset() == timedelta(0), message


def test_days_of_the_week_count_from_sunday_and_seven_is_sunday_too() -> None:
    names = [next_slot(f"0 3 * * {number}", "UTC", START).strftime("%A") for number in range(8)]
    assert names == ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def test_day_of_month_or_day_of_week_is_enough_where_both_are_given() -> None:
    for slot in slots("0 3 13 * 5", "UTC", START, START + 400 * DAY):
        assert slot.day == 13 or slot.strftime("%A") == "Friday"
    found = set(slots("0 3 13 * 5", "UTC", START, START + 400 * DAY))
    thirteenths = {START.replace(hour=3) + DAY * number for number in range(400)}
    assert {day for day in thirteenths if day.day == 13 or day.weekday() == 4} == found


def test_where_one_of_the_two_days_is_a_star_the_other_decides() -> None:
    assert {slot.day for slot in slots("0 3 13 * *", "UTC", START, START + 400 * DAY)} == {13}
    assert {slot.weekday() for slot in slots("0 3 * * 5", "UTC", START, START + 400 * DAY)} == {4}


def test_a_schedule_that_fires_on_leap_days_only_has_its_latest_and_its_next_slot() -> None:
    assert latest_slot("0 0 29 2 *", "UTC", START) == datetime(2024, 2, 29, tzinfo=UTC)
    assert next_slot("0 0 29 2 *", "UTC", START) == datetime(2028, 2, 29, tzinfo=UTC)


def test_counting_slots_stops_at_its_limit() -> None:
    assert slots_between("* * * * *", "UTC", START, START + 400 * DAY, limit=50) == 50


@pytest.mark.parametrize(
    ("cron", "a_day"),
    [("7 * * * *", 24), ("* * * * *", 1440), ("0 */4 * * *", 6), ("0 12 * * *", 1), ("0 0 29 2 *", Decimal(1) / 365)],
)
def test_a_schedule_has_so_many_slots_a_day(cron: str, a_day: Decimal) -> None:
    assert slots_a_day(cron, "UTC", datetime(2026, 3, 1, 12, tzinfo=UTC)) == a_day


def test_a_weekly_schedule_has_a_seventh_of_a_slot_a_day() -> None:
    assert 52 <= slots_a_day("0 12 * * 0", "Europe/Berlin", datetime(2026, 3, 1, 13, tzinfo=UTC)) * 365 <= 53
