"""The real clock: aware, never going back, and waking its sleepers when told to stop."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, timedelta
from threading import Thread

import pytest

from rebalancer.service.clock import HurriedClock, SystemClock

AN_HOUR_S = 3600.0
PATIENCE_S = 30


def test_wall_time_is_aware_and_in_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_monotonic_time_never_goes_back() -> None:
    clock = SystemClock()
    seen = [clock.monotonic_s() for _ in range(100)]
    assert seen == sorted(seen)


def test_sleepers_wake_when_told_to_stop_and_nobody_sleeps_after_it() -> None:
    clock = SystemClock()
    sleepers = [Thread(target=clock.sleep, args=(AN_HOUR_S,), daemon=True) for _ in range(3)]
    for sleeper in sleepers:
        sleeper.start()
    clock.stop()
    for sleeper in sleepers:
        sleeper.join(PATIENCE_S)
        assert not sleeper.is_alive()
    clock.sleep(AN_HOUR_S)


def test_who_asks_on_after_the_stop_does_not_spin() -> None:
    clock = SystemClock()
    clock.stop()
    asked, until_s = 0, clock.monotonic_s() + 0.2
    while clock.monotonic_s() < until_s:
        clock.sleep(AN_HOUR_S)
        asked += 1
    assert asked <= 20


@pytest.mark.parametrize("seconds", [0.0, -AN_HOUR_S])
def test_no_time_left_is_no_sleep(seconds: float) -> None:
    SystemClock().sleep(seconds)


def test_fast_clock_is_ahead_of_the_real_one_by_its_rate() -> None:
    fast, real = SystemClock(rate=1e6), SystemClock()
    began = fast.now()
    while fast.now() - began < timedelta(days=1):
        pass
    assert fast.now() - real.now() > timedelta(hours=23)
    fast.sleep(AN_HOUR_S)
    assert fast.monotonic_s() > real.monotonic_s()


def test_a_hurried_clock_hurries_while_it_waits_and_only_then() -> None:
    real = SystemClock()
    real_before = real.now()
    clock = HurriedClock(1e6, ahead=-timedelta(weeks=4))
    before, monotonic_before = clock.now(), clock.monotonic_s()
    assert real_before - timedelta(weeks=4) <= before <= real.now() - timedelta(weeks=4)
    for _ in range(24):
        clock.sleep(AN_HOUR_S)
    passed, monotonic_passed_s = clock.now() - before, clock.monotonic_s() - monotonic_before
    really = real.now() - real_before
    assert timedelta(days=1) <= passed <= timedelta(days=1) + really
    assert 24 * AN_HOUR_S <= monotonic_passed_s <= 24 * AN_HOUR_S + really.total_seconds() + 1


def test_a_hurried_sleeper_wakes_when_told_to_stop() -> None:
    clock = HurriedClock(1.0)
    clock.stop()
    clock.sleep(AN_HOUR_S)


@pytest.mark.parametrize("rate", [0.0, -1.0])
def test_time_that_stands_still_or_runs_back_is_refused(rate: float) -> None:
    with pytest.raises(AssertionError):
        SystemClock(rate)
    with pytest.raises(AssertionError):
        HurriedClock(rate)


def test_a_signal_that_stops_the_clock_while_its_own_thread_is_about_to_sleep_cannot_lock_it() -> None:
    """The handler runs in the sleeping thread, at any instruction of it, as many times as it takes to be sure."""
    script = (
        "import itertools, os, signal\n"
        "from rebalancer.service.clock import HurriedClock, SystemClock\n"
        "clock = SystemClock()\n"
        "counted = itertools.count()\n"
        "signal.signal(signal.SIGALRM, lambda *_: (next(counted), clock.stop()))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)\n"
        "while next(counted) < 4000: clock.sleep(0.00001)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
        "print('awake')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "awake\n", done.stderr
