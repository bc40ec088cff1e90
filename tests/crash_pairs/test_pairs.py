"""A sample of pairs of crashes on every change; `python -m tests.crash_pairs` goes through all of them."""

from __future__ import annotations

import random
from functools import cache

import pytest

from rebalancer.simulator.faults import FaultSpecError
from tests.crash_pairs.__main__ import FATES
from tests.crash_pairs.pairs import Fate, Pair, all_seconds, boundaries_of_a_cycle, first_ends, live

PAIRS = 3
SECONDS_MAX = 90  # a second life passes more


@cache
def boundaries(fate: str) -> int:
    return boundaries_of_a_cycle(fate)


@pytest.mark.parametrize("fate", FATES)
def test_after_two_crashes_no_order_is_doubled_lost_or_misjudged(fate: str) -> None:
    rng = random.Random(fate)
    for _ in range(PAIRS):
        pair = Pair(fate, rng.randint(1, boundaries(fate)), rng.randint(1, SECONDS_MAX))
        first, _second = live(pair)
        assert first, pair.replay


def test_all_seconds_after_a_lost_answer_are_gone_through_and_alike_ends_are_judged_once() -> None:
    found = all_seconds("lost_reply@2", 40, alike=3, stride=3)
    assert not found.problems, found.problems
    assert found.pairs % 3 == 0 and 3 < found.ends < found.pairs / 3, found


def test_boundaries_that_leave_the_same_behind_are_lived_on_from_once() -> None:
    ends = first_ends("none")
    assert sum(alike for _, alike in ends) == boundaries("none") > 2 * len(ends)


def test_a_fate_meets_one_order_and_is_named_in_full() -> None:
    fate = Fate.named("lost_reply@2")
    assert [fate.draw(endpoint) for endpoint in ("place", "order", "place", "place")] == ["", "", "lost_reply", ""]
    assert not Fate.named("none").draw("place")
    for wrong in ("lost_reply", "lost@2", "@2", "lost_reply@x"):
        with pytest.raises(FaultSpecError, match="lost_reply@2"):
            Fate.named(wrong)
