"""What the exchange says of prices, listings and fees while a lie lasts: for a whole cycle, and about one coin."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rebalancer.simulator.http import Response
from tests.simulation.world import World

IN_TICKERS = {"zero_price", "times_ten", "times_ten_all", "depeg", "last_off"}
IN_BOOKS = {"one_sided", "frozen_price", "times_ten", "times_ten_all", "wide_spread", "crossed", "thin_book"}
# Lies about a coin that its own figures give away, and those that only other figures do; a thin book is none.
TELLING = {"zero_price", "one_sided", "frozen_price", "wide_spread", "crossed", "last_off", "symbol_gone", "fee_gone",
           "coin_halted"}  # fmt: skip
AGREEING = {"times_ten", "times_ten_all"}
STATES = {"halted": (2, "all"), "cancel_only": (3, "all")}


def lied(world: World, answered: Response, endpoint: str, symbol: str) -> Response:
    """Return an answer as the lies of the cycle have it; `symbol` is what was asked about, if anything."""
    if answered.status != 200:
        return answered
    coin, pair = world.lied_about, f"{world.lied_about}usdt"
    for lie in world.lies:
        edit = _edit(lie, endpoint, coin, pair, symbol)
        if edit is not None:
            answered = edited(answered, edit)
    return answered


def edited(answered: Response, edit: Callable[[dict[str, Any]], None]) -> Response:
    """Return an answer with its document changed; what is no good answer stays as it is."""
    try:
        document = json.loads(answered.body)
    except ValueError:
        return answered
    if document.get("status", "ok") != "ok" or document.get("code", 200) != 200:
        return answered
    edit(document)
    return replace(answered, body=json.dumps(document).encode())


def _edit(lie: str, endpoint: str, coin: str, pair: str, symbol: str) -> Callable[[dict[str, Any]], None] | None:
    if endpoint == "tickers" and lie in IN_TICKERS:
        return lambda document: _in_tickers(document, lie, coin)
    if endpoint == "depth" and lie in IN_BOOKS and symbol in {f"{coin}{quote}" for quote in ("usdt", "btc", "eth")}:
        return lambda document: _in_book(document, lie)
    if (endpoint, lie, symbol) == ("depth", "depeg", "usdcusdt"):
        return lambda document: _move(document, (1.06, 1.06))
    if endpoint == "market-status" and (lie in STATES or lie == "coin_halted"):
        state, about = STATES.get(lie, (2, pair))
        return lambda document: document.__setitem__("data", {"marketStatus": state, "affectedSymbols": about})
    gone = (endpoint, lie) in {("market-symbols", "symbol_gone"), ("fee-rate", "fee_gone")}
    return (lambda document: _without(document, pair)) if gone else None


def _without(document: dict[str, Any], symbol: str) -> None:
    document["data"] = [row for row in document["data"] if row["symbol"] != symbol]


def _in_tickers(document: dict[str, Any], lie: str, coin: str) -> None:
    for row in document.get("data", ()):
        symbol = str(row["symbol"])
        if lie == "depeg" and symbol == "usdcusdt":
            row.update(close=row["close"] * 1.06, bid=row["bid"] * 1.06, ask=row["ask"] * 1.06)
        if lie == "times_ten_all":  # every pair of it, whichever side it stands on
            _scale(row, 10 if symbol.startswith(coin) else 0.1 if symbol.endswith(coin) else 1)
        if symbol == f"{coin}usdt":
            _of_coin(row, lie)


def _of_coin(row: dict[str, Any], lie: str) -> None:
    if lie == "zero_price":
        row["close"] = 0
    if lie == "last_off":
        row["close"] *= 1.03
    if lie == "times_ten":  # every figure against the cash agrees with every other; the past and BTC do not
        _scale(row, 10)


def _scale(row: dict[str, Any], factor: float) -> None:
    for name in ("open", "high", "low", "close", "bid", "ask"):
        row[name] *= factor


def _in_book(document: dict[str, Any], lie: str) -> None:
    if lie == "one_sided" and "tick" in document:
        document["tick"]["bids"] = []
    if lie == "frozen_price" and "tick" in document:
        document["tick"]["ts"] -= 120_000
    factors = {"wide_spread": (0.98, 1.02), "crossed": (1.004, 0.996)}.get(lie, (10, 10) if lie in AGREEING else (1, 1))
    _move(document, factors, 1e-7 if lie == "thin_book" else 1)


def _move(document: dict[str, Any], factors: tuple[float, float], thinned: float = 1) -> None:
    """Multiply the prices of bids and asks, and their quantities."""
    tick = document.get("tick")
    if tick is None:
        return
    for side, factor in zip(("bids", "asks"), factors, strict=True):
        tick[side] = [[price * factor, quantity * thinned] for price, quantity in tick[side]]
