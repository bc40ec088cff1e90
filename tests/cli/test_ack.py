"""The owner's answers: a halt looked into, an order judged, a pause lifted; each asked for, recorded and final."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.core.model import RowsSeen
from rebalancer.core.plan import Denial, Plan
from rebalancer.core.reasons import Deny, Trigger
from rebalancer.core.trust import CoinState, CoinTrust
from rebalancer.journal import records
from rebalancer.journal.rows import Kind
from rebalancer.journal.store import Journal
from rebalancer.service.clock import SystemClock
from tests.cli.conftest import Owner, words_of
from tests.cli.exchanges import EMBEDDED, LIVE
from tests.cli.rehearsed import saw_the_prices


@contextmanager
def journal_of(owner: Owner) -> Iterator[Journal]:
    with Journal.open(owner.state / "embedded" / "journal.db", SystemClock()) as journal:
        yield journal


@pytest.fixture
def halt(owner: Owner) -> int:
    """Halt the owner's account after a first run; return the number of the halt."""
    owner.say("run")
    with journal_of(owner) as journal:
        journal.append(records.halt("balance_moved", "BTC moved by 0.5, which no fill explains"))
        (number,) = journal.state.halts
    return number


def answers(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt: word)


def test_a_halt_stops_live_runs_and_is_told_with_the_command_that_answers_it(owner: Owner, halt: int) -> None:
    said = owner.say("run", "--live", **LIVE)
    assert said.code == Exit.REFUSED and "BTC moved by 0.5" in said.err and f"rebalancer ack {halt}" in said.err
    shown = owner.say("status").out
    assert "HALTED" in shown and f"rebalancer ack {halt}" in shown
    assert json.loads(owner.say("status", "--json").out)["halts"][0]["id"] == halt
    assert owner.say("check").code == Exit.REFUSED


def test_an_answered_halt_is_over_and_cannot_be_answered_twice(
    owner: Owner, halt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, "y")
    said = owner.say("ack", str(halt))
    assert said.code == Exit.DONE and "BTC moved by 0.5" in said.out and "Acknowledged" in said.out
    assert "HALTED" not in owner.say("status").out
    again = owner.say("ack", str(halt), "--yes")
    assert again.code == Exit.CONFIG and "open: none" in again.err
    assert owner.say("run", "--live", **LIVE).code in {Exit.DONE, Exit.WORK_LEFT}


def test_a_no_leaves_the_halt_as_it_was(owner: Owner, halt: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "n")
    assert owner.say("ack", str(halt)).code == Exit.FAILURE
    assert "HALTED" in owner.say("status").out


def test_who_answered_is_kept_and_the_chain_holds(owner: Owner, halt: int) -> None:
    owner.say("ack", str(halt), "--yes")
    with journal_of(owner) as journal:
        (row,) = journal.rows(kinds=(Kind.ACK,))
        assert json.loads(row.payload_text)["who"]
        assert journal.verify() > 0
    assert owner.say("check", "--deep").code == Exit.DONE


@pytest.mark.parametrize(
    "words",
    [
        ("run-a1/1", "--outcome", "filled"),
        ("run-a1/x", "--outcome", "absent"),
        ("nonsense",),
        ("99",),
        ("/",),
        ("\u00b2",),
    ],
    ids=words_of,
)
def test_what_does_not_wait_is_refused_and_nothing_is_written(owner: Owner, words: tuple[str, ...]) -> None:
    owner.say("run")
    with journal_of(owner) as journal:
        before = journal.state.halts, journal.state.unresolved, list(journal.rows(kinds=(Kind.ACK,)))
    said = owner.say("ack", *words, "--yes")
    assert said.code == Exit.CONFIG and not said.err.startswith("rebalancer: unexpected")
    with journal_of(owner) as journal:
        assert before == (journal.state.halts, journal.state.unresolved, list(journal.rows(kinds=(Kind.ACK,))))


def test_without_a_journal_there_is_nothing_to_answer_and_none_is_made(owner: Owner) -> None:
    assert owner.say("ack", "5").code == Exit.CONFIG
    assert not (owner.state / "embedded").exists()


