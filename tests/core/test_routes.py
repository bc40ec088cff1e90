"""Routes against the cheapest flow that an exact linear program finds."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from rebalancer.core.routes import HUBS, Link, Way, choose_ways

COINS = ("BTC", "ETH", "SOL", "XRP", "LINK", "ADA", "DOGE")
CASH = "USDT"
FEE = Decimal("0.002")
ENDLESS = Decimal(10**12)


@st.composite
def markets(draw: st.DrawFn) -> tuple[dict[str, Decimal], dict[str, Decimal], dict[Way, Link]]:
    """Whole amounts of value to sell and to buy, and the direct ways that the exchange lists, all of one fee."""
    sells, buys = {}, {}
    for coin in COINS:
        amount = draw(st.integers(-1000, 1000))
        if amount:
            (buys if amount > 0 else sells)[coin] = Decimal(abs(amount))
    possible = [(a, b) for a in COINS for b in COINS if a != b and (a in HUBS or b in HUBS)]
    unlisted = draw(st.sets(st.sampled_from(possible), max_size=draw(st.sampled_from((0, 6)))))
    links = {way: Link(FEE, ENDLESS) for way in possible if way not in unlisted and (way[1], way[0]) not in unlisted}
    return sells, buys, links


def orders_worth(sells: dict[str, Decimal], buys: dict[str, Decimal], ways: dict[Way, Decimal]) -> Decimal:
    """Return the value of all orders: each is charged the same fee."""
    return sum(sells.values(), Decimal(0)) + sum(buys.values(), Decimal(0)) - sum(ways.values(), Decimal(0))


def cheapest(sells: dict[str, Decimal], buys: dict[str, Decimal], links: dict[Way, Link]) -> float:
    """Return the least value of orders over all flows, through any coin and any number of orders, by HiGHS."""
    nodes = (*COINS, CASH)
    arcs = [*links, *((coin, CASH) for coin in COINS), *((CASH, coin) for coin in COINS)]
    balance = np.zeros((len(nodes), len(arcs)))
    for column, (seller, buyer) in enumerate(arcs):
        balance[nodes.index(seller), column] -= 1
        balance[nodes.index(buyer), column] += 1
    wanted = [float(buys.get(coin, 0) - sells.get(coin, 0)) for coin in COINS]
    found = linprog(np.ones(len(arcs)), A_eq=balance, b_eq=[*wanted, -sum(wanted)], method="highs")
    assert found.success, found.message
    return float(found.fun)


@settings(max_examples=2500, deadline=None)
@given(markets())
def test_with_equal_fees_no_flow_is_cheaper(
    market: tuple[dict[str, Decimal], dict[str, Decimal], dict[Way, Link]],
) -> None:
    sells, buys, links = market
    ways = choose_ways(sells, buys, links)
    assert abs(float(orders_worth(sells, buys, ways)) - cheapest(sells, buys, links)) < 1e-6
