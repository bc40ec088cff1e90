"""Forked processes that each tell one thing, within limits of time and memory.

A child that is killed from outside, or whose task itself fails, has told nothing: `Ending.how` keeps that apart from what
a test did to its process.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil

LOOK_S = 0.5
MEMORY_MORE_BYTES = 2 << 30  # beyond what the process has when it is forked
FAULT_OF_OURS = 70
PR_SET_PDEATHSIG = 1
NOTED = "noted"
_folders: list[Path] = []  # in a child, its own
FORK = multiprocessing.get_context("fork")


class How(StrEnum):
    """How a child ended."""

    TOLD = "told"
    TIMEOUT = "timeout"  # too much processor time
    ASLEEP = "asleep"  # for too long
    CRASHED = "crashed"
    LOST = "lost"  # killed from outside, by a system out of memory, or by a fault of ours


@dataclass(frozen=True)
class Task:
    """What a child is to do, and how long it may sleep over it; `about` comes back with its ending."""

    about: Any
    work: Callable[[], object]
    asleep_s_max: float


@dataclass(frozen=True)
class Ending:
    """What became of a task: what it told, or the last of what it printed."""

    about: Any
    how: How
    told: Any
    at: str  # what it noted last
    output: str


@dataclass
class _Child:
    task: Task
    folder: Path
    process: BaseProcess
    asleep_s: float = 0.0
    looked: tuple[float, float] = field(default=(0.0, 0.0))  # wall and processor seconds at the last look
    overslept: bool = False

    def look(self) -> None:
        """Count the time that it sleeps; waiting for a processor that others use is not sleep."""
        with contextlib.suppress(psutil.NoSuchProcess):
            seen = psutil.Process(self.process.pid)
            times = seen.cpu_times()
            now = (time.perf_counter(), times.user + times.system)
            if self.looked[0] and seen.status() == psutil.STATUS_SLEEPING:
                self.asleep_s += max(0.0, now[0] - self.looked[0] - (now[1] - self.looked[1]))
            self.looked = now
        if self.asleep_s > self.task.asleep_s_max:
            self.overslept = True
            self.kill()

    def kill(self) -> None:
        """End it and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        self.process.kill()  # it may not lead a group yet

    def ending(self) -> Ending:
        """Return how it ended, once it has; its folder goes."""
        self.process.join()
        self.kill()  # what it left running
        told = self.folder / "told.json"
        how = _how(self.process.exitcode, told.exists(), self.overslept)
        made = Ending(
            self.task.about,
            how,
            json.loads(told.read_text(encoding="utf-8")) if how is How.TOLD else None,
            _text(self.folder / NOTED),
            _text(self.folder / "output")[-2000:],
        )
        shutil.rmtree(self.folder, ignore_errors=True)
        return made


def _text(place: Path) -> str:
    return place.read_text(encoding="utf-8", errors="replace") if place.exists() else ""


def note(text: str) -> None:
    """Write down, in a child, what it is at, for the case that it never tells."""
    (_folders[-1] / NOTED).write_text(text, encoding="utf-8")


def _how(code: int | None, has_told: bool, overslept: bool) -> How:
    if code == 0 and has_told:
        return How.TOLD
    if overslept:
        return How.ASLEEP
    if code == -signal.SIGXCPU:
        return How.TIMEOUT
    return How.LOST if code in {-signal.SIGKILL, FAULT_OF_OURS} else How.CRASHED


def run_all(tasks: Iterable[Task], jobs: int, scratch: Path) -> Iterator[Ending]:
    """Fork `jobs` tasks at a time, the next as soon as one ends; endings come as they happen."""
    waiting, running, number = iter(tasks), list[_Child](), 0
    try:
        while True:
            while len(running) < jobs and (task := next(waiting, None)) is not None:
                number += 1
                running.append(_start(task, scratch / str(number)))
            if not running:
                return
            wait([child.process.sentinel for child in running], timeout=LOOK_S)
            ended = [child for child in running if not child.process.is_alive()]
            running = [child for child in running if child not in ended]
            for child in running:
                child.look()
            yield from (child.ending() for child in ended)
    finally:
        for child in running:
            child.kill()


def _start(task: Task, folder: Path) -> _Child:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sys.stdout.flush()
    sys.stderr.flush()
    process = FORK.Process(target=_live, args=(task.work, folder))
    process.start()
    return _Child(task, folder, process)


def _live(work: Callable[[], object], folder: Path) -> None:
    _folders.append(folder)
    os.setsid()
    die_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _limit_memory()
    output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ["TMPDIR"] = os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)
    tempfile.tempdir = None
    try:
        (folder / "told.json").write_text(json.dumps(work()), encoding="utf-8")
    except BaseException:  # noqa: BLE001 - whatever it is, it must not look like a crash of what is judged
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(FAULT_OF_OURS)
    os._exit(0)  # not past threads that a test left behind


def die_with_parent() -> None:
    """Let this process be killed when the one that started it ends, however that does; only Linux can do so."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    size = psutil.Process().memory_info().vms + MEMORY_MORE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def limit_processor_time(more_s: float) -> None:
    """Let this process be killed once it has used so many seconds more than now."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + more_s) + 1, hard))
