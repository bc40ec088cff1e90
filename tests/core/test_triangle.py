"""A coin's price against its price over BTC: when the pair with BTC is a witness, and what it says."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from rebalancer.core.guards import doubts_of, triangle_off
from rebalancer.core.model import Book, Level, Snapshot, Ticker
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny
from rebalancer.core.trust import CoinTrust
from tests.core.builders import NOW, d, snapshot

SEEN = snapshot({"BTC": 1, "ETH": 1, "USDT": 1}, {"BTC": 80_000, "ETH": 2_000})  # a fortieth


def pair(bid: str, ask: str, seen: Snapshot = SEEN) -> Snapshot:
    return replace(seen, hub_tickers={"ETH": Ticker("ethbtc", d(bid), d(bid), d(bid), d(ask))})


def book_of(seen: Snapshot, coin: str, book: Book | None) -> Snapshot:
    others = {asset: each for asset, each in seen.books.items() if asset != coin}
    return replace(seen, books=others if book is None else others | {coin: book})


@pytest.mark.parametrize(
    ("bid", "ask", "off"),
    [
        ("0.02499", "0.02501", "0"),
        ("0.025", "0.025", "0"),
        ("0.02", "0.02", "0.25"),
        ("0.0199", "0.02", "0.25"),
        ("0.03", "0.03", "0.2"),
        ("0.03", "0.0301", "0.2"),
        ("0.02", "0.0202", str(d("0.025") / d("0.0202") - 1)),  # as wide as a pair may be
    ],
)
def test_a_price_is_off_by_what_the_spread_of_the_pair_with_btc_does_not_explain(bid: str, ask: str, off: str) -> None:
    assert triangle_off(pair(bid, ask), "ETH") == d(off)


@pytest.mark.parametrize(("bid", "ask"), [("0.02", "0.02021"), ("0.02", "0.01999"), ("0", "0.02"), ("0", "0")])
def test_a_pair_that_is_wide_crossed_or_without_a_price_says_nothing(bid: str, ask: str) -> None:
    assert triangle_off(pair(bid, ask), "ETH") is None


@pytest.mark.parametrize("coin", ["BTC", "ETH"])
@pytest.mark.parametrize(
    "book", [None, Book("", (), (Level(d(1), d(1)),), NOW), Book("", (Level(d(0), d(1)),), (Level(d(0), d(1)),), NOW)]
)
def test_without_a_price_of_the_coin_or_of_btc_nobody_says(coin: str, book: Book | None) -> None:
    assert triangle_off(book_of(pair("0.02", "0.02"), coin, book), "ETH") is None


def test_a_coin_without_a_pair_with_btc_is_held_against_nothing() -> None:
    assert triangle_off(SEEN, "ETH") is None


@pytest.mark.parametrize("price", ["1", "2000"])
def test_a_price_that_passed_at_no_known_time_is_held_against_nothing(price: str) -> None:
    assert not list(doubts_of(SEEN, "ETH", CoinTrust(Decimal(price))))


def test_a_price_off_its_price_over_btc_is_told_with_both_numbers() -> None:
    (doubt,) = doubts_of(pair("0.02", "0.02"), "ETH", CoinTrust())
    text = "ethusdt against its price over BTC is off and is 25.00 %, over 1 %"
    assert doubt == Denial(Deny.TRIANGLE_OFF, text, "ETH", "1 %", "25.00 %")
