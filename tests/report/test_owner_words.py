"""What the owner decided about single coins, in every form of the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rebalancer.core.plan import AssetState, Denial, Plan
from rebalancer.core.plan_json import PlanHeader
from rebalancer.core.reasons import Deny
from rebalancer.report.html import plan_html
from rebalancer.report.tables import plan_csv, plan_markdown
from rebalancer.report.text import plan_text
from tests.core.builders import d
from tests.report.plans import HEADER, full_plan

COMMAND = "rebalancer ack cron-20260301T1207Z-a1 --up-to 80400"
QUESTION = Denial(
    Deny.ACK_NEEDED,
    f"the change of targets needs a turnover of 80321.00 USDT (80.3 % of the portfolio, over the 10 % of a cycle), about "
    f"4 days within the limits: `{COMMAND}` allows it",
    limit="10 % of NAV",
    value="80.3 %",
)


def wished() -> Plan:
    plan = full_plan()
    lines = (replace(plan.assets[0], kept=d("0.5"), external=d("1.2"), state=AssetState.LEAVING), *plan.assets[1:])
    return replace(plan, assets=lines, nav_here_quote=d(9000), nav_limits_quote=d(9000), warnings=(QUESTION,))


@pytest.mark.parametrize("form", [plan_text, plan_markdown, plan_html])
def test_kept_amounts_those_elsewhere_and_a_question_stand_in_the_report(
    form: Callable[[Plan, PlanHeader], str],
) -> None:
    shown = " ".join(form(wished(), HEADER).split())
    assert "0.5 of it kept: neither counted nor sold; 1.2 more held elsewhere: counted, never traded" in shown
    assert "9,000.00 USDT of it at the exchange: limits are percents of that." in shown
    assert "needs a turnover of 80321.00 USDT" in shown and "ack_needed" in shown.replace("\\", "")
    plain = " ".join(form(full_plan(), HEADER).split())
    assert "kept" not in plain and "elsewhere" not in plain and "at the exchange:" not in plain


@pytest.mark.parametrize("form", [plan_text, plan_markdown, plan_html])
@pytest.mark.parametrize(
    ("here", "text"),
    [
        (
            "9000",
            "9,000.00 USDT of it at the exchange: limits are percents of 700.00 USDT, without coins not yet trusted.",
        ),
        ("10000", "Limits are percents of 700.00 USDT, without coins not yet trusted."),
    ],
)
def test_what_limits_are_percents_of_stands_in_the_report_where_it_is_not_all(
    here: str, text: str, form: Callable[[Plan, PlanHeader], str]
) -> None:
    plan = replace(full_plan(), nav_quote=d(10_000), nav_here_quote=d(here), nav_limits_quote=d(700))
    assert text in " ".join(form(plan, HEADER).split())


def test_the_command_that_answers_stands_on_a_line_of_its_own_in_one_piece() -> None:
    refused = replace(wished(), warnings=(), denials=(QUESTION,))
    for plan in (wished(), refused):
        assert f"  {COMMAND}" in plan_text(plan, HEADER).splitlines()


def test_the_table_has_them_as_figures() -> None:
    head, first, *_ = plan_csv(wished(), HEADER).splitlines()
    assert head.endswith(",state,kept,external") and first.endswith(",leaving,0.5,1.2")
