"""Where two documents differ is named by what it is about, and what is the same is not named."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.report.replay import Difference, differences

PLAN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "plan.json").read_text(encoding="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.text("ab", max_size=2) | st.integers(0, 3),
    lambda parts: (
        st.lists(parts, max_size=3) | st.dictionaries(st.sampled_from(["asset", "x", "y"]), parts, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, JSON)
def test_there_is_a_difference_exactly_where_two_documents_are_not_the_same(one: Any, two: Any) -> None:
    assert (list(differences(one, two)) == []) is (one == two)


@given(JSON, JSON)
def test_what_differs_in_one_direction_differs_in_the_other(one: Any, two: Any) -> None:
    there = {(each.place, each.recorded, each.again) for each in differences(one, two)}
    back = {(each.place, each.again, each.recorded) for each in differences(two, one)}
    assert {place for place, *_ in there} == {place for place, *_ in back}


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    made = copy.deepcopy(PLAN)
    place: Any = made
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return made


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("assets", 1, "drift"), "-0.18", Difference("plan.assets[ETH].drift", "-0.19", "-0.18")),
        (("assets", 0, "reason", "code"), "exit", Difference("plan.assets[BTC].reason.code", "overweight", "exit")),
        (("legs", 0, "notional_quote"), "1", Difference("plan.legs[btcusdt].notional_quote", "248", "1")),
        (("totals", "cost_bps"), "9", Difference("plan.totals.cost_bps", PLAN["totals"]["cost_bps"], "9")),
        (("nav_quote",), None, Difference("plan.nav_quote", "10000.12345679", "(absent)")),
    ],
)
def test_a_place_is_named_by_its_coin_or_pair(path: tuple[str | int, ...], value: Any, told: Difference) -> None:
    assert list(differences(PLAN, changed(path, value))) == [told]


def test_a_leg_more_or_less_is_one_difference() -> None:
    fewer = changed(("legs",), PLAN["legs"][1:])
    (told,) = differences(PLAN, fewer)
    assert told.place == "plan.legs[btcusdt]" and told.again == "(absent)" and "side sell" in told.recorded
    (told,) = differences(fewer, PLAN)
    assert told.recorded == "(absent)"


def test_another_order_of_the_same_legs_is_a_difference() -> None:
    turned = changed(("legs",), PLAN["legs"][::-1])
    (told,) = differences(PLAN, turned)
    assert told.place == "plan.legs" and told.recorded.startswith("in the order btcusdt")


def test_items_whose_name_is_no_text_are_told_by_their_place() -> None:
    (found,) = differences([], [{"asset": []}])
    assert "1" in found.place
