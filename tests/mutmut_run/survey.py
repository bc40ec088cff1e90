"""What the tests do without a mutant: alone in a child each, and all in one child in either order.

Only where all of them pass is a failure a mutant's own. A later run over the same program and tests takes it over.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from tests.mutmut_run.children import Ending, Task, run_all
from tests.mutmut_run.progress import Progress
from tests.mutmut_run.trials import Known, Trials, asleep_s_max, other_threads


class Unsound(Exception):
    """The tests cannot judge mutants, and why."""


class Survey:
    """The survey of one session; `order` says where it is kept and of which state of program and tests it is."""

    def __init__(self, trials: Trials, order: Mapping[str, Any], progress: Progress) -> None:
        self._trials, self._order, self._progress = trials, order, progress
        self._place, self._scratch = Path(order["survey"]), Path(order["scratch"])
        self._imported: list[str] = []

    def known(self) -> list[Known]:
        """Return what each test does, the cheapest first; raise Unsound where one fails or depends on others."""
        earlier = json.loads(self._place.read_text(encoding="utf-8")) if self._place.exists() else {}
        if earlier.get("state") == self._order["state"]:
            self._import(earlier["modules"])
            self._progress.say(
                f"the survey of {len(earlier['tests'])} tests holds: neither they nor the program changed"
            )
            return [Known(**{**test, "functions": tuple(test["functions"])}) for test in earlier["tests"]]
        known = self._alone()
        self._together(known)
        kept = {"state": self._order["state"], "modules": self._imported, "tests": [asdict(test) for test in known]}
        self._place.write_text(json.dumps(kept), encoding="utf-8")
        return known

    def _alone(self) -> list[Known]:
        names, asleep_s = self._trials.names, 10 * self._order["asleep_s"]
        tasks = [Task(name, partial(self._trials.survey, name), asleep_s) for name in names]
        known = []
        for ending in self._progress.over(self._run(tasks), len(tasks), "tests surveyed"):
            told = ending.told
            if told is None or told["failure"]:
                raise Unsound(
                    f"{ending.about} fails in a forked child without any mutant ({ending.how}):\n{_words(ending)}"
                )
            known.append(Known(ending.about, told["cpu_s"], told["wall_s"], tuple(told["functions"])))
            self._import(told["modules"])
        return sorted(known, key=lambda test: (test.cpu_s, test.name))

    def _import(self, modules: Sequence[str]) -> None:
        """Import libraries that a test imported late, so that not every child does; never what may hold mutants."""
        for name in modules:
            if name.partition(".")[0] in self._order["own"] or name in sys.modules:
                continue
            try:
                importlib.import_module(name)
            except ImportError:
                continue  # a name that a test made up; the children make it up again
            self._imported.append(name)
            if other_threads():
                raise Unsound(f"to import {name} starts a thread, so nothing can be forked any more")

    def _together(self, known: Sequence[Known]) -> None:
        orders = {"cheaper": known, "dearer": known[::-1]}
        tasks = [
            Task(which, partial(self._trials.ask, None, tests), asleep_s_max(tests, self._order["asleep_s"]))
            for which, tests in orders.items()
        ]
        for ending in self._run(tasks):
            if ending.told is None:
                raise Unsound(
                    f"{ending.at} passes alone and does not end well after the tests that are {ending.about}, without "
                    f"any mutant ({ending.how}), so its failures prove nothing:\n{ending.output}"
                )
            if ending.told["by"]:
                raise Unsound(
                    f"{ending.told['by']} passes alone and fails after the tests that are {ending.about}, without any "
                    f"mutant, so its failures prove nothing:\n{ending.told['failure']}"
                )
        self._progress.say(
            f"{len(known)} tests pass in forked children without a mutant: alone, and all in either order"
        )

    def _run(self, tasks: Sequence[Task]) -> Iterable[Ending]:
        return run_all(tasks, self._order["jobs"], self._scratch)


def _words(ending: Ending) -> str:
    return (ending.told or {}).get("failure") or ending.output
