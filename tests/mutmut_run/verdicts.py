"""What became of each mutant, kept on disk as it becomes known, so that a run that was broken off can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mutmut_run.mutants import Change, Mutant

KILLED = {"killed", "timeout", "asleep", "crashed"}
UNDECIDED = {"lost"}


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant, and by which test."""

    file: str
    name: str
    status: str
    change: Change
    by: str | None = None

    @property
    def is_killed(self) -> bool:
        """Whether the tests noticed it."""
        return self.status in KILLED


@dataclass(frozen=True)
class Line:
    """One line of the results: the verdict on a key, in one state of program and tests."""

    key: str
    status: str
    by: str | None
    listed: bool  # then it was asked by the cheapest tests only
    state: str

    def holds(self, state: str, *, listed: bool) -> bool:
        """Whether a later run may take it over.

        A mutant that was killed stays killed while its own function stands as it was. One that lived is asked again
        as soon as anything in the program or the tests is another, or once it is taken off the list of survivors.
        """
        if self.status in KILLED:
            return True
        return self.status not in UNDECIDED and self.state == state and (listed or not self.listed)


def load_lines(results: Path) -> dict[str, Line]:
    """Return the latest line of each key; a last line that was cut short counts as not written."""
    if not results.exists():
        return {}
    whole, _, _ = results.read_text(encoding="utf-8").rpartition("\n")
    lines = (Line(**json.loads(line)) for line in whole.splitlines())
    return {line.key: line for line in lines}


def end_last_line(results: Path) -> None:
    """Drop a last line that was cut short, so that the next one is not written behind it."""
    if results.exists():
        whole, newline, _ = results.read_text(encoding="utf-8").rpartition("\n")
        results.write_text(whole + newline, encoding="utf-8")


def verdict_on(mutant: Mutant, lines: Mapping[str, Line]) -> Verdict:
    """Return what the results say of a mutant."""
    line = lines[mutant.key]
    return Verdict(mutant.file, mutant.name, line.status, mutant.change, line.by)
