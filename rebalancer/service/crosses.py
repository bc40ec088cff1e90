"""Pairs of two target coins: read only where direct routes are wanted, and never in the way of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from rebalancer.core.model import Book, CrossPair, FeeRate, MarketRules, MarketStatus
from rebalancer.core.routes import HUBS
from rebalancer.core.targets import Route, Targets
from rebalancer.errors import VenueError
from rebalancer.seams import Gather
from rebalancer.venues.base import Venue

LEVELS = 10  # of each side: what lies deeper is dearer than two orders over the quote coin, and snapshots are kept


def fetch_crosses(
    venue: Venue, gather: Gather, targets: Targets, rules: Mapping[str, MarketRules], market: MarketStatus
) -> dict[str, CrossPair]:
    """Return the tradable pairs between a hub and another target coin, by symbol; reads overlap.

    Nothing is raised: a pair without an answer has no book or no fee here, and the planner then does without it.
    """
    if targets.orders.route is not Route.DIRECT:
        return {}
    listed = [rules[symbol] for symbol in _symbols(venue, targets) if symbol in rules]
    usable = [each for each in listed if each.tradable and not each.leveraged and not market.is_halted(each.symbol)]
    if not usable:
        return {}
    symbols = tuple(each.symbol for each in usable)
    calls: list[Callable[[], Any]] = [partial(_fees, venue, symbols), *(partial(_book, venue, s) for s in symbols)]
    fees, *books = gather(calls)
    return {each.symbol: CrossPair(each, book, fees.get(each.symbol)) for each, book in zip(usable, books, strict=True)}


def _symbols(venue: Venue, targets: Targets) -> Iterator[str]:
    coins = [asset for asset in targets.assets if asset != targets.quote]
    for hub in (coin for coin in coins if coin in HUBS):
        yield from (venue.symbol_of(coin, hub) for coin in coins if coin != hub)


def _fees(venue: Venue, symbols: tuple[str, ...]) -> Mapping[str, FeeRate]:
    try:
        return venue.fetch_fee_rates(symbols)
    except VenueError:
        return {}


def _book(venue: Venue, symbol: str) -> Book | None:
    try:
        book = venue.fetch_book(symbol)
    except VenueError:
        return None
    return replace(book, bids=book.bids[:LEVELS], asks=book.asks[:LEVELS])
