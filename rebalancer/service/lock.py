"""One instance a state directory, by a lock that the kernel frees when its holder dies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rebalancer.errors import ConfigError, LockHeld


def is_held(path: Path) -> bool | None:
    """Return whether somebody holds the lock, without touching it; None where the system does not tell."""
    try:
        inode = path.stat().st_ino
        table = Path("/proc/locks").read_text(encoding="ascii")
    except FileNotFoundError:
        return None if path.exists() else False
    except OSError:
        return None
    return any(f":{inode} " in line for line in table.splitlines() if "FLOCK" in line)


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold the lock, or raise LockHeld at once; ConfigError where none can be held."""
    lock = FileLock(path, timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise LockHeld(
            f"{path}: another rebalancer holds this lock; wait for its run to end, or stop its service first"
        ) from None
    except OSError as exc:
        raise ConfigError(
            f"{path}: cannot be locked: {os.strerror(exc.errno or 0)}; it must be a plain file of the user who runs "
            "this: move it away while nothing runs, or give it back to that user with chown"
        ) from None
    try:
        yield
    finally:
        lock.release()
