"""Measure how well the tests hold the order path: mutmut changes its code line by line, and the tests must notice.

python -m tests.mutmut_run [--group NAME] [--only TEXT]... [--sample N] [--seed S] [--wide] [--keep] [--jobs J] [--json]

Apart from CI: all of it takes one to two hours on a busy core. Each group of files is judged by the fast tests that
cover it, which mutmut chooses per function; `--wide` puts each mutant that they leave alive and that is not listed
into a copy of the program and asks the service's tests and a short simulation too. A survivor must stand with its
reason in tests/mutants/survivors.toml, or the run fails; so does a share of killed mutants under 90 %.

What mutmut does not change, and this figure so says nothing about: constants and tables outside of functions, the
texts of f-strings, and functions under a decorator other than staticmethod and classmethod.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).parents[1]
WORK = ROOT / "build" / "mutmut"
SURVIVORS = ROOT / "tests" / "mutants" / "survivors.toml"
COPIED = ("rebalancer", "tests", "pyproject.toml", "README.md", "targets.toml", "systemd")
KILLED_MIN = 0.9
NAMES = """
import json, pathlib, sys
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name
made = []
for file in sys.argv[1:]:
    path = pathlib.Path(file)
    names = mutate_file_contents(file, path.read_text(encoding="utf-8")).mutant_names
    made += [(file, get_mutant_name(path, name)) for name in names]
