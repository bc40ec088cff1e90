"""The verbs of every day, typed by their owner on the embedded exchange."""

from __future__ import annotations

import csv
import io
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.cli.main import VERBS
from tests.cli.conftest import Owner

EMBEDDED = {"REBALANCER_VENUE": "embedded"}
LIVE = {**EMBEDDED, "REBALANCER_MODE": "live"}


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_that_says_what_it_does(owner: Owner, verb: str) -> None:
    said = owner.say(verb, "--help")
    assert said.code == 0 and "Usage: rebalancer" in said.out
    assert len(said.out.splitlines()) > 4


def test_help_and_version_import_nothing_heavy() -> None:
    script = (
        "import sys; from rebalancer.cli.main import run; run([sys.argv[1]]);"
        "print([name for name in ('numpy','httpx','pydantic','sqlite3','rich','apscheduler') if name in sys.modules])"
    )
    for word in ("--help", "--version"):
        done = subprocess.run([sys.executable, "-c", script, word], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]", done.stdout


def test_a_mistyped_verb_is_answered_with_the_nearest_and_usage_is_2(owner: Owner) -> None:
    said = owner.say("plna")
    assert said.code == Exit.USAGE and "Did you mean 'plan'?" in said.err
    assert owner.say("run", "--lvie").code == Exit.USAGE


def test_plan_looks_only_and_leaves_nothing_behind(owner: Owner) -> None:
    said = owner.say("plan")
    assert said.code == Exit.DONE and said.out.startswith("DRY-RUN on embedded")
    assert "\x1b" not in said.out and max(map(len, said.out.splitlines())) <= 80
    assert not owner.state.exists() or not files_below(owner.state)


def test_plan_changes_no_byte_of_what_runs_left_and_takes_no_lock(owner: Owner) -> None:
    owner.say("run")
    before = files_below(owner.state)
    assert owner.say("plan").code == Exit.DONE
    after = files_below(owner.state)
    assert {name: body for name, body in after.items() if "-shm" not in name and "-wal" not in name} == {
        name: body for name, body in before.items() if "-shm" not in name and "-wal" not in name
    }


def test_plan_as_json_is_one_document_and_the_exit_code_says_whether_to_trade(owner: Owner) -> None:
    said = owner.say("plan", "--format", "json", "--exit-code")
    assert said.code == Exit.TRADES_TO_MAKE
    assert json.loads(said.out)["schema"] == "rebalancer.plan/1"
    assert json.loads(owner.say("plan", "--json").out)["mode"] == "dry-run"


def test_plan_in_other_forms_and_into_a_file(owner: Owner) -> None:
    rows = list(csv.DictReader(io.StringIO(owner.say("plan", "--format", "csv").out)))
    assert [row["asset"] for row in rows][:2] == ["BTC", "ETH"]
    assert owner.say("plan", "--format", "md").out.startswith("# DRY-RUN on embedded")
    place = owner.folder / "report.md"
    assert owner.say("plan", "--format", "md", "--output", str(place)).code == Exit.DONE
    text = place.read_text(encoding="utf-8")
    assert "| BTC |" in text and "\x1b" not in text
    assert owner.say("plan", "--output", str(owner.folder / "no" / "where.txt")).code == Exit.USAGE


@pytest.mark.parametrize(
    ("words", "environ", "code", "mode"),
    [
        (("run",), EMBEDDED, Exit.DONE, "dry-run"),
        (("run",), LIVE, Exit.DONE, "dry-run"),
        (("run", "--live"), EMBEDDED, Exit.CONFIG, ""),
        (("run", "--live"), LIVE, Exit.WORK_LEFT, "live"),
    ],
)
def test_live_trading_needs_both_words(
    owner: Owner, words: tuple[str, ...], environ: dict[str, str], code: Exit, mode: str
) -> None:
    said = owner.say(*words, "--json", **environ)
    assert said.code == code, said.err
    if mode:
        assert json.loads(said.out)["mode"] == mode
        assert bool(json.loads(said.out)["orders"]) is (mode == "live")
    else:
        assert "REBALANCER_MODE=live" in said.err and not said.out


