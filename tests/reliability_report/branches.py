"""Branches of the order path that its own tests take, and how many assertions stand in it in production.

python -m tests.reliability_report.branches [--quick] [--json]

Only the tests of core, journal, service and wire run, with hostile answers and a few lives of the simulation: what a
page or a report happens to pass through shows nothing. `--quick` measures the journal by its own tests.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PARTS = ("rebalancer/core", "rebalancer/journal", "rebalancer/service", "rebalancer/venues")
TESTS = ("tests/core", "tests/journal", "tests/service", "tests/venues", "tests/hostile", "tests/simulation")
QUICK_PARTS, QUICK_TESTS = ("rebalancer/journal",), ("tests/journal",)


def measure(parts: Sequence[str], tests: Sequence[str]) -> dict[str, Any]:
    """Run the tests under coverage and return the figures; ValueError when they do not pass."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "coverage.json"
        options = ["-q", "-p", "no:cacheprovider", "-p", "tests.mutants.few_seeds", "--cov-branch"]
        options += [f"--cov={part}" for part in parts] + [f"--cov-report=json:{made}"]
        command = [sys.executable, "-m", "pytest", *options, *tests]
        environment = {**os.environ, "COVERAGE_FILE": str(Path(folder) / "data")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
        if done.returncode:
            raise ValueError(f"the tests ended with {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
        report = json.loads(made.read_text(encoding="utf-8"))
    return figures(report["files"]) | assertions(parts)


def figures(files: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many branches there are, and which are not taken, by file with their lines."""
    branches = sum(file["summary"]["num_branches"] for file in files.values())
    missing = {name: file["missing_branches"] for name, file in files.items() if file["missing_branches"]}
    count = sum(len(each) for each in missing.values())
    percent = round(100 * (1 - count / branches), 2) if branches else 100.0
    return {"branches": branches, "missing": count, "percent": percent, "missing_branches": missing}


def assertions(parts: Sequence[str]) -> dict[str, int]:
    """Count the functions of the parts and the assertions in them."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for part in parts for path in (ROOT / part).rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    functions = sum(isinstance(node, ast.FunctionDef) for node in nodes)
    return {"functions": functions, "asserts": sum(isinstance(node, ast.Assert) for node in nodes)}


def report(made: Mapping[str, Any]) -> str:
    """Return the figures as text, the files with the most missing first."""
    rows = [
        f"branches          {made['branches']}, {made['missing']} not taken ({made['percent']} % are)",
        f"assertions        {made['asserts']} in {made['functions']} functions",
    ]
    for name, missing in sorted(made["missing_branches"].items(), key=lambda item: -len(item[1])):
        rows.append(
            f"{name}: {', '.join(f'{line} to {to}' if to > 0 else f'{line} to the end' for line, to in missing)}"
        )
    return "\n".join(rows)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="the journal alone, by its own tests")
    options.add_argument("--json", action="store_true", help="one JSON document instead of text")
    chosen = options.parse_args()
    try:
        made = measure(QUICK_PARTS, QUICK_TESTS) if chosen.quick else measure(PARTS, TESTS)
    except ValueError as exc:
        sys.exit(str(exc))
    print(json.dumps(made) if chosen.json else report(made))
    sys.exit(1 if made["missing"] else 0)


if __name__ == "__main__":
    main()
