"""Every row of the failure catalogue names the tests that show it; none is lost."""

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
# What is not built, and why that is no fault of the rows: there is no Postgres.
OUT_OF_SCOPE = {"C15"}


def names_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_row_of_the_catalogue_is_here_once() -> None:
    assert {prefix: sum(1 for name in ROWS if name.startswith(prefix)) for prefix in COUNTS} == COUNTS
    assert len(ROWS) == sum(COUNTS.values()) == 126


@pytest.mark.parametrize("name", ROWS)
def test_a_row_names_tests_that_exist_or_is_out_of_scope(name: str) -> None:
    row = ROWS[name]
    assert row["fault"] and set(row) <= {"fault", "tests", "out_of_scope", "otherwise"}
    assert bool(row["tests"]) is (name not in OUT_OF_SCOPE) is ("out_of_scope" not in row), name
    assert len(set(row["tests"])) == len(row["tests"]), f"{name}: a test is named twice"
    for place in row["tests"]:
        file, _, test = place.partition("::")
        assert (TESTS / file).exists(), f"{name}: tests/{file} does not exist"
        assert test in names_in(TESTS / file), f"{name}: {test} is not in tests/{file}"
