"""At the terminal: colour where it is wanted, words that fit, examples that work, and a Ctrl-C told truthfully."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from rebalancer.cli.exits import Exit
from rebalancer.cli.main import VERBS
from rebalancer.cli.terminal import WIDTH, heading, lines_of
from tests.cli.conftest import SHIPPED, Owner
from tests.e2e.processes import environment, rebalancer
from tests.report.plans import HOSTILE
from tests.typed_command import parsed

WITHOUT_EXAMPLES = {"check", "resume"}  # nothing to say but the verb


def on_terminal(environ: Mapping[str, str], *words: str) -> str:
    """Return what a verb writes to a real terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-m", "rebalancer", *words], env=environ, stdout=theirs) as process:
        os.close(theirs)
        shown = bytearray()
        while True:
            try:
                shown += (read := os.read(ours, 65536))
            except OSError:  # how Linux says that nobody holds the other end any more
                break
            if not read:
                break
    os.close(ours)
    assert process.returncode == 0
    return shown.decode()


@pytest.mark.parametrize("verb", ["plan", "demo"])
def test_a_terminal_gets_colour_and_whoever_asks_gets_plain_text(tmp_path: Path, verb: str) -> None:
    environ = environment(REBALANCER_TARGETS=str(SHIPPED), REBALANCER_STATE_DIR=str(tmp_path), TERM="xterm")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        environ.pop(name, None)
    assert "\x1b[" in on_terminal(environ, verb)
    assert "\x1b" not in on_terminal(environ | {"NO_COLOR": "1"}, verb)
    assert "\x1b" not in rebalancer(environ, verb).stdout


def test_a_dumb_terminal_gets_plain_text(tmp_path: Path) -> None:
    environ = environment(REBALANCER_TARGETS=str(SHIPPED), REBALANCER_STATE_DIR=str(tmp_path), TERM="dumb")
    assert "\x1b" not in on_terminal(environ, "plan")


def test_the_list_of_verbs_gives_each_a_sentence(owner: Owner) -> None:
    shown = owner.say("--help").out
    for verb, sentence in VERBS.items():
        assert f"\n  {verb} " in shown and sentence.endswith(".") and sentence.split()[0] in shown


@pytest.mark.parametrize("verb", VERBS)
def test_every_example_in_the_help_is_a_command_line_that_works(owner: Owner, verb: str) -> None:
    shown = owner.say(verb, "--help").out.partition("Example")[2].replace("\\\n", " ")
    assert bool(shown) is (verb not in WITHOUT_EXAMPLES)
    for line in shown.partition("\n\n")[0].splitlines():
        words = shlex.split(line.partition(" > ")[0])
        if "rebalancer" in words:
            name, *arguments = words[words.index("rebalancer") + 1 :]
            try:
                assert parsed(name, arguments)
            except click.BadParameter as exc:
                if "does not exist" not in exc.message:  # a file of the example's owner
                    raise


@pytest.mark.parametrize("verb", ["show", "check", "diff", "set", "confirm", "undo", "history", "schema"])
def test_each_part_of_targets_has_a_whole_line_in_the_list(owner: Owner, verb: str) -> None:
    listed = owner.say("targets", "--help").out.partition("Commands:")[2]
    assert f"\n  {verb} " in listed and "..." not in listed
    assert "Did you mean 'show'?" in owner.say("targets", "shwo").err


def test_an_interrupted_verb_does_not_claim_that_nothing_was_changed(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rebalancer.cli.run.load_settings", interrupt)
    said = owner.say("run")
    assert said.code == Exit.FAILURE and "in the journal" in said.err and "nothing was changed" not in said.err


def test_a_no_says_that_nothing_was_changed(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt: "n")
    said = owner.say("targets", "set", "BTC=40", "USDT=10", "--no-preview")
    assert said.code == Exit.FAILURE and "nothing was changed" in said.err


def test_lines_fit_keep_long_names_whole_and_hold_foreign_words_down() -> None:
    path = "/srv/" + "x" * 100
    lines = lines_of(f"{path}: {HOSTILE} {'word ' * 40}", first="FAIL  ", later="      ")
    assert lines[0].startswith("FAIL  ") and any(path in line for line in lines)
    assert all(line.startswith("      ") for line in lines[1:])
    assert all(len(line) <= WIDTH for line in lines if path not in line)
    assert not set("".join(lines)) & set("\x1b\x07")


def test_lines_of_several_lines_begin_each_anew() -> None:
    assert lines_of("one\ntwo", first="- ", later="  ") == ["- one", "  two"]
    assert lines_of("", first="- ") == ["-"]
    assert heading("dry-run", "htx") == "DRY-RUN on htx"
