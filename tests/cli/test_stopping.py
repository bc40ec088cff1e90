"""The wish to stop: heard once, passed on to whoever sleeps, and gone with the run."""

from __future__ import annotations

import os
import signal

import pytest

from rebalancer.cli import stopping
from rebalancer.cli.stopping import STOPPING, stop_wish
from rebalancer.service.clock import SystemClock


@pytest.mark.parametrize("number", STOPPING)
def test_the_first_signal_is_a_wish_that_wakes_sleepers_and_the_second_does_what_it_always_did(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {each: signal.getsignal(each) for each in STOPPING}
    clock = SystemClock()
    with stop_wish(clock) as stop_requested:
        assert not stop_requested() and signal.getsignal(number) != before[number]
        os.kill(os.getpid(), number)
        assert stop_requested()
        assert {each: signal.getsignal(each) for each in STOPPING} == before
        clock.sleep(3600)
    assert "once more stops at once" in capfd.readouterr().err


def test_without_a_signal_everything_is_as_before_and_the_clock_still_sleeps() -> None:
    before = {each: signal.getsignal(each) for each in STOPPING}
    clock = SystemClock(1000)
    with stop_wish(clock):
        pass
    assert {each: signal.getsignal(each) for each in STOPPING} == before
    began = clock.monotonic_s()
    clock.sleep(20)
    assert clock.monotonic_s() - began >= 20


@pytest.mark.timeout(60)
def test_a_signal_in_the_middle_of_a_sleepers_own_bookkeeping_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "STOPPING", (signal.SIGALRM,))
    for number in range(1000):
        clock = SystemClock()
        with stop_wish(clock) as stop_requested:
            signal.setitimer(signal.ITIMER_REAL, 0.00002 + number % 40 * 0.000001)
            while not stop_requested():
                clock.sleep(0.000001)
