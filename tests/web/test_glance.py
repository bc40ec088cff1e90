"""What the overview says first: a verdict, the coin nearest to acting, two bars of the whole, and lateness."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rebalancer.core.plan import Plan
from rebalancer.core.plan_json import plan_document
from rebalancer.core.reasons import Trigger
from rebalancer.core.targets import Schedule
from rebalancer.web.glance import WIDTH, bars, nearest, overdue, verdict, wait_words
from tests.core.builders import d
from tests.report.plans import HEADER, full_plan, refused_plan

SEEN = datetime(2026, 3, 1, 12, 7, 30, tzinfo=UTC)


def document(plan: Plan, mode: str = "live") -> dict[str, Any]:
    return plan_document(plan, replace(HEADER, mode=mode))


def quiet() -> Plan:
    """Return a plan that found every coin inside its band."""
    plan = full_plan()
    inside = [replace(line, weight=line.target, drift=d(0)) for line in plan.assets]
    return replace(plan, trigger=Trigger.NONE, legs=(), totals=None, assets=tuple(inside))


@pytest.mark.parametrize(
    ("plan", "mode", "words", "kind"),
    [
        (quiet(), "live", "Every coin is inside its band: nothing to do.", "good"),
        (full_plan(), "live", "was to trade 494.50 USDT in 2 orders", "busy"),
        (full_plan(), "dry-run", "would trade 494.50 USDT in 2 orders", "busy"),
        (replace(full_plan(), legs=full_plan().legs[:1]), "live", "in one order", "busy"),
        (replace(full_plan(), legs=()), "live", "outside its band, but nothing", "busy"),
        (refused_plan(), "live", "no plan: a guard refused", "bad"),
    ],
)
def test_the_last_look_is_one_sentence(plan: Plan, mode: str, words: str, kind: str) -> None:
    said, found = verdict(document(plan, mode))
    assert words in said and found == kind


@pytest.mark.parametrize(
    ("states", "words"),
    [(["filled", "filled"], "traded 494.50"), (["filled", "unknown"], "was to trade"), (["filled"], "was to trade")],
)
def test_it_says_traded_once_every_order_is_filled(states: list[str], words: str) -> None:
    said, _ = verdict(document(full_plan()), [{"state": state} for state in states])
    assert words in said


def test_the_coin_nearest_to_its_edge_is_named_and_none_once_one_is_beyond() -> None:
    assert nearest(document(quiet())) == "Nearest to acting is SOL, 1.00 points from the edge of its band."
    assert nearest(document(full_plan())) == "" == nearest(document(refused_plan()))


def test_both_bars_hold_the_whole_each_coin_in_one_colour() -> None:
    now, wanted = bars(document(full_plan()))
    assert (now.name, wanted.name) == ("now", "wanted")
    for bar in (now, wanted):
        assert sum(part.width for part in bar.parts) == WIDTH
        for part, following in zip(bar.parts, bar.parts[1:], strict=False):
            assert part.start + part.width == following.start
    assert [(p.asset, p.colour) for p in now.parts] == [(p.asset, p.colour) for p in wanted.parts]


@pytest.mark.parametrize(
    ("cron", "hours", "late"),
    [("7 * * * *", 1, False), ("7 * * * *", 2, True), ("7 12 * * *", 23, False), ("7 12 * * *", 25, True)],
)
def test_a_look_is_late_by_its_own_schedule(cron: str, hours: int, late: bool) -> None:
    assert overdue(SEEN, Schedule(cron, "UTC", 60), SEEN + timedelta(hours=hours)) is late


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(20, "now"), (60, "in 1 minute"), (3000, "in 50 minutes"), (7200, "in 2 hours"), (86400 * 3, "in 3 days")],
)
def test_a_wait_is_said_in_words(seconds: int, words: str) -> None:
    assert wait_words(SEEN + timedelta(seconds=seconds), SEEN) == words
