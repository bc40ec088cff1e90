"""A cleared environment and a folder of one's own for every verb that runs in this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rebalancer.cli.main import run
from tests.e2e.processes import FOREIGN

SHIPPED = Path(__file__).parents[2] / "targets.toml"


def words_of(value: object) -> str:
    """Return what a parameter is called in a test's name: a command line by its words."""
    return " ".join(value) if isinstance(value, tuple) else str(value)


@dataclass
class Said:
    """What one command line did."""

    code: int
    out: str
    err: str


@dataclass
class Owner:
    """Somebody at a terminal, with a state directory and a targets file."""

    folder: Path
    say: Callable[..., Said]

    @property
    def targets(self) -> Path:
        return self.folder / "targets.toml"

    @property
    def state(self) -> Path:
        return self.folder / "state"


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Owner:
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REBALANCER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("REBALANCER_TARGETS", str(tmp_path / "targets.toml"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "targets.toml").write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")

    def say(*words: str, **environ: str) -> Said:
        with monkeypatch.context() as patched:
            for name, value in environ.items():
                patched.setenv(name, value)
            capsys.readouterr()
            code = run(list(words))
        heard = capsys.readouterr()
        return Said(int(code), heard.out, heard.err)

    return Owner(tmp_path, say)
