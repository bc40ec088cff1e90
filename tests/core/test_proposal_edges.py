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


def test_what_rounding_leaves_goes_to_the_largest_remainders_and_then_by_name() -> None:
    """Of 100 percent less two: 38 + 0.4, 29 + 0.5 and 29 + 0.1, beside one that each has."""
    held = {"ZZZ": d("0.385"), "YYY": d("0.295"), "XXX": d("0.28"), "AAA": d("0.04")}
    made = propose_weights({coin: share * 10_000 for coin, share in held.items()}, "USDT")
    assert made == {"ZZZ": 37, "YYY": 29, "XXX": 27, "AAA": 5, "USDT": 2}
    alike = propose_weights({"CCC": d(300), "BBB": d(300), "AAA": d(300)}, "USDT")
    assert alike == {"AAA": 33, "BBB": 33, "CCC": 32, "USDT": 2}