@pytest.mark.parametrize(
    "words", [("--quantity", "NaN"), ("--quantity", "-1"), ("--quote", "0"), ("--outcome", "lost")], ids=" ".join
)
def test_an_answer_that_cannot_be_is_wrong_usage(owner: Owner, words: tuple[str, ...]) -> None:
    owner.say("run")
    assert owner.say("ack", "run-a1/1", *words).code == Exit.USAGE


def test_a_pause_keeps_its_reason_and_a_second_one_replaces_it(owner: Owner) -> None:
    owner.say("pause", "--reason", "moving coins")
    assert "moving coins" in owner.say("status").out
    owner.say("pause", "--reason", "on holiday")
    shown = owner.say("status").out
    assert "on holiday" in shown and "moving coins" not in shown
    assert json.loads(owner.say("status", "--json").out)["paused"].startswith("on holiday")


def test_bytes_that_are_no_text_are_a_reason_to_pause_too(owner: Owner) -> None:
    assert owner.say("pause", "--reason", "caf\udce9").code == Exit.DONE
    assert json.loads(owner.say("status", "--json").out)["paused"].startswith("caf\\udce9, ")


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("No username set in the environment")])
def test_a_user_without_a_name_pauses_and_answers_too(owner: Owner, halt: int, error: Exception) -> None:
    with mock.patch("getpass.getuser", side_effect=error):
        assert owner.say("pause").code == owner.say("ack", str(halt), "--yes").code == Exit.DONE
    shown = json.loads(owner.say("status", "--json").out)
    assert f", user {os.getuid()}, " in shown["paused"] and shown["halts"] == []


def test_a_pause_file_made_by_hand_is_a_pause_too(owner: Owner) -> None:
    owner.state.mkdir()
    (owner.state / "pause").touch()
    assert "PAUSED" in owner.say("status").out
    assert owner.say("run", "--live", **LIVE).code == Exit.REFUSED
    assert owner.say("resume").code == Exit.DONE
    assert not (owner.state / "pause").exists()


def test_hostile_words_of_a_reason_stay_words(owner: Owner) -> None:
    owner.say("pause", "--reason", "\x1b[2J[red]gone\nDRY-RUN on htx")
    shown = owner.say("status").out
    assert "\x1b" not in shown and "[red]gone" in shown
    assert [line for line in shown.splitlines() if line.startswith("DRY-RUN")] == ["DRY-RUN on embedded"]


LARGE = ("BTC=5", "ETH=55")  # of 35 and 25


@pytest.fixture
def asking(owner: Owner) -> str:
    """Change the owner's targets beyond a cycle's cap once they were served; return the run that asks for leave."""
    saw_the_prices(owner)
    for _ in range(8):
        code = owner.say("run", "--live", **LIVE).code
        if code == Exit.DONE:
            break
    assert code == Exit.DONE
    preview = owner.say("targets", "set", *LARGE, "--yes", **EMBEDDED)
    assert "the change of targets needs a turnover of" in " ".join(preview.out.split())
    said = owner.say("run", "--live", **LIVE)
    assert said.code == Exit.REFUSED and "ack_needed" in said.out
    (command,) = [line.strip() for line in said.out.splitlines() if line.strip().startswith("rebalancer ack ")]
    return command


def test_leave_is_asked_for_with_a_command_that_gives_it(
    owner: Owner, asking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asking in " ".join(owner.say("status").out.split())
    asked: list[str] = []
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: asked.append(prompt) or "y")
    said = owner.say(*asking.split()[1:])
    assert said.code == Exit.DONE and "needs a turnover of" in said.out and "Allowed" in said.out
    assert len(asked) == 1 and asking.rsplit(maxsplit=1)[-1] in asked[0]
    assert "are left for the weights that you allowed" in owner.say("status").out
    traded = owner.say("run", "--live", **LIVE)
    assert traded.code == Exit.WORK_LEFT and "the targets changed" in traded.out


def test_leave_is_refused_where_it_cannot_be_given_and_nothing_is_written(owner: Owner, asking: str) -> None:
    _, _, run, *_ = asking.split()
    first = json.loads(owner.say("history", "50", "--json").out)["runs"][-1]["run_id"]
    for words, code in (
        ((run,), Exit.USAGE),
        ((run, "--up-to", "0"), Exit.USAGE),
        ((first, "--up-to", "100"), Exit.CONFIG),
        (("manual-20000101T0000Z-a1", "--up-to", "100"), Exit.CONFIG),
    ):
        said = owner.say("ack", *words, "--yes")
        assert said.code == code and "unexpected" not in said.err, words
    owner.say("targets", "set", "BTC=6", "ETH=54", "--yes", "--no-preview")
    said = owner.say("ack", run, "--up-to", "100", "--yes")
    assert said.code == Exit.CONFIG and "the weights changed since" in " ".join(said.err.split())
    with journal_of(owner) as journal:
        assert journal.state.approval is None and not list(journal.rows(kinds=(Kind.ACK,)))


