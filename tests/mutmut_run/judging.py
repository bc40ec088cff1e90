"""Judge one group: make its mutants, let a session of the copy judge those that are open, and read the verdicts."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutmut_run.copies import environment, make_copy, state_of
from tests.mutmut_run.groups import ROOT, WORK, Group
from tests.mutmut_run.mutants import Change, Mutant, make_mutants
from tests.mutmut_run.verdicts import Verdict, end_last_line, load_lines, verdict_on


@dataclass(frozen=True)
class Place:
    """Where a group is judged: the tree that is copied and the folder that holds copies and results."""

    name: str
    group: Group
    root: Path = ROOT
    work: Path = WORK
    listed_s: float = 2.0  # of tests that ask a listed mutant, which mostly lives
    asleep_s: float = 30.0  # a mutant may sleep that long, and three times what its tests wait without it

    @property
    def folder(self) -> Path:
        """The group's own folder."""
        return self.work / self.name

    @property
    def results(self) -> Path:
        """The verdicts, a line each."""
        return self.folder / "results.jsonl"


def prepare(place: Place, files: Sequence[str], *, keep: bool) -> tuple[list[Mutant], str]:
    """Make a copy with the mutants of the files; return them and the state of program and tests."""
    if not keep:
        shutil.rmtree(place.folder, ignore_errors=True)
    copy = make_copy(place.root, place.folder / "mutants")
    state = state_of(copy)
    print(f"{place.name}: making the mutants of {len(files)} files", file=sys.stderr, flush=True)
    return [mutant for file in files for mutant in make_mutants(copy, file)], state


def judge(place: Place, mutants: Sequence[Mutant], state: str, listed: Collection[Change], jobs: int) -> list[Verdict]:
    """Return a verdict on each mutant, from the results of earlier runs where they still hold."""
    end_last_line(place.results)
    lines = load_lines(place.results)
    open_ones = [
        mutant
        for mutant in mutants
        if mutant.key not in lines or not lines[mutant.key].holds(state, listed=mutant.change in listed)
    ]
    if len(open_ones) < len(mutants):
        print(f"{place.name}: {len(mutants) - len(open_ones)} verdicts of earlier runs hold", file=sys.stderr)
    if open_ones:
        _run_session(place, open_ones, state, listed, jobs)
    lines = load_lines(place.results)
    return [verdict_on(mutant, lines) for mutant in mutants]


def _run_session(place: Place, mutants: Sequence[Mutant], state: str, listed: Collection[Change], jobs: int) -> None:
    mixed = list({mutant.key: mutant for mutant in mutants}.values())
    random.Random(0).shuffle(mixed)  # the hard ones all over, so that the time left can be foretold
    order = {
        "group": place.name,
        "tests": place.group.tests,
        "arguments": place.group.arguments,
        "own": ["rebalancer", "tests"],
        "jobs": jobs,
        "listed_s": place.listed_s,
        "asleep_s": place.asleep_s,
        "state": state,
        "results": str(place.results),
        "survey": str(place.folder / "survey.json"),
        "scratch": str(place.folder / "scratch"),
        "mutants": [{"name": each.name, "key": each.key, "listed": each.change in listed} for each in mixed],
    }
    written = place.folder / "order.json"
    written.write_text(json.dumps(order), encoding="utf-8")
    copy = place.folder / "mutants"
    command = [sys.executable, "-m", "tests.mutmut_run.session", str(written)]
    rest = f"what is judged is in {place.results}, and the same command with --keep goes on from there"
    try:
        done = subprocess.run(command, cwd=copy, env=environment(copy), stdout=sys.stderr, check=False)
    except KeyboardInterrupt:
        sys.exit(f"{place.name} was broken off; {rest}")
    if done.returncode:
        sys.exit(f"{place.name} was not judged to the end (exit code {done.returncode}, reason above); {rest}")
