"""The HTML report: valid, whole in one file, readable without script, and not to be broken by foreign words."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from decimal import Decimal

import html5lib
import pytest

from rebalancer.core.plan import Plan
from rebalancer.report.drift_bar import WIDTH
from rebalancer.report.html import drift_bar, plan_html, weights_after
from tests.core.builders import d
from tests.report.plans import HEADER, HOSTILE, full_plan, refused_plan

BYTES_MAX = 200_000
LOADING = re.compile(
    r"https?:|//\w|url\(|@import|<(script|link|img|iframe|object|embed|form)\b| on\w+=|src=", re.IGNORECASE
)


def parsed(shown: str) -> ET.Element:
    """Parse strictly: any error against the standard is an exception."""
    found = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(shown)
    assert isinstance(found, ET.Element)
    return found


def words(element: ET.Element) -> str:
    return " ".join("".join(element.itertext()).split())


@pytest.mark.parametrize("plan", [full_plan(), refused_plan(), full_plan(HOSTILE)], ids=["full", "refused", "hostile"])
def test_the_page_is_valid_html_that_loads_and_runs_nothing(plan: Plan) -> None:
    shown = plan_html(plan, HEADER)
    parsed(shown)
    assert not LOADING.search(shown)
    assert len(shown.encode()) <= BYTES_MAX


def test_a_plan_of_many_assets_still_fits_the_size() -> None:
    plan = full_plan()
    many = replace(plan, assets=(*tuple(replace(plan.assets[2], asset=f"COIN{n}") for n in range(99)), plan.assets[-1]))
    assert len(plan_html(replace(many, legs=(), totals=None), HEADER).encode()) <= BYTES_MAX


def test_the_page_says_every_trade_every_non_trade_and_the_sums() -> None:
    page = parsed(plan_html(full_plan(), HEADER))
    assert next(words(li) for li in page.iter("li")).startswith("sell 0.0031 BTC for about 248.00 USDT, fee 0.50")
    rows = [[words(cell) for cell in row] for row in page.iter("tr")]
    assert rows[1][:4] == ["BTC", "sell", "47.00", "40.00"] and rows[5][:2] == ["USDT", "hold"]
    said = words(page)
    for text in (
        "DOGE is held but not in the targets",
        "3.10 USDT is below 1.2 x",
        "19.00 → 16.53 points",
        "DRY-RUN on htx",
    ):
        assert text in said, text
    drawings = [each for each in page.iter() if str(each.tag).endswith("svg")]
    assert len(drawings) == 5 and all(drawing.get("aria-label") for drawing in drawings)


def test_warnings_come_first_and_a_refused_plan_claims_no_value() -> None:
    shown = plan_html(refused_plan(), HEADER)
    assert "value unknown" in shown
    assert shown.index("has no asks") < shown.index("No plan:")


def test_foreign_words_become_words() -> None:
    shown = plan_html(full_plan(HOSTILE), HEADER)
    assert "\x1b" not in shown and "\x07" not in shown and "<script>" not in shown
    assert "[red]" in shown and "alert(" in shown


@pytest.mark.parametrize(
    ("weight", "beyond", "outside"), [("0.1", "", False), ("0.12", "", False), ("0.121", "", True), ("0.9", "high", True), ("0", "low", True)]
)  # fmt: skip
def test_a_bar_turns_red_outside_the_band_and_never_leaves_its_drawing(weight: str, beyond: str, outside: bool) -> None:
    bar = drift_bar(replace(full_plan().assets[2], weight=d(weight)))
    assert (bar.beyond, bar.outside) == (beyond, outside)
    assert 0 <= bar.weight <= WIDTH and bar.low < WIDTH / 2 < bar.high


def test_the_weights_after_are_those_of_fills_at_the_mid_less_the_fees() -> None:
    plan = full_plan()
    after = weights_after(plan)
    total = sum(line.value_quote for line in plan.assets) - sum(leg.fee_quote for leg in plan.legs)
    assert after["BTC"] == (Decimal(4700) - 248) / total
    assert after["ETH"] == (1100 + d("246.5") - d("0.493")) / total
    assert abs(sum(after.values()) - 1) < Decimal("1e-20")
    assert weights_after(refused_plan()) == {}
