"""The benchmarks run and say what they promise. How fast anything is, no test asks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIGURES = {
    "startup": ["rebalancer --version / import httpx", "plan to its first request / import httpx"],
    "idle": ["serve idle after one cycle, resident"],
    "planning": ["plan of 50 assets", "drift and bands of 50 assets"],
    "reads": ["reads of a cycle / their dependent floor"],
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_benchmark_gives_its_figures_as_one_document(name: str) -> None:
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", "--runs", "1", "--json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode in {0, 1}, ended.stderr  # 1: a figure is over its limit, which this is no place to judge
    figures = json.loads(ended.stdout)
    assert [figure["name"] for figure in figures] == FIGURES[name]
    assert all(figure["value"] > 0 and figure["holds"] == (figure["value"] <= figure["limit"]) for figure in figures)


def test_every_benchmark_is_named_here() -> None:
    modules = {path.stem for path in Path(__file__).parent.glob("*.py")} - {"figures", "test_smoke", "__init__"}
    assert modules == set(FIGURES)
