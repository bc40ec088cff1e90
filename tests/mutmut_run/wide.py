"""Put a mutant that the fast tests let live into a program of its own, and ask slower tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.mutmut_run.copies import environment
from tests.mutmut_run.groups import Group
from tests.mutmut_run.mutants import Mutant, applied
from tests.mutmut_run.verdicts import Verdict

QUIET = ("-n0", "-p", "no:cacheprovider", "-p", "no:randomly", "--timeout=0")
TESTS = ("tests/service", "tests/report", "tests/hostile/test_hostile.py")
SLOW = "tests/service/test_startup.py::test_crash_at_any_boundary_never_leads_to_two_orders_nor_to_an_orphan"
SIMULATION = ("tests.simulation", "--cycles", "150", "--seed", "7", "--jobs", "1")
HANGS_S = 900  # far beyond what they take on a machine that does much else


def judge_widely(copy: Path, verdict: Verdict, mutant: Mutant, group: Group) -> Verdict:
    """Return the verdict of tests that each run in a process of their own, over a copy without other mutants."""
    place = copy / mutant.file
    whole = place.read_text(encoding="utf-8")
    place.write_text(applied(whole, mutant), encoding="utf-8")
    try:
        caught = next((words for words in _catchers(group) if _fails(copy, words)), None)
    finally:
        place.write_text(whole, encoding="utf-8")
    status = "killed" if caught else verdict.status
    print(f"{verdict.name}: {status} by the wide tests", file=sys.stderr, flush=True)
    return replace(verdict, status=status, by=" ".join(caught) if caught else None)


def _catchers(group: Group) -> Iterator[tuple[str, ...]]:
    # The fast ones over every seed, and with what runs when a module is read, which no switch reaches.
    yield ("pytest", "-x", "-q", *QUIET, *group.tests)
    yield ("pytest", "-x", "-q", *QUIET, *TESTS, "--deselect", SLOW)
    yield SIMULATION


def _fails(copy: Path, module_and_arguments: tuple[str, ...]) -> bool:
    command = [sys.executable, "-m", *module_and_arguments]
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment(copy), capture_output=True, timeout=HANGS_S, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0
