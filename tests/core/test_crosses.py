"""Pairs of two coins by hand-made figures: what a direct way saves and carries, and where a doubt begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.collar import collar_price
from rebalancer.core.crosses import Crossing, crossings, doubt_of
from rebalancer.core.ladder import Ladder
from rebalancer.core.legs import Wish
from rebalancer.core.model import Book, CrossPair, FeeRate, Level, Side, Snapshot
from rebalancer.core.money import BPS, ONE, ZERO
from rebalancer.core.reasons import Reason, Why
from tests.core.builders import NOW, book, d, rules, snapshot

MIDS: Mapping[str, Decimal] = {"ETH": d(2_500), "BTC": d(80_000), "SOL": d(125), "XRP": d(2)}
EIGHT = d("0.001") / 32  # a 32nd is what one ETH costs in BTC; this is ten bps of it


def wish(asset: str, side: Side) -> Wish:
    ladder = Ladder(side, ONE, ONE, ONE, ZERO, ONE, d(10_000))
    return Wish(
        asset, side, d(1_000), 0.1, 0, MIDS[asset], rules(asset), book(f"{asset.lower()}usdt", MIDS[asset]), d(10**6),
        d("0.002"), ladder, True, Reason(Why.OVERWEIGHT, "why"),
    )  # fmt: skip


def around(mid: Decimal, bps: tuple[int, ...], quantity: int = 1) -> Book:
    """Return a book with levels so many bps from its mid on either side."""
    bids = tuple(Level(mid * (1 - each / BPS), d(quantity)) for each in bps)
    asks = tuple(Level(mid * (1 + each / BPS), d(quantity)) for each in bps)
    return Book("ethbtc", bids, asks, NOW)


def crossing(sell: str, buy: str, quotes: Book, **more: Any) -> Crossing:
    assert quotes.mid is not None
    made = {"sell": wish(sell, Side.SELL), "buy": wish(buy, Side.BUY), "rules": rules("ETH", "BTC"), "book": quotes,
            "fee_rate": d("0.002"), "mid": quotes.mid, "two_legs_cost": d("0.0044")}  # fmt: skip
    return Crossing(**(made | more))  # type: ignore[arg-type]


A_32ND = ONE / 32


def test_what_is_lost_against_the_fair_price_is_taken_off_the_saving_on_either_side() -> None:
    quotes = around(A_32ND, (3, 5))
    sold, bought = crossing("ETH", "BTC", quotes), crossing("BTC", "ETH", quotes)
    assert (sold.side, bought.side) == (Side.SELL, Side.BUY)
    assert sold.saving_at(A_32ND) == bought.saving_at(A_32ND) == d("0.0024")
    assert sold.saving_at(A_32ND * d("0.999")) == d("0.0014"), "ten bps below is ten bps lost"
    assert bought.saving_at(A_32ND / d("0.999")) == pytest.approx(d("0.0014"), abs=d("1e-20"))
    assert sold.saving_at(A_32ND * d("1.001")) > d("0.0024") > bought.saving_at(A_32ND * d("1.001"))


def test_a_way_saves_what_its_best_price_does_and_carries_the_levels_that_still_pay() -> None:
    quotes = around(A_32ND, (3, 5, 19, 23))  # of 24 bps saved two must stay: a tenth of the fee
    sold, bought = crossing("ETH", "BTC", quotes).link(d(100)), crossing("BTC", "ETH", quotes).link(d(100))
    assert sold.saving == d("0.0021") and sold.capacity_quote == 3 * 2_500
    assert bought.saving == pytest.approx(d("0.0021"), abs=d("1e-6"))
    # What a buy carries is what it spends of bitcoin at each level's own price.
    spent = sum((A_32ND * (1 + d(bps) / BPS) * 80_000 for bps in (3, 5, 19)), ZERO)
    assert bought.capacity_quote == pytest.approx(spent)


@pytest.mark.parametrize(("most_bps", "levels"), [(5, 2), (4, 1), (19, 3), (2, 0)])
def test_a_level_at_the_slippage_allowed_is_carried_and_one_beyond_is_not(most_bps: int, levels: int) -> None:
    assert crossing("ETH", "BTC", around(A_32ND, (3, 5, 19))).link(d(most_bps)).capacity_quote == levels * 2_500


def listed(base: str, quote: str, **more: Any) -> CrossPair:
    symbol = (base + quote).lower()
    quotes = replace(around(MIDS[base] / MIDS[quote], (3, 5)), symbol=symbol)
    return replace(CrossPair(rules(base, quote), quotes, FeeRate(symbol, d("0.002"))), **more)


def seen_with(*pairs: CrossPair) -> Snapshot:
    seen = snapshot(dict.fromkeys(MIDS, 1), dict(MIDS))
    return replace(seen, crosses={pair.rules.symbol: pair for pair in pairs})


def test_a_way_without_a_pair_or_with_a_doubtful_one_does_not_hide_the_ways_after_it() -> None:
    seen = seen_with(listed("XRP", "BTC", book=None), listed("ETH", "BTC"), listed("SOL", "ETH"))
    sells = [wish(asset, Side.SELL) for asset in ("XRP", "ETH")]
    buys = [wish(asset, Side.BUY) for asset in ("BTC", "SOL")]
    made, notes = crossings(seen, sells, buys, d(50))
    assert set(made) == {("ETH", "BTC"), ("ETH", "SOL")}
    assert len(notes) == 1 and notes[0].startswith("xrpbtc is not used")
    made, notes = crossings(seen, sells, buys[::-1], d(50))
    assert set(made) == {("ETH", "BTC"), ("ETH", "SOL")} and len(notes) == 1


def test_a_doubtful_pair_of_a_coin_does_not_hide_its_next_one() -> None:
    seen = seen_with(listed("XRP", "BTC", book=None), listed("XRP", "ETH"))
    made, notes = crossings(seen, [wish("XRP", Side.SELL)], [wish("BTC", Side.BUY), wish("ETH", Side.BUY)], d(50))
    assert set(made) == {("XRP", "ETH")} and len(notes) == 1


def test_a_pair_of_two_coins_without_bitcoin_or_ether_is_not_looked_at() -> None:
    made, notes = crossings(seen_with(listed("SOL", "XRP")), [wish("SOL", Side.SELL)], [wish("XRP", Side.BUY)], d(50))
    assert not made and not notes


def test_two_orders_cost_their_fees_and_half_their_spreads() -> None:
    made, _ = crossings(seen_with(listed("ETH", "BTC")), [wish("ETH", Side.SELL)], [wish("BTC", Side.BUY)], d(50))
    assert made["ETH", "BTC"].two_legs_cost == pytest.approx(d("0.0044"))


def doubt(quotes: Book, mids: Mapping[str, Decimal] = MIDS) -> str:
    return doubt_of(listed("ETH", "BTC", book=quotes), seen_with(), mids)


def test_quotes_at_the_edge_of_what_is_believed_are_believed_and_beyond_it_are_not() -> None:
    good = around(A_32ND, (3, 5))
    assert doubt(good) == ""
    for off_s, told in ((30, ""), (31, "its book is 31 s old"), (-30, ""), (-31, "its book is -31 s old")):
        assert doubt(replace(good, quoted_at=NOW - timedelta(seconds=off_s))).startswith(told)
        assert bool(doubt(replace(good, quoted_at=NOW - timedelta(seconds=off_s)))) == bool(told)
    assert doubt(around(A_32ND, (50,))) == ""
    assert doubt(around(A_32ND, (51,))) == "its spread is 1.02 %, over 1 %"
    assert doubt(good, {**MIDS, "ETH": MIDS["ETH"] / d("1.01")}) == ""
    assert doubt(good, {**MIDS, "ETH": MIDS["ETH"] / d("1.011")}).startswith("its mid is 1.10 % from the ratio")


def test_a_book_whose_sides_meet_or_have_no_price_is_crossed() -> None:
    same = Level(A_32ND, ONE)
    assert doubt(Book("ethbtc", (same,), (same,), NOW)).startswith("its book is crossed or without a price")
    nothing = Level(ZERO, ONE)
    assert doubt(Book("ethbtc", (nothing,), (same,), NOW)).startswith("its book is crossed or without a price")


def collared(asset: str, side: Side) -> Wish:
    return replace(wish(asset, side), collar=MIDS[asset])


def test_a_pair_is_collared_where_its_two_coins_are_and_on_the_side_that_is_done_in_it() -> None:
    seen = seen_with(listed("ETH", "BTC", rules=rules("ETH", "BTC", tick_size=d("0.000001"))))
    mid = seen.crosses["ethbtc"].book
    assert mid is not None and mid.mid is not None
    for sell, buy, wanted in (("ETH", "BTC", Side.SELL), ("BTC", "ETH", Side.BUY)):
        made, _ = crossings(seen, [collared(sell, Side.SELL)], [collared(buy, Side.BUY)], d(50))
        assert made[sell, buy].collar == collar_price(wanted, mid.mid, d(50), d("0.000001"))
        plain, _ = crossings(seen, [wish(sell, Side.SELL)], [wish(buy, Side.BUY)], d(50))
        assert plain[sell, buy].collar is None


@pytest.mark.parametrize(
    ("changes", "most_bps", "doubt"),
    [
        ({"limit_buy_quantity_max": None}, 50, "names no limits"),
        ({"tick_size": d("0.000001")}, 1, "the best price of ethbtc is beyond max_slippage_bps = 1"),
    ],
)
def test_a_pair_that_takes_no_such_order_or_would_fill_none_is_noted(
    changes: dict[str, Any], most_bps: int, doubt: str
) -> None:
    seen = seen_with(listed("ETH", "BTC", rules=rules("ETH", "BTC", **changes)))
    made, notes = crossings(seen, [collared("ETH", Side.SELL)], [collared("BTC", Side.BUY)], d(most_bps))
    assert not made and len(notes) == 1 and notes[0].startswith("ethbtc is not used") and doubt in notes[0]
