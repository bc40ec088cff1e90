"""A live run told to stop: the order under way is finished, nothing more is sent, the plan is closed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rebalancer.service.clock import SystemClock

STOPPING = (signal.SIGTERM, signal.SIGINT)
STDERR = 2
HEARD = b"stopping after the order under way; once more stops at once\n"


@contextmanager
def stop_wish(clock: SystemClock) -> Iterator[Callable[[], bool]]:
    """Turn the first SIGTERM or SIGINT into a wish to stop, which this yields; the second does what it always did.

    The wish wakes whoever sleeps on the clock.
    """
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in STOPPING}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(number: int, _frame: object) -> None:
        asked.append(number)
        restore()
        clock.stop()
        with suppress(OSError):  # `sys.stderr` may just be in the middle of a line of ours, and the terminal gone
            os.write(STDERR, HEARD)

    for number in STOPPING:
        signal.signal(number, ask)
    try:
        yield lambda: bool(asked)
    finally:
        restore()
