"""The budget to the request: how many go at once, how long the next one waits, and which endpoint it is about."""

from __future__ import annotations

import pytest

from rebalancer.venues.htx.budget import ALLOWED, ALLOWED_ELSEWHERE, LOW_WATER, SHARE, WINDOW_S, Budget
from tests.support import FakeClock


def filled(clock: FakeClock, endpoint: str) -> tuple[Budget, int]:
    """Return a budget whose window of one endpoint is full, and how many requests that took."""
    budget, taken = Budget(clock), ALLOWED.get(endpoint, ALLOWED_ELSEWHERE) // SHARE
    assert [budget.take(endpoint) for _ in range(taken)] == [0.0] * taken
    return budget, taken


@pytest.mark.parametrize("endpoint", [*ALLOWED, "uid"])
def test_a_share_goes_at_once_and_the_next_waits_until_the_first_is_a_window_old(endpoint: str) -> None:
    clock = FakeClock()
    budget, _ = filled(clock, endpoint)
    clock.advance(0.5)
    assert budget.take(endpoint) == WINDOW_S - 0.5
    assert clock.slept_s == [WINDOW_S - 0.5]


def test_a_request_counts_for_a_window_and_no_longer() -> None:
    clock = FakeClock()
    budget, taken = filled(clock, "order")
    clock.advance(WINDOW_S)
    assert [budget.take("order") for _ in range(taken)] == [0.0] * taken


def test_one_endpoint_does_not_wait_for_another() -> None:
    budget, _ = filled(FakeClock(), "balance")
    assert budget.take("order") == 0.0


def test_a_wait_that_was_cut_short_is_gone_on_with_and_told_whole() -> None:
    class ShortSleeper(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(min(seconds, 0.75))

    clock = ShortSleeper()
    budget, _ = filled(clock, "order")
    began = clock.monotonic_s()
    assert budget.take("order") == 2.0 + 1.25 + 0.5
    assert clock.monotonic_s() - began >= WINDOW_S


@pytest.mark.parametrize("remaining", [LOW_WATER, LOW_WATER + 1, None])
def test_enough_left_by_the_exchanges_word_holds_nothing(remaining: int | None) -> None:
    budget = Budget(FakeClock())
    budget.heed("order", remaining)
    assert budget.take("order") == 0.0


@pytest.mark.parametrize("remaining", [LOW_WATER - 1, 0])
def test_few_left_hold_the_next_request_of_that_endpoint_for_one_window(remaining: int) -> None:
    clock = FakeClock()
    budget = Budget(clock)
    budget.heed("order", remaining)
    assert budget.take("balance") == 0.0
    clock.advance(0.25)
    assert budget.take("order") == WINDOW_S - 0.25
    assert budget.take("order") == 0.0


def test_the_longer_of_two_waits_counts() -> None:
    clock = FakeClock()
    budget, _ = filled(clock, "order")
    clock.advance(1.5)
    budget.heed("order", 0)
    assert budget.take("order") == WINDOW_S


def test_places_in_a_window_become_free_one_by_one_as_they_were_taken() -> None:
    clock = FakeClock()
    budget, taken = Budget(clock), ALLOWED["order"] // SHARE
    for _ in range(taken):
        budget.take("order")
        clock.advance(0.125)
    began = clock.monotonic_s()
    waits = [budget.take("order") for _ in range(3)]
    assert waits == [WINDOW_S - taken * 0.125, 0.125, 0.125]
    assert clock.monotonic_s() - began == sum(waits)


def test_a_request_that_had_to_wait_is_counted_once() -> None:
    clock = FakeClock()
    budget, taken = filled(clock, "order")
    clock.advance(1.5)
    assert budget.take("order") == 0.5
    assert [budget.take("order") for _ in range(taken - 1)] == [0.0] * (taken - 1)
    assert budget.take("order") == WINDOW_S
