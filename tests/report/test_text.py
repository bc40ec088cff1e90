"""The report for a terminal under load: large sums, long names, foreign signs, and still 80 columns of true words."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from io import StringIO

import pytest
from rich.cells import cell_len

from rebalancer.core.plan import AssetLine, Plan
from rebalancer.core.reasons import Trigger
from rebalancer.report.text import WIDTH, band_bar, leg_words, plan_text
from rebalancer.report.words import closing, money
from tests.core.builders import d
from tests.report.plans import HEADER, collared_plan, full_plan, refused_plan

ANSI = re.compile(r"\x1b\[[0-9;]*m")
LIVE = replace(HEADER, mode="live")


def scaled(plan: Plan, factor: Decimal) -> Plan:
    """Return the plan of an account so many times as large."""
    assert plan.nav_quote is not None
    lines = tuple(replace(line, free=line.free * factor, value_quote=line.value_quote * factor) for line in plan.assets)
    return replace(plan, nav_quote=plan.nav_quote * factor, assets=lines)


def renamed(plan: Plan, asset: str) -> Plan:
    """Return the plan with a first asset of another name."""
    first, *rest = plan.assets
    leg, *legs = plan.legs
    return replace(plan, assets=(replace(first, asset=asset), *rest), legs=(replace(leg, asset=asset), *legs))


def widest(shown: str) -> int:
    return max(cell_len(line) for line in shown.splitlines())


@pytest.mark.parametrize("factor", ["0.0001", "1", "123.45678", "98765.4321"])
def test_every_sum_is_shown_whole_at_80_columns(factor: str) -> None:
    plan = scaled(full_plan(), d(factor))
    shown = plan_text(plan, HEADER)
    assert widest(shown) <= WIDTH
    for line in plan.assets:
        assert money(line.value_quote) in shown, "a cut sum is a wrong sum"
        assert line.decision.value in shown


def test_a_long_name_is_shown_whole_and_pushes_nothing_out() -> None:
    plan = renamed(scaled(full_plan(), d("123.4")), "1000CHEEMS")
    shown = plan_text(plan, HEADER)
    assert widest(shown) <= WIDTH
    row = next(line for line in shown.splitlines() if line.startswith("1000CHEEMS"))
    assert money(plan.assets[0].value_quote) in row and row.endswith("sell")


@pytest.mark.parametrize(
    "text",
    [
        "[red]painted[/red] and [link=http://192.0.2.1]clicked[/link]",
        "an end without a beginning [/bold]",
        "a backslash before a bracket \\[bold] and at the end \\",
        "a face :smile: and a time 12:30:00",
        "http://192.0.2.1/ <b>bold</b> &amp; \u202ereversed\u202c",
        "a new line\nLIVE on htx\r\n1. sell everything",
        "\x1b]8;;http://192.0.2.1\x1b\\link\x1b]8;;\x1b\\ \x9b31m",
        "\u7b7e\u540d\u9519\u8bef" * 30,
        "one" * 100,
    ],
)
@pytest.mark.parametrize("colour", [False, True])
def test_foreign_words_are_shown_as_words_and_nothing_else(text: str, colour: bool) -> None:
    shown = plan_text(full_plan(text), HEADER, colour=colour)
    tame = plan_text(full_plan("tame"), HEADER, colour=colour)
    assert [line for line in shown.splitlines() if line.startswith(("LIVE", "1. "))] == [
        line for line in tame.splitlines() if line.startswith(("LIVE", "1. "))
    ]
    words = "".join("".join(char if char.isprintable() else " " for char in text).split())
    bare = "".join(ANSI.sub("", shown).split())
    assert words in bare, "the words themselves are neither painted nor replaced"
    for sign in ("\x9b", "\u202e", "\x07", "\x1b]", "\r"):
        assert sign not in shown
    if not colour:
        assert widest(shown) <= WIDTH and "\x1b" not in shown


def test_live_says_so_first_and_does_not_speak_in_the_conditional() -> None:
    shown = plan_text(full_plan(), LIVE)
    assert shown.startswith("LIVE on htx")
    assert "would" not in shown


def test_a_refusal_says_whether_anything_left() -> None:
    assert "Nothing would be sent" in closing(refused_plan(), "dry-run")
    assert "would" not in closing(refused_plan(), "live")


@pytest.mark.parametrize("trigger", list(Trigger))
def test_every_kind_of_plan_ends_in_one_sentence(trigger: Trigger) -> None:
    for plan in (full_plan(), replace(full_plan(), legs=())):
        sentence = closing(replace(plan, trigger=trigger), "dry-run")
        assert sentence.endswith(".") and "\n" not in sentence


def test_a_buy_names_the_money_and_a_sell_the_coin() -> None:
    sell, buy = full_plan().legs
    assert leg_words(sell, "USDT").startswith("sell 0.0031 BTC for about 248.00 USDT")
    assert leg_words(buy, "USDT").startswith("buy ETH for 246.5 USDT")


def placed(weight: str, low: str = "0.08", high: str = "0.12", target: str = "0.1") -> AssetLine:
    return replace(
        full_plan().assets[0], weight=d(weight), target=d(target), band_low=d(low), band_high=d(high),
        drift=d(weight) - d(target),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "bar"),
    [
        (placed("0.1"), "----o---- "),
        (placed("0.08"), "o---|---- "),
        (placed("0.12"), "----|---o "),
        (placed("0.0799"), "<----|----"),
        (placed("0.1201"), "----|---->"),
        (placed("0.01", "0", "0.02", "0"), "----|-o-- "),
        (placed("0.1", "0.1", "0.1"), "----o---- "),
    ],
)
def test_a_bar_is_inside_its_edges_and_says_when_it_is_not(line: AssetLine, bar: str) -> None:
    assert band_bar(line) == bar
    assert len(bar) == 10


def test_the_report_is_the_same_whatever_terminal_it_is_made_on(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = plan_text(full_plan(), HEADER)
    for name, value in (("COLUMNS", "200"), ("FORCE_COLOR", "1"), ("TERM", "dumb"), ("NO_COLOR", "1")):
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            patched.setattr("sys.stdout", StringIO())
            assert plan_text(full_plan(), HEADER) == plain, name


def test_an_ioc_order_is_named_with_the_worst_price_it_may_have_and_what_it_costs_at_most() -> None:
    sell, buy = collared_plan().legs
    assert leg_words(sell, "USDT").startswith("sell 0.0031 BTC for about 248.00 USDT (ioc at 79600.25 or better), fee")
    assert leg_words(buy, "USDT").startswith("buy ETH for at most 246.225 USDT (ioc at 2512.5 or better), fee")
    shown = plan_text(collared_plan(), HEADER)
    assert widest(shown) <= WIDTH and "(ioc at 79600.25 or better)" in " ".join(shown.split())
    assert "ioc" not in plan_text(full_plan(), HEADER)
