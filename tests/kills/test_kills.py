"""A sample of real kills on every change; `python -m tests.kills` goes through every boundary."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest

from tests.kills.__main__ import drill_all
from tests.kills.drill import Outcome, Plan, enumerate_boundaries

EVERY, EVERY_STOP = 12, 36
PARTS = 6
JOBS = 2  # both ends of a drill are processes
# Of the second leg: the first goes alone, which is special, and the third is the last.
ALWAYS = ("append SENDING #2", "POST /v1/order/orders/place #2")
EVER_STOPPED = (
    "append SENDING #2: returned",
    "POST /v1/order/orders/place #1: before its first byte",
    "POST /v1/order/orders/place #2: one byte of the body written",
    "append OUTCOME #3: before BEGIN",
)


@cache
def boundaries() -> tuple[str, ...]:
    return tuple(enumerate_boundaries())


def sample() -> list[str]:
    """Return each twelfth boundary, and all around the second order."""
    chosen = dict.fromkeys(boundaries()[::EVERY])
    return [*chosen, *(name for name in boundaries() if name.startswith(ALWAYS) and name not in chosen)]


def assert_all_is_well(outcomes: Sequence[Outcome]) -> None:
    wrong = [f"{outcome.complaints}\n    {outcome.replay}" for outcome in outcomes if outcome.complaints]
    assert not wrong, "\n".join(wrong)
    assert not [outcome.plan.boundary for outcome in outcomes if outcome.missed]


def test_the_boundaries_of_a_cycle_are_around_every_append_connection_request_and_answer() -> None:
    names = set(boundaries())
    for leg in (1, 2, 3):
        assert {
            f"append SENDING #{leg}: {at}" for at in ("before BEGIN", "before COMMIT", "after COMMIT", "returned")
        } <= names
        assert {f"connect #{leg + 1}: before", f"connect #{leg + 1}: after"} <= names
        assert len([name for name in names if name.startswith(f"POST /v1/order/orders/place #{leg}: ")]) == 10
        for moment in ("before its first byte", "request written", "first byte read", "answer read"):
            assert f"GET /v1/order/orders/* #{leg}: {moment}" in names
    assert len(names) > 220


@pytest.mark.parametrize("part", range(PARTS))
def test_after_a_kill_at_a_boundary_the_next_run_loses_repeats_and_invents_nothing(part: int) -> None:
    outcomes = drill_all([Plan(name) for name in sample()[part::PARTS]], JOBS)
    assert_all_is_well(outcomes)
    assert any(outcome.was_open for outcome in outcomes), "no order was open at any of these kills"


def test_a_kill_of_the_recovery_changes_nothing_about_that() -> None:
    lost, found = "append SENDING #1: returned", "POST /v1/order/orders/place #1: answer there, unread"
    assert_all_is_well(drill_all([Plan(lost, second=28), Plan(found, second=20), Plan(found, second=40)], JOBS))


def test_a_run_told_to_stop_sends_no_more_closes_its_plan_and_ends_by_itself() -> None:
    names = dict.fromkeys([*boundaries()[::EVERY_STOP], *EVER_STOPPED])
    outcomes = drill_all([Plan(name, "SIGTERM") for name in names], JOBS)
    assert_all_is_well(outcomes)
    assert_all_is_well([*drill_all([Plan(EVER_STOPPED[2], "SIGINT")], 1)])


def test_only_what_a_busy_machine_may_do_once_more_need_not_come_up() -> None:
    missed = {name for name in boundaries() if Outcome(Plan(name)).missed}
    assert {f"GET /v1/order/orders/* #{leg}: before its first byte" for leg in (1, 2, 3)} <= missed
    assert not any("#4" in name or "#5" in name for name in missed if name.startswith("GET /v1/order/"))
    assert not any(name.startswith("connect for reads") for name in missed)
    assert len(missed) > 0.8 * len(boundaries())