@pytest.mark.parametrize(
    ("environ", "code", "words"),
    [
        ({"REBALANCER_MODE": "live"}, Exit.CREDENTIALS, "no fallback"),
        ({"REBALANCER_MODE": "lively"}, Exit.CONFIG, "REBALANCER_MODE"),
        ({"REBALANCER_HTX_ACCESS_KEY": "half"}, Exit.CONFIG, "SECRET_KEY is missing"),
        ({"REBALANCER_HTX_PRIVATE_KEY": "x"}, Exit.CONFIG, "not yet supported"),
        ({"REBALANCER_TARGETS": "/nowhere/targets.toml"}, Exit.CONFIG, "no such file"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_what_to_do(
    owner: Owner, environ: dict[str, str], code: Exit, words: str
) -> None:
    said = owner.say("run", "--live" if environ.get("REBALANCER_MODE") == "live" else "--json", **environ)
    assert said.code == code and words in said.err


def test_live_without_its_absolute_limits_is_refused(owner: Owner) -> None:
    text = owner.targets.read_text(encoding="utf-8")
    owner.targets.write_text(
        "\n".join(line for line in text.splitlines() if not line.startswith("max_order_notional")), encoding="utf-8"
    )
    said = owner.say("run", "--live", **LIVE)
    assert said.code == Exit.CONFIG and "max_order_notional" in said.err


def test_errors_are_one_json_document_where_json_was_asked_for(owner: Owner) -> None:
    owner.targets.write_text("version = 1\n", encoding="utf-8")
    said = owner.say("plan", "--json")
    document = json.loads(said.err)
    assert (said.code, document["schema"], document["exit"]) == (Exit.CONFIG, "rebalancer.error/1", 78)
    assert not said.out


def test_runs_and_their_orders_are_told_by_status_and_history(owner: Owner) -> None:
    assert "no run yet" in owner.say("status").out and "no run yet" in owner.say("history").out
    owner.say("run", "--live", **LIVE)
    status = json.loads(owner.say("status", "--json", **EMBEDDED).out)
    assert status["schema"] == "rebalancer.status/1" and status["last_run"]["orders"]
    history = json.loads(owner.say("history", "--json", **EMBEDDED).out)
    assert [run["mode"] for run in history["runs"]] == ["live"]
    rows = list(csv.DictReader(io.StringIO(owner.say("history", "--csv", **EMBEDDED).out)))
    assert {row["state"] for row in rows} == {"filled"} and all(row["client_order_id"] for row in rows)
    shown = owner.say("status", **EMBEDDED).out
    assert "last run" in shown and max(map(len, shown.splitlines())) <= 100
    assert "state" in owner.say("status", "--paths").out


def test_pause_stops_live_runs_until_resumed(owner: Owner) -> None:
    assert owner.say("pause", "--reason", "holiday").code == Exit.DONE
    said = owner.say("run", "--live", **LIVE)
    assert said.code == Exit.REFUSED and "holiday" in said.err
    assert "PAUSED" in owner.say("status").out
    assert owner.say("run").code == Exit.DONE, "a dry run is not stopped"
    assert "Resumed" in owner.say("resume").out and "no pause" in owner.say("resume").out
    assert owner.say("run", "--live", **LIVE).code in (Exit.DONE, Exit.WORK_LEFT)


def test_ack_answers_what_waits_and_nothing_else(owner: Owner) -> None:
    assert owner.say("ack", "5").code == Exit.CONFIG
    owner.say("run", **EMBEDDED)
    said = owner.say("ack", "5", "--yes", **EMBEDDED)
    assert said.code == Exit.CONFIG and "no open halt" in said.err
    assert "waits for your answer" in owner.say("ack", "run-a1/1", "--outcome", "absent", **EMBEDDED).err


def test_a_second_instance_ends_with_11(owner: Owner) -> None:
    from rebalancer.service.lock import hold_lock  # noqa: PLC0415  # beside its use

    with hold_lock(owner.state / "lock"):
        said = owner.say("run")
    assert said.code == Exit.LOCKED and "holds this lock" in said.err


def test_prices_need_no_key_and_an_unknown_coin_is_named(owner: Owner) -> None:
    document = json.loads(owner.say("prices", "BTC", "eth", "--json", **EMBEDDED).out)
    assert [row["asset"] for row in document["prices"]] == ["BTC", "ETH"]
    said = owner.say("prices", "NOSUCH", **EMBEDDED)
    assert said.code == Exit.CONFIG and "NOSUCH" in said.err


def test_check_of_a_machine_without_a_key_is_done_with_warnings(owner: Owner) -> None:
    said = owner.say("check", REBALANCER_MOD="live")
    assert said.code == Exit.DONE
    assert "did you mean REBALANCER_MODE" in said.out and "no key is set" in said.out
    findings = json.loads(owner.say("check", "--json", "--deep").out)["findings"]
    assert {each["topic"] for each in findings} >= {"settings", "targets", "journal", "clock", "exchange", "symbols"}


def test_an_exchange_that_is_away_is_75(owner: Owner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    away = {
        "REBALANCER_HTX_URL": f"http://127.0.0.1:{port}",
        "REBALANCER_HTX_ACCESS_KEY": "away-access-key",
        "REBALANCER_HTX_SECRET_KEY": "away-secret-key",
    }
    said = owner.say("plan", **away)
    assert said.code == Exit.UNREACHABLE and "try again later" in said.err
    assert "away-secret-key" not in said.err


def test_the_demo_runs_to_its_end_without_a_network_and_leaves_nothing(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise AssertionError("the demo opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    said = owner.say("demo")
    assert said.code == Exit.DONE
    assert "Balances on both sides agree to the last digit." in said.out
    assert not owner.state.exists()
