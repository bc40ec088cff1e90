"""Every row of the failure catalogue names the tests that show it, or the part that it waits for; none is lost."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
TABLE: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / "rows.toml").read_text(encoding="utf-8"))
ROWS = {name: row for section in TABLE.values() for name, row in section.items()}
COUNTS = {"X": 24, "M": 24, "C": 16, "T": 10, "H": 15, "S": 15, "D": 11, "O": 11}
# Rows that may wait, and for what: the others are shown now.
MAY_WAIT = {
    "depth slices": {"M20"},
    "cool-downs": {"M21"},
    "exits": {"H2"},
    "confirmation of large changes": {"H13"},
    "page": {f"D{number}" for number in range(1, 12)},
    "alerts": {"O10", "H12", "H15", "S11"},
    "operation": {"C14", "S8"},
    "support bundle (operation)": {"S4"},
    "out of scope": {"C15"},
}
SILENT = {"C15", "O8", "O10", *MAY_WAIT["page"] - {"D5"}}  # nothing of these parts exists that could be tested


def names_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_row_of_the_catalogue_is_here_once() -> None:
    assert {prefix: sum(1 for name in ROWS if name.startswith(prefix)) for prefix in COUNTS} == COUNTS
    assert len(ROWS) == sum(COUNTS.values()) == 126


@pytest.mark.parametrize("name", ROWS)
def test_a_row_names_tests_that_exist_or_what_it_waits_for(name: str) -> None:
    row = ROWS[name]
    assert row["fault"]
    assert row["tests"] or name in SILENT, f"{name}: no test"
    for place in row["tests"]:
        file, _, test = place.partition("::")
        assert (TESTS / file).exists(), f"{name}: tests/{file} does not exist"
        assert test in names_in(TESTS / file), f"{name}: {test} is not in tests/{file}"
    waits = row.get("waits")
    assert waits is None or name in MAY_WAIT.get(waits, ()), f"{name} may not wait for {waits!r}"
