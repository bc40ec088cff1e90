"""One instance a state directory, by a lock that the kernel frees when its holder dies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rebalancer.errors import ConfigError, LockHeld

MOUNTS = Path("/proc/self/mountinfo")
# Where a lock of one machine may not hold on another, and SQLite's log not at all.
NETWORK_FILE_SYSTEMS = frozenset(
    {"afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"}
)


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
    """Hold the lock, or raise LockHeld at once; ConfigError where none can be held, or relied on."""
    lock = FileLock(path, timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        require_local(path.parent)
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


def require_local(folder: Path) -> None:
    """Raise ConfigError for a folder on a network file system, as far as the system tells."""
    kind = _file_system_of(folder)
    if kind in NETWORK_FILE_SYSTEMS:
        raise ConfigError(
            f"{folder}: lies on a network file system ({kind}), where neither lock nor journal can be relied on; "
            "set REBALANCER_STATE_DIR to a folder on a disk of this machine"
        )


def _file_system_of(folder: Path) -> str:
    """Return the kind of file system, or an empty text where the system does not tell."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    kinds = [line.partition(" - ")[2].split(" ")[0] for line in mounts if line.split(" ")[2:3] == [number]]
    return kinds[-1] if kinds else ""
