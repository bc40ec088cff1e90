"""Copies of the program and its tests, one to hold the mutants and one to put a single mutant into."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

COPIED = ("rebalancer", "tests", "pyproject.toml", "README.md", "targets.toml", "systemd")
LEFT_OUT = ("__pycache__", "survivors.toml")  # the list of survivors judges nothing
JUDGE = Path(__file__).parent


def make_copy(root: Path, folder: Path) -> Path:
    """Copy the program and its tests as they are now; nothing of an earlier copy stays."""
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns(*LEFT_OUT)
    folder.mkdir(parents=True)
    for source in (root / name for name in COPIED if (root / name).exists()):
        if source.is_dir():
            shutil.copytree(source, folder / source.name, ignore=ignored)
        else:
            shutil.copy2(source, folder / source.name)
    shutil.copytree(JUDGE, folder / "tests" / JUDGE.name, ignore=ignored, dirs_exist_ok=True)
    return folder


def state_of(copy: Path) -> str:
    """Return a hash of all that a copy holds: another one may judge otherwise."""
    state = hashlib.sha256()
    for path in sorted(path for path in copy.rglob("*") if path.is_file()):
        state.update(f"{path.relative_to(copy)}\n".encode() + path.read_bytes())
    return state.hexdigest()[:24]


def environment(copy: Path) -> dict[str, str]:
    """Return the environment in which a copy's own modules are imported, without threads of the numeric libraries."""
    fixed = {"PYTHONPATH": str(copy), "PYTHONHASHSEED": "0", "COLUMNS": "100", "MUTANT_UNDER_TEST": ""}
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return {**os.environ, **fixed, **threads}
