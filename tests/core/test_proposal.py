"""First targets are what is held, in whole percent."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.proposal import CASH_MIN, COINS_MAX, propose_weights, round_limit
from tests.core.builders import d

ASSETS = st.sampled_from([*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "USDT"])
VALUES = st.dictionaries(ASSETS, st.decimals(0, 10**9, places=8), max_size=27)


@given(VALUES)
def test_the_weights_are_whole_sum_to_100_and_keep_the_order_of_what_is_held(values: dict[str, Decimal]) -> None:
    weights = propose_weights(values, "USDT")
    if not weights:
        coins = [value for asset, value in values.items() if asset != "USDT"]
        total = sum(values.values(), Decimal(0))
        assert not total or all(value / total < d("0.01") for value in coins)
        return
    assert sum(weights.values()) == 100
    assert all(weight == int(weight) and weight >= 1 for weight in weights.values())
    assert weights["USDT"] >= CASH_MIN and list(weights)[-1] == "USDT" and 2 <= len(weights) <= COINS_MAX + 1
    shares = [weight for asset, weight in weights.items() if asset != "USDT"]
    held = [values[asset] for asset in weights if asset != "USDT"]
    assert held == sorted(held, reverse=True) and shares == sorted(shares, reverse=True)


def test_a_share_of_less_than_a_hundredth_is_left_alone() -> None:
    values = {"BTC": d(6000), "ETH": d(3000), "DOGE": d(50), "USDT": d(1000)}
    assert propose_weights(values, "USDT") == {"BTC": 60, "ETH": 30, "USDT": 10}


@pytest.mark.parametrize("values", [{}, {"USDT": d(100)}, {"BTC": d(0), "USDT": d(0)}])
def test_nothing_is_proposed_where_no_coin_is_held(values: dict[str, Decimal]) -> None:
    assert propose_weights(values, "USDT") == {}


@pytest.mark.parametrize(("amount", "limit"), [("1196.69", 1000), ("2991", 2000), ("0.4", 1), ("99.9", 90), ("10", 10)])
def test_a_limit_is_rounded_down_to_what_can_be_remembered(amount: str, limit: int) -> None:
    assert round_limit(d(amount)) == limit
