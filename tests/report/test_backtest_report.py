"""Back-tests as text, CSV, JSON and a page: the same figures everywhere, whole at 80 columns, and no promise."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest

from rebalancer.backtest.policies import Bands, Calendar, Never, Policy, SellAll, Threshold, run_policy
from rebalancer.backtest.result import Result
from rebalancer.backtest.series import generate
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.targets import BandPolicy, BandRule, Targets
from rebalancer.report.backtest import (
    BacktestHeader,
    backtest_csv,
    backtest_document,
    backtest_text,
    suggest_document,
    suggest_text,
)
from rebalancer.report.backtest_page import backtest_page
from rebalancer.report.frontier import FACTORS, FrontierPoint, frontier_of, settings_to_try
from tests.report.test_html import LOADING, parsed, words

TARGETS = Targets("USDT", {"BTC": Decimal(40), "ETH": Decimal(30), "USDT": Decimal(30)}, digest="")
HEADER = BacktestHeader("dry-run", "htx", "/home/owner/closes.csv", TARGETS, BacktestSetting())
POLICIES: tuple[Policy, ...] = (Bands(), Threshold(), Calendar(), SellAll(), Never())
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</title><script>alert(1)</script>\x1b[31m&\u202e.csv"


@cache
def results() -> tuple[Result, ...]:
    series = generate(5, 500, ["BTC", "ETH"])
    return tuple(run_policy(policy, series, TARGETS, HEADER.setting) for policy in POLICIES)


def frontier(bands: BandPolicy = TARGETS.bands) -> list[FrontierPoint]:
    tried = settings_to_try(bands)
    figures = [
        {
            "cost_percent_year": 0.02 / float(each.k) * (2 - float(each.destination)),
            "rms_pp": float(each.k) * 30 * (1 + float(each.destination)),
            "worst_stray_pp": 9.0,
            "orders_year": 60.0,
        }
        for each in tried
    ]
    return frontier_of(bands, tried, figures)


def test_the_table_has_a_line_a_policy_and_fits_the_terminal() -> None:
    shown = backtest_text(HEADER, results())
    assert shown.startswith("DRY-RUN on htx  back-test of 3 assets\ncloses: /home/owner/closes.csv\n")
    assert max(map(len, shown.splitlines())) <= 80 and "\x1b" not in shown
    for result in results():
        line = next(line for line in shown.splitlines() if line.startswith(f"{result.policy} "))
        assert line.split()[1:6] == [
            f"{result.fee_percent_year:.3f}", f"{result.turnover_year:.2f}", f"{result.orders_year:.1f}",
            f"{result.rms_pp:.2f}", f"{result.worst_stray_pp:.2f}",
        ]  # fmt: skip
    assert "no order below 10 USDT" in shown and "no rebalancing bonus" in " ".join(shown.split())


def test_the_table_fits_the_terminal_also_for_the_rich() -> None:
    rich = [replace(result, nav_quote=result.nav_quote * 1e6, shadow_quote=result.shadow_quote * 1e6) for result in results()]  # fmt: skip
    assert max(map(len, backtest_text(HEADER, rich).splitlines())) <= 80


def test_closes_at_which_a_guard_refused_are_said() -> None:
    refused = replace(results()[0], denied=results()[0].denied + 1)
    assert "bands: at 500 close(s) a price guard or a limit refused" in backtest_text(HEADER, [refused])
    assert "refused" not in backtest_text(HEADER, [results()[-1]])


def test_csv_and_json_hold_every_figure_of_every_policy() -> None:
    rows = list(csv.DictReader(io.StringIO(backtest_csv(results()))))
    document = json.loads(json.dumps(backtest_document(HEADER, results())))
    assert document["schema"] == "rebalancer.backtest/1" and document["closes"] == 500
    assert document["setting"]["fee_rate"] == "0.002" and document["weights"]["BTC"] == "40"
    for row, told, result in zip(rows, document["policies"], results(), strict=True):
        assert row["policy"] == told["policy"] == result.policy
        for name, figure in result.figures().items():
            assert told[name] == figure and float(row[name]) == pytest.approx(figure, rel=1e-9)


def test_never_is_level_with_itself() -> None:
    never = results()[-1]
    assert backtest_text(HEADER, [never]).splitlines()[6].endswith("+0.0%")


@pytest.mark.parametrize("rule", BandRule)
def test_a_frontier_tries_the_owners_own_setting_once_and_leaves_floor_and_cap(rule: BandRule) -> None:
    bands = BandPolicy(
        rule=rule, k=Decimal("7.77") if rule is not BandRule.THEORY else Decimal("0.0777"), floor=Decimal(2)
    )
    tried = settings_to_try(bands)
    assert tried.count(bands) == 1 and len(set(tried)) == len(tried) == 3 * (len(FACTORS[rule].split()) + 1)
    assert {(each.rule, each.floor, each.cap) for each in tried} == {(rule, bands.floor, bands.cap)}
    assert sum(point.current for point in frontier(bands)) == 1


def test_what_nothing_beats_is_marked_and_nothing_else() -> None:
    points = frontier()
    for point in points:
        beaten = any(
            other.cost_bps_year <= point.cost_bps_year
            and other.rms_pp <= point.rms_pp
            and (other.cost_bps_year, other.rms_pp) != (point.cost_bps_year, point.rms_pp)
            for other in points
        )
        assert point.best is not beaten


def test_a_suggestion_speaks_in_basis_points_and_points_and_marks_the_setting_in_force() -> None:
    shown = suggest_text(HEADER, results()[0].times, frontier())
    assert re.search(
        r"^. k = 0\.12 \(this setting\): about 25 bp a year, strays about 5\.4 points  60/yr$", shown, re.MULTILINE
    )
    assert shown.count("(this setting)") == 1 and max(map(len, shown.splitlines())) <= 80
    assert "Nothing was changed" in shown and "no rebalancing bonus" in " ".join(shown.split())
    document = json.loads(json.dumps(suggest_document(HEADER, results()[0].times, frontier())))
    assert document["schema"] == "rebalancer.backtest-suggest/1"
    assert [each["k"] for each in document["settings"] if each["current"]] == ["0.12"]


@pytest.mark.parametrize("policies", [POLICIES, (Bands(),), (Never(),)], ids=["all", "bands", "never"])
@pytest.mark.parametrize("with_frontier", [True, False])
def test_the_page_is_valid_html_that_loads_and_runs_nothing(
    policies: tuple[Policy, ...], *, with_frontier: bool
) -> None:
    asked = [result for result in results() if result.policy in {policy.name for policy in policies}]
    shown = backtest_page(HEADER, asked, frontier() if with_frontier else [])
    page = parsed(shown)
    assert not LOADING.search(shown)
    assert list(page.iter(f"{SVG}svg"))
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in page.iter(f"{SVG}svg"))
    assert "prefers-color-scheme: dark" in shown and "size: A4" in shown and "@media print" in shown
    said = words(page)
    assert "no rebalancing bonus" in said and "BTC 40 %" in said and ("this setting" in said) is with_frontier


def test_the_page_has_a_row_a_policy_and_a_line_a_policy_that_trades() -> None:
    page = parsed(backtest_page(HEADER, results(), frontier()))
    rows = [[words(cell) for cell in row] for row in page.iter("tr")]
    for result in results():
        row = next(row for row in rows if row[0] == result.policy)
        assert row[1] == f"{result.fee_percent_year:.3f}" and row[5] == f"{result.rms_pp:.2f}"
    plots = {svg.get("aria-label"): svg for svg in page.iter(f"{SVG}svg") if svg.get("aria-label")}
    lines = {name: len(list(svg.iter(f"{SVG}polyline"))) for name, svg in plots.items()}
    assert lines == {
        "NAV over time": 5,
        "NAV against never rebalanced": 4,
        "Distance from the targets over time": 4,
        "Cost against stray": 3,
    }


def test_foreign_words_become_words() -> None:
    shown = backtest_page(replace(HEADER, source=HOSTILE), results(), frontier())
    parsed(shown)
    assert "<script" not in shown and "\x1b" not in shown and "\u202e" not in shown and "alert(1)" in shown
    text = backtest_text(replace(HEADER, source=HOSTILE), results())
    assert "\x1b" not in text and "\u202e" not in text


@pytest.mark.parametrize("days", [2, 20, 400, 4000])
def test_a_history_of_any_length_has_ticks_of_time_that_can_be_read(days: int) -> None:
    series = generate(1, days, ["BTC", "ETH"])
    result = run_policy(Bands(), series, TARGETS, HEADER.setting)
    page = parsed(backtest_page(HEADER, [result], []))
    nav = next(svg for svg in page.iter(f"{SVG}svg") if svg.get("aria-label") == "NAV over time")
    ticks = [text.text for text in nav.iter(f"{SVG}text") if re.fullmatch(r"\d{4}-\d\d(-\d\d)?", text.text or "")]
    assert 1 <= len(ticks) <= 12 and ticks == sorted(set(ticks), key=str), ticks
