"""The order of sending: sells by drift, a coin's own sell before its direct market orders, buys for cash last."""

from __future__ import annotations

from dataclasses import replace

from rebalancer.core.direct import Routed
from rebalancer.core.leg_order import legs_of
from rebalancer.core.legs import Cut
from tests.core.test_direct_edges import routed, seen_with


def with_rank(cut: Cut, drift: float, order: int) -> Cut:
    return replace(cut, wish=replace(cut.wish, drift=drift, order=order))


def test_what_strays_most_is_sold_first_whichever_way_it_goes() -> None:
    seen = seen_with(("ETH", "BTC"), ("SOL", "BTC"))
    made, _ = routed(seen, {"SOL": "6000", "ETH": "4000"}, {"BTC": "8000"})
    drifts = {"SOL": 0.1, "ETH": 0.2, "BTC": -0.3}
    straight = [
        replace(each, crossing=replace(each.crossing, sell=replace(each.crossing.sell, drift=drifts[each.way[0]])))
        for each in made.straight
    ]
    cuts = [with_rank(cut, drifts[cut.wish.asset], 0) for cut in made.cuts]
    sent = [leg.symbol for leg in legs_of(Routed(cuts, straight), "USDT")]
    assert sent == ["ethusdt", "ethbtc", "solbtc"]


def test_of_two_direct_sells_of_one_coin_the_one_for_the_earlier_coin_goes_first() -> None:
    seen = seen_with(("SOL", "BTC"), ("SOL", "ETH"))
    made, _ = routed(seen, {"SOL": "9000"}, {"ETH": "4000", "BTC": "5000"})
    for first, second in (("BTC", "ETH"), ("ETH", "BTC")):
        orders = {first: 0, second: 1}
        straight = [
            replace(each, crossing=replace(each.crossing, buy=replace(each.crossing.buy, order=orders[each.way[1]])))
            for each in made.straight
        ]
        sent = [leg.received for leg in legs_of(Routed([], straight), "USDT")]
        assert sent == [first, second]


def test_a_leg_cut_by_a_limit_says_what_it_was_to_be_in_its_own_quote_coin() -> None:
    made, cuts = routed(seen_with(), {"ETH": "4000"}, {})
    assert not made.straight
    (leg,) = legs_of(Routed([replace(cuts[0], capped=True)]), "USDT")
    assert leg.reason.text.endswith("limits leave 4000.00 of 4000.00 USDT for now")
