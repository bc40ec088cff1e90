"""A recorded run shown again: what it showed then, in every form, whatever became of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import html5lib
import pytest

from rebalancer.cli.exits import Exit
from rebalancer.cli.plan import FORMATS
from rebalancer.report.tables import COLUMNS
from rebalancer.simulator.faults import Faults
from tests.cli.conftest import Owner, Said
from tests.cli.exchanges import EMBEDDED, LIVE, exchange_with, key_for

MODES: dict[str, tuple[str, ...]] = {"dry-run": (), "live": ("--live",)}


def ran(owner: Owner, mode: str, *words: str) -> Said:
    return owner.say("run", *MODES[mode], *words, **(LIVE if mode == "live" else EMBEDDED))


def run_ids(owner: Owner) -> list[str]:
    return [run["run_id"] for run in json.loads(owner.say("history", "--json").out)["runs"]]


def reported(owner: Owner, form: str, *words: str, **environ: str) -> str:
    said = owner.say("report", *words, "--format", form, **environ)
    assert said.code == Exit.DONE, said.err
    return said.out


@pytest.mark.parametrize("mode", MODES)
def test_the_last_run_is_told_in_text_and_json_as_it_told_itself(owner: Owner, mode: str) -> None:
    assert ran(owner, mode).out == reported(owner, "text")
    assert ran(owner, mode, "--json").out == reported(owner, "json") == owner.say("report", "--json").out


def test_any_run_of_the_history_can_be_named(owner: Owner) -> None:
    shown = [ran(owner, mode).out for mode in MODES]
    for run, text in zip(reversed(run_ids(owner)), shown, strict=True):
        assert reported(owner, "text", run) == text


def test_markdown_csv_and_html_show_the_plan_and_its_orders(owner: Owner) -> None:
    ran(owner, "live")
    document = json.loads(reported(owner, "json"))
    rows = list(csv.DictReader(io.StringIO(reported(owner, "csv"))))
    assert tuple(rows[0]) == COLUMNS and [row["asset"] for row in rows] == [
        a["asset"] for a in document["plan"]["assets"]
    ]
    for row, asset in zip(rows, document["plan"]["assets"], strict=True):
        assert {name: row[name] for name in ("free", "weight", "value_quote")} == {
            name: asset[name] for name in ("free", "weight", "value_quote")
        }
    page, text = reported(owner, "html"), reported(owner, "md")
    html5lib.HTMLParser(strict=True).parse(page)
    assert "What became of it" in page and "LIVE on embedded" in text
    for order in document["orders"]:
        assert f"{order['side']} {order['symbol'].removesuffix('usdt').upper()}: {order['state']}" in page
        assert f"| {order['intent_seq']} | {order['state']} |" in text
    assert document["cycle_id"] in page and document["cycle_id"] in text


def refused(owner: Owner) -> dict[str, str]:
    owner.say("pause", "--reason", "on <holiday>")
    ran(owner, "live")
    return {}


def unreachable(owner: Owner) -> dict[str, str]:
    with exchange_with() as (url, exchange):
        environ = key_for(url)
        owner.say("run", **environ)
        exchange.faults = Faults.parse("html_502@balance=1", 1)
        owner.say("run", **environ)
    return environ


@pytest.mark.parametrize(("make", "why"), [(refused, "holiday"), (unreachable, "502")])
@pytest.mark.parametrize("form", FORMATS)
def test_a_run_without_a_plan_says_why_in_every_form(
    owner: Owner, form: str, make: Callable[[Owner], dict[str, str]], why: str
) -> None:
    environ = make(owner)
    said = owner.say("report", "--format", form, **environ)
    assert said.code == Exit.DONE
    assert why in (said.err if form == "csv" else said.out)
    if form == "html":
        html5lib.HTMLParser(strict=True).parse(said.out)
        assert "<holiday>" not in said.out
    if form == "json":
        document: dict[str, Any] = json.loads(said.out)
        assert document["plan"] is None and document["orders"] == []
    if form == "text":
        assert [line for line in said.out.splitlines() if len(line) > 80] == []


def test_a_file_is_written_and_said(owner: Owner) -> None:
    ran(owner, "dry-run")
    for form in FORMATS:
        place = owner.folder / f"report.{form}"
        said = owner.say("report", "--format", form, "--output", str(place))
        assert (said.code, said.out, place.read_text()) == (Exit.DONE, "", reported(owner, form))


def test_a_run_that_is_not_there_is_named_with_the_nearest(owner: Owner) -> None:
    said = owner.say("report")
    assert said.code == Exit.USAGE and "no run yet" in said.err and not owner.state.exists()
    ran(owner, "dry-run")
    (run,) = run_ids(owner)
    said = owner.say("report", run[:-1] + "9")
    assert said.code == Exit.USAGE and f"Did you mean {run!r}?" in said.err


def test_looking_needs_no_targets_file_and_changes_nothing(owner: Owner) -> None:
    ran(owner, "dry-run")
    owner.targets.unlink()
    place = owner.state / "embedded" / "journal.db"
    before = place.read_bytes()
    assert "DRY-RUN" in reported(owner, "text")
    assert place.read_bytes() == before


def test_a_week_is_told_in_four_forms_that_agree(owner: Owner) -> None:
    ran(owner, "live")
    trades = [order for order in json.loads(reported(owner, "json"))["orders"] if order["filled_quantity"] != "0"]
    document = json.loads(reported(owner, "json", "--week"))
    assert document["schema"] == "rebalancer.week/1" and len(document["trades"]) == len(trades) > 0
    shown = reported(owner, "text", "--week")
    assert shown.startswith("LIVE on embedded") and [line for line in shown.splitlines() if len(line) > 80] == []
    assert f"{len(trades)} order(s) of" in shown
    assert f"{len(trades)} order(s) of" in reported(owner, "md", "--week")
    html5lib.HTMLParser(strict=True).parse(reported(owner, "html", "--week"))
    day = document["trades"][0]["at"][:10]
    assert json.loads(reported(owner, "json", "--week", day))["trades"] == document["trades"]
    assert json.loads(reported(owner, "json", "--week", "2020-02-29"))["since"] == "2020-02-24T00:00:00Z"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--week", "2020-02-30"), "is no day such as"),
        (("--week", "2999-01-01"), "has not begun"),
        (("cron-1", "--week"), "not of the run 'cron-1'"),
        (("--week", "--format", "csv"), "a digest is no table"),
    ],
)
def test_a_week_that_cannot_be_told_is_refused_with_the_reason(owner: Owner, words: tuple[str, ...], told: str) -> None:
    said = owner.say("report", *words)
    assert said.code == Exit.USAGE and told in said.err and not said.out
