"""Targets that are no whole of positive parts are our mistake: the file's reader refuses them before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.core.builders import d, targets


@pytest.mark.parametrize(
    "weights",
    [{"BTC": 50, "USDT": "49.99"}, {"BTC": 50, "USDT": "50.01"}, {"BTC": 0, "USDT": 100}, {"BTC": -1, "USDT": 101}],
)
def test_weights_are_positive_and_sum_to_a_hundred(weights: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="USDT"):
        targets(weights)


def test_the_quote_coin_is_one_of_the_targets() -> None:
    with pytest.raises(AssertionError, match=r"^USDT$"):
        targets({"BTC": 50, "ETH": 50})


def test_assets_keep_the_files_order_and_weights_become_fractions() -> None:
    made = targets({"USDT": "12.5", "BTC": "87.5"})
    assert made.assets == ("USDT", "BTC")
    assert made.fraction("USDT") == d("0.125")


def test_what_is_kept_of_a_coin_that_is_gone_goes_with_it_and_of_the_others_stays() -> None:
    kept = {"BTC": d(1), "DOGE": d(2), "XRP": d(3)}
    made = replace(targets({"BTC": 50, "USDT": 50}), leaving=("DOGE", "XRP"), kept=kept)
    left = made.with_leaving(("XRP",))
    assert (left.leaving, left.kept) == (("XRP",), {"BTC": 1, "XRP": 3})
    assert made.with_leaving(("DOGE", "XRP")) == made


def test_of_every_target_something_may_be_kept_and_of_nothing_else() -> None:
    made = targets({"BTC": 50, "USDT": 50})
    assert replace(made, kept={"BTC": d(1), "USDT": d(1)}).kept["USDT"] == 1
    with pytest.raises(AssertionError, match="DOGE"):
        replace(made, external={"DOGE": d(1)})
