"""What the program hands to other programs: a board, a man page, completions that complete."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rebalancer.cli.assets import NAMES
from rebalancer.cli.exits import MEANING, Exit
from rebalancer.cli.main import VERBS
from tests.cli.conftest import Owner
from tests.e2e.processes import environment


def test_the_list_names_each_and_each_can_be_printed_or_written(owner: Owner) -> None:
    assert owner.say("assets").out.split() == list(NAMES)
    for name in NAMES:
        shown = owner.say("assets", name)
        assert shown.code == Exit.DONE and shown.out
        place = owner.folder / name
        assert owner.say("assets", name, "--output", str(place)).code == Exit.DONE
        assert place.read_text() == shown.out


def test_the_board_is_json(owner: Owner) -> None:
    assert json.loads(owner.say("assets", "grafana.json").out)["title"] == "rebalancer"


def test_the_manual_names_every_verb_option_and_exit_code(owner: Owner) -> None:
    page = owner.say("assets", "rebalancer.1").out.replace(r"\-", "-")
    for verb in VERBS:
        assert f".SS rebalancer {verb} " in page, verb
    for words in ("--exit-code", "--leave", "--clock-rate", *(meaning for meaning in MEANING.values())):
        assert words in page, words
    assert ".SS rebalancer targets set " in page


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff here to read it")
def test_the_manual_is_roff_without_a_complaint(owner: Owner) -> None:
    page = owner.say("assets", "rebalancer.1").out
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-wmac", "-wescape", "-wsyntax"],
        input=page,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "" and "an order's outcome is unknown" in done.stdout


def completions(*words: str) -> list[str]:
    """Ask as bash does for the last of these words, which may be empty."""
    place = str(len(words) - 1)
    more = {"_REBALANCER_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": place}
    done = subprocess.run(
        [sys.executable, "-m", "rebalancer"], env=environment(**more), capture_output=True, text=True, check=False
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_a_shell_completes_verbs_options_and_choices() -> None:
    assert completions("rebalancer", "") == list(VERBS)
    assert completions("rebalancer", "pl") == ["plan"]
    assert completions("rebalancer", "run", "--se") == ["--settle"]
    assert completions("rebalancer", "assets", "") == list(NAMES)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shells_script_names_the_program(owner: Owner, shell: str) -> None:
    assert "_REBALANCER_COMPLETE" in owner.say("assets", f"rebalancer.{shell}").out


def test_no_asset_is_written_into_a_folder_that_is_not_there(owner: Owner, tmp_path: Path) -> None:
    said = owner.say("assets", "rebalancer.1", "--output", str(tmp_path / "none" / "page.1"))
    assert said.code == Exit.USAGE and "cannot be written" in said.err
