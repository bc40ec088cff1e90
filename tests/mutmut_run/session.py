"""Judge mutants in forked children of one pytest session that has only collected, so each starts from the same state.

python -m tests.mutmut_run.session ORDER   (in a copy with mutants; `judging` starts it, ORDER is its JSON)

First each test runs alone in a child without a mutant: what it takes, which functions it enters. Then all run in one
child without a mutant, the cheapest first, and in another the other way round. Only where all pass is a failure a
mutant's own.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.mutmut_run.children import Ending, How, Task, die_with_parent, run_all
from tests.mutmut_run.covering import Covering
from tests.mutmut_run.progress import Progress
from tests.mutmut_run.switch import Switch
from tests.mutmut_run.trials import Known, Trials, other_threads

# No pytest plugin that chooses an order, keeps a state or has limits of its own; the same examples for every mutant.
ARGUMENTS = ("--rootdir=.", "-qq", "-s", "-n0", "--timeout=0", "--hypothesis-seed=0", "--assert=plain", "--tb=short",
             "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:faulthandler")  # fmt: skip
STOPPED = 3


class Judge:
    """The pytest plugin: it judges where pytest would run the tests."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        self._order = order
        self._jobs, self._scratch = order["jobs"], Path(order["scratch"])
        self._switch = Switch()
        self._switch.install()
        self._progress = Progress(order["group"])
        self._uncollected: list[str] = []

    def pytest_configure(self) -> None:
        """Let hypothesis neither remember nor shrink what fails, and not mind a slow machine."""
        settings.register_profile(
            "mutants",
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )
        settings.load_profile("mutants")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what cannot be collected; pytest would tell it only at its end."""
        if report.failed:
            self._uncollected.append(report.longreprtext)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Judge every mutant of the order; one line of the results for each."""
        if self._uncollected:
            _stop("\n".join(["the tests cannot be collected:", *self._uncollected]))
        if settings().database is not None:
            _stop("a conftest.py has turned hypothesis' database on again, so one mutant's failures would judge others")
        threads = other_threads()
        if threads:
            _stop(f"threads run already once the tests are collected, so nothing can be forked: {', '.join(threads)}")
        self._refuse_other_programs()
        trials = Trials(session.items, self._switch)
        gc.collect()
        gc.freeze()
        known = self._surveyed(trials)
        self._prove_the_order(trials, known)
        self._judge(trials, known)
        return True

    def _refuse_other_programs(self) -> None:
        """Stop where the tests would judge an installed program instead of the one with the mutants."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if name.partition(".")[0] in self._order["own"] and file and not Path(file).is_relative_to(Path.cwd()):
                _stop(f"{name} was imported from {file}, not from the copy that holds the mutants")

    def _surveyed(self, trials: Trials) -> list[Known]:
        """Return what each test does without a mutant, the cheapest first; one that fails stops the run."""
        tasks = [Task(name, partial(trials.survey, name), 10 * self._order["asleep_s"]) for name in trials.names]
        known = []
        for ending in self._progress.over(run_all(tasks, self._jobs, self._scratch), len(tasks), "tests surveyed"):
            told = ending.told
            if told is None or told["failure"]:
                _stop(f"{ending.about} fails in a forked child without any mutant ({ending.how}):\n{_words(ending)}")
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
            if other_threads():
                _stop(f"to import {name} starts a thread, so nothing can be forked any more")

    def _prove_the_order(self, trials: Trials, known: Sequence[Known]) -> None:
        """Stop unless all tests pass one after the other in one child, without a mutant, in either order."""
        orders = {"cheaper": known, "dearer": known[::-1]}
        tasks = [
            Task(which, partial(trials.ask, None, tests), self._asleep_s_max(tests)) for which, tests in orders.items()
        ]
        for ending in run_all(tasks, self._jobs, self._scratch):
            if ending.told is None:
                _stop(
                    f"a child that runs all tests without a mutant does not end well ({ending.how}):\n{_words(ending)}"
                )
            if ending.told["by"]:
                _stop(
                    f"{ending.told['by']} passes alone and fails after the tests that are {ending.about}, without any "
                    f"mutant, so its failures prove nothing:\n{ending.told['failure']}"
                )
        self._progress.say(
            f"{len(known)} tests pass in forked children without a mutant: alone, and all in either order"
        )

    def _judge(self, trials: Trials, known: Sequence[Known]) -> None:
        covering = Covering(known)
        asked = [mutant for mutant in self._order["mutants"] if covering.has(mutant["name"])]
        with Path(self._order["results"]).open("a", encoding="utf-8") as results:
            for mutant in self._order["mutants"]:
                if not covering.has(mutant["name"]):
                    self._write(results, mutant, "no tests", None)
            endings = run_all(self._tasks(trials, covering, asked), self._jobs, self._scratch)
            for ending in self._progress.over(endings, len(asked), "judged"):
                status, by = _status(ending)
                self._write(results, ending.about, status, by)
                if by is not None:
                    covering.note_kill(ending.about["name"], by)

    def _tasks(self, trials: Trials, covering: Covering, mutants: Iterable[Mapping[str, Any]]) -> Iterator[Task]:
        for mutant in mutants:
            tests = covering.tests_for(mutant["name"], self._order["listed_s"] if mutant["listed"] else None)
            yield Task(mutant, partial(trials.ask, mutant["name"], tests), self._asleep_s_max(tests))

    def _asleep_s_max(self, tests: Sequence[Known]) -> float:
        """Return how long a child may sleep over tests: three times what they wait without a mutant, and some more."""
        return self._order["asleep_s"] + 3 * sum(max(0.0, test.wall_s - test.cpu_s) for test in tests)

    def _write(self, results: Any, mutant: Mapping[str, Any], status: str, by: str | None) -> None:
        line = {"key": mutant["key"], "status": status, "by": by, "listed": mutant["listed"]}
        results.write(json.dumps({**line, "state": self._order["state"]}) + "\n")
        results.flush()
        self._progress.count(status)
        if status not in {"killed", "timeout", "crashed"} and not mutant["listed"]:
            self._progress.say(f"{status}: {mutant['name']}")


def _status(ending: Ending) -> tuple[str, str | None]:
    if ending.how is not How.TOLD:
        return ending.how.value, None
    by = ending.told["by"]
    return ("killed", by) if by else ("survived", None)


def _words(ending: Ending) -> str:
    return (ending.told or {}).get("failure") or ending.output


def _stop(reason: str) -> None:
    print(f"stopped: {reason}", file=sys.stderr, flush=True)
    pytest.exit("stopped", returncode=STOPPED)


def main() -> None:
    """Judge what an order names; exit code 0 once every mutant has its line."""
    die_with_parent()
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    start = time.perf_counter()
    code = pytest.main([*ARGUMENTS, *order["arguments"], *order["tests"]], plugins=[Judge(order)])
    print(f"{order['group']}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    sys.exit(int(code))


if __name__ == "__main__":
    main()
