"""Lives of `serve`: restarts, stops, faults and jitter, with the real journal and cycles over the embedded exchange."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rebalancer.core.targets import Schedule
from rebalancer.cron_trigger import latest_slot
from rebalancer.errors import JournalError
from rebalancer.scheduler import TURN_S, Note, SlotTrigger
from rebalancer.service.shell import Progress, Step
from tests.scheduling import DST_DAYS, HOURLY, NOON, Book, Desk, Rig, SettableClock
from tests.served import Served
from tests.support import FakeClock

HOUR = timedelta(hours=1)
FIRST = NOON + timedelta(minutes=7)


@pytest.mark.parametrize("hour", range(4))
@pytest.mark.parametrize("zone", [zone for zone in DST_DAYS if zone != "UTC"])
def test_a_daily_job_runs_once_a_local_day_wherever_around_the_change_it_is_restarted(zone: str, hour: int) -> None:
    for start in DST_DAYS[zone]:
        clock, cron = FakeClock(datetime.fromisoformat(start).replace(tzinfo=UTC)), f"30 {hour} * * *"
        yesterday = latest_slot(cron, zone, clock.now())
        assert yesterday is not None
        book = Book(yesterday)
        rig = Rig(clock, book, book.ran.append, Schedule(cron, zone, 0))
        for hours in (6.2, 1.3, 0.7, 1, 1, 0.6, 1.2, 12):
            rig.serve(hours)
        assert len(book.ran) == 2, (start, book.ran)


def test_hours_that_the_service_was_down_are_made_up_by_one_run_and_leave_no_second_key(tmp_path: Path) -> None:
    served = Served(tmp_path, SettableClock(NOON), HOURLY)
    served.life(hours=3)
    served.house.clock.advance(5 * 3600)
    rig = served.life(hours=3)
    assert [slot.hour for slot in served.slots()] == [12, 13, 14, 19, 20, 21, 22]
    assert rig.said(Note.MADE_UP) == ["4 earlier slot(s) were missed; running 2026-03-01 19:07 UTC only"]
    assert len(set(served.run_keys())) == 7
    served.house.close()


def test_an_unreachable_exchange_uses_up_a_slot_and_the_next_one_trades(tmp_path: Path) -> None:
    served = Served(tmp_path, SettableClock(NOON), HOURLY)
    served.life(hours=0.1)
    served.house.set_faults("html_502@balance=1x30")
    rig = served.life(hours=1)
    assert len(rig.said(Note.FAILED)) == 1 and not served.results
    served.house.set_faults("")
    served.life(hours=1)
    assert [slot.hour for slot in served.slots()] == [12, 13]
    assert [result.status for result in served.results] == ["done"]
    served.house.close()


def test_a_wish_to_stop_between_two_legs_ends_the_cycle_there_and_the_next_life_goes_on(tmp_path: Path) -> None:
    served = Served(tmp_path, SettableClock(NOON), HOURLY)
    house = served.house

    def stop_after_first(progress: Progress) -> None:
        if progress.step is Step.SETTLED:
            house.stop = served.rigs[-1].stop = True

    house.on_progress = stop_after_first
    rig = served.life(hours=5)
    assert [result.status for result in served.results] == ["stopped"]
    assert len(house.wire.posts) == 1 < len(served.results[0].orders)
    assert rig.supervised.heard[-1] == "stopping" and house.clock.now() < NOON + timedelta(hours=1)
    house.stop, house.on_progress = False, lambda _progress: None
    served.life(hours=1)
    assert [slot.hour for slot in served.slots()] == [12, 13]
    ids = [post["client-order-id"] for post in house.wire.posts]
    assert len(ids) > 2 and len(set(ids)) == len(ids)
    house.close()


def test_an_order_left_open_by_a_cycle_is_settled_in_the_turns_before_the_next_slot(tmp_path: Path) -> None:
    served = Served(tmp_path, SettableClock(NOON), HOURLY)
    served.house.set_faults("lost_reply@place=1x1")
    served.life(hours=0.9)
    assert [result.status for result in served.results] == ["outcome_unknown"]
    assert not served.house.journal.state.unresolved
    assert served.house.states()[0] == "filled"
    assert len(served.house.orders_of(served.house.records[0].client_order_id)) == 1
    served.house.close()


def test_a_full_disk_ends_the_service_before_the_cycle_can_send(tmp_path: Path) -> None:
    served = Served(tmp_path, SettableClock(NOON), HOURLY)
    served.life(hours=1)
    sent = len(served.house.wire.posts)
    served.house.restart()
    pages = served.house.journal._database.execute("PRAGMA page_count").fetchone()[0]
    served.house.journal._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalError):
        served.serve(hours=72)
    assert served.house.clock.now() < NOON + timedelta(hours=72)
    assert len(served.house.wire.posts) == sent
    served.house.close()


def test_a_slot_waiting_for_its_jitter_to_pass_survives_a_change_of_the_schedule() -> None:
    desk = Desk(FIRST - HOUR, schedule=Schedule("7 * * * *", "UTC", 1800))

    def schedule() -> Schedule:
        return HOURLY if desk.clock.now() >= FIRST else desk.rig.schedule

    desk.rig.service = replace(desk.rig.service, schedule=schedule)
    desk.rig.serve(hours=0.5)
    assert desk.ran == [FIRST] and desk.started[0] < FIRST + timedelta(seconds=2 * TURN_S)


@pytest.mark.parametrize("seed", range(20))
def test_jitter_stays_within_its_bound_and_before_the_next_slot(seed: int) -> None:
    for cron, jitter_s, bound_s in (("7 * * * *", 60, 60), ("* * * * *", 3600, 30), ("7 * * * *", 3600, 1800)):
        fire = SlotTrigger(Schedule(cron, "UTC", jitter_s), random.Random(seed)).get_next_fire_time(None, NOON)
        slot = FIRST if cron.startswith("7") else NOON + timedelta(minutes=1)
        assert timedelta(0) <= fire - slot <= timedelta(seconds=bound_s), f"seed {seed}"


def test_with_jitter_every_slot_still_has_one_run_begun_between_it_and_the_next() -> None:
    desk = Desk(schedule=Schedule("*/10 * * * *", "UTC", 3600))
    desk.rig.serve(hours=12)
    first = NOON + timedelta(minutes=10)
    assert desk.ran == [first + timedelta(minutes=10 * number) for number in range(len(desk.ran))]
    assert len(desk.ran) >= 70
    late = [started - slot for slot, started in zip(desk.ran, desk.started, strict=True)]
    assert all(timedelta(0) <= each <= timedelta(minutes=5) for each in late)
    assert len(set(late)) > 30, "the same jitter at every slot"
