"""Figures that need no tool of their own: parts that ran in one process, units, rows of the catalogue, tests."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from tests.simulation.episode import run_episode
from tests.soak import soak
from tests.test_systemd import SERVICES, stage

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
PARTS = {
    "client": ("venues/htx/client.py",),
    "signer": ("venues/htx/sign.py",),
    "parser": ("venues/htx/wire_", "venues/htx/decode.py"),
    "journal": ("journal/store.py",),
    "scheduler": ("scheduler.py",),
    "planner": ("core/planner.py",),
    "state machine": ("core/orders.py",),
}
SOAK_DAYS = 3
_COUNT = re.compile(r"(\d+) (passed|failed|error|skipped)")


def stack() -> dict[str, Any]:
    """Return which parts really ran while one seeded world, and one served house, lived in this process."""
    runs: dict[str, Callable[[], object]] = {
        "simulation": lambda: run_episode(0),
        "soak": lambda: soak(SOAK_DAYS, 0),
    }
    made = {}
    for name, run in runs.items():
        files = _files_run_by(run)
        ran = [part for part, starts in PARTS.items() if any(file.startswith(starts) for file in files)]
        made[name] = {"of": len(PARTS), "ran": ran, "not": [part for part in PARTS if part not in ran]}
    return made


def _files_run_by(run: Callable[[], object]) -> set[str]:
    home = f"{ROOT / 'rebalancer'}/"
    seen: set[str] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        # A module's own body runs when it is imported, which shows nothing.
        if event == "call" and frame.f_code.co_name != "<module>":
            seen.add(frame.f_code.co_filename)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return {file.removeprefix(home) for file in seen if file.startswith(home)}


def catalogue() -> dict[str, int]:
    """Count the rows of the failure catalogue, those that name a test, and those out of scope."""
    table = tomllib.loads((TESTS / "traceability" / "rows.toml").read_text(encoding="utf-8"))
    rows = [row for section in table.values() for row in section.values()]
    outside = sum(1 for row in rows if row.get("out_of_scope"))
    shown = sum(1 for row in rows if row["tests"])
    return {"rows": len(rows), "shown": shown, "out_of_scope": outside}


def exposure() -> dict[str, float]:
    """Return what systemd-analyze says of each trading unit; FileNotFoundError without it."""
    if shutil.which("systemd-analyze") is None:
        raise FileNotFoundError("systemd-analyze is not installed")
    scores = {}
    with tempfile.TemporaryDirectory() as folder:
        stage(Path(folder))
        for name in SERVICES:
            command = ["systemd-analyze", "security", "--offline=true", "--no-pager", f"./{name}"]
            shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            score = re.search(r"Overall exposure level for \S+: ([\d.]+)", shown.stdout)
            if score is None:
                raise ValueError(f"systemd-analyze gave no score: {(shown.stdout + shown.stderr)[-200:]}")
            scores[name] = float(score[1])
    return scores


def tests_of(arguments: Sequence[str]) -> dict[str, int]:
    """Run tests and count how they ended."""
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    counts = dict.fromkeys(("passed", "failed", "error", "skipped"), 0)
    for number, word in _COUNT.findall(done.stdout.strip().rpartition("\n")[2]):
        counts[word] = int(number)
    if done.returncode not in (0, 1):
        raise ValueError(f"pytest ended with {done.returncode}: {(done.stdout + done.stderr)[-200:]}")
    return counts | {"failed": counts["failed"] + counts["error"]}
