"""A new owner's first steps: nothing set, a key at hand, and only what the program itself says to type."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.exchanges import exchange_with
from tests.cli.typed import typed
from tests.e2e.processes import ACCESS_KEY, SECRET_KEY

STEPS_MAX = 4  # commands from a program that is installed to the first dry-run report of one's own account
WITH_KEY = [("Do you have an API key", "y"), ("Access key", ACCESS_KEY), ("Secret key", SECRET_KEY)]
WITHOUT = [("Do you have an API key", "n")]


def bare(home: Path, **more: str) -> dict[str, str]:
    """Return what somebody has who has just logged in, and the program beside it."""
    program = home / "bin" / "rebalancer"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m rebalancer "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb", **more}


def typed_next(screen: str) -> list[str]:
    """Return the commands that stand below the last `Next:`."""
    lines = screen.rpartition("Next:")[2].splitlines()
    return [line.strip() for line in lines if line.startswith("  ")]


@pytest.mark.parametrize("name", ["owner", "an owner's home"])
@pytest.mark.parametrize("answers", [WITH_KEY, WITHOUT], ids=["key", "no key"])
def test_what_init_says_to_type_leads_to_the_first_dry_run_report(
    tmp_path: Path, name: str, answers: list[tuple[str, str]]
) -> None:
    with exchange_with() as (url, exchange):
        environ = bare(tmp_path / name, REBALANCER_HTX_URL=url)
        said = typed(environ, ["init"], answers, hidden=("Access key", "Secret key"))
        assert said.code == 0, said.screen
        steps = typed_next(said.screen)
        assert 1 + len(steps) <= STEPS_MAX, steps
        shell = ["bash", "--norc", "-c", "set -e\n" + "\n".join(steps)]
        done = subprocess.run(shell, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (steps, done.stdout, done.stderr)
        venue = "loopback" if answers is WITH_KEY else "embedded"
        assert done.stdout.count(f"DRY-RUN on {venue}") == 2 and "in USDT now % target" in done.stdout, done.stdout
        assert not exchange.state.orders
