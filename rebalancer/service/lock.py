"""One instance a state directory, by a lock that the kernel frees when its holder dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rebalancer.errors import LockHeld


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold the lock, or raise LockHeld at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise LockHeld(
            f"{path}: another rebalancer holds this lock; wait for its run to end, or stop its service first"
        ) from None
    try:
        yield
    finally:
        lock.release()
