"""The doctor: looks at everything a live run needs, goes on where it can, changes nothing, and says what to do."""

from __future__ import annotations

import json

import pytest

from rebalancer.cli.exits import Exit
from tests.cli.conftest import Owner
from tests.cli.exchanges import EMBEDDED, LIVE, exchange_with, key_for


def graded(owner: Owner, grade: str, *words: str, **environ: str) -> list[str]:
    findings = json.loads(owner.say("check", "--json", *words, **environ).out)["findings"]
    return [f"{each['topic']}: {each['text']}" for each in findings if each["grade"] == grade]


@pytest.mark.parametrize(("environ", "first"), [(EMBEDDED, "DRY-RUN on embedded"), (LIVE, "LIVE on embedded")])
def test_the_report_begins_with_mode_and_venue_and_fits(owner: Owner, environ: dict[str, str], first: str) -> None:
    said = owner.say("check", **environ)
    assert said.code == Exit.DONE and said.out.splitlines()[0] == first
    assert max(len(line) for line in said.out.splitlines() if str(owner.folder) not in line) <= 80
    assert not owner.state.exists(), "looking makes nothing"


def test_the_document_says_mode_venue_and_a_grade_for_each_topic(owner: Owner) -> None:
    document = json.loads(owner.say("check", "--json").out)
    assert (document["schema"], document["mode"], document["venue"]) == ("rebalancer.check/1", "dry-run", "embedded")
    assert {each["grade"] for each in document["findings"]} <= {"ok", "warn", "fail"}


def test_the_embedded_exchange_is_a_warning_with_its_reason_and_its_key_is_none_of_the_owners(owner: Owner) -> None:
    assert graded(owner, "warn") == ["settings: no key is set: runs use the embedded exchange, not HTX"]
    (chosen,) = graded(owner, "warn", **EMBEDDED)
    assert "REBALANCER_VENUE=embedded" in chosen


def test_every_problem_of_the_targets_is_told_with_its_line_and_the_rest_is_looked_at(owner: Owner) -> None:
    owner.targets.write_text('version = 1\nquote = "USDT"\n[weights]\nBTC = 50\nUSDT = 40\n[limitz]\n', "utf-8")
    said = owner.say("check")
    assert said.code == Exit.CONFIG
    assert "targets.toml:3" in said.out and "sum to 90" in said.out and "did you mean limits" in said.out
    assert "journal" in said.out
    assert all(line[:4].strip() in {"", "ok", "WARN", "FAIL"} for line in said.out.splitlines()[1:])


def test_live_without_limits_is_a_failure_only_when_live(owner: Owner) -> None:
    text = owner.targets.read_text(encoding="utf-8")
    owner.targets.write_text(text.replace("max_order_notional", "# max_order_notional"), encoding="utf-8")
    assert owner.say("check", **EMBEDDED).code == Exit.DONE
    said = owner.say("check", **LIVE)
    assert said.code == Exit.CONFIG and "max_order_notional" in said.out


def test_live_without_a_key_says_where_to_put_one(owner: Owner) -> None:
    said = owner.say("check", REBALANCER_MODE="live")
    assert said.code == Exit.CREDENTIALS and "Going live" in said.out and "does not know this key" not in said.out


def test_the_account_to_name_for_live_is_printed(owner: Owner) -> None:
    with exchange_with() as (url, _):
        dry = key_for(url, REBALANCER_HTX_ACCOUNT_ID="")
        assert any("REBALANCER_HTX_ACCOUNT_ID=10101010" in text for text in graded(owner, "ok", **dry))
        live = key_for(url, live=True, REBALANCER_HTX_ACCOUNT_ID="")
        assert any("REBALANCER_HTX_ACCOUNT_ID=10101010" in text for text in graded(owner, "warn", **live))


def test_a_key_that_cannot_trade_is_a_failure_only_when_live(owner: Owner) -> None:
    with exchange_with(permissions=("readOnly",)) as (url, _):
        assert any("not for live" in text for text in graded(owner, "warn", **key_for(url)))
        said = owner.say("check", **key_for(url, live=True))
    assert said.code == Exit.CREDENTIALS and "give it the trade right" in said.out


def test_a_key_in_the_environment_is_warned_of_and_never_shown(owner: Owner) -> None:
    with exchange_with() as (url, _):
        environ = key_for(url)
        said = owner.say("check", "--json", **environ)
        warned = graded(owner, "warn", **environ)
    assert any("credential file is safer" in text for text in warned)
    assert environ["REBALANCER_HTX_SECRET_KEY"] not in said.out and environ["REBALANCER_HTX_ACCESS_KEY"] not in said.out


@pytest.mark.parametrize(("faults", "word"), [("halted=1", "halted"), ("cancel_only=1", "cancel-only")])
def test_an_exchange_that_takes_no_orders_is_75(owner: Owner, faults: str, word: str) -> None:
    with exchange_with(faults=faults) as (url, _):
        said = owner.say("check", **key_for(url))
    assert said.code == Exit.UNREACHABLE and f"is {word}: no order can be placed now" in said.out


def test_a_coin_that_the_exchange_does_not_list_is_a_mistake_in_the_file(owner: Owner) -> None:
    text = owner.targets.read_text(encoding="utf-8")
    owner.targets.write_text(text.replace("LINK = 5", "NOSUCH = 5"), encoding="utf-8")
    said = owner.say("check")
    assert said.code == Exit.CONFIG and "nosuchusdt" in said.out and "4 tradable" in said.out


def test_a_journal_that_is_none_is_told_and_left_alone(owner: Owner) -> None:
    place = owner.state / "embedded" / "journal.db"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"not a journal" * 100)
    said = owner.say("check")
    assert said.code == Exit.FAILURE and "journal.db" in said.out and "tradable" in said.out
    assert place.read_bytes() == b"not a journal" * 100
