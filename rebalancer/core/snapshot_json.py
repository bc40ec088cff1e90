"""A snapshot as a small document from which the same plan can be made again. Pure, and exact both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any

from rebalancer.core.canonical import jsonable, parse_moment
from rebalancer.core.model import (
    Balance,
    Book,
    CrossPair,
    FeeRate,
    Level,
    MarketRules,
    RowsSeen,
    Side,
    Snapshot,
    Ticker,
    Trade,
    Usage,
)
from rebalancer.core.trust import CoinTrust, read_trust, trust_document

RULE_FIELDS = tuple(field.name for field in fields(MarketRules))
RULE_FLAGS = ("online", "api_enabled")
RULE_TEXTS = ("symbol", "base", "quote")
RULE_OPTIONAL = ("limit_quantity_min", "limit_buy_quantity_max", "limit_sell_quantity_max")
LEVELS_KEPT = 20


def snapshot_document(snapshot: Snapshot, usage: Usage) -> dict[str, Any]:
    """Return the snapshot and the usage beside it as JSON values."""
    document: dict[str, Any] = jsonable(
        {
            "taken_at": snapshot.taken_at,
            "account_id": snapshot.account_id,
            "quote": snapshot.quote,
            "balances": {asset: [held.free, held.locked] for asset, held in snapshot.balances.items()},
            "rules": {asset: _rule_fields(rules) for asset, rules in snapshot.rules.items()},
            "books": {asset: _book(book) for asset, book in snapshot.books.items()},
            "tickers": {asset: _ticker(ticker) for asset, ticker in snapshot.tickers.items()},
            "peg": snapshot.peg,
            "fees": {asset: [fee.symbol, fee.taker_fee_rate] for asset, fee in snapshot.fees.items()},
            "crosses": {symbol: _cross(pair) for symbol, pair in snapshot.crosses.items()},
            "hub_tickers": {asset: _ticker(ticker) for asset, ticker in snapshot.hub_tickers.items()},
            "halted": snapshot.halted,
            "balance_rows": snapshot.balance_rows,
            "usage": {field.name: getattr(usage, field.name) for field in fields(Usage)}
            | {
                "trades": {asset: [trade.at, trade.side, trade.rest] for asset, trade in usage.trades.items()},
                "coins": trust_document(usage.coins),
                "rows": {"count": usage.rows.count, "held": usage.rows.held},
            },
        }
    )
    return document


def _rule_fields(rules: MarketRules) -> dict[str, Any]:
    return {name: getattr(rules, name) for name in RULE_FIELDS}


def _cross(pair: CrossPair) -> list[Any]:
    book = None if pair.book is None else _book(pair.book)
    return [_rule_fields(pair.rules), book, None if pair.fee is None else pair.fee.taker_fee_rate]


def _ticker(ticker: Ticker) -> list[Any]:
    return [ticker.symbol, ticker.last, ticker.open_24h, ticker.bid, ticker.ask]


def _book(book: Book) -> list[Any]:
    sides = [[[level.price, level.quantity] for level in side[:LEVELS_KEPT]] for side in (book.bids, book.asks)]
    return [book.symbol, *sides, book.quoted_at]


def read_snapshot(document: Mapping[str, Any]) -> tuple[Snapshot, Usage]:
    """Return what `snapshot_document` was given."""
    snapshot = Snapshot(
        taken_at=parse_moment(document["taken_at"]),
        account_id=document["account_id"],
        quote=document["quote"],
        balances={a: Balance(a, Decimal(held[0]), Decimal(held[1])) for a, held in document["balances"].items()},
        rules={asset: _rules(row) for asset, row in document["rules"].items()},
        books={asset: _read_book(row) for asset, row in document["books"].items()},
        tickers={asset: _read_ticker(row) for asset, row in document["tickers"].items()},
        fees={asset: FeeRate(row[0], Decimal(row[1])) for asset, row in document["fees"].items()},
        peg=None if document["peg"] is None else Decimal(document["peg"]),
        crosses={symbol: _read_cross(row) for symbol, row in document.get("crosses", {}).items()},
        hub_tickers={asset: _read_ticker(row) for asset, row in document.get("hub_tickers", {}).items()},
        halted=frozenset(document.get("halted", ())),
        balance_rows=document.get("balance_rows"),
    )
    # What rows of before the first release lack: nothing was asked, moved or rested then.
    row = {"trades": {}, "flows": {}, "acked_quote": None, "direct_quote": "0", "coins": {}} | document["usage"]
    for name in ("sold_quote", "bought_quote", "direct_quote"):
        row[name] = Decimal(row[name])
    # Rows of before there were doubts about single coins hold the mids of a look of the same day.
    earlier = {a: CoinTrust(Decimal(mid), snapshot.taken_at) for a, mid in row.pop("mids", {}).items()}
    row["coins"] = earlier | read_trust(row["coins"])
    for name in ("amount_precision_symbols", "ever_held"):
        row[name] = frozenset(row.get(name, ()))
    seen = row.get("rows", {"count": None, "held": ()})
    row["rows"] = RowsSeen(seen["count"], frozenset(seen["held"]))
    row["trades"] = {a: Trade(parse_moment(at), Side(side), rest) for a, (at, side, rest) in row["trades"].items()}
    row["flows"] = {asset: Decimal(moved) for asset, moved in row["flows"].items()}
    for name in ("nav_validated_quote", "acked_quote"):
        row[name] = None if row[name] is None else Decimal(row[name])
    return snapshot, Usage(**row)


def _read_ticker(row: list[str]) -> Ticker:
    return Ticker(row[0], *(Decimal(text) for text in row[1:]))


def _read_book(row: list[Any]) -> Book:
    return Book(row[0], _levels(row[1]), _levels(row[2]), parse_moment(row[3]))


def _read_cross(row: list[Any]) -> CrossPair:
    rules, book, rate = _rules(row[0]), row[1], row[2]
    fee = None if rate is None else FeeRate(rules.symbol, Decimal(rate))
    return CrossPair(rules, None if book is None else _read_book(book), fee)


def _levels(rows: list[list[str]]) -> tuple[Level, ...]:
    return tuple(Level(Decimal(price), Decimal(quantity)) for price, quantity in rows)


def _rules(row: Mapping[str, Any]) -> MarketRules:
    as_they_are = {*RULE_FLAGS, *RULE_TEXTS}
    absent = {name for name in RULE_OPTIONAL if row.get(name) is None}
    made: dict[str, Any] = {
        name: None if name in absent else row[name] if name in as_they_are else Decimal(row[name])
        for name in RULE_FIELDS[:-1]
    }
    assert RULE_FIELDS[-1] == "tags", RULE_FIELDS
    return MarketRules(**made, tags=tuple(row["tags"]))
