"""Targets that are no whole of positive parts are our mistake: the file's reader refuses them before."""

from __future__ import annotations

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
