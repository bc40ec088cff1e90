"""Which coins are sold straight for which: amounts come first, and this only chooses their ways. Pure.

Every unit of value that goes from a seller to a buyer in one order, and not over the quote coin in two, saves one
order's cost. Only a hub is paired with other coins, so one end must be a hub. A hub may give to, and take from, coins
and hubs alike, while the other coins meet nobody but hubs: so coins are served first and hubs have what is left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from rebalancer.core.money import EXACT, ZERO

HUBS = ("BTC", "ETH")  # beside the account's quote coin: the two that HTX quotes other coins in
Way = tuple[str, str]  # from the coin sold to the coin bought


@dataclass(frozen=True, slots=True)
class Link:
    """What one direct way offers: the share of the value that it saves, and how much value it can carry."""

    saving: Decimal
    capacity_quote: Decimal


def choose_ways(
    sells: Mapping[str, Decimal],
    buys: Mapping[str, Decimal],
    links: Mapping[Way, Link],
    hubs: Collection[str] = HUBS,
) -> dict[Way, Decimal]:
    """Return how much value, in quote, goes each direct way; what is not named here goes over the quote coin.

    No coin may both sell and buy. With equal savings this is the cheapest flow there is: no set of ways carries more.
    """
    assert not sells.keys() & buys.keys(), (sells, buys)
    left, wanted = dict(sells), dict(buys)
    chosen: dict[Way, Decimal] = {}
    for among_hubs in (False, True):
        ways = {way: link for way, link in links.items() if all(coin in hubs for coin in way) is among_hubs}
        while ways := {way: link for way, link in ways.items() if left.get(way[0]) and wanted.get(way[1])}:
            amounts = {way: min(left[way[0]], wanted[way[1]], link.capacity_quote) for way, link in ways.items()}
            way = max(ways, key=lambda each: (_regret(each, ways, hubs), amounts[each], each))
            if amounts[way] > ZERO:
                chosen[way] = amounts[way]
            left[way[0]] = EXACT.subtract(left[way[0]], amounts[way])
            wanted[way[1]] = EXACT.subtract(wanted[way[1]], amounts[way])
            del ways[way]
    return chosen


def _regret(way: Way, ways: Mapping[Way, Link], hubs: Collection[str]) -> Decimal:
    """Return what a coin loses if this hub is full before its turn: a coin that knows one hub only comes first."""
    coin = next((each for each in way if each not in hubs), way[0])
    others = [link.saving for other, link in ways.items() if coin in other and other != way]
    return ways[way].saving - max(others, default=ZERO)
