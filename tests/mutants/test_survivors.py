"""The list of mutants that may live fits the code that it is about; `python -m tests.mutmut_run` finds the others."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENTRIES = tomllib.loads((Path(__file__).parent / "survivors.toml").read_text(encoding="utf-8"))["survivor"]
KINDS = {"equivalent", "words", "speed"}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry['function']}: {entry['new'][:60]}")
def test_a_survivor_changes_lines_that_stand_in_its_function_and_says_why_it_may(entry: dict[str, str]) -> None:
    source = (ROOT / entry["file"]).read_text(encoding="utf-8")
    name = entry["function"].rpartition(".")[2]
    assert f"def {name}(" in source
    body = [line.strip() for line in source.partition(f"def {name}(")[2].splitlines()]
    for line in entry["old"].splitlines():
        assert line in body, f"{entry['file']}: {line!r} is not there any more"
    assert entry["old"] != entry["new"]
    assert entry["kind"] in KINDS and entry["reason"]


def test_no_survivor_is_listed_twice() -> None:
    keys = [(each["file"], each["function"], each["old"], each["new"]) for each in ENTRIES]
    assert len(set(keys)) == len(keys)
