"""What is and what was: told from the journal alone, in text, JSON and CSV that agree with each other."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.cli.history import COLUMNS
from tests.cli.conftest import Owner
from tests.cli.exchanges import EMBEDDED, LIVE, exchange_with, key_for


@pytest.fixture
def traded(owner: Owner) -> Owner:
    """An owner after a dry run and a live one."""
    owner.say("run", **EMBEDDED)
    owner.say("run", "--live", **LIVE)
    return owner


def runs_of(owner: Owner, *words: str) -> list[dict[str, Any]]:
    document = json.loads(owner.say("history", *words, "--json").out)
    assert document["schema"] == "rebalancer.history/1" and document["venue"] == "embedded"
    return list(document["runs"])


def rows_of(owner: Owner) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(owner.say("history", "--csv").out)))


def test_runs_are_told_newest_first_each_with_its_mode(traded: Owner) -> None:
    runs = runs_of(traded)
    assert [run["mode"] for run in runs] == ["live", "dry-run"]
    assert runs[0]["started_at"] > runs[1]["started_at"]
    assert runs[0]["orders"] and not runs[1]["orders"], "a dry run sends nothing"
    assert [run["run_id"] for run in runs_of(traded, "1")] == [runs[0]["run_id"]]


def test_csv_and_json_tell_the_same_orders_to_the_last_digit(traded: Owner) -> None:
    orders = [order for run in runs_of(traded) for order in run["orders"]]
    rows = rows_of(traded)
    assert tuple(rows[0]) == COLUMNS
    for row, order in zip(rows, orders, strict=True):
        for name in ("symbol", "side", "amount", "state", "filled_quantity", "filled_quote", "client_order_id"):
            assert row[name] == order[name], name
        assert row["fees"] == " ".join(f"{paid} {asset}" for asset, paid in order["fees"].items())
        assert "E" not in row["filled_quote"] and Decimal(row["filled_quote"]) > 0


def test_the_text_names_every_run_and_order_within_80_columns(traded: Owner) -> None:
    shown = traded.say("history").out
    assert shown.startswith("DRY-RUN on embedded")
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    for run in runs_of(traded):
        assert run["run_id"] in shown
        for order in run["orders"]:
            assert any(order["symbol"] in line and order["side"] in line for line in shown.splitlines())


def test_an_empty_history_is_empty_in_every_form(owner: Owner) -> None:
    assert runs_of(owner) == []
    assert owner.say("history", "--csv").out == ",".join(COLUMNS) + "\n"
    assert "no run yet" in owner.say("history").out
    assert not owner.state.exists(), "looking makes nothing"


def test_looking_changes_no_byte_of_the_journal(traded: Owner) -> None:
    place = traded.state / "embedded" / "journal.db"
    before = place.read_bytes()
    for words in (("status",), ("status", "--json"), ("history",), ("history", "--csv"), ("check", "--deep")):
        assert traded.say(*words).code == Exit.DONE
    assert place.read_bytes() == before


def test_status_is_the_last_run_and_the_day_in_money(traded: Owner) -> None:
    status = json.loads(traded.say("status", "--json").out)
    run = status["last_run"]
    assert run["run_id"] == runs_of(traded, "1")[0]["run_id"] and run["mode"] == "live"
    assert status["last_24_h"]["orders"] == len(run["orders"])
    total = sum(Decimal(order["filled_quote"]) for order in run["orders"])
    assert abs(Decimal(status["last_24_h"]["notional_quote"]) - total) < 1
    assert status["paused"] is None and status["halts"] == [] and status["unresolved"] == []
    shown = traded.say("status").out
    assert run["run_id"] in shown and [line for line in shown.splitlines() if len(line) > 80] == []


def test_each_venue_has_a_history_of_its_own(traded: Owner) -> None:
    with exchange_with() as (url, _):
        assert traded.say("run", **key_for(url)).code == Exit.DONE
        there = json.loads(traded.say("history", "--json", **key_for(url)).out)
    assert there["venue"] == "loopback" and len(there["runs"]) == 1
    assert len(runs_of(traded)) == 2


def test_a_journal_of_another_account_is_refused_and_not_mixed(owner: Owner) -> None:
    with exchange_with() as (url, _):
        owner.say("run", **key_for(url))
    with exchange_with(spot_id=20202020) as (url, _):
        said = owner.say("run", **key_for(url) | {"REBALANCER_HTX_ACCOUNT_ID": "20202020"})
        assert said.code == Exit.CONFIG and "journal" in said.err and "20202020" in said.err
        assert owner.say("plan", **key_for(url) | {"REBALANCER_HTX_ACCOUNT_ID": "20202020"}).code != Exit.FAILURE
        assert len(json.loads(owner.say("history", "--json", **key_for(url)).out)["runs"]) == 1


def test_a_journal_that_is_none_is_refused_and_left_alone(owner: Owner) -> None:
    place = owner.state / "embedded" / "journal.db"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"this is no database" * 100)
    for words in (("status",), ("history",), ("plan",), ("run",)):
        said = owner.say(*words)
        assert said.code != Exit.DONE and "Traceback" not in said.err, words
        assert "unexpected" not in said.err, (words, said.err)
    assert place.read_bytes() == b"this is no database" * 100


def test_paths_are_told_without_touching_them(owner: Owner) -> None:
    where = json.loads(owner.say("status", "--paths", "--json").out)
    assert where["state"] == str(owner.state) and where["targets"] == str(owner.targets)
    assert where["lock"].startswith(str(owner.state)) and where["pause"].startswith(str(owner.state))
    assert not owner.state.exists()
