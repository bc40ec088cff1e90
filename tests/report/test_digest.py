"""The digest in its four forms: what stands out first, every figure as the period has it, foreign words harmless."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import html5lib
import pytest

from rebalancer.core.ledger import Look, Trades, next_books, open_books
from rebalancer.journal.state import Halt
from rebalancer.journal.weeks import Count, Period, Stray
from rebalancer.report.digest import digest_lines, facts, moved_in, outstanding
from rebalancer.report.digest_forms import digest_document, digest_html, digest_markdown
from tests.core.builders import d
from tests.report.plans import HOSTILE
from tests.report.test_html import LOADING
from tests.report.test_tax import BUY

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
FIRST = open_books(
    Look(MONDAY, "USDT", {"BTC": d(100), "USDT": d(1)}, {"BTC": d(50), "USDT": d(5000)}, {"BTC": d(50), "USDT": d(50)})
)
SOLD = Trades({"BTC": d(-1), "USDT": d("109.78")}, {"USDT": d("0.22")}, d("0.01"), d(110), 1)
LAST = next_books(
    FIRST,
    replace(
        Look(MONDAY + timedelta(days=6), "USDT", {"BTC": d(110), "USDT": d(1)}, {}, FIRST.weights),
        held={"BTC": d(49), "USDT": d("5609.78")},
    ),
    SOLD,
)


def week(**more: Any) -> Period:
    """Return an ordinary week: a run each hour, one trade, nothing open."""
    made = Period(MONDAY, MONDAY + timedelta(days=7), "USDT", FIRST, LAST, "live", True)
    made.began = [MONDAY + timedelta(hours=hour) for hour in range(168)]
    made.statuses = {"within_bands": Count(167), "done": Count(1)}
    made.trades = [BUY]
    made.stray = Stray("BTC", d("0.071"), MONDAY + timedelta(hours=9), outside=True)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def text_of(period: Period) -> str:
    return "\n".join(f"{first}{text}" for first, text in digest_lines(period, "LIVE on htx"))


def test_the_figures_are_worth_flows_and_both_shadows() -> None:
    moved = moved_in(week())
    assert moved is not None
    assert (moved.opened.nav_quote, moved.closed.nav_quote, moved.flows_quote) == (d(10000), d("10999.78"), d(500))
    assert moved.gain_quote == d("499.78"), "BTC rose by ten, one less for the fee and the one sold"
    assert moved.closed.never_quote == 50 * 110 + 5500 and moved.against_never_quote == d("-0.22")
    assert moved.closed.frictionless_quote == d(10500) + d(500)
    shown = text_of(week())
    for figure in (
        "10,000.00 -> 10,999.78 USDT; +499.78 (+5.00 %) without flows",
        "+500 USDT, together +500.00 USDT",
        "had nothing been traded: 11,000.00 USDT; the account did 0.22 worse",
        "at the targets without any cost: 11,000.00 USDT; the account did 0.22 worse",
        "1 order(s) of 500.00 USDT: +1 BTC",
        "0.01 BTC, about 5.00 USDT; slippage 0.01 USDT",
        "BTC +7.10 points from its target at 2026-03-02 09:00 UTC",
        "168: 167 within bands, 1 done",
    ):
        assert figure in shown, figure


def test_an_ordinary_week_says_that_nothing_stands_out() -> None:
    assert outstanding(week()) == []
    assert text_of(week()).splitlines()[:2] == ["LIVE on htx  2026-03-02 to 2026-03-08 UTC", "Nothing stands out."]


HALT = Halt(7, "foreign_order", "order 7 is not ours", "2026-03-03T00:00:00Z")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"open_halts": [HALT], "halts": [HALT]}, ["HALTED: order 7 is not ours; `rebalancer ack 7`"]),
        ({"halts": [HALT]}, ["halted and answered: order 7 is not ours"]),
        ({"closed": replace(LAST, held={"BTC": d(1)})}, ["the books do not add up"]),
        ({"statuses": {"failed": Count(2, "KeyError")}}, ["2 run(s) failed; the last: KeyError"]),
        ({"statuses": {"unavailable": Count(3, "no route")}}, ["3 run(s) could not reach"]),
        ({"statuses": {"refused": Count(1, "paused")}}, ["1 run(s) were refused by a guard; the last: paused"]),
        ({"began": []}, ["no run began"]),
        (
            {"still_outside": [Stray("ETH", d("-0.05"), MONDAY, outside=True, why="it rests")]},
            ["outside its band: ETH -5.00 points from its target at 2026-03-02 00:00 UTC: it rests"],
        ),
    ],
)
def test_what_somebody_must_look_at_comes_first(more: dict[str, Any], told: list[str]) -> None:
    period = week(**more)
    assert [line.startswith(text) for line, text in zip(outstanding(period), told, strict=True)] == [True]
    assert text_of(period).splitlines()[1].startswith(f"! {told[0]}")


def test_a_silence_stands_out_by_the_schedule_that_was_kept() -> None:
    began = week().began
    assert outstanding(week(began=began[:50] + began[80:])) == ["no run for 31 hours from 2026-03-04 01:00 UTC"]
    assert outstanding(week(began=began[:50] + began[54:])) == [], "four hours are no silence"
    daily = [MONDAY + timedelta(days=day) for day in range(7)]
    assert outstanding(week(began=daily)) == []
    assert outstanding(week(began=daily[:3])) == ["no run for 120 hours from 2026-03-04 00:00 UTC"]
    assert outstanding(week(began=[MONDAY + timedelta(days=6)])) == [], "one run a week is a schedule, too"
    assert outstanding(week(began=began[100:], ran_before=False)) == [], "it had not begun before"


def test_denials_and_skips_are_counted_by_their_reason() -> None:
    period = week(denials={"price_jumped": Count(3, "BTC moved 20 %")}, skips={"slippage": Count(1, "thin")})
    assert ("denied", "price_jumped 3x: BTC moved 20 %") in facts(period)
    assert ("skipped", "slippage 1x: thin") in facts(period)


def test_a_week_without_books_or_trades_says_so_and_shows_no_zero() -> None:
    period = week(opened=None, closed=None, trades=[], stray=None, statuses={})
    shown = text_of(period)
    assert "worth     not known" in shown and "trades    none" in shown and "0.00" not in shown
    assert digest_document(period, "live", "htx")["books"] is None


@pytest.mark.parametrize("text", ["order 7", HOSTILE])
def test_the_page_is_valid_loads_nothing_and_foreign_words_are_no_markup(text: str) -> None:
    period = week(open_halts=[replace(HALT, text=text)], denials={"x": Count(1, text)})
    page = digest_html(period, "live", "htx")
    html5lib.HTMLParser(strict=True).parse(page)
    assert not LOADING.search(page) and "10,999.78 USDT" in page
    assert page.index("HALTED") < page.index("The week")
    shown = digest_markdown(period, "LIVE on htx")
    assert "\x1b" not in shown and "<script" not in shown and "\x1b" not in text_of(period)


def test_the_page_draws_the_account_beside_both_shadows_where_there_is_a_line_to_draw() -> None:
    page = digest_html(week(looks=[LAST]), "live", "htx")
    html5lib.HTMLParser(strict=True).parse(page)
    assert page.count("<polyline") == 3 + 3, "three lines, and each again in the legend"
    assert "had nothing been traded" in page and "03 Mar" in page and not LOADING.search(page)
    for looks in ([], [FIRST]):
        assert "<polyline" not in digest_html(week(looks=looks), "live", "htx")
    morning = digest_html(week(looks=[replace(FIRST, at=MONDAY + timedelta(hours=5))]), "live", "htx")
    assert "02 Mar 05:00" in morning


def test_slippage_that_is_not_in_the_books_yet_is_left_out() -> None:
    assert "; slippage 0.01 USDT" in text_of(week())
    assert "slippage" not in text_of(week(trades=[BUY, BUY]))


def test_the_document_has_every_figure_as_text() -> None:
    document = digest_document(week(), "live", "htx")
    assert document["schema"] == "rebalancer.week/1"
    books = document["books"]
    assert (books["nav_start_quote"], books["nav_end_quote"], books["flows"]) == ("10000", "10999.78", {"USDT": "500"})
    assert books["against_never_rebalanced_quote"] == "-0.22" and books["adds_up"] is True
    assert document["trades"][0]["value_quote"] == "500" and document["runs"] == {"within_bands": 167, "done": 1}
    assert document["largest_stray"]["drift"] == "0.071"
