"""The tax tables of `history`: every trade of the days asked for, and words beside them for what they lack."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.core.orders import IntentState
from rebalancer.report.tax import COINTRACKING, KOINLY
from tests.cli.conftest import Owner, words_of
from tests.cli.exchanges import EMBEDDED, LIVE, exchange_with, key_for
from tests.core.builders import d
from tests.journal.builders import brought_to, new_journal

PROGRAMS = {"cointracking": COINTRACKING, "koinly": KOINLY}


@pytest.fixture
def traded(owner: Owner) -> Owner:
    """An owner after a live run."""
    owner.say("run", "--live", **LIVE)
    return owner


def table_of(owner: Owner, program: str, *words: str, **environ: str) -> list[dict[str, str]]:
    said = owner.say("history", "--csv", program, *words, **environ)
    assert said.code == Exit.DONE, said.err
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert said.out.splitlines()[0] == ",".join(PROGRAMS[program])
    return rows


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_order_that_traded_is_a_row_with_its_amounts_as_history_tells_them(traded: Owner, program: str) -> None:
    orders = json.loads(traded.say("history", "--json").out)["runs"][0]["orders"]
    rows = table_of(traded, program)
    assert len(rows) == len([order for order in orders if order["filled_quantity"] != "0"]) > 0
    told = {row["Tx-ID" if program == "cointracking" else "TxHash"]: row for row in rows}
    assert told.keys() == {order["venue_order_id"] for order in orders}
    for order in orders:
        row = told[order["venue_order_id"]]
        if program == "koinly":
            sent, received = order["filled_quantity"], order["filled_quote"]
            if order["side"] == "buy":
                sent, received = received, sent
            assert (row["Sent Amount"], row["Received Amount"]) == (sent, received)
            assert row["Net Worth Amount"] == order["filled_quote"] and row["Net Worth Currency"] == "USDT"
            assert {row["Fee Currency"]: row["Fee Amount"]} == order["fees"]


def test_days_are_whole_and_both_are_included(traded: Owner) -> None:
    rows = table_of(traded, "koinly")
    days = {row["Date"][:10] for row in rows}
    assert table_of(traded, "koinly", "--from", min(days), "--to", max(days)) == rows
    assert table_of(traded, "koinly", "--from", "2000-01-01", "--to", "2000-12-31") == []
    assert table_of(traded, "koinly", "--from", "2999-01-01") == []


def test_days_choose_the_runs_of_the_other_forms_too(traded: Owner) -> None:
    runs = json.loads(traded.say("history", "--json", "--from", "2020-01-01").out)["runs"]
    assert runs == json.loads(traded.say("history", "--json").out)["runs"] and runs
    assert json.loads(traded.say("history", "--json", "--to", "2020-01-01").out)["runs"] == []
    traded.say("run", **EMBEDDED)
    newest = json.loads(traded.say("history", "1", "--json", "--from", "2020-01-01").out)["runs"]
    assert [run["mode"] for run in newest] == ["dry-run"]


def test_a_file_holds_what_the_terminal_would_show(traded: Owner, tmp_path: Path) -> None:
    for words in (("--csv", "cointracking"), ("--csv", "koinly"), ("--csv",), ("--json",), ()):
        shown = traded.say("history", *words).out
        said = traded.say("history", *words, "--output", str(tmp_path / "out"))
        assert (said.code, said.out, (tmp_path / "out").read_text()) == (Exit.DONE, "", shown)


def test_simulated_trades_say_that_they_are(traded: Owner) -> None:
    said = traded.say("history", "--csv", "cointracking")
    assert "nothing of them belongs in a tax declaration" in said.err
    assert all("simulated" in row["Exchange"] for row in csv.DictReader(io.StringIO(said.out)))
    with exchange_with() as (url, _):
        traded.say("run", "--live", **key_for(url, live=True))
        assert "simulated" in traded.say("history", "--csv", "koinly", **key_for(url)).err


def test_values_stand_at_cointracking_only_where_the_accounts_currency_is_known_to_be_theirs(traded: Owner) -> None:
    column = "Sell Value in Account Currency"
    assert {row[column] for row in table_of(traded, "cointracking")} == {""}
    for code in ("USD", "usd", "USDT"):
        valued = table_of(traded, "cointracking", "--account-currency", code)
        assert all(d(row[column]) > 0 for row in valued)
    said = traded.say("history", "--csv", "cointracking", "--account-currency", "EUR")
    assert said.code == Exit.USAGE and "no rate to EUR" in said.err and not said.out


def test_an_order_that_is_not_settled_is_said_to_be_missing(owner: Owner) -> None:
    path = owner.state / "embedded" / "journal.db"
    path.parent.mkdir(parents=True)
    with new_journal(path) as journal:
        brought_to(journal, IntentState.UNKNOWN)
    said = owner.say("history", "--csv", "koinly")
    assert said.out == ",".join(KOINLY) + "\n"
    assert "1 order(s) are not settled" in said.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("5", "--csv", "koinly"), "COUNT counts runs"),
        (("--json", "--csv"), "ask for one"),
        (("--csv", "koinly", "--account-currency", "USD"), "is for --csv cointracking"),
        (("--from", "2025-02-01", "--to", "2025-01-31"), "is before --from"),
        (("--from", "31.12.2025"), "2025"),
        (("--csv", "turbotax"), "'cointracking', 'koinly'"),
    ],
    ids=words_of,
)
def test_words_that_do_not_fit_together_are_refused(owner: Owner, words: Sequence[str], told: str) -> None:
    said = owner.say("history", *words)
    assert said.code == Exit.USAGE and told in said.err and not said.out


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_table_without_a_journal_has_its_columns_and_makes_nothing(owner: Owner, program: str) -> None:
    assert table_of(owner, program) == []
    assert not owner.state.exists()
