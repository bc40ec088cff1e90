"""Every form of the report: readable at 80 columns, whole, and not to be broken by foreign words."""

from __future__ import annotations

import csv
import io
import re

import pytest

from rebalancer.report.tables import COLUMNS, plan_csv, plan_markdown
from rebalancer.report.text import band_bar, plan_text
from rebalancer.report.words import amount, money
from tests.core.builders import d
from tests.report.plans import HEADER, HOSTILE, full_plan, refused_plan

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def test_the_text_begins_with_mode_and_venue_and_fits_80_columns() -> None:
    shown = plan_text(full_plan(), HEADER)
    assert shown.startswith("DRY-RUN on htx  2026-03-01 12:07:03 UTC  10,000.12 USDT\n")
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert "\x1b" not in shown


def test_the_text_says_every_trade_every_non_trade_and_the_sum() -> None:
    shown = " ".join(plan_text(full_plan(), HEADER).split())
    for words in (
        "1. sell 0.0031 BTC for about 248.00 USDT, fee 0.50, slippage 0.4 bps",
        "2. buy ETH for 246.5 USDT",
        "LINK: inside its band; acts below 8 % or above 12 %",
        "SOL: 3.10 USDT is below 1.2 x the exchange's minimum",
        "DOGE: DOGE is held but not in the targets",
        "2 order(s) would trade 494.50 USDT (2.48 % turnover) for about 0.99 USDT in fees",
    ):
        assert words in shown, words


def test_colour_is_there_only_when_asked_for_and_changes_no_word() -> None:
    plain, coloured = plan_text(full_plan(), HEADER), plan_text(full_plan(), HEADER, colour=True)
    assert ANSI.search(coloured)
    bare = [line.rstrip() for line in ANSI.sub("", coloured).splitlines()]
    assert bare == plain.splitlines()


def test_a_refused_plan_says_which_guard_and_that_nothing_is_sent() -> None:
    for shown in (plan_text(refused_plan(), HEADER), plan_markdown(refused_plan(), HEADER)):
        assert "quote_one_sided" in shown and "has no asks" in shown
        assert "value unknown" in shown and "Nothing would be sent" in shown


@pytest.mark.parametrize("form", [plan_text, plan_markdown, plan_csv])
def test_foreign_words_reach_no_terminal_and_no_markup(form: object) -> None:
    shown = form(full_plan(HOSTILE), HEADER)  # type: ignore[operator]
    assert "\x1b" not in shown and "\x07" not in shown
    assert "red" in shown, "what the exchange said is shown, as words"


def test_hostile_words_do_not_break_a_table_row() -> None:
    rows = [line for line in plan_markdown(full_plan(HOSTILE), HEADER).splitlines() if line.startswith("| BTC")]
    assert len(rows) == 1 and "<script>" not in rows[0]
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 10


def test_csv_has_a_line_an_asset_with_plain_figures() -> None:
    rows = list(csv.DictReader(io.StringIO(plan_csv(full_plan(), HEADER))))
    assert [row["asset"] for row in rows] == ["BTC", "ETH", "LINK", "SOL", "USDT"]
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["order_quantity"] == "0.0031" and not rows[0]["order_spend_quote"]
    assert rows[1]["order_spend_quote"] == "246.5" and not rows[1]["order_quantity"]
    assert rows[0]["locked"] == "0.00000001"


def test_a_bar_shows_where_the_weight_stands_in_its_band() -> None:
    bars = {line.asset: band_bar(line) for line in full_plan().assets}
    assert bars == {
        "BTC": "----|---->",
        "ETH": "<----|----",
        "LINK": "----o---- ",
        "SOL": "<----|----",
        "USDT": "----|---->",
    }


def test_amounts_are_short_and_never_in_exponents() -> None:
    assert amount(d("0.000000001234")) == "0" and amount(d("1E-7")) == "0.0000001" and amount(d("1500")) == "1500"
    assert money(d("1234567.895")) == "1,234,567.90"
