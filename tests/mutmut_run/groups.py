"""What is changed and who judges it: groups of files, each with the fast tests that cover it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "mutmut"
WIRE = ("sign", "decode", "envelope", "wire_*", "codes", "budget")


@dataclass(frozen=True)
class Group:
    """Files that the same fast tests cover; paths from the root, the files as patterns."""

    files: tuple[str, ...]
    tests: tuple[str, ...]
    arguments: tuple[str, ...] = ()  # of pytest


GROUPS = {
    "journal": Group(("rebalancer/journal/*.py",), ("tests/journal",)),
    "wire": Group(
        tuple(f"rebalancer/venues/htx/{name}.py" for name in WIRE),
        ("tests/venues", "tests/hostile/test_known.py", "tests/hostile/test_fuzz_parsers.py"),
    ),
    "core": Group(
        ("rebalancer/core/*.py",),
        ("tests/core", "tests/report/test_plan_document.py", "tests/report/test_text.py", "tests/service/test_gate.py"),
        ("-p", "tests.mutants.few_seeds"),  # its properties run over hundreds
    ),
}


def files_of(group: Group, only: Sequence[str], root: Path = ROOT) -> list[str]:
    """Return the files of a group whose path holds one of the texts; all without any."""
    found = {str(path.relative_to(root)) for pattern in group.files for path in root.glob(pattern)}
    return sorted(file for file in found if not only or any(text in file for text in only))