def rowless(owner: Owner, *, held: frozenset[str]) -> None:
    with journal_of(owner) as journal:
        coins = dict(journal.state.coins) | {"ADA": CoinTrust(rowless_since=SystemClock().now())}
        denial = (Denial(Deny.BALANCE_MISSING, "no row"),)
        plan = Plan(
            SystemClock().now(), "", "USDT", "", None, None, None, Trigger.NONE, (), (), (), denial, None, trust=coins,
            rows=RowsSeen(1, held),
        )  # fmt: skip
        journal.append(records.plan_made("a2", plan, mode="dry-run", weights_digest="", complete=False, document={}))


def test_a_coin_without_a_balance_row_is_told_and_its_owner_may_say_that_none_is_held(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.say("run")
    rowless(owner, held=frozenset())
    told = " ".join(owner.say("status").out.split())
    assert "NO ROW since" in told and "`rebalancer ack ADA`" in told
    shown = json.loads(owner.say("status", "--json").out)["coins"][0]
    assert (shown["asset"], shown["state"]) == ("ADA", "no_balance_row")
    answers(monkeypatch, "n")
    assert owner.say("ack", "ADA").code == Exit.FAILURE
    said = owner.say("ack", "ADA", "--yes")
    words = " ".join(said.out.split())
    assert said.code == Exit.DONE and "lists no balance of ADA" in words and "counts as not held" in words
    assert "NO ROW" not in owner.say("status").out
    again = owner.say("ack", "ADA", "--yes")
    assert again.code == Exit.CONFIG and "ADA is not frozen" in again.err


def test_no_word_replaces_the_row_of_a_coin_that_was_held(owner: Owner) -> None:
    owner.say("run")
    rowless(owner, held=frozenset({"ADA"}))
    said = owner.say("ack", "ADA", "--yes")
    assert said.code == Exit.CONFIG and "ADA was held before" in " ".join(said.err.split())
    with journal_of(owner) as journal:
        assert not journal.state.coins["ADA"].excused and not list(journal.rows(kinds=(Kind.ACK,)))


def test_a_frozen_coin_is_told_everywhere_and_answered_once(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    owner.say("run")
    with journal_of(owner) as journal:
        known = journal.state.coins["SOL"]
        frozen = replace(known, state=CoinState.FROZEN, since=SystemClock().now(), why="the exchange halted solusdt")
        coins = journal.state.coins | {"SOL": frozen}
        plan = Plan(
            SystemClock().now(), "", "USDT", "", None, None, None, Trigger.NONE, (), (), (), (), None, trust=coins
        )
        journal.append(records.plan_made("a1", plan, mode="dry-run", weights_digest="", complete=False, document={}))
    shown = owner.say("status")
    told = " ".join(shown.out.split())
    assert "FROZEN" in told and "rebalancer ack SOL" in told and "halted solusdt" in told
    assert json.loads(owner.say("status", "--json").out)["coins"][0]["asset"] == "SOL"
    planned = json.loads(owner.say("plan", "--format", "json").out)
    assert {each["asset"]: each["state"] for each in planned["assets"]}["SOL"] == "frozen"
    refused = owner.say("ack", "BTC", "--yes")
    assert refused.code == Exit.CONFIG and "BTC is not frozen; frozen: SOL" in refused.err
    answers(monkeypatch, "y")
    said = owner.say("ack", "SOL")
    assert (
        said.code == Exit.DONE and "halted solusdt" in said.out and "looks at it afresh" in " ".join(said.out.split())
    )
    assert "FROZEN" not in owner.say("status").out
    assert owner.say("ack", "SOL", "--yes").code == Exit.CONFIG
    planned = json.loads(owner.say("plan", "--format", "json").out)
    assert {each["asset"]: each["state"] for each in planned["assets"]}["SOL"] == "normal"
