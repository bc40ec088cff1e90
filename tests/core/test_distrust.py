"""Stories of lying exchanges and dying coins, lived through hour by hour: what they cost at the worst."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.benchmarks.distrust import STORIES, Outcome, tell

WORST_PCT = Decimal("2.1")  # of the portfolio, beside what the coin itself lost: one order before the fall was seen


@pytest.fixture(scope="module")
def told() -> dict[str, Outcome]:
    return {name: tell(hours) for name, hours in STORIES.items()}


def test_no_story_costs_more_than_one_order_of_the_coin(told: dict[str, Outcome]) -> None:
    assert {name: each.loss_pct for name, each in told.items() if each.loss_pct > WORST_PCT} == {}
    assert all(each.orders <= 1 for name, each in told.items() if "thousandth" in name)


@pytest.mark.parametrize(
    "name",
    [
        "zero price", "prices ten times too high", "the same from the first look on, for a day",
        "a feed that stands still", "a book without bids", "delisted for good", "redenominated, 1000 to 1",
        "a stable coin among the targets off its peg",
    ],
)  # fmt: skip
def test_a_lie_about_one_coin_costs_nothing_and_stops_no_look(name: str, told: dict[str, Outcome]) -> None:
    assert (told[name].loss_pct, told[name].orders, told[name].refused) == (0, 0, 0)
    assert "suspect" in told[name].states or "frozen" in told[name].states


def test_while_the_cash_is_in_doubt_there_is_no_plan_at_all(told: dict[str, Outcome]) -> None:
    each = told["the cash off its peg"]
    assert (each.loss_pct, each.orders, each.refused, each.states) == (0, 0, 25, ("normal",))


def test_what_no_market_explains_waits_for_the_owner_and_what_one_does_is_traded_again(
    told: dict[str, Outcome],
) -> None:
    for name, each in told.items():
        waits = any(
            word in name for word in ("thousandth", "ten times", "the same", "delisted", "redenominated", "stable")
        )
        assert each.states[-1] == ("frozen" if waits else "normal"), name
