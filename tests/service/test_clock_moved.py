"""The machine's clock is set, or the machine sleeps, while the service runs: it goes on, and sends nothing that is old."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rebalancer.core.plan import Plan
from rebalancer.core.planner import make_plan
from rebalancer.errors import Unavailable
from rebalancer.service import cycle
from rebalancer.service.shell import Progress, Step
from tests.service.house import House
from tests.service.truth import must_be_settled

DAY_S = 86_400


@pytest.mark.parametrize("step_s", [-9, -0.5, -0.001, 0.001, 0.5, 1.9, 9])
def test_clock_that_is_set_between_two_cycles_costs_no_cycle(step_s: float, tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    house.machine.step(step_s)
    must_be_settled(house, step_s)


@pytest.mark.parametrize("ahead_s", [-400 * DAY_S, -3 * DAY_S, -200, 200, 3 * DAY_S, 3650 * DAY_S])
@pytest.mark.parametrize("fault", ["", "lost_reply@place=1x1", "lost_request@place=1x1"])
def test_clock_that_was_wrong_for_a_while_costs_its_cycles_and_nothing_after(
    ahead_s: float, fault: str, tmp_path: Path
) -> None:
    house = House(tmp_path, faults=fault)
    house.cycle(settle_s=0)
    house.machine.step(ahead_s)
    for number in range(3):
        house.clock.advance(3600)
        with pytest.raises(Unavailable, match="clock is"):
            house.cycle()
        if number == 1:
            house.wrong_s = ahead_s
            house.restart()
    posts = len(house.wire.posts)
    house.machine.step(-ahead_s)
    must_be_settled(house, (ahead_s, fault))
    assert posts == (1 if fault else 3)


@pytest.mark.parametrize("leg", [1, 2])
@pytest.mark.parametrize("after", ["/market/depth", "/balance", "/v1/common/timestamp", "SENDING"])
@pytest.mark.parametrize("slept_s", [20, 200, 8 * 3600])
def test_machine_that_sleeps_between_look_and_order_wakes_and_sends_nothing(
    slept_s: float, after: str, leg: int, tmp_path: Path
) -> None:
    house = House(tmp_path)
    slept = []

    def sleep_once(at: str) -> None:
        looked = not at.endswith("/balance") or house.wire.calls[-2].endswith(
            "/market/depth"
        )  # at the leg, not after the last one
        here = at.endswith(after) and looked and "planned" in house.states()
        if here and len(house.wire.posts) == leg - 1 and not slept:
            slept.append(at)
            house.machine.suspend(slept_s)

    house.wire.after = lambda request: sleep_once(request.url.path)
    house.on_progress = lambda progress: sleep_once(progress.step.name)
    result = house.cycle()
    assert slept and len(house.wire.posts) == leg - 1, result.text
    assert result.status.value == "work_left"
    assert house.states()[leg - 1 :] == ["abandoned"] * (len(house.states()) - leg + 1)
    must_be_settled(house, (slept_s, after, leg))


def test_machine_that_sleeps_over_its_plan_wakes_and_sends_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path)

    def slept_over(*arguments: Any, **named: Any) -> Plan:
        house.machine.suspend(3600)
        return make_plan(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(cycle, "make_plan", slept_over)
        assert "older than 300 s" in house.cycle().text
    assert not house.wire.posts
    must_be_settled(house)


@pytest.mark.parametrize("leg", [2, 3])
def test_machine_that_sleeps_between_two_orders_sends_no_more_of_an_old_plan(leg: int, tmp_path: Path) -> None:
    house = House(tmp_path)

    def sleep_once(progress: Progress) -> None:
        if progress.step is Step.SETTLED and len(house.wire.posts) == leg - 1:
            house.machine.suspend(3600)

    house.on_progress = sleep_once
    assert "older than 300 s" in house.cycle().text
    assert len(house.wire.posts) == leg - 1
    house.on_progress = lambda _progress: None
    must_be_settled(house, leg)


def test_machine_that_sleeps_while_a_leg_waits_for_its_look_sends_nothing_of_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path)
    wait = house.machine.sleep

    def sleep_deep(seconds: float) -> None:
        wait(seconds)
        if "planned" in house.states():
            house.machine.suspend(3600)

    with monkeypatch.context() as patched:
        patched.setattr(house.machine, "sleep", sleep_deep)
        assert "older than 300 s" in house.cycle().text
    assert not house.wire.posts
    must_be_settled(house)


def test_disk_that_takes_long_to_write_an_order_down_lets_none_leave_that_is_old_by_then(tmp_path: Path) -> None:
    house = House(tmp_path)

    def stall(progress: Progress) -> None:
        if progress.step is Step.SENDING and not house.wire.posts:
            house.clock.advance(30)

    house.on_progress = stall
    assert "old by now" in house.cycle().text
    assert not house.wire.posts
    house.on_progress = lambda _progress: None
    must_be_settled(house)
