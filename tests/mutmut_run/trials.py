"""What a forked child does with collected tests: run them, one after the other, and say which failed first."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.mutmut_run.children import limit_processor_time, note
from tests.mutmut_run.switch import Switch

# A test may use ten times what it uses without a mutant, and a second more.
SLOWER, SPARE_S, SURVEY_S = 10, 1, 600


@dataclass(frozen=True)
class Known:
    """What one test does without a mutant."""

    name: str
    cpu_s: float
    wall_s: float
    functions: tuple[str, ...]  # that it enters, as mutmut names them

    @property
    def cpu_s_max(self) -> float:
        """What it may use with one."""
        return SLOWER * self.cpu_s + SPARE_S


class Trials:
    """The collected tests by their names, and the switch between the program and its mutants."""

    def __init__(self, items: Sequence[pytest.Item], switch: Switch) -> None:
        self._items: Mapping[str, pytest.Item] = {item.nodeid: item for item in items}
        self._switch = switch

    @property
    def names(self) -> list[str]:
        """The tests in the order of their collection."""
        return list(self._items)

    def survey(self, name: str) -> dict[str, Any]:
        """Run one test without a mutant: how it fails, what it takes, what it enters and what it imports."""
        limit_processor_time(SURVEY_S)
        self._switch.entered.clear()
        before, cpu, wall = set(sys.modules), time.process_time(), time.perf_counter()
        return {
            "failure": self._failure(name),
            "cpu_s": time.process_time() - cpu,
            "wall_s": time.perf_counter() - wall,
            "functions": self._switch.functions_entered(),
            "modules": sorted(set(sys.modules) - before),
        }

    def ask(self, mutant: str | None, tests: Sequence[Known]) -> dict[str, str | None]:
        """Return the first test that fails with a mutant in place, and how; None for neither without a mutant."""
        if mutant is not None:
            self._switch.activate(mutant)
        for test in tests:
            note(test.name)
            limit_processor_time(test.cpu_s_max if mutant is not None else SURVEY_S)
            failure = self._failure(test.name)
            if failure is not None:
                return {"by": test.name, "failure": failure}
        return {"by": None, "failure": None}

    def _failure(self, name: str) -> str | None:
        try:
            reports = runtestprotocol(self._items[name], log=False, nextitem=None)
        except BaseException as error:  # noqa: BLE001 - pytest itself gave up; without a mutant it does not
            return f"{type(error).__name__}: {error}"
        return next((report.longreprtext or report.outcome for report in reports if report.failed), None)


def asleep_s_max(tests: Sequence[Known], spare_s: float) -> float:
    """Return how long a child may sleep over tests: three times what they wait without a mutant, and some more."""
    return spare_s + 3 * sum(max(0.0, test.wall_s - test.cpu_s) for test in tests)


def other_threads() -> list[str]:
    """Return the threads beside the main one; a fork would lose them and keep the locks that they hold."""
    return [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
