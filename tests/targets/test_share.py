"""Weights that nobody named share the rest: in proportion, to the last digit, and never below zero."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rebalancer.errors import ConfigError
from rebalancer.targets.share import share_rest
from tests.core.builders import d
from tests.targets.files import COINS, UNTIMED, splits

WEIGHTS = {"BTC": d(50), "ETH": d(30), "USDT": d(20)}


@st.composite
def wishes(draw: st.DrawFn) -> tuple[dict[str, Decimal], dict[str, Decimal], list[str], list[str]]:
    """Return weights, changes of some, coins that go and coins that are locked."""
    weights = draw(splits(draw(st.lists(st.sampled_from(COINS), min_size=2, unique=True))))
    names = draw(st.permutations(list(weights)))
    cuts = sorted(draw(st.lists(st.integers(0, len(names)), min_size=3, max_size=3)))
    changed, out, locked = names[: cuts[0]], names[cuts[0] : cuts[1]], names[cuts[1] : cuts[2]]
    percents = st.decimals("0.01", 60, places=2)
    return weights, {asset: draw(percents) for asset in changed}, out, locked


@given(wishes())
@UNTIMED
def test_the_sum_is_exactly_100_the_locked_stay_and_the_others_keep_their_proportion(
    case: tuple[dict[str, Decimal], dict[str, Decimal], list[str], list[str]],
) -> None:
    weights, changes, out, locked = case
    try:
        made = share_rest(weights, changes, out, locked)
    except ConfigError:
        rest = 100 - sum(changes.values()) - sum(weights[asset] for asset in locked)
        others = [asset for asset in weights if asset not in {*changes, *out, *locked}]
        smallest = min((rest * weights[each] / sum(weights[o] for o in others) for each in others), default=d(0))
        assert not others or rest <= 0 or smallest < d("0.01")
        return
    after = {asset: percent for asset, percent in {**weights, **made}.items() if asset not in out}
    assert sum(after.values()) == 100 and all(percent > 0 for percent in after.values())
    assert all(after[asset] == weights[asset] for asset in locked)
    assert all(after[asset] == percent for asset, percent in changes.items())
    others = [asset for asset in weights if asset not in {*changes, *out, *locked}]
    assume(others)
    factor = sum(after[each] for each in others) / sum(weights[each] for each in others)
    assert all(abs(after[each] - weights[each] * factor) <= d("0.01") for each in others)


def test_thirds_are_rounded_so_that_the_largest_remainders_go_up() -> None:
    made = share_rest({"A": d(20), "B": d(20), "C": d(20), "USDT": d(40)}, {"USDT": d(30)}, [], [])
    assert made == {"USDT": d(30), "A": d("23.34"), "B": d("23.33"), "C": d("23.33")}


def test_a_finer_figure_is_matched_by_finer_shares() -> None:
    assert share_rest(WEIGHTS, {"BTC": d("40.0005")}, [], ["ETH"]) == {"BTC": d("40.0005"), "USDT": d("29.9995")}


def test_a_share_that_stays_as_it_was_is_no_change() -> None:
    assert share_rest(WEIGHTS, {"BTC": d(50)}, [], []) == {"BTC": d(50)}


def test_a_coin_that_goes_leaves_its_weight_to_the_others() -> None:
    assert share_rest(WEIGHTS, {}, ["ETH"], ["USDT"]) == {"BTC": d(80)}


@pytest.mark.parametrize(
    ("changes", "locked", "words"),
    [
        ({"BTC": d(60)}, ["ETH", "USDT"], "no coin is left to take the rest"),
        ({"BTC": d(70)}, ["ETH"], "0 percent would be left for USDT"),
        ({"BTC": d(50)}, ["BTC"], "locked and changed"),
        ({"BTC": d(50)}, ["ETC"], r"ETC: has no weight that could be locked \(did you mean ETH\?\)"),
    ],
)
def test_what_cannot_be_shared_is_refused(changes: dict[str, Decimal], locked: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        share_rest(WEIGHTS, changes, [], locked)


def test_all_locked_but_what_was_named_is_in_order_when_the_sum_is() -> None:
    assert share_rest(WEIGHTS, {"BTC": d(50)}, [], ["ETH", "USDT"]) == {"BTC": d(50)}
