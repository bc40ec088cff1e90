"""Answers while another process holds the lock: given to it, taken by it, and told from then on."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from rebalancer.cli.ack import TIMEOUT_MAX_S
from rebalancer.cli.delivery import _next_run
from rebalancer.cli.exits import Exit
from rebalancer.cli.waiting import waiting_document
from rebalancer.errors import LockHeld
from rebalancer.journal.rows import Kind
from rebalancer.journal.store import Journal
from rebalancer.service import answers
from rebalancer.service.clock import SystemClock
from rebalancer.service.lock import hold_lock
from rebalancer.service.refusals import Refusal, remember
from rebalancer.settings import load
from tests.cli.conftest import Owner, Said
from tests.cli.exchanges import EMBEDDED, LIVE
from tests.cli.test_ack import asking, halt, journal_of
from tests.cli.test_targets_staged import staged
from tests.journal.builders import started

__all__ = ["asking", "halt"]  # fixtures
GIVEN = "Given to the running service; it takes effect at its next run at "


def given(owner: Owner, *words: str, **environ: str) -> Said:
    """Answer while somebody else holds the lock."""
    with hold_lock(owner.state / "lock"):
        return owner.say("ack", *words, "--yes", **environ)


def taken(owner: Owner, *, later: timedelta = timedelta(0)) -> list[str]:
    """Take what waits, as the holder of the lock does; return what was refused."""
    with journal_of(owner) as journal:
        found = answers.take(journal, owner.state, lambda: "", SystemClock().now() + later)
        return [each.refused for each in found]


def status(owner: Owner) -> dict[str, Any]:
    document = json.loads(owner.say("status", "--json").out)
    assert isinstance(document, dict)
    return document


def text_of_status(owner: Owner) -> str:
    shown = owner.say("status").out
    wide = [line for line in shown.splitlines() if len(line) > 80]
    assert not [line for line in wide if " " in line.strip()], "only a path that is one word may be longer"
    return " ".join(shown.split())


def test_an_answer_is_given_to_whoever_holds_the_lock_and_the_next_run_goes_by_it(owner: Owner, halt: int) -> None:
    said = given(owner, str(halt))
    assert said.code == Exit.DONE and GIVEN in " ".join(said.out.split()) and "Acknowledged" not in said.out
    assert "It counts until" in said.out
    assert f"ANSWER to {halt} waits since" in text_of_status(owner) and "HALTED" in text_of_status(owner)
    assert owner.say("run", "--live", **LIVE).code in {Exit.DONE, Exit.WORK_LEFT}
    shown = text_of_status(owner)
    assert "ANSWER" not in shown and "HALTED" not in shown
    with journal_of(owner) as journal:
        (row,) = journal.rows(kinds=(Kind.ACK,))
        kinds = [each.kind for each in journal.rows(after_seq=row.seq - 1)]
    assert json.loads(row.payload_text)["answer"]
    assert kinds.index(Kind.ACK) < kinds.index(Kind.RUN), "before it looks"


def test_the_folder_and_the_file_are_the_owners_alone(owner: Owner, halt: int) -> None:
    given(owner, str(halt))
    folder = owner.state / answers.FOLDER
    (path,) = folder.iterdir()
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_dry_run_takes_answers_too(owner: Owner, halt: int) -> None:
    given(owner, str(halt))
    assert owner.say("run", **EMBEDDED).code == Exit.DONE
    assert status(owner)["halts"] == [] and status(owner)["answers"]["waiting"] == []


def test_leave_for_a_plan_is_given_and_spent(owner: Owner, asking: str) -> None:
    said = given(owner, *asking.split()[2:])
    assert said.code == Exit.DONE and "needs a turnover of" in said.out and GIVEN in " ".join(said.out.split())
    traded = owner.say("run", "--live", **LIVE)
    assert traded.code == Exit.WORK_LEFT and "the targets changed" in traded.out


def test_leave_for_weights_that_changed_meanwhile_is_refused_and_told_until_it_is_given_anew(
    owner: Owner, asking: str
) -> None:
    _, _, run, *_ = asking.split()
    given(owner, *asking.split()[2:])
    owner.say("targets", "set", "BTC=6", "ETH=54", "--yes", "--no-preview")
    refused = owner.say("run", "--live", **LIVE)
    assert refused.code == Exit.REFUSED and "answer_refused" in refused.err
    assert f"ANSWER to {run} was refused at" in text_of_status(owner)
    (told,) = status(owner)["answers"]["refused"]
    assert told["what"] == run and "the weights changed since" in told["text"]
    owner.say("targets", "set", "BTC=5", "ETH=55", "--yes", "--no-preview")
    assert owner.say("ack", *asking.split()[2:], "--yes").code == Exit.DONE
    assert status(owner)["answers"]["refused"] == []


def test_json_says_where_the_answer_is(owner: Owner, halt: int) -> None:
    document = json.loads(given(owner, str(halt), "--json").out)
    assert (document["schema"], document["status"], document["about"]) == ("rebalancer.ack/1", "given", "halt")
    assert document["what"] == str(halt) and document["takes_effect_at"] and document["counts_until"]
    assert document["id"] == status(owner)["answers"]["waiting"][0]["id"]
    direct = json.loads(owner.say("ack", str(halt), "--yes", "--json").out)
    assert (direct["status"], direct["id"], direct["takes_effect_at"]) == ("recorded", None, None)
    assert owner.say("ack", str(halt), "--json").code == Exit.USAGE
    assert taken(owner) == [], "what waited was answered at once"


@contextmanager
def service(owner: Owner, act: Callable[[Owner], object]) -> Iterator[None]:
    """Hold the lock and do something once an answer waits."""

    def serve() -> None:
        clock = SystemClock()
        while not answers.waiting(owner.state):
            clock.sleep(0.01)
        act(owner)

    thread = threading.Thread(target=serve)
    with hold_lock(owner.state / "lock"):
        thread.start()
        yield
        thread.join(30)


def test_who_waits_is_told_that_it_was_taken(owner: Owner, halt: int) -> None:
    with service(owner, taken):
        said = owner.say("ack", str(halt), "--yes", "--wait")
    assert said.code == Exit.DONE and "Acknowledged" in said.out
    assert "The running service took it; it takes effect at its next run at" in " ".join(said.out.split())
    assert "waiting until it takes it" in said.err


def test_who_waits_is_told_why_it_was_refused(owner: Owner, halt: int) -> None:
    with service(owner, lambda each: taken(each, later=timedelta(hours=3))):
        said = owner.say("ack", str(halt), "--yes", "--wait", "--json")
    error = json.loads(said.err.splitlines()[-1])
    assert (said.code, error["exit"]) == (Exit.CONFIG, Exit.CONFIG) and said.out == ""
    assert f"refused the answer to {halt}: it was given at" in error["message"]


def test_who_waits_too_short_is_told_that_it_waits_on(owner: Owner, halt: int) -> None:
    said = given(owner, str(halt), "--wait", "--timeout", "0")
    assert said.code == Exit.LOCKED and "waits on and counts until" in " ".join(said.err.split())
    assert taken(owner) == [""]


def test_who_waits_for_a_service_that_ended_carries_the_answer_out_himself(owner: Owner, halt: int) -> None:
    with mock.patch("rebalancer.cli.delivery.record", side_effect=LockHeld("the service runs")):
        said = owner.say("ack", str(halt), "--yes", "--wait", "--json")
    assert said.code == Exit.DONE, said.err
    document = json.loads(said.out)
    assert (document["status"], document["takes_effect_at"]) == ("recorded", None) and document["id"]
    assert "HALTED" not in text_of_status(owner)


def test_who_waits_is_told_of_a_folder_that_was_opened_to_others_meanwhile(owner: Owner, halt: int) -> None:
    def left(state: Path, answer: answers.Answer) -> str:
        made = answers.leave(state, answer)
        (state / answers.FOLDER).chmod(0o770)
        return made

    record, leave = "rebalancer.cli.delivery.record", "rebalancer.cli.delivery.leave"
    with mock.patch(record, side_effect=LockHeld("the service runs")), mock.patch(leave, left):
        said = owner.say("ack", str(halt), "--yes", "--wait")
    assert said.code == Exit.CONFIG and "chmod 700" in said.err and "HALTED" in text_of_status(owner)


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "7201"])
def test_a_wait_of_no_length_or_longer_than_the_answer_counts_is_wrong_usage(
    owner: Owner, halt: int, seconds: str
) -> None:
    assert answers.LIFE.total_seconds() == TIMEOUT_MAX_S
    assert given(owner, str(halt), "--wait", "--timeout", seconds).code == Exit.USAGE
    assert status(owner)["answers"]["waiting"] == []


def test_while_paused_it_is_said_that_nothing_is_sent(owner: Owner, halt: int) -> None:
    owner.say("pause")
    assert "It is paused" in given(owner, str(halt)).out
    assert json.loads(given(owner, str(halt), "--json").out)["paused"] is True
    assert len(status(owner)["answers"]["waiting"]) == 1, "the second took the place of the first"


def test_a_no_gives_nothing(owner: Owner, halt: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt: "n")
    with hold_lock(owner.state / "lock"):
        assert owner.say("ack", str(halt)).code == Exit.FAILURE
    assert status(owner)["answers"]["waiting"] == []


def test_the_question_holds_no_lock(owner: Owner, halt: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def prompt(_prompt: str) -> str:
        with hold_lock(owner.state / "lock"):
            return "y"

    monkeypatch.setattr("click.termui.visible_prompt_func", prompt)
    assert owner.say("ack", str(halt)).code == Exit.DONE


def test_another_user_is_told_whose_answers_count(owner: Owner, halt: int) -> None:
    with mock.patch("os.geteuid", return_value=os.getuid() + 54321):
        said = given(owner, str(halt))
        assert status(owner)["answers"] is None, "they are not his to see"
        with mock.patch("rebalancer.cli.delivery.hold_lock", side_effect=PermissionError(13, "denied")):
            stopped = owner.say("ack", str(halt), "--yes")
    for each in (said, stopped):
        assert each.code == Exit.CONFIG and "`runuser -u " in " ".join(each.err.split())
    assert status(owner)["answers"]["waiting"] == []


def test_trouble_with_the_folder_is_told_and_stops_no_run(owner: Owner, halt: int) -> None:
    given(owner, str(halt))
    (owner.state / answers.FOLDER).chmod(0o777)
    said = given(owner, str(halt))
    assert said.code == Exit.CONFIG and "chmod 700" in said.err
    assert "ANSWERS cannot be looked at" in text_of_status(owner)
    ran = owner.say("run", **EMBEDDED)
    assert ran.code == Exit.DONE and ran.err.count("answers_not_taken") == 1
    assert [each["id"] for each in status(owner)["halts"]] == [halt]


def test_trouble_with_the_folder_does_not_hold_up_an_answer_that_needs_it_not(owner: Owner, halt: int) -> None:
    given(owner, str(halt))
    (owner.state / answers.FOLDER).chmod(0o777)
    said = owner.say("ack", str(halt), "--yes")
    assert said.code == Exit.DONE and "HALTED" not in text_of_status(owner)
    (owner.state / answers.FOLDER).chmod(0o700)
    (refused,) = taken(owner)
    assert f"{halt} is no open halt" in refused


def test_a_file_that_is_no_answer_is_told_and_stops_no_run(owner: Owner, halt: int) -> None:
    given(owner, str(halt))
    (path,) = (owner.state / answers.FOLDER).iterdir()
    path.write_text("{")
    assert "will be refused: it is cut short" in text_of_status(owner)
    assert owner.say("run", **EMBEDDED).code == Exit.DONE
    assert "was refused at" in text_of_status(owner) and status(owner)["answers"]["waiting"] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--up-to", "5"), "--up-to is for a plan"),
        (("--outcome", "absent"), "are for an order"),
        (("--quantity", "5"), "are for an order"),
        (("--reason", "\udcff"), "is no UTF-8 text"),
    ],
)
def test_a_word_that_is_for_another_question_is_wrong_usage(
    owner: Owner, halt: int, words: tuple[str, ...], told: str
) -> None:
    said = owner.say("ack", str(halt), *words, "--yes")
    assert said.code == Exit.USAGE and told in said.err
    assert "HALTED" in text_of_status(owner)


def test_a_reason_is_kept_whatever_is_answered(owner: Owner, halt: int) -> None:
    owner.say("ack", str(halt), "--reason", "it was my own order", "--yes")
    with journal_of(owner) as journal:
        (row,) = journal.rows(kinds=(Kind.ACK,))
    assert json.loads(row.payload_text)["text"] == "it was my own order"


def test_the_schedule_is_part_of_how_long_a_leave_takes(owner: Owner, asking: str) -> None:
    text = owner.targets.read_text(encoding="utf-8")
    owner.targets.write_text(text.replace('cron     = "7 * * * *"', 'cron = "7 8 * * *"'), encoding="utf-8")
    assert "7 8 * * *" in owner.targets.read_text(encoding="utf-8")
    said = given(owner, *asking.split()[2:])
    assert "With 10 % of the portfolio a look, the schedule spreads it over about 4 days" in " ".join(said.out.split())
    owner.targets.write_text(text, encoding="utf-8")
    assert "the schedule spreads" not in given(owner, *asking.split()[2:]).out


def test_status_tells_of_staged_weights_and_how_to_confirm_them(owner: Owner) -> None:
    assert status(owner)["staged"] is None
    staged(owner)
    told = text_of_status(owner)
    assert "STAGED on the page: BTC 35 -> 30" in told and "`rebalancer targets confirm`" in told
    assert "nothing is open" not in told
    document = status(owner)["staged"]
    assert document["weights"]["BTC"] == "30" and document["problem"] is None
    staged(owner, based_on="another")
    assert "must be staged again" in text_of_status(owner)
    owner.targets.write_text("[", encoding="utf-8")
    assert "targets.toml" in status(owner)["staged"]["problem"] and "STAGED weights: " in text_of_status(owner)


def test_an_answer_that_waited_for_too_long_is_told_before_it_is_refused(owner: Owner, halt: int) -> None:
    given(owner, str(halt))
    (waits,) = status(owner)["answers"]["waiting"]
    until = datetime.fromisoformat(waits["counts_until"])
    assert waits["problem"] is None and until - datetime.fromisoformat(waits["asked_at"]) == answers.LIFE
    (late,) = waiting_document(load(), until + timedelta(seconds=1))["answers"]["waiting"]
    assert late["problem"] == "it waited for too long; answer again"
    assert waiting_document(load(), until)["answers"]["waiting"] == [waits]
    set_back = datetime.fromisoformat(waits["asked_at"]) - answers.LIFE
    assert waiting_document(load(), set_back)["answers"]["waiting"] == [waits]
    (early,) = waiting_document(load(), set_back - timedelta(seconds=1))["answers"]["waiting"]
    assert early["problem"] == "the clock was set back since; answer again"


def test_status_goes_by_the_clock_of_the_service(owner: Owner, halt: int) -> None:
    hurried = {"REBALANCER_CLOCK_RATE": "1000", "REBALANCER_HTX_URL": "http://127.0.0.1:9"}
    given(owner, str(halt), **hurried)
    (waits,) = json.loads(owner.say("status", "--json", **hurried).out)["answers"]["waiting"]
    assert waits["problem"] is None


def test_status_forgets_a_refusal_after_a_day(owner: Owner) -> None:
    owner.state.mkdir()
    now = SystemClock().now()
    for name, at in (("old", now - timedelta(hours=25)), ("new", now - timedelta(hours=23))):
        remember(owner.state, Refusal(name, "118", "no open halt", at))
    assert [each["id"] for each in status(owner)["answers"]["refused"]] == ["new"]
    (owner.state / "answers.refused.json").write_text("{", encoding="utf-8")
    assert "delete it" in status(owner)["answers"]["problem"]


NOON = datetime(2026, 3, 1, 12, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "ran", "expected"),
    [
        (NOON + timedelta(seconds=30), NOON - timedelta(hours=1), NOON),  # its jitter has not passed
        (NOON + timedelta(seconds=30), NOON, NOON + timedelta(hours=1)),
        (NOON + timedelta(seconds=61), NOON - timedelta(hours=1), NOON + timedelta(hours=1)),
        (NOON + timedelta(seconds=30), None, NOON + timedelta(hours=1)),
    ],
)
def test_the_next_run_is_the_slot_whose_start_is_due(
    tmp_path: Path, owner: Owner, now: datetime, ran: datetime | None, expected: datetime
) -> None:
    with Journal.open(tmp_path / "j.db", SystemClock()) as journal:
        if ran is not None:
            journal.append(started("cron-a1", slot=ran, schedule="cron"))
        assert _next_run(owner.targets, journal, now) == expected
        assert _next_run(owner.folder / "none.toml", journal, now) is None
