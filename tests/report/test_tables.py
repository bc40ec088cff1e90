"""Markdown and CSV: a table stays a table, whatever stands in its cells."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from decimal import Decimal

import pytest

from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny
from rebalancer.report.tables import COLUMNS, plan_csv, plan_markdown
from tests.report.plans import HEADER, collared_plan, full_plan, refused_plan

HEAD = "| asset | holds | in USDT | now % | target % | band % | drift | | why |"


def cells(row: str) -> list[str]:
    """Split a row as GitHub's Markdown does: a sign after a backslash is not a border."""
    found, at = [""], 0
    while at < len(row):
        if row[at] == "\\":
            found[-1] += row[at : at + 2]
            at += 2
        elif row[at] == "|":
            found.append("")
            at += 1
        else:
            found[-1] += row[at]
            at += 1
    return [cell.strip() for cell in found[1:-1]]


def rows_of(shown: str) -> list[list[str]]:
    return [cells(line) for line in shown.splitlines() if line.startswith("|")]


def test_markdown_has_a_row_an_asset_and_a_row_an_order() -> None:
    shown = plan_markdown(full_plan(), HEADER)
    assert HEAD in shown.splitlines()
    rows = rows_of(shown)
    assert [row[0] for row in rows] == ["asset", "---", "BTC", "ETH", "LINK", "SOL", "USDT", "#", "--:", "1", "2"]
    assert {len(row) for row in rows[:7]} == {9} and {len(row) for row in rows[7:]} == {6}
    assert rows[2][1:8] == ["0.05875001", "4,700.00", "47.00", "40.00", "35.5 to 44.5", "+7.00", "sell"]
    assert rows[9] == ["1", "sell btcusdt", "0.0031 BTC", "248.00", "0.50", "0.4"]
    assert rows[10] == ["2", "buy ethusdt", "246.5 USDT", "246.50", "0.49", "0.6"]


def test_markdown_tells_every_reason_also_of_what_is_beside_the_targets() -> None:
    assert "DOGE is held but not in the targets" in plan_markdown(full_plan(), HEADER)


@pytest.mark.parametrize(
    "text",
    [
        "a | b || c",
        "a backslash \\| before a border",
        "ends with a backslash \\",
        "two lines\n| new | row |",
        "![picture](http://192.0.2.1/x.png) and [link](javascript:alert)",
        "`code` *strong* _soft_ <img src=x> &lt;",
        "\x1b[31mred\x1b[0m",
    ],
)
def test_foreign_words_stay_in_their_cell_and_are_not_markup(text: str) -> None:
    tame, shown = plan_markdown(full_plan("tame"), HEADER), plan_markdown(full_plan(text), HEADER)
    assert len(shown.splitlines()) == len(tame.splitlines())
    assert [len(row) for row in rows_of(shown)] == [len(row) for row in rows_of(tame)]
    bare = re.sub(r"\\.", "", shown)  # what is left is markup
    assert not re.search(r"[<`\[\]]", bare) and "\x1b" not in shown


def test_each_denial_stands_on_its_own() -> None:
    denials = (
        *refused_plan().denials,
        Denial(Deny.QUOTE_ONE_SIDED, "the book of btcusdt has no bids", "BTC"),
    )
    shown = plan_markdown(replace(refused_plan(), denials=denials), HEADER)
    lines = [line for line in shown.splitlines() if "quote_one_sided" in line]
    assert len(lines) == 2 and all(line.startswith("- ") for line in lines), "Markdown would join lines of a paragraph"


def test_csv_figures_are_exact_and_add_up() -> None:
    rows = list(csv.DictReader(io.StringIO(plan_csv(full_plan(), HEADER))))
    for row, line in zip(rows, full_plan().assets, strict=True):
        assert Decimal(row["weight"]) == line.weight and Decimal(row["value_quote"]) == line.value_quote
        assert Decimal(row["drift"]) == Decimal(row["weight"]) - Decimal(row["target"])
    assert {row["mode"] for row in rows} == {"dry-run"} and {row["venue"] for row in rows} == {"htx"}


@pytest.mark.parametrize("text", ['a "quoted", listed; word', "two\nlines", "\x1b[2J\x00", "plain"])
def test_csv_has_one_line_a_row_whatever_the_reason(text: str) -> None:
    shown = plan_csv(full_plan(text), HEADER)
    rows = list(csv.reader(io.StringIO(shown)))
    assert len(rows) == len(shown.splitlines()) == 6
    assert {len(row) for row in rows} == {len(COLUMNS)}


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", " =1+1"])
def test_csv_words_are_no_formula_to_a_spreadsheet(text: str) -> None:
    row = next(csv.DictReader(io.StringIO(plan_csv(full_plan(text), HEADER))))
    assert row["reason"].lstrip()[:1] not in {"=", "+", "-", "@"}
    assert text.strip() in row["reason"]


def test_a_refused_plan_is_a_table_without_rows() -> None:
    assert plan_csv(refused_plan(), HEADER).splitlines() == [",".join(COLUMNS)]
    assert rows_of(plan_markdown(refused_plan(), HEADER)) == []


def test_the_worst_price_of_an_ioc_order_stands_in_both_tables() -> None:
    lines = {line["asset"]: line for line in csv.DictReader(io.StringIO(plan_csv(collared_plan(), HEADER)))}
    assert [lines[asset]["order_limit_price"] for asset in ("BTC", "ETH", "SOL")] == ["79600.25", "2512.5", ""]
    shown = plan_markdown(collared_plan(), HEADER)
    assert "| sell btcusdt ioc at 79600.25 or better |" in shown
    assert {len(row) for row in rows_of(shown)[7:]} == {6}
    assert all(not line["order_limit_price"] for line in csv.DictReader(io.StringIO(plan_csv(full_plan(), HEADER))))
