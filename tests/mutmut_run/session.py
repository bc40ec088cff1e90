"""Judge mutants in forked children of one pytest session that has only collected, so each starts from the same state.

python -m tests.mutmut_run.session ORDER   (in a copy with mutants; `judging` starts it, ORDER is its JSON)

What the tests do without a mutant comes first (`survey`); then each mutant is asked by those that enter its function.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.mutmut_run.children import Ending, How, Task, die_with_parent, run_all
from tests.mutmut_run.covering import Covering
from tests.mutmut_run.progress import Progress
from tests.mutmut_run.survey import Survey, Unsound
from tests.mutmut_run.switch import Switch
from tests.mutmut_run.trials import Known, Trials, asleep_s_max, other_threads
from tests.mutmut_run.verdicts import KILLED

# No pytest plugin that chooses an order, keeps a state or has limits of its own; the same examples for every mutant. To
# show where a test failed, pytest would parse the whole of a file with its hundreds of mutants, for every one of them.
ARGUMENTS = ("--rootdir=.", "-qq", "-s", "-n0", "--timeout=0", "--hypothesis-seed=0", "--assert=plain", "--tb=no",
             "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:faulthandler")  # fmt: skip
DOUBTFUL = {How.TIMEOUT, How.ASLEEP}  # a machine that stands still for a while looks the same, though not twice
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
        try:
            known = Survey(trials, self._order, self._progress).known()
        except Unsound as reason:
            _stop(str(reason))
        self._judge(trials, known)
        return True

    def _refuse_other_programs(self) -> None:
        """Stop where the tests would judge an installed program instead of the one with the mutants."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if name.partition(".")[0] in self._order["own"] and file and not Path(file).is_relative_to(Path.cwd()):
                _stop(f"{name} was imported from {file}, not from the copy that holds the mutants")

    def _judge(self, trials: Trials, known: Sequence[Known]) -> None:
        covering = Covering(known)
        asked = [mutant for mutant in self._order["mutants"] if covering.has(mutant["name"])]
        with Path(self._order["results"]).open("a", encoding="utf-8") as results:
            for mutant in self._order["mutants"]:
                if not covering.has(mutant["name"]):
                    self._write(results, mutant, "no tests", None)
            doubtful: dict[str, str] = {}
            for ending in self._endings(trials, covering, asked, "judged"):
                if ending.how in DOUBTFUL:
                    doubtful[ending.about["name"]] = ending.at
                else:
                    self._write(results, ending.about, *_status(ending))
            again = [mutant for mutant in asked if mutant["name"] in doubtful]
            for ending in self._endings(trials, covering, again, "that hung asked once more", doubtful):
                self._write(results, ending.about, *_status(ending))

    def _endings(
        self,
        trials: Trials,
        covering: Covering,
        mutants: Sequence[Mapping[str, Any]],
        doing: str,
        first: Mapping[str, str] = MappingProxyType({}),
    ) -> Iterator[Ending]:
        def tasks() -> Iterator[Task]:
            for mutant in mutants:
                name, budget_s = mutant["name"], self._order["listed_s"] if mutant["listed"] else None
                tests = covering.tests_for(name, budget_s, first.get(name))
                yield Task(mutant, partial(trials.ask, name, tests), asleep_s_max(tests, self._order["asleep_s"]))

        for ending in self._progress.over(run_all(tasks(), self._jobs, self._scratch), len(mutants), doing):
            if ending.how is How.TOLD and ending.told["by"]:
                covering.note_kill(ending.about["name"], ending.told["by"])
            yield ending

    def _write(self, results: Any, mutant: Mapping[str, Any], status: str, by: str | None) -> None:
        line = {"key": mutant["key"], "status": status, "by": by, "listed": mutant["listed"]}
        results.write(json.dumps({**line, "state": self._order["state"]}) + "\n")
        results.flush()
        self._progress.count(status)
        if status not in KILLED and not mutant["listed"]:
            self._progress.say(f"{status}: {mutant['name']}")


def _status(ending: Ending) -> tuple[str, str | None]:
    if ending.how is not How.TOLD:
        return ending.how.value, ending.at or None
    by = ending.told["by"]
    return ("killed", by) if by else ("survived", None)


def _stop(reason: str) -> NoReturn:
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
