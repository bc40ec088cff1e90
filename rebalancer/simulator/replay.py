"""Closes from a CSV file as a price path."""

from __future__ import annotations

import bisect
import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from rebalancer.core.money import parse_decimal

TIME_COLUMNS = ("date", "time_utc")


class PriceFileError(ValueError):
    """A CSV of closes that cannot be used; the text gives file, line and column."""


class Replay:
    """Closes by coin over file time; before a coin's first close it has no price."""

    def __init__(self, times_ms: list[int], closes: dict[str, list[Decimal | None]]) -> None:
        self._times_ms = times_ms
        self._closes = closes

    @property
    def coins(self) -> tuple[str, ...]:
        """Return the coins that have a price on the first line; the others are not listed."""
        return tuple(coin for coin, column in self._closes.items() if column[0] is not None)

    @property
    def start_ms(self) -> int:
        """Return the first line's time."""
        return self._times_ms[0]

    def close(self, coin: str, file_ms: int) -> Decimal:
        """Return the last close at or before a file time; the first line's before it, the last one's after it."""
        row = max(0, bisect.bisect_right(self._times_ms, file_ms) - 1)
        column = self._closes[coin]
        while column[row] is None:
            row -= 1
        price = column[row]
        assert price is not None
        return price


def read_closes(lines: Iterable[str], source: str) -> Replay:
    """Read `date` or `time_utc` and a column a coin, quoted in USDT; raises PriceFileError."""
    rows = csv.reader(lines)
    header = next(rows, None)
    if not header or header[0] not in TIME_COLUMNS or len(header) < 2:  # noqa: PLR2004  # a time and a coin
        raise PriceFileError(f"{source}:1: the first line must be `date` or `time_utc`, then a column a coin")
    coins = [name.strip().lower() for name in header[1:]]
    if len(set(coins)) != len(coins) or not all(coin.isalnum() for coin in coins):
        raise PriceFileError(f"{source}:1: coin names must be distinct letters and digits")
    times_ms: list[int] = []
    closes: dict[str, list[Decimal | None]] = {coin: [] for coin in coins}
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise PriceFileError(f"{source}:{line}: {len(row)} columns, the first line has {len(header)}")
        times_ms.append(_time_ms(row[0], f"{source}:{line}", times_ms))
        for coin, cell in zip(coins, row[1:], strict=True):
            closes[coin].append(_price(cell, f"{source}:{line}: {coin.upper()}"))
    if not times_ms:
        raise PriceFileError(f"{source}: no prices below the first line")
    return Replay(times_ms, closes)


def _time_ms(text: str, place: str, before: list[int]) -> int:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise PriceFileError(f"{place}: {text!r} is not a date like 2021-12-31 or 2021-12-31T23:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    ms = int(moment.timestamp() * 1000)
    if before and ms <= before[-1]:
        raise PriceFileError(f"{place}: times must increase")
    return ms


def _price(cell: str, place: str) -> Decimal | None:
    if not cell.strip():
        return None
    try:
        price = parse_decimal(cell.strip())
    except ValueError:
        raise PriceFileError(f"{place}: {cell!r} is not a price") from None
    if price <= 0:
        raise PriceFileError(f"{place}: a price of {cell} is not above zero")
    return price
