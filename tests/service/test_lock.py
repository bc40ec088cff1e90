"""One instance a state directory; the kernel frees the lock of a holder that was killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rebalancer.errors import ConfigError, LockHeld
from rebalancer.service.lock import hold_lock

HOLDER = """
import sys
from pathlib import Path
from rebalancer.service.lock import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
PATIENCE_S = 60


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds the lock until its input ends."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()
        process.wait(PATIENCE_S)


def test_second_holder_is_refused_at_once_and_told_what_to_do(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "lock"):
        with pytest.raises(LockHeld, match="another rebalancer holds this lock"), hold_lock(tmp_path / "lock"):
            pass
        with pytest.raises(LockHeld), hold_lock(tmp_path / "lock"):
            pass


def test_lock_is_free_after_its_holder_let_go_or_failed(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "state" / "lock"):
        pass
    with pytest.raises(ZeroDivisionError), hold_lock(tmp_path / "state" / "lock"):
        raise ZeroDivisionError
    with hold_lock(tmp_path / "state" / "lock"):
        pass


@pytest.mark.parametrize("what", ["folder", "link", "file above"])
def test_what_cannot_be_locked_is_a_setting_to_mend_and_no_defect(what: str, tmp_path: Path) -> None:
    path = tmp_path / "state" / "lock"
    if what == "file above":
        path.parent.touch()
    else:
        path.parent.mkdir()
        path.mkdir() if what == "folder" else path.symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(ConfigError, match=r"lock: cannot be locked: .*: move it away while nothing runs"),
        hold_lock(path),
    ):
        pass


def test_locks_of_two_directories_do_not_meet(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "one" / "lock"), hold_lock(tmp_path / "two" / "lock"):
        pass


def test_lock_of_another_process_holds_until_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with another_process(path) as process:
        with pytest.raises(LockHeld), hold_lock(path):
            pass
        process.kill()  # SIGKILL: nothing of it can tidy up
        process.wait(PATIENCE_S)
        with hold_lock(path):
            pass
