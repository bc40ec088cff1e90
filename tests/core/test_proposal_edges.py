"""The least share that a coin may have to be proposed."""

from __future__ import annotations

from rebalancer.core.proposal import SHARE_MIN, propose_weights
from tests.core.builders import d


def test_a_coin_of_exactly_the_least_share_is_proposed_and_one_below_is_not() -> None:
    least = 10_000 * SHARE_MIN
    held = {"BTC": d(8000) - least, "ETH": least, "USDT": d(2000)}
    assert set(propose_weights(held, "USDT")) == {"BTC", "ETH", "USDT"}
    assert set(propose_weights(held | {"ETH": least - d("0.01"), "BTC": held["BTC"] + d("0.01")}, "USDT")) == {
        "BTC",
        "USDT",
    }
