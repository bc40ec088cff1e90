"""The verbs that read the journal or answer it: `ack` of an order, `status` in plain digits, `check --deep`."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.core.orders import IntentState
from rebalancer.journal import records
from rebalancer.journal.state import IntentRecord
from rebalancer.journal.store import Journal
from rebalancer.service.clock import SystemClock
from tests.cli.conftest import Owner
from tests.core.builders import d
from tests.journal.builders import RUN, brought_to, intent, new_journal, planned, sending
from tests.journal.sealing import forged, long_journal, rewrite, seals
from tests.service.rehearsal import rehearse
from tests.support import FakeClock

EMBEDDED = {"REBALANCER_VENUE": "embedded"}
WHAT = f"{RUN}/1"


def journal_of(owner: Owner) -> Path:
    path = owner.state / "embedded" / "journal.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def waiting(owner: Owner) -> Owner:
    """An owner with one quarantined order."""
    with new_journal(journal_of(owner)) as journal:
        brought_to(journal, IntentState.QUARANTINED)
    return owner


def record_of(owner: Owner) -> IntentRecord:
    with Journal.open_to_read(journal_of(owner), SystemClock()) as journal:
        return journal.state.intents[RUN, 1]


@pytest.mark.parametrize(("outcome", "state"), [("filled", IntentState.FILLED), ("partial", IntentState.PARTIAL)])
def test_what_the_owner_says_was_traded_is_kept_to_the_last_digit(
    waiting: Owner, outcome: str, state: IntentState
) -> None:
    amounts = ("--quantity", "0.240000000000000001", "--quote", "96.010000000000000002")
    said = waiting.say("ack", WHAT, "--outcome", outcome, *amounts, "--yes", **EMBEDDED)
    assert said.code == Exit.DONE, said.err
    record = record_of(waiting)
    traded = (record.state, record.filled_quantity, record.filled_quote)
    assert traded == (state, d("0.240000000000000001"), d("96.010000000000000002"))


def test_an_order_that_never_was_has_traded_nothing(waiting: Owner) -> None:
    assert waiting.say("ack", WHAT, "--outcome", "absent", "--yes", **EMBEDDED).code == Exit.DONE
    record = record_of(waiting)
    assert (record.state, record.filled_quantity, record.filled_quote) == (IntentState.ABSENT, 0, 0)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--outcome filled | partial | absent"),
        (("--outcome", "filled"), "how much of it was filled"),
        (("--outcome", "partial", "--quantity", "1"), "how much of it was partial"),
        (("--outcome", "filled", "--quote", "1"), "--quantity (the coin)"),
        (("--outcome", "absent", "--quantity", "1"), "leave --quantity and --quote out"),
        (("--outcome", "filled", "--quantity", "NaN", "--quote", "1"), "not a finite decimal number"),
        (("--outcome", "filled", "--quantity", "1", "--quote", "0"), "not above 0"),
        (("--outcome", "filled", "--quantity=-1", "--quote", "1"), "not above 0"),
    ],
)
def test_an_answer_that_does_not_say_enough_or_too_much_is_refused(
    waiting: Owner, words: tuple[str, ...], told: str
) -> None:
    said = waiting.say("ack", WHAT, *words, "--yes", **EMBEDDED)
    assert (said.code, told in " ".join(said.err.split())) == (2, True), said.err
    assert record_of(waiting).state is IntentState.QUARANTINED


def test_amounts_that_were_swapped_are_refused_by_the_price_that_was_trusted(waiting: Owner) -> None:
    with Journal.open(journal_of(waiting), SystemClock()) as journal:
        rehearse(journal, {"BTC": d(400), "ETH": d(400)}, SystemClock().now())
    swapped = ("--quantity", "96.01", "--quote", "0.24")
    said = waiting.say("ack", WHAT, "--outcome", "filled", *swapped, "--yes", **EMBEDDED)
    assert said.code == Exit.USAGE and "look again at which amount is which" in " ".join(said.err.split())
    assert record_of(waiting).state is IntentState.QUARANTINED
    right = ("--quantity", "0.24", "--quote", "300")  # the price moved meanwhile
    assert waiting.say("ack", WHAT, "--outcome", "filled", *right, "--yes", **EMBEDDED).code == Exit.DONE


def test_status_shows_digits_and_no_exponents(owner: Owner) -> None:
    with new_journal(journal_of(owner), FakeClock(SystemClock().now())) as journal:
        now = SystemClock().now()
        made = intent()
        journal.append(planned(at=now), records.intent(made), sending(made, now, notional="1E-7"))
    document = json.loads(owner.say("status", "--json", **EMBEDDED).out)
    assert document["last_24_h"] == {"orders": 1, "notional_quote": "0.0000001", "turnover_quote": "0.0000001"}
    assert Decimal(document["nav_quote"]) == 50_000 and "E" not in document["nav_quote"]


def findings(owner: Owner, *words: str) -> tuple[int, dict[str, list[str]]]:
    said = owner.say("check", "--json", *words, **EMBEDDED)
    found: dict[str, list[str]] = {"ok": [], "warn": [], "fail": []}
    for each in json.loads(said.out)["findings"]:
        if each["topic"] == "journal":
            found[each["grade"]].append(each["text"])
    return said.code, found


def test_check_says_how_far_back_it_looked(owner: Owner) -> None:
    rows = long_journal(journal_of(owner))
    _code, found = findings(owner)
    assert f"{len(rows)} rows, verified from the checkpoint at row {seals(rows)[-1]} on" in found["ok"][0]
    _code, found = findings(owner, "--deep")
    assert f"{len(rows)} rows, every row and checkpoint verified" in found["ok"][0]


def test_only_the_deep_check_finds_a_checkpoint_that_is_not_the_fold_and_names_it(owner: Owner) -> None:
    path = journal_of(owner)
    rows = long_journal(path)
    seal = seals(rows)[0]
    rewrite(path, *forged(rows, seal, {"open_plan": "another"}))
    assert not any("checkpoint is not" in text for text in findings(owner)[1]["fail"])
    code, found = findings(owner, "--deep")
    assert code != Exit.DONE
    assert any(f"row {seal} cannot be trusted (this checkpoint is not the fold" in text for text in found["fail"])