print(json.dumps(made))
"""
CHANGES = """
import json, sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.utils.format_utils import orig_function_and_class_names_from_key
made = {}
for name, file in json.load(sys.stdin):
    lines = get_diff_for_mutant(name, path=file).splitlines()[3:]
    old, new = ("\\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    function, owner = orig_function_and_class_names_from_key(name)
    made[name] = (f"{owner}.{function}" if owner else function, old, new)
print(json.dumps(made))
"""
APPLY = "import sys; from mutmut.mutation.diff_apply import apply_mutant; apply_mutant(sys.argv[1])"
KILLED = {"killed", "timeout", "segfault"}
# mutmut has a limit of its own for each mutant, and what covers what is asked at a third of the speed.
QUIET = ("-n0", "-p", "no:cacheprovider", "-p", "no:randomly", "--timeout=0")
FEW_SEEDS = ("-p", "tests.mutants.few_seeds")
WIDE_TESTS = ("tests/service", "tests/report", "tests/hostile/test_hostile.py")
WIDE_SLOW = "tests/service/test_startup.py::test_crash_at_any_boundary_never_leads_to_two_orders_nor_to_an_orphan"
SIMULATION = ("tests.simulation", "--cycles", "150", "--seed", "7", "--jobs", "1")
HANGS_S = 900  # far beyond what the wide tests take on a machine that does much else


@dataclass(frozen=True)
class Group:
    """Files that the same fast tests cover."""

    files: tuple[str, ...]
    tests: tuple[str, ...]
    arguments: tuple[str, ...] = ()  # of pytest


GROUPS = {
    "journal": Group(("rebalancer/journal/*.py",), ("tests/journal",)),
    "wire": Group(
        tuple(
            f"rebalancer/venues/htx/{name}.py" for name in ("sign", "decode", "envelope", "wire_*", "codes", "budget")
        ),
        ("tests/venues", "tests/hostile/test_known.py", "tests/hostile/test_fuzz_parsers.py"),
    ),
    "core": Group(
        ("rebalancer/core/*.py",),
        ("tests/core", "tests/report/test_plan_document.py", "tests/report/test_text.py", "tests/service/test_gate.py"),
        FEW_SEEDS,  # its properties run over hundreds
    ),
}


@dataclass(frozen=True)
class Change:
    """One mutant by what it changes, which stays the same when mutmut numbers its mutants anew."""

    file: str
    function: str
    old: str
    new: str


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant; `change` only where the fast tests let it live."""

    file: str
    name: str
    status: str
    change: Change | None = None


def load_accepted(path: Path = SURVIVORS) -> dict[Change, str]:
    """Return the survivors that are known and why each may live."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", [])
    return {Change(each["file"], each["function"], each["old"], each["new"]): each["reason"] for each in entries}


def make_copy(folder: Path, group: Group) -> Path:
    """Bring a copy of the program and its tests up to date; what did not change keeps its time, so mutmut its mutants."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            if name != "rebalancer":
                shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)
    # What covers what is asked anew: mutmut asks only new tests, and would know of none for a function that is new.
    (folder / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    shutil.rmtree(folder / "mutants" / "tests", ignore_errors=True)  # or a test that is gone would stay
    settings = {
        "source_paths": ["rebalancer"],
        "only_mutate": group.files,
        "also_copy": [name for name in COPIED if name != "rebalancer"],
        "pytest_add_cli_args": (*QUIET, *group.arguments),
        "pytest_add_cli_args_test_selection": group.tests,
        "timeout_constant": ["4"],
        "track_dependencies": ["false"],  # it costs much, and nothing here asks for it
    }
    lines = [f"{key} =\n" + "".join(f"    {value}\n" for value in values) for key, values in settings.items()]
    (folder / "setup.cfg").write_text("[mutmut]\n" + "".join(lines), encoding="utf-8")
    return folder


def mutmut(copy: Path, *arguments: str) -> None:
    """Run mutmut in a copy; what it says goes to stderr."""
    command = [str(Path(sys.executable).with_name("mutmut")), *arguments]
    done = subprocess.run(command, cwd=copy, env=_environment(copy), stdout=sys.stderr, check=False)
    if done.returncode:
        sys.exit(f"mutmut failed in {copy} with exit code {done.returncode}; its words stand above")


def _environment(copy: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(copy), "PYTHONHASHSEED": "0", "COLUMNS": "100"}


def _json(copy: Path, script: str, *arguments: str, given: object = None) -> Any:
    """Return what a few lines over mutmut's own parts print as JSON; they read mutmut's settings of their folder."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, cwd=copy, input=json.dumps(given), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def files_of(group: Group, only: Sequence[str]) -> list[str]:
    """Return the files of a group whose path holds one of the texts; all without any."""
    found = {str(path.relative_to(ROOT)) for pattern in group.files for path in ROOT.glob(pattern)}
    return sorted(file for file in found if not only or any(text in file for text in only))


def names_of(copy: Path, files: Sequence[str]) -> dict[str, str]:
    """Return every mutant that mutmut makes of the files, with its file."""
    pairs = _json(copy, NAMES, *files)
    return {name: file for file, name in pairs}


def sampled(names: Mapping[str, str], count: int | None, seed: int) -> dict[str, str]:
    """Return at most `count` mutants of each file, the same for the same seed, fewer within more; all without a count."""
    if count is None:
        return dict(names)
    kept: dict[str, str] = {}
    for file in sorted(set(names.values())):
        mine = sorted(name for name in names if names[name] == file)
        random.Random(f"{seed} {file}").shuffle(mine)
        kept |= dict.fromkeys(mine[:count], file)
    return kept


def known_states(copy: Path, files: Iterable[str]) -> dict[str, str]:
    """Return what mutmut wrote down about the mutants of the files; those not judged yet are not in it."""
    codes: dict[str, int | None] = {}
    for file in files:
        meta = copy / "mutants" / f"{file}.meta"
        if meta.exists():
            codes |= json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    return {name: status_by_exit_code[code] for name, code in codes.items() if code is not None}


def judge(copy: Path, names: Mapping[str, str], jobs: int) -> list[Verdict]:
    """Judge mutants by the fast tests; what an earlier run in the same copy killed stays killed."""
    files = sorted(set(names.values()))
    states = known_states(copy, files)
    asked = [name for name in names if states.get(name) not in KILLED] or list(names)[:1]
    while asked:
        mutmut(copy, "run", "--max-children", str(jobs), *asked)
        states = known_states(copy, files)
        asked = [name for name in names if name not in states]  # of functions that changed since the earlier run
    alive = [(name, file) for name, file in names.items() if states[name] not in KILLED]
    changes = _json(copy, CHANGES, given=alive)
    return [
        Verdict(file, name, states[name], Change(file, *changes[name]) if name in changes else None)
        for name, file in names.items()
    ]


def judge_widely(copy: Path, verdict: Verdict, group: Group) -> Verdict:
    """Put a mutant into the copy's program and ask more tests, each time in a process of its own."""
    place = copy / verdict.file
    whole = place.read_bytes()
    subprocess.run([sys.executable, "-c", APPLY, verdict.name], cwd=copy, check=True)
    try:
        caught = any(_fails(copy, catcher) for catcher in _wide_catchers(group))
    finally:
        place.write_bytes(whole)
    status = "killed" if caught else verdict.status
    print(f"{verdict.name}: {status} by the wide tests", file=sys.stderr, flush=True)
    return replace(verdict, status=status)


def _wide_catchers(group: Group) -> Iterable[tuple[str, ...]]:
    # Once more the fast ones: what runs when a module is read is not changed by mutmut itself.
    yield ("pytest", "-x", "-q", *QUIET, *group.tests)
    yield ("pytest", "-x", "-q", *QUIET, *WIDE_TESTS, "--deselect", WIDE_SLOW)
    yield SIMULATION


def _fails(copy: Path, module_and_arguments: tuple[str, ...]) -> bool:
    command = [sys.executable, "-m", *module_and_arguments]
    try:
        done = subprocess.run(
            command, cwd=copy, env=_environment(copy), capture_output=True, timeout=HANGS_S, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def table(verdicts: Sequence[Verdict]) -> list[tuple[str, int, int]]:
    """Return file, mutants and killed mutants, a row a file."""
    counts = Counter(verdict.file for verdict in verdicts)
    killed = Counter(verdict.file for verdict in verdicts if verdict.status in KILLED)
    return [(file, counts[file], killed[file]) for file in sorted(counts)]


def report(verdicts: Sequence[Verdict], accepted: Mapping[Change, str]) -> dict[str, Any]:
    """Return the figures and the survivors that nobody has answered for."""
    alive = [verdict for verdict in verdicts if verdict.status not in KILLED]
    killed = len(verdicts) - len(alive)
    return {
        "mutants": len(verdicts),
        "killed": killed,
        "killed_percent": round(100 * killed / len(verdicts), 2),
        "by_file": table(verdicts),
        "statuses": Counter(verdict.status for verdict in verdicts),
        "accepted": sum(verdict.change in accepted for verdict in alive),
        "unlisted": [asdict(verdict) for verdict in alive if verdict.change not in accepted],
    }


def show(figures: Mapping[str, Any]) -> None:
    """Print a report for a reader."""
    for file, mutants, killed in figures["by_file"]:
        print(f"{file:44} {mutants:5} mutants {killed:5} killed {100 * killed / mutants:6.1f} %")
    print(f"{'all':44} {figures['mutants']:5} mutants {figures['killed']:5} killed {figures['killed_percent']:6.1f} %")
    print(f"survivors: {figures['accepted']} listed with their reason, {len(figures['unlisted'])} not listed")
    for each in figures["unlisted"]:
        change = each["change"]
        print(f"\n{each['name']} ({each['status']})\n- {change['old']}\n+ {change['new']}")


def main() -> None:
    """Judge what the options name, print the figures, and fail on a poor one."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--group", choices=GROUPS, action="append", help="only these groups of files (default: all)")
    options.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="files whose path holds this text, or one of them"
    )
    options.add_argument("--sample", type=int, metavar="N", help="at most N mutants a file, by chance (default: all)")
    options.add_argument("--seed", type=int, default=0, help="of the sample")
    options.add_argument("--wide", action="store_true", help="ask slow tests about survivors that are not listed")
    options.add_argument(
        "--keep", action="store_true", help="trust what an earlier run here killed, if its code stands"
    )
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    options.add_argument("--json", action="store_true", help="one JSON document on stdout")
    chosen = options.parse_args()
    accepted = load_accepted()
    verdicts: list[Verdict] = []
    for name in chosen.group or GROUPS:
        group, folder = GROUPS[name], WORK / name
        files = files_of(group, chosen.only)
        if not files:
            continue
        if not chosen.keep:
            shutil.rmtree(folder, ignore_errors=True)
        copy = make_copy(folder, group)
        judged = judge(copy, sampled(names_of(copy, files), chosen.sample, chosen.seed), chosen.jobs)
        if chosen.wide:
            unknown = {each.name for each in judged if each.change is not None and each.change not in accepted}
            judged = [judge_widely(copy, each, group) if each.name in unknown else each for each in judged]
        verdicts += judged
    if not verdicts:
        sys.exit(f"no file holds {' or '.join(map(repr, chosen.only))} in its path; the groups are {', '.join(GROUPS)}")
    figures = report(verdicts, accepted)
    if chosen.json:
        print(json.dumps(figures, indent=1))
    else:
        show(figures)
    sys.exit(1 if figures["unlisted"] or figures["killed"] < KILLED_MIN * figures["mutants"] else 0)


if __name__ == "__main__":
    main()
