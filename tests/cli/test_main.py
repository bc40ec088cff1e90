"""The door: help that costs nothing, mistakes that are answered, and output that other programs can take."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from rebalancer import __version__
from rebalancer.cli.exits import Exit
from rebalancer.cli.main import VERBS, entry
from tests.cli.conftest import Owner, words_of
from tests.cli.exchanges import EMBEDDED
from tests.e2e.processes import environment, rebalancer

HEAVY = ("numpy", "httpx", "pydantic", "rich", "apscheduler")
TARGETS_VERBS = ("show", "check", "diff", "set", "confirm", "undo", "history", "schema")
BACKTEST_VERBS = ("fetch", "run", "suggest")
COMMANDS = [
    (),
    *((verb,) for verb in VERBS),
    *(("targets", verb) for verb in TARGETS_VERBS),
    *(("backtest", verb) for verb in BACKTEST_VERBS),
]


@pytest.mark.parametrize("words", COMMANDS, ids=words_of)
def test_help_fits_the_terminal_and_says_the_usage_first(owner: Owner, words: tuple[str, ...]) -> None:
    long, short = owner.say(*words, "--help"), owner.say(*words, "-h")
    assert long.code == Exit.DONE and long.out.startswith(" ".join(("Usage: rebalancer", *words)))
    assert (short.code, short.err) == (Exit.DONE, "")
    assert long.out == short.out
    # A command to be copied stays in one piece.
    assert [line for line in long.out.splitlines() if len(line) > 80 and not line.startswith("    rebalancer ")] == []


def test_help_of_any_verb_loads_no_heavy_library_and_no_verb_but_its_own() -> None:
    light = [verb for verb in VERBS if verb not in {"exchange", "serve"}]
    script = (
        "import sys; from rebalancer.cli.main import run\n"
        f"for verb in {light!r}: assert run([verb, '--help']) == 0\n"
        f"for verb in {BACKTEST_VERBS!r}: assert run(['backtest', verb, '--help']) == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_the_packages(owner: Owner) -> None:
    assert owner.say("--version").out == f"rebalancer {__version__}\n"


@pytest.mark.parametrize(("typed", "meant"), [("plna", "plan"), ("histroy", "history"), ("targts", "targets")])
def test_a_near_miss_is_named(owner: Owner, typed: str, meant: str) -> None:
    said = owner.say(typed)
    assert said.code == Exit.USAGE and f"Did you mean '{meant}'?" in said.err and not said.out


def test_a_word_like_no_verb_leads_to_the_list(owner: Owner) -> None:
    said = owner.say("xyzzy")
    assert said.code == Exit.USAGE and "`rebalancer --help` lists the verbs" in said.err


@pytest.mark.parametrize(
    "words",
    [("plan", "--fromat", "csv"), ("plan", "--format", "pdf"), ("history", "0"), ("history", "many"), ("run", "now")],
    ids=words_of,
)
def test_wrong_usage_is_2_and_does_nothing(owner: Owner, words: tuple[str, ...]) -> None:
    said = owner.say(*words)
    assert said.code == Exit.USAGE and "Error" in said.err and not said.out
    assert not owner.state.exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("plan", "--json", "--fromat"), Exit.USAGE),
        (("targets", "set", "--json", "BTC=40"), Exit.USAGE),
        (("run", "--json", "--live"), Exit.CONFIG),
        (("prices", "NOSUCH", "--json"), Exit.CONFIG),
    ],
    ids=words_of,
)
def test_where_json_was_asked_for_every_error_is_one_document(owner: Owner, words: tuple[str, ...], code: Exit) -> None:
    said = owner.say(*words, **EMBEDDED)
    document = json.loads(said.err)
    assert set(document) == {"schema", "code", "exit", "message", "next"}
    assert document["schema"] == "rebalancer.error/1" and document["exit"] == said.code == code
    assert not said.out


@pytest.mark.parametrize(
    "words",
    [
        ("check", "--json"),
        ("prices", "BTC", "--json"),
        ("plan", "--json"),
        ("plan", "--format=json"),
        ("status", "--json"),
        ("status", "--paths", "--json"),
        ("history", "--json"),
        ("targets", "show", "--json"),
        ("targets", "check", "--json"),
        ("targets", "set", "BTC=35", "--yes", "--json"),
        ("targets", "set", "BTC=34", "USDT=16", "--yes", "--json"),
        ("backtest", "fetch", "--days", "5", "--json"),
        ("run", "--json"),
    ],
    ids=words_of,
)
def test_json_is_exactly_one_document_on_stdout(owner: Owner, words: tuple[str, ...]) -> None:
    said = owner.say(*words, **EMBEDDED)
    assert isinstance(json.loads(said.out), dict), "anything beside the document would not parse"
    assert said.code == Exit.DONE


@pytest.mark.parametrize(
    "words",
    [("check",), ("prices",), ("plan",), ("status",), ("history",), ("run",), ("targets", "show"), ("demo",)],
    ids=words_of,
)
def test_every_report_begins_with_mode_and_venue_and_is_plain_when_piped(owner: Owner, words: tuple[str, ...]) -> None:
    owner.say("run")
    said = owner.say(*words, **EMBEDDED)
    assert re.match(r"(DRY-RUN|DEMO) on embedded\b", said.out), said.out
    assert "\x1b" not in said.out
    assert [line for line in said.out.splitlines() if len(line) > 80 and str(owner.folder) not in line] == []


def test_a_defect_ends_with_1_and_without_a_traceback(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_words: object, **_more: object) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr("rebalancer.cli.status.journal_to_read", broken)
    said = owner.say("status")
    assert said.code == Exit.FAILURE
    assert "unexpected failure: RuntimeError" in said.err and "Traceback" not in said.err and "defect" in said.err
    assert json.loads(owner.say("status", "--json").err)["exit"] == Exit.FAILURE


def test_the_entry_point_ends_the_process_with_the_code(owner: Owner) -> None:
    assert owner.targets.exists()
    with pytest.raises(SystemExit) as ended:
        entry(["plna"])
    assert ended.value.code == Exit.USAGE


def test_a_real_process_answers_as_this_one_does(owner: Owner) -> None:
    environ = environment(REBALANCER_TARGETS=str(owner.targets), REBALANCER_STATE_DIR=str(owner.state))
    plan = rebalancer(environ, "plan", "--exit-code")
    assert plan.returncode == Exit.TRADES_TO_MAKE and plan.stdout.startswith("DRY-RUN on embedded") and not plan.stderr
    assert rebalancer(environ, "run", "--live").returncode == Exit.CONFIG
    assert rebalancer(environ, "plna").returncode == Exit.USAGE


def test_a_reader_that_goes_away_is_no_defect(owner: Owner) -> None:
    environ = environment(REBALANCER_TARGETS=str(owner.targets), REBALANCER_STATE_DIR=str(owner.state))
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "rebalancer", "plan"]
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(command, env=environ, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode != Exit.DONE and not done.stderr
