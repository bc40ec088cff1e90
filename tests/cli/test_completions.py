"""Completions in the shells themselves: a real one on a terminal, where somebody presses Tab."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rebalancer.cli.main import VERBS
from tests.cli.conftest import Owner
from tests.e2e.processes import environment

PATIENCE_S = 30.0
# How each shell is started without the files of whoever runs this, and told to take a script of ours.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source {script}"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit && compinit -D -u; source {script}"),
}
READY, DONE = "shell-is-ready", "command-is-done"
QUIET_S = 1.0


def with_program(folder: Path) -> dict[str, str]:
    """Return an environment in which `rebalancer` is a command."""
    program = folder / "bin" / "rebalancer"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m rebalancer "$@"\n')
    program.chmod(0o755)
    return environment(PATH=f"{program.parent}:{os.environ['PATH']}", HOME=str(folder), TERM="xterm", COLUMNS="200")


def screen_after(shell: str, script: Path, keys: str, folder: Path) -> str:
    """Type into a shell that took the script; return what stands on its screen once the command ran."""
    command, take = SHELLS[shell]
    environ = with_program(folder)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            # Put together by the shell, so that the echo of what is typed is not taken for its answer.
            half, rest = READY[:5], READY[5:]
            os.write(ours, f"{take.format(script=script)}; printf '%s%s\\n' {half} {rest}\n".encode())
            _read_until(ours, READY)
            _read_until_quiet(ours)  # the prompt: what is typed before it is the terminal's, and Tab does nothing there
            os.write(ours, keys.encode())
            return _read_until(ours, DONE)
        finally:
            process.kill()
            os.close(ours)


def _read_until(handle: int, words: str) -> str:
    screen = ""
    while words not in screen:
        ready, _, _ = select.select([handle], [], [], PATIENCE_S)
        assert ready, f"{words!r} never came: {screen!r}"
        screen += os.read(handle, 65536).decode(errors="replace")
    return screen


def _read_until_quiet(handle: int) -> None:
    while select.select([handle], [], [], QUIET_S)[0]:
        os.read(handle, 65536)


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes_a_verb_and_an_option_in_a_real_shell(owner: Owner, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    script = owner.folder / f"rebalancer.{shell}"
    assert owner.say("assets", script.name, "--output", str(script)).code == 0
    half, rest = DONE[:5], DONE[5:]
    # `rebalancer pl<Tab>--he<Tab>` is `rebalancer plan --help`, if Tab does what it should.
    screen = screen_after(shell, script, f"rebalancer pl\t--he\t; printf '%s%s\\n' {half} {rest}\n", owner.folder)
    assert "Usage: rebalancer plan" in screen, screen


def test_bash_lists_every_verb_after_two_tabs(owner: Owner) -> None:
    script = owner.folder / "rebalancer.bash"
    assert owner.say("assets", script.name, "--output", str(script)).code == 0
    screen = screen_after("bash", script, f"rebalancer \t\t\x15printf '%s%s\\n' {DONE[:5]} {DONE[5:]}\n", owner.folder)
    assert set(VERBS) <= set(screen.split()), screen


def test_fish_offers_verbs_and_options_with_their_meaning(owner: Owner) -> None:
    if shutil.which("fish") is None:
        pytest.skip("no fish here")
    script = owner.folder / "rebalancer.fish"
    assert owner.say("assets", script.name, "--output", str(script)).code == 0
    asked = f"source {script}; complete -C 'rebalancer pl'; complete -C 'rebalancer run --se'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", asked],
        env=with_program(owner.folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    offered = dict(line.split("\t", 1) for line in done.stdout.splitlines())
    assert offered.keys() == {"plan", "--settle"} and offered["--settle"].startswith("Seconds to wait")
