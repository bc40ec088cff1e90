"""A live run told to stop: the order under way is finished, nothing more is sent, the plan is closed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from rebalancer.cli.context import note
from rebalancer.service.clock import SystemClock

STOPPING = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_wish(clock: SystemClock) -> Iterator[Callable[[], bool]]:
    """Turn the first SIGTERM or SIGINT into a wish to stop, which this yields; the second does what it always did."""
    asked: list[int] = []
    # A handler may interrupt a sleeper that holds the clock's lock, so another thread has to wake it: only the
    # queue's `put` may be called from there.
    wake: SimpleQueue[bool] = SimpleQueue()
    waker = threading.Thread(target=_wake_sleepers, args=(clock, wake), daemon=True)
    waker.start()
    before = {number: signal.getsignal(number) for number in STOPPING}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(number: int, _frame: object) -> None:
        asked.append(number)
        restore()
        wake.put(True)

    for number in STOPPING:
        signal.signal(number, ask)
    try:
        yield lambda: bool(asked)
    finally:
        restore()
        wake.put(False)
        waker.join()


def _wake_sleepers(clock: SystemClock, wake: SimpleQueue[bool]) -> None:
    """Wait for the wish to stop, or for the end of the run, and wake whoever sleeps at a wish."""
    if wake.get():
        clock.stop()
        note("stopping after the order under way; once more stops at once")
