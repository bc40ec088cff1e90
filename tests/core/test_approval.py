"""The owner's leave: from which turnover on it is asked for, in which words, and what it opens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rebalancer.core.approval import approve, days_needed
from rebalancer.core.caps import Room, room_left
from rebalancer.core.judge import judge
from rebalancer.core.model import Usage
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny, Trigger
from rebalancer.core.targets import Limits
from rebalancer.core.valuation import value_of
from tests.core.builders import d, snapshot, targets

SEEN = snapshot({"BTC": 0, "USDT": 10_000}, {"BTC": 50_000})  # 6,000 to be bought
LIMITS = Limits(max_turnover_per_cycle=d(10), max_turnover_per_day=d(50))


def answer(
    usage: Usage, trigger: Trigger = Trigger.FIRST_BUILD, *, name: str = "", rules: bool = True, **limits: Any
) -> tuple[Room, Room, tuple[Denial, ...]]:
    """Return the room before and after the owner was asked, and the question."""
    seen = SEEN if rules else replace(SEEN, rules={})
    wanted = targets({"BTC": 60, "USDT": 40}, limits=replace(LIMITS, **limits))
    valuation = value_of(SEEN, wanted, judge(SEEN, wanted, usage))
    assert valuation is not None
    room = room_left(wanted.limits, usage, valuation.nav_here_quote)
    after, asked = approve(seen, wanted, usage, valuation, trigger, room, name)
    return room, after, asked


@pytest.mark.parametrize(
    ("trigger", "what"),
    [(Trigger.FIRST_BUILD, "the first build"), (Trigger.TARGETS_CHANGED, "the change of targets")],
)
@pytest.mark.parametrize(
    ("acked", "name", "command"),
    [
        (None, "run-a1", " needs|`rebalancer ack run-a1 --up-to 6000` allows it"),
        (None, "", " needs|`rebalancer ack PLAN --up-to 6000`, PLAN as a run names it, allows it"),
        ("1", "run-a1", " still needs|`rebalancer ack run-a1 --up-to 6000` allows it"),
    ],
)
def test_a_question_says_what_it_is_about_how_much_how_long_and_what_to_type(
    trigger: Trigger, what: str, acked: str | None, name: str, command: str
) -> None:
    room, after, (asked,) = answer(Usage(acked_quote=None if acked is None else d(acked)), trigger, name=name)
    needs, typed = command.split("|")
    text = (
        f"{what}{needs} a turnover of 6000.00 USDT (60.0 % of the portfolio, over the 10 % of a cycle), "
        f"about 2 days within the limits: {typed}"
    )
    assert asked == Denial(Deny.ACK_NEEDED, text, limit="10 % of NAV", value="60.0 %")
    assert after == room


def test_one_day_is_a_day() -> None:
    _, _, (asked,) = answer(Usage(), max_turnover_per_day=d(60))
    assert "about 1 day within" in asked.text


def test_what_a_cycle_may_do_at_once_needs_no_leave() -> None:
    assert answer(Usage(), max_turnover_per_cycle=d(60))[2] == ()
    assert answer(Usage(), max_turnover_per_cycle=d("59.9"))[2]


@pytest.mark.parametrize(("acked", "turnover"), [("12", "12"), ("500", "500"), ("9000", "1000")])
def test_a_leave_opens_what_it_says_and_no_more_than_a_cycle_may(acked: str, turnover: str) -> None:
    room, after, asked = answer(Usage(acked_quote=d(acked)))
    assert asked == () and after == replace(room, turnover_quote=d(turnover), needs_leave=True)


def test_a_leave_too_small_for_an_order_is_asked_for_anew() -> None:
    assert answer(Usage(acked_quote=d("11.99")))[2]
    assert not answer(Usage(acked_quote=d("0.01")), rules=False)[2], "nothing says what an order is"


@pytest.mark.parametrize(
    ("used", "notional_max", "days"),
    [(0, None, 2), (2000, None, 2), (2001, None, 3), (0, 3000, 4), (500, 3000, 4), (501, 3000, 5)],
)
def test_days_count_what_was_already_traded_within_the_last_of_them(
    used: int, notional_max: int | None, days: int
) -> None:
    limits = replace(LIMITS, max_notional_per_day=None if notional_max is None else d(notional_max))
    made = days_needed(
        limits, Usage(sold_quote=d(used)) if notional_max is None else Usage(bought_quote=d(used)),
        d(10_000), d(8_000), d(11_500),
    )  # fmt: skip
    assert made == days
