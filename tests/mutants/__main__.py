"""Prove that the standing defects are caught: each is put in, and the tests or the simulation must fail.

python -m tests.mutants [--only TEXT] [--by CATCHER] [--jobs J] [--json]
python -m tests.mutants --by simulation    which of those that the simulation is said to see does it see alone?
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.table import MUTANTS, SIMULATION, Mutant

ROOT = Path(__file__).parents[2]
COPIED = ("rebalancer", "tests", "pyproject.toml", "README.md", "targets.toml", "systemd")
HUNT_EPISODES = 80
TIMEOUT_S = 300  # the simulation takes a minute of a processor, on a busy machine several


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant."""

    name: str
    caught_by: str  # empty: it survived
    seconds: float


def make_copy(folder: Path) -> Path:
    """Return a private copy of the program and its tests."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def fails(copy: Path, catcher: str) -> bool:
    """Return whether a catcher fails in this copy; a run that hangs has caught its mutant too."""
    if catcher == SIMULATION:
        command = [sys.executable, "-m", "tests.mutants.hunt", str(HUNT_EPISODES)]
    else:
        options = ["-x", "-q", "-n", "0", "-p", "no:randomly", "-p", "no:cacheprovider", "--no-header"]
        command = [sys.executable, "-m", "pytest", *options, catcher]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(copy)}
    try:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def judge(copy: Path, mutant: Mutant) -> Verdict:
    """Put one mutant into a copy, ask its catchers in turn, and take it out again."""
    began = time.perf_counter()
    place = copy / mutant.file
    whole = place.read_text(encoding="utf-8")
    assert whole.count(mutant.old) == 1, f"{mutant.name}: its text stands {whole.count(mutant.old)} times"
    place.write_text(whole.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        caught = next((catcher for catcher in mutant.seen_by if fails(copy, catcher)), "")
    finally:
        place.write_text(whole, encoding="utf-8")
    return Verdict(mutant.name, caught, time.perf_counter() - began)


def run(mutants: list[Mutant], jobs: int, folder: Path) -> list[Verdict]:
    """Judge all mutants on a few copies; the untouched program must satisfy every catcher first."""
    copies: SimpleQueue[Path] = SimpleQueue()
    for number in range(jobs):
        copies.put(make_copy(folder / str(number)))

    def with_copy(work):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        copy = copies.get()
        try:
            return work(copy)
        finally:
            copies.put(copy)

    catchers = sorted({catcher for mutant in mutants for catcher in mutant.seen_by})
    with ThreadPoolExecutor(jobs) as pool:
        sound = list(pool.map(lambda catcher: with_copy(lambda copy: not fails(copy, catcher)), catchers))
        broken = [catcher for catcher, good in zip(catchers, sound, strict=True) if not good]
        if broken:
            sys.exit(f"these fail without any mutant, so they show nothing: {', '.join(broken)}")
        return list(pool.map(lambda mutant: _said(with_copy(lambda copy: judge(copy, mutant))), mutants))


def chosen_mutants(only: str, by: str) -> list[Mutant]:
    """Return the mutants of a name, each with those of its catchers that are to be asked; none without one."""
    asked = [replace(m, seen_by=tuple(each for each in m.seen_by if by in each)) for m in MUTANTS if only in m.name]
    return [mutant for mutant in asked if mutant.seen_by]


def _said(verdict: Verdict) -> Verdict:
    word = f"caught by {verdict.caught_by}" if verdict.caught_by else "SURVIVED"
    print(f"{verdict.seconds:6.1f} s  {verdict.name}: {word}", file=sys.stderr, flush=True)
    return verdict


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", default="", help="mutants whose name holds this text")
    options.add_argument(
        "--by", default="", help="ask only the catchers whose name holds this text, such as simulation"
    )
    options.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="copies to work on (default: one a core)"
    )
    options.add_argument("--json", action="store_true", help="one JSON document on stdout")
    chosen = options.parse_args()
    mutants = chosen_mutants(chosen.only, chosen.by)
    with tempfile.TemporaryDirectory() as folder:
        verdicts = run(mutants, chosen.jobs, Path(folder))
    survivors = [verdict.name for verdict in verdicts if not verdict.caught_by]
    if chosen.json:
        print(json.dumps({"mutants": len(verdicts), "survivors": survivors}))
    else:
        print(f"{len(verdicts)} mutants, {len(verdicts) - len(survivors)} caught, survivors: {survivors or 'none'}")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
