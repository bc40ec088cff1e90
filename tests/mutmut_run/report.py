"""The figures of a run, and where the list of survivors and the mutants do not fit each other."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.mutmut_run.groups import ROOT
from tests.mutmut_run.mutants import Change
from tests.mutmut_run.verdicts import Verdict

SURVIVORS = ROOT / "tests" / "mutants" / "survivors.toml"
KILLED_MIN = 0.9


def load_accepted(path: Path = SURVIVORS) -> dict[Change, str]:
    """Return the survivors that are known and why each may live."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", [])
    return {Change(each["file"], each["function"], each["old"], each["new"]): each["reason"] for each in entries}


def table(verdicts: Sequence[Verdict]) -> list[tuple[str, int, int]]:
    """Return file, mutants and killed mutants, a row a file."""
    counts = Counter(verdict.file for verdict in verdicts)
    killed = Counter(verdict.file for verdict in verdicts if verdict.is_killed)
    return [(file, counts[file], killed[file]) for file in sorted(counts)]


def report(
    verdicts: Sequence[Verdict], accepted: Mapping[Change, str], made: Collection[Change], gone: Collection[str] = ()
) -> dict[str, Any]:
    """Return the figures, the survivors that nobody has answered for, and the entries of the list that say nothing.

    `made` holds the changes of all mutants of the files in question, sampled or not; `gone` files that are in no group.
    """
    alive = [verdict for verdict in verdicts if not verdict.is_killed]
    killed = len(verdicts) - len(alive)
    files = {change.file for change in made} | set(gone)
    living = {verdict.change for verdict in alive}
    needless = {verdict.change for verdict in verdicts if verdict.is_killed and verdict.change in accepted} - living
    return {
        "mutants": len(verdicts),
        "killed": killed,
        "killed_percent": round(100 * killed / len(verdicts), 2),
        "by_file": table(verdicts),
        "statuses": dict(Counter(verdict.status for verdict in verdicts).most_common()),
        "accepted": sum(verdict.change in accepted for verdict in alive),
        "unlisted": [asdict(verdict) for verdict in alive if verdict.change not in accepted],
        "stale": [asdict(change) for change in accepted if change.file in files and change not in made],
        "needless": [asdict(change) for change in accepted if change in needless],
    }


def is_good(figures: Mapping[str, Any]) -> bool:
    """Whether enough is killed, every survivor has its reason and every reason its mutant."""
    enough = figures["killed"] >= KILLED_MIN * figures["mutants"]
    return bool(enough and not figures["unlisted"] and not figures["stale"])


def show(figures: Mapping[str, Any]) -> None:
    """Print a report for a reader."""
    for file, mutants, killed in figures["by_file"]:
        print(f"{file:44} {mutants:5} mutants {killed:5} killed {100 * killed / mutants:6.1f} %")
    print(f"{'all':44} {figures['mutants']:5} mutants {figures['killed']:5} killed {figures['killed_percent']:6.1f} %")
    print(f"survivors: {figures['accepted']} listed with their reason, {len(figures['unlisted'])} not listed")
    for each in figures["unlisted"]:
        print(f"\n{each['name']} ({each['status']})\n{_lines(each['change'])}")
    _show_entries(figures["stale"], "entries of the list that no mutant matches any more; take them out")
    _show_entries(figures["needless"], "entries of the list whose mutant the tests kill")


def _show_entries(entries: Sequence[Mapping[str, str]], title: str) -> None:
    if entries:
        print(f"\n{len(entries)} {title}:")
    for each in entries:
        print(f"\n{each['file']} {each['function']}\n{_lines(each)}")


def _lines(change: Mapping[str, str]) -> str:
    signed = [f"{sign} {line}" for sign, side in (("-", "old"), ("+", "new")) for line in change[side].splitlines()]
    return "\n".join(signed)
