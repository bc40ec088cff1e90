from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from rebalancer.simulator.market import DAY_MS, Market
from rebalancer.simulator.public import HANDLERS, answer_public
from rebalancer.simulator.replay import PriceFileError, read_closes
from rebalancer.simulator.specs import SNAPSHOT, MarketStatus

ANCHOR_MS = 1_772_366_400_000
HOUR_MS = 3_600_000


def market(seed: int = 1, **more: object) -> Market:
    return Market(seed=seed, anchor_ms=ANCHOR_MS, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("coin", [coin for coin in SNAPSHOT if coin.code != "usdt"], ids=lambda coin: coin.code)
def test_the_market_starts_at_the_snapshot(coin: object) -> None:
    made = market()
    usdt = next(c for c in SNAPSHOT if c.code == "usdt").price_usd
    symbol = f"{coin.code}usdt"  # type: ignore[attr-defined]
    tick = Decimal(1).scaleb(-made.specs()[symbol].price_precision)
    assert abs(made.last_price(symbol, ANCHOR_MS) - coin.price_usd / usdt) <= tick / 2  # type: ignore[attr-defined]
    change = (made.last_price(symbol, ANCHOR_MS) / made.open_24h(symbol, ANCHOR_MS) - 1) * 100
    assert abs(change - coin.change_24h_pct) < Decimal("0.02")  # type: ignore[attr-defined]


@pytest.mark.parametrize("hours", [0, 1, 24, 24 * 90])
def test_books_have_two_ordered_sides_and_plausible_spreads(hours: int) -> None:
    made = market()
    for symbol, spec in made.specs().items():
        bids, asks = made.book(symbol, ANCHOR_MS + hours * HOUR_MS)
        assert bids[0][0] < asks[0][0], symbol
        assert [p for p, _ in bids] == sorted({p for p, _ in bids}, reverse=True), symbol
        assert [p for p, _ in asks] == sorted({p for p, _ in asks}), symbol
        lot = Decimal(1).scaleb(-spec.amount_precision)
        assert all(q >= lot and q % lot == 0 for _, q in bids + asks), symbol
        if symbol not in {"nftusdt", "btc3lusdt", "husdusdt", "gtusdt"}:
            assert (asks[0][0] / bids[0][0] - 1) < Decimal("0.003"), symbol


def test_the_same_seed_gives_the_same_market_and_another_seed_another() -> None:
    at = ANCHOR_MS + 77 * HOUR_MS
    assert market(1).book("btcusdt", at) == market(1).book("btcusdt", at)
    assert market(1).last_price("btcusdt", at) != market(2).last_price("btcusdt", at)


def test_crosses_agree_with_their_triangle() -> None:
    made, at = market(), ANCHOR_MS + 30 * HOUR_MS
    direct = made.last_price("ethbtc", at)
    implied = made.last_price("ethusdt", at) / made.last_price("btcusdt", at)
    assert abs(direct / implied - 1) < Decimal("0.0005")


def test_speed_moves_the_market_and_nothing_else() -> None:
    fast, slow = market(speed=60.0), market()
    assert fast.last_price("solusdt", ANCHOR_MS + HOUR_MS) == slow.last_price("solusdt", ANCHOR_MS + 60 * HOUR_MS)


def test_a_still_market_stays_at_the_snapshot() -> None:
    made = market(still=True)
    assert made.last_price("btcusdt", ANCHOR_MS + DAY_MS) == made.last_price("btcusdt", ANCHOR_MS)


def test_prices_stay_positive_and_move_like_a_market_for_years() -> None:
    made = market()
    closes = [made.last_price("btcusdt", ANCHOR_MS + day * DAY_MS) for day in range(0, 1500, 5)]
    assert min(closes) > 0
    assert max(closes) / min(closes) > Decimal("1.5")


@pytest.mark.parametrize("path", sorted(HANDLERS))
def test_every_public_path_answers_in_its_envelope(path: str) -> None:
    params = {"symbol": "btcusdt", "type": "step0", "period": "60min", "size": "3"}
    response = answer_public(market(), path, params, ANCHOR_MS, MarketStatus())
    assert response is not None
    document = json.loads(response.body)
    assert document.get("status") == "ok" or document["code"] == 200


@pytest.mark.parametrize(
    ("path", "params", "words"),
    [
        ("/market/depth", {"symbol": "nothing", "type": "step0"}, "invalid symbol"),
        ("/market/depth", {"symbol": "husdusdt", "type": "step0"}, "invalid symbol"),
        ("/market/depth", {"symbol": "btcusdt"}, "invalid type"),
        ("/market/depth", {"symbol": "btcusdt", "type": "step0", "depth": "7"}, "invalid depth"),
        ("/market/history/kline", {"symbol": "btcusdt", "period": "2min"}, "invalid period"),
        (
            "/market/history/kline",
            {"symbol": "btcusdt", "period": "1day", "size": "0"},
            "invalid size,valid range: [1, 2000]",
        ),
    ],
)
def test_bad_parameters_are_refused_in_the_exchange_words(path: str, params: dict[str, str], words: str) -> None:
    response = answer_public(market(), path, params, ANCHOR_MS, MarketStatus())
    assert response is not None
    assert json.loads(response.body)["err-msg"] == words


def test_market_figures_are_exact_json_numbers() -> None:
    response = answer_public(market(), "/market/tickers", {}, ANCHOR_MS, MarketStatus())
    assert response is not None
    row = next(r for r in json.loads(response.body, parse_float=Decimal)["data"] if r["symbol"] == "btcusdt")
    assert row["close"] == Decimal("87979.70")


def test_closes_of_a_file_are_replayed() -> None:
    replay = read_closes(["date,BTC,ETH", "2021-01-01,100,10", "2021-01-02,110,", "2021-01-03,120,12"], "x.csv")
    made = Market(seed=1, anchor_ms=ANCHOR_MS, speed=86400.0, replay=replay)
    assert set(made.specs()) == {"btcusdt", "ethusdt", "ethbtc"}
    assert made.last_price("ethbtc", ANCHOR_MS) == made.last_price("ethusdt", ANCHOR_MS) / made.last_price(
        "btcusdt", ANCHOR_MS
    )
    prices = [made.last_price("ethusdt", ANCHOR_MS + second * 1000) for second in range(4)]
    assert prices == [10, 10, 12, 12]


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ([], "x.csv:1"),
        (["day,BTC"], "x.csv:1"),
        (["date,BTC,BTC"], "x.csv:1"),
        (["date,BTC", "2021-01-01,1,2"], "x.csv:2"),
        (["date,BTC", "soon,1"], "x.csv:2"),
        (["date,BTC", "2021-01-02,1", "2021-01-01,1"], "x.csv:3"),
        (["date,BTC", "2021-01-01,NaN"], "x.csv:2: BTC"),
        (["date,BTC", "2021-01-01,0"], "x.csv:2: BTC"),
        (["date,BTC"], "x.csv"),
    ],
)
def test_a_bad_price_file_is_refused_with_its_place(lines: list[str], place: str) -> None:
    with pytest.raises(PriceFileError, match=place):
        read_closes(lines, "x.csv")


