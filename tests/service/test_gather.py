"""Independent reads: the same promise, one after the other or overlapping."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Barrier, get_ident
from typing import Any

import pytest

from rebalancer.service.gather import THREADS, ThreadGather, gather_serially

Gathering = Callable[[Sequence[Callable[[], Any]]], list[Any]]
PATIENCE_S = 30


@pytest.fixture(params=["serial", "threads"])
def gather(request: pytest.FixtureRequest) -> Iterator[Gathering]:
    if request.param == "serial":
        yield gather_serially
        return
    threads = ThreadGather()
    yield threads
    threads.close()


def test_results_come_in_the_order_of_the_calls(gather: Gathering) -> None:
    assert gather([lambda number=number: number for number in range(3 * THREADS)]) == list(range(3 * THREADS))
    assert gather([]) == []


def test_first_exception_in_order_is_raised_after_every_call_has_run(gather: Gathering) -> None:
    ran: list[int] = []

    def call(number: int) -> int:
        ran.append(number)
        if number in {3, 5}:
            raise LookupError(number)
        return number

    with pytest.raises(LookupError, match="3"):
        gather([lambda number=number: call(number) for number in range(8)])
    assert sorted(ran) == list(range(8))
    assert gather([lambda: "usable afterwards"]) == ["usable afterwards"]


def test_threads_overlap_as_many_calls_as_there_are_connections() -> None:
    meeting = Barrier(THREADS)
    threads = ThreadGather()
    try:
        # Nobody passes the barrier before all of them are there.
        places = threads([lambda: meeting.wait(PATIENCE_S)] * THREADS)
    finally:
        threads.close()
    assert sorted(places) == list(range(THREADS))


def test_calls_within_calls_find_a_thread() -> None:
    threads = ThreadGather(threads=3)
    try:
        nested = threads([lambda: threads([lambda: 1, lambda: 2]), lambda: [3]])
    finally:
        threads.close()
    assert nested == [[1, 2], [3]]


def test_serial_calls_stay_on_the_callers_thread() -> None:
    assert gather_serially([get_ident]) == [get_ident()]
