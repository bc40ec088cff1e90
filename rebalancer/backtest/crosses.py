"""Pairs of two coins on the made-up exchange: at each close the ratio of the two, as deep as the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from rebalancer.core.model import Book, CrossPair, FeeRate, Level, MarketRules
from rebalancer.core.money import EXACT, ONE
from rebalancer.core.routes import HUBS
from rebalancer.core.targets import Route, Targets


def cross_rules(targets: Targets, rules: Mapping[str, MarketRules]) -> dict[str, MarketRules]:
    """Return every pair of a hub and another coin by symbol, in the coin's own lots; none without direct routes."""
    if targets.orders.route is not Route.DIRECT:
        return {}
    made = {}
    for hub in (coin for coin in HUBS if coin in rules):
        for coin, like in rules.items():
            if coin not in HUBS or HUBS.index(coin) > HUBS.index(hub):  # ethbtc is listed, btceth is not
                symbol = (coin + hub).lower()
                made[symbol] = replace(like, symbol=symbol, quote=hub)
    return made


def crosses_at(
    rules: Mapping[str, MarketRules],
    prices: Mapping[str, Decimal],
    taken_at: datetime,
    *,
    book_half: Decimal,
    deep_quote: Decimal,
    fee_rate: Decimal,
) -> dict[str, CrossPair]:
    """Return the pairs as quoted at a close; the least order is worth as much as one for the cash."""
    made = {}
    for symbol, listed in rules.items():
        hub_price = prices[listed.quote]
        mid, deep = EXACT.divide(prices[listed.base], hub_price), deep_quote / prices[listed.base]
        book = Book(symbol, (Level(mid * (ONE - book_half), deep),), (Level(mid * (ONE + book_half), deep),), taken_at)
        least = EXACT.divide(listed.min_notional, hub_price)
        made[symbol] = CrossPair(replace(listed, min_notional=least), book, FeeRate(symbol, fee_rate))
    return made