def candles(made: Market, now_ms: int, period: str, size: int) -> list[dict[str, Any]]:
    params = {"symbol": "ethusdt", "period": period, "size": str(size)}
    response = answer_public(made, "/market/history/kline", params, now_ms, MarketStatus())
    assert response is not None
    rows = json.loads(response.body, parse_float=Decimal, parse_int=Decimal)["data"]
    assert isinstance(rows, list)
    return rows


@pytest.mark.parametrize(("period", "seconds"), [("60min", 3600), ("1day", 86_400)])
def test_candles_are_the_market_itself_newest_first_and_a_day_begins_at_midnight_gmt_8(
    period: str, seconds: int
) -> None:
    made, now_ms = market(), ANCHOR_MS + 77 * HOUR_MS + 5
    rows = candles(made, now_ms, period, 30)
    assert [early["id"] - late["id"] for early, late in pairwise(rows)] == [seconds] * 29
    assert all((row["id"] + 8 * 3600) % seconds == 0 for row in rows)
    assert rows[0]["close"] == made.last_price("ethusdt", now_ms)
    for late, early in pairwise(rows):
        assert early["close"] == made.last_price("ethusdt", int(late["id"]) * 1000 - 1)
        assert early["low"] <= min(early["open"], early["close"]) <= max(early["open"], early["close"]) <= early["high"]


def test_a_finished_candle_never_changes_again() -> None:
    made = market()
    before = candles(made, ANCHOR_MS, "60min", 10)[1:]
    after = {row["id"]: row for row in candles(made, ANCHOR_MS + 5 * HOUR_MS, "60min", 20)}
    assert all(after[row["id"]] == row for row in before)


def test_a_replayed_market_has_no_candles_of_before_its_first_price() -> None:
    replay = read_closes(["date,ETH", "2021-01-01,10", "2021-01-02,11", "2021-01-03,12"], "x.csv")
    made = Market(seed=1, anchor_ms=ANCHOR_MS, replay=replay)
    rows = candles(made, ANCHOR_MS + 2 * DAY_MS, "1day", 50)
    assert [row["close"] for row in rows] == [12, 11, 10]
