"""The kill switch: a file that is there, and what a pause or a wish to stop does to a plan under way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from rebalancer.journal.rows import Kind
from rebalancer.service.cycle import CycleStatus
from rebalancer.service.pause import PauseSwitch
from rebalancer.service.shell import Progress, Step
from rebalancer.simulator.exchange import ExchangeOptions
from rebalancer.venues.htx.budget import WINDOW_S
from rebalancer.venues.htx.transport import REMAIN_HEADER
from tests.service.house import House
from tests.service.truth import must_be_settled
from tests.support import FakeClock

WAYS: dict[str, Callable[[House], None]] = {
    "paused": lambda house: house.pause.pause("enough"),
    "told to stop": lambda house: setattr(house, "stop", True),
}


def halt_at(house: House, step: Step, way: str) -> None:
    """Pause or stop when the cycle first says that it reached a step."""

    def hear(progress: Progress) -> None:
        if progress.step is step:
            WAYS[way](house)

    house.on_progress = hear


def lift(house: House) -> None:
    house.on_progress = lambda _progress: None
    house.stop = False
    house.pause.resume()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("step", "posts"), [(Step.PLANNED, 0), (Step.SENDING, 0), (Step.SETTLED, 1)])
def test_stop_at_any_point_sends_nothing_more_and_abandons_the_rest(
    way: str, step: Step, posts: int, tmp_path: Path
) -> None:
    house = House(tmp_path)
    halt_at(house, step, way)
    result = house.cycle()
    assert (result.status, result.text) == (CycleStatus.STOPPED, way)
    assert len(house.wire.posts) == posts
    assert house.states() == ["filled"] * posts + ["abandoned"] * (3 - posts)
    assert house.payloads(Kind.PLAN_CLOSED)[-1] == {"text": way, "whole": False}
    assert house.journal.state.usage(house.clock.now(), "").orders == posts
    lift(house)
    must_be_settled(house)


@pytest.mark.parametrize("way", WAYS)
def test_order_that_is_on_its_way_is_still_settled(way: str, tmp_path: Path) -> None:
    house = House(tmp_path)
    house.wire.before_post(lambda: WAYS[way](house))
    house.cycle()
    assert house.states() == ["filled", "abandoned", "abandoned"]


@pytest.mark.parametrize("way", WAYS)
def test_stop_while_an_order_waits_for_its_turn_at_the_exchange_sends_nothing_more(way: str, tmp_path: Path) -> None:
    house = House(tmp_path)
    answer = house.wire.handle_request

    def few_left(request: httpx.Request) -> httpx.Response:
        response = answer(request)
        if request.method == "POST":  # somebody else of the same user uses them up
            response.headers[REMAIN_HEADER] = "2"
        return response

    def wait(seconds: float) -> None:
        FakeClock.sleep(house.clock, seconds)
        if len(house.wire.posts) == 1 and seconds > WINDOW_S / 2:
            WAYS[way](house)

    house.wire.handle_request = few_left  # type: ignore[method-assign]
    house.clock.sleep = wait  # type: ignore[method-assign]
    assert house.cycle().text == way
    assert len(house.wire.posts) == 1
    assert house.states() == ["filled", "abandoned", "abandoned"]


def test_order_under_way_has_its_time_though_a_process_that_is_told_to_stop_sleeps_no_more(tmp_path: Path) -> None:
    house = House(tmp_path, options=ExchangeOptions(cleared_after_ms=2_500))

    def sleep(seconds: float) -> None:
        FakeClock.sleep(house.clock, min(seconds, 0.001) if house.stop else seconds)

    def travel(request: httpx.Request) -> None:
        house.clock.advance(0.05)
        house.stop = house.stop or request.method == "POST"

    house.clock.sleep = sleep  # type: ignore[method-assign]
    house.wire.before = travel
    assert house.cycle().status is CycleStatus.STOPPED
    assert house.states() == ["filled", "abandoned", "abandoned"]


def test_presence_of_the_file_is_the_pause_whatever_is_in_it(tmp_path: Path) -> None:
    switch = PauseSwitch(tmp_path / "pause")
    assert not switch.active()
    for content in (b"", b"\xff\xfe", b"a reason\n"):
        switch.path.write_bytes(content)
        assert switch.active()
    assert switch.reason() == "a reason"
    switch.path.write_bytes(b"\xff\xfe")
    assert switch.reason() == ""


def test_pause_makes_its_folder_and_survives_being_paused_twice(tmp_path: Path) -> None:
    switch = PauseSwitch(tmp_path / "state" / "pause")
    switch.pause("first")
    switch.pause("second")
    assert switch.active() and switch.reason() == "second"
    assert switch.resume()
    assert not switch.resume()
    assert not switch.active()


def test_what_cannot_be_looked_at_counts_as_paused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    assert PauseSwitch(tmp_path / "state" / "pause").active()


def test_link_that_leads_nowhere_is_no_pause_and_a_folder_is(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert PauseSwitch(tmp_path / "folder").active()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert not PauseSwitch(tmp_path / "link").active()
