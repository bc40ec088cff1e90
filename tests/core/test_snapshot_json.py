"""A snapshot's document: exact both ways, and of the shape that old journals hold."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from rebalancer.core.canonical import canonical
from rebalancer.core.model import CrossPair, FeeRate, RowsSeen, Side, Snapshot, Ticker, Trade, Usage
from rebalancer.core.snapshot_json import LEVELS_KEPT, read_snapshot, snapshot_document
from rebalancer.core.trust import CoinState, CoinTrust
from tests.core.builders import NOW, d, snapshot, with_crosses

SEEN = snapshot(
    {"BTC": "0.2", "USDT": "3000.10"},
    {"BTC": "80000.5"},
    locked={"BTC": "0.05"},
    rule_changes={"BTC": {"tags": ("etp", "nav"), "online": False}},
)
SEEN = replace(SEEN, tickers={"BTC": Ticker("btcusdt", d(1), d(2), d(3), d(4))}, balance_rows=1700)
USAGE = Usage(
    sold_quote=d("1.5"),
    bought_quote=d("2.5"),
    direct_quote=d("0.5"),
    orders=3,
    nav_validated_quote=d("1000.5"),
    coins={
        "BTC": CoinTrust(d("79999.5"), NOW, CoinState.SUSPECT, NOW, "why"),
        "ETH": CoinTrust(state=CoinState.FROZEN, since=NOW, why="no"),
        "SOL": CoinTrust(d(1), NOW, accepted=True),
        "NIL": CoinTrust(),
        "XRP": CoinTrust(fresh=d("0.5")),
        "ADA": CoinTrust(rowless_since=NOW, excused=True),
    },
    has_traded=True,
    targets_changed=True,
    amount_precision_symbols=frozenset({"btcusdt", "aaausdt"}),
    rows=RowsSeen(1712, frozenset({"USDT", "BTC"})),
    ever_held=frozenset({"USDT", "BTC", "ETH"}),
)
AT = "2026-03-01T12:00:00Z"
WHOLE = (SEEN, USAGE)
BARE = (
    replace(
        SEEN,
        peg=d("0.9995"),
        halted=frozenset({"BTC"}),
        hub_tickers={"ETH": Ticker("ethbtc", d("0.05"), d("0.04"), d("0.049"), d("0.051"))},
    ),
    Usage(),
)
PAIR = with_crosses(snapshot({"ETH": 1, "BTC": 1}, {"ETH": 2_500, "BTC": 80_000}), {("ETH", "BTC"): "1"}).crosses[
    "ethbtc"
]
BOUNDLESS = replace(
    PAIR.rules, symbol="solbtc", limit_quantity_min=None, limit_buy_quantity_max=None, limit_sell_quantity_max=None
)
CROSSED = replace(
    SEEN,
    crosses={
        "ethbtc": PAIR,
        "solbtc": CrossPair(BOUNDLESS, None, FeeRate("solbtc", d("0.0035"))),
        "soleth": replace(PAIR, fee=None),
    },
)
MOVED = replace(
    USAGE,
    trades={"BTC": Trade(NOW, Side.SELL, True), "ETH": Trade(NOW + timedelta(hours=1), Side.BUY, False)},
    flows={"USDT": d("-250.5")},
    acked_quote=d("5000.25"),
)
CASES = [WHOLE, BARE, (CROSSED, MOVED)]


@pytest.mark.parametrize(("seen", "usage"), CASES, ids=["whole", "bare", "pairs"])
def test_what_was_seen_reads_back_to_the_last_digit(seen: Snapshot, usage: Usage) -> None:
    text = canonical(snapshot_document(seen, usage))
    back, back_usage = read_snapshot(json.loads(text))
    assert (back, back_usage) == (seen, usage)
    assert canonical(snapshot_document(back, back_usage)) == text
    assert isinstance(back_usage.sold_quote, type(d(0))) and isinstance(back.balances["BTC"].free, type(d(0)))


def test_the_document_has_the_shape_that_old_journals_hold() -> None:
    document = snapshot_document(SEEN, USAGE)
    assert {name: document[name] for name in ("taken_at", "account_id", "quote", "balances", "peg", "fees", "tickers")} == {
        "taken_at": "2026-03-01T12:00:00Z",
        "account_id": "10101010",
        "quote": "USDT",
        "balances": {"BTC": ["0.2", "0.05"], "USDT": ["3000.1", "0"]},
        "peg": None,
        "fees": {"BTC": ["btcusdt", "0.002"]},
        "tickers": {"BTC": ["btcusdt", "1", "2", "3", "4"]},
    }  # fmt: skip
    assert document["rules"] == {
        "BTC": {
            "symbol": "btcusdt", "base": "BTC", "quote": "USDT", "online": False, "api_enabled": True,
            "tick_size": "0.01", "lot_size": "0.0001", "quote_step": "0.00000001", "min_notional": "10",
            "sell_quantity_min": "0.0001", "sell_quantity_max": "1000000", "buy_notional_max": "1000000",
            "limit_quantity_min": "0.0001", "limit_buy_quantity_max": "1000000", "limit_sell_quantity_max": "1000000",
            "tags": ["etp", "nav"],
        }
    }  # fmt: skip
    assert document["usage"] == {
        "sold_quote": "1.5", "bought_quote": "2.5", "direct_quote": "0.5", "orders": 3, "nav_validated_quote": "1000.5",
        "coins": {
            "BTC": {"state": "suspect", "price": "79999.5", "at": AT, "since": AT, "why": "why"},
            "ETH": {"state": "frozen", "since": AT, "why": "no"},
            "SOL": {"state": "normal", "price": "1", "at": AT, "accepted": True},
            "NIL": {"state": "normal"},
            "XRP": {"state": "normal", "fresh": "0.5"},
            "ADA": {"state": "normal", "rowless_since": AT, "excused": True},
        },
        "rows": {"count": 1712, "held": ["BTC", "USDT"]}, "ever_held": ["BTC", "ETH", "USDT"],
        "has_traded": True, "targets_changed": True,
        "amount_precision_symbols": ["aaausdt", "btcusdt"], "trades": {}, "flows": {}, "acked_quote": None,
    }  # fmt: skip
    symbol, bids, asks, at = document["books"]["BTC"]
    book = SEEN.books["BTC"]
    assert (symbol, at, len(bids), len(asks)) == ("btcusdt", "2026-03-01T12:00:00Z", 20, 20)
    assert [d(price) for price, _ in bids] == [level.price for level in book.bids]
    assert [d(quantity) for _, quantity in asks] == [level.quantity for level in book.asks]


def test_pairs_of_two_coins_and_what_was_moved_have_a_shape_of_their_own() -> None:
    document = snapshot_document(CROSSED, MOVED)
    assert PAIR.book is not None and PAIR.fee is not None
    rules, book, rate = document["crosses"]["ethbtc"]
    assert (rules["symbol"], book[0], d(rate)) == ("ethbtc", PAIR.book.symbol, PAIR.fee.taker_fee_rate)
    assert document["crosses"]["solbtc"][1:] == [None, "0.0035"] and document["crosses"]["soleth"][2] is None
    assert document["crosses"]["solbtc"][0]["limit_quantity_min"] is None
    assert document["usage"]["trades"] == {
        "BTC": ["2026-03-01T12:00:00Z", "sell", True], "ETH": ["2026-03-01T13:00:00Z", "buy", False],
    }  # fmt: skip
    assert (document["usage"]["flows"], document["usage"]["acked_quote"]) == ({"USDT": "-250.5"}, "5000.25")


def test_a_document_of_before_pairs_flows_and_leave_reads_as_one_without_any() -> None:
    document = snapshot_document(SEEN, USAGE)
    del document["crosses"]
    del document["balance_rows"]
    for name in ("trades", "flows", "acked_quote", "direct_quote", "rows", "ever_held"):
        del document["usage"][name]
    for name in ("limit_quantity_min", "limit_buy_quantity_max", "limit_sell_quantity_max"):
        del document["rules"]["BTC"][name]
    back, usage = read_snapshot(document)
    unbound = {"limit_quantity_min": None, "limit_buy_quantity_max": None, "limit_sell_quantity_max": None}
    assert back == replace(SEEN, balance_rows=None, rules={"BTC": replace(SEEN.rules["BTC"], **unbound)})  # type: ignore[arg-type]
    assert usage == replace(USAGE, direct_quote=d(0), rows=RowsSeen(), ever_held=frozenset())


def test_of_a_deep_book_the_best_levels_are_kept() -> None:
    book = SEEN.books["BTC"]
    deep = replace(book, bids=book.bids + book.bids, asks=book.asks + book.asks)
    document = snapshot_document(replace(SEEN, books={"BTC": deep}), USAGE)
    assert read_snapshot(document)[0].books["BTC"] == book
    assert LEVELS_KEPT == 20


def test_a_document_of_before_there_were_doubts_about_single_coins_remembers_the_mids_of_its_day() -> None:
    document = snapshot_document(SEEN, USAGE)
    for name in ("hub_tickers", "halted"):
        document.pop(name, None)
    document["usage"]["mids"] = {"BTC": "1", "DOT": "4.25"}
    back, usage = read_snapshot(document)
    assert (back.hub_tickers, back.halted) == ({}, frozenset())
    assert usage.coins["DOT"] == CoinTrust(d("4.25"), SEEN.taken_at)
    assert usage.coins["BTC"] == USAGE.coins["BTC"], "what is remembered by now stands above it"
