"""Fetched closes of one coin as a CSV file: read strictly, joined without loss, and put side by side as a series."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np

from rebalancer.backtest.series import Series
from rebalancer.core.money import parse_decimal, plain, to_float
from rebalancer.errors import ConfigError

Closes = Mapping[datetime, Decimal]  # by the moment at which each was the price, the end of its candle
TIME = "time_utc"
FORMAT = "%Y-%m-%dT%H:%M"
MEND = "move the file away and fetch it again"


def read_closes(path: Path, asset: str) -> dict[datetime, Decimal]:
    """Return what a file of ours holds, empty when there is none. Raises ConfigError with file and line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: cannot be read ({type(exc).__name__}); {MEND}") from None
    if not lines or lines[0] != _header(asset):
        raise ConfigError(f"{path}:1: the first line is not `{_header(asset)}`; {MEND}")
    made: dict[datetime, Decimal] = {}
    last: datetime | None = None
    for number, line in enumerate(lines[1:], start=2):
        at, close = _read_line(line, f"{path}:{number}")
        if last is not None and at <= last:
            raise ConfigError(f"{path}:{number}: times must increase; {MEND}")
        made[at] = close
        last = at
    return made


def _read_line(line: str, place: str) -> tuple[datetime, Decimal]:
    time, _, price = line.partition(",")
    try:
        at, close = datetime.strptime(time, FORMAT).replace(tzinfo=UTC), parse_decimal(price)
    except ValueError:
        raise ConfigError(f"{place}: {line[:60]!r} is not a time and a close; {MEND}") from None
    if close <= 0:
        raise ConfigError(f"{place}: a close of {plain(close)} is not above zero; {MEND}")
    return at, close


def _header(asset: str) -> str:
    return f"{TIME},{asset}"


def csv_of(asset: str, closes: Closes) -> str:
    """Return the file of these closes, every digit kept."""
    lines = [f"{at.strftime(FORMAT)},{plain(close)}" for at, close in sorted(closes.items())]
    return "\n".join([_header(asset), *lines]) + "\n"


def merge(known: Closes, fetched: Closes, source: str) -> dict[datetime, Decimal]:
    """Return both together; ConfigError when they disagree about a close, for then one of them is another market's."""
    for at in sorted(known.keys() & fetched.keys()):
        if known[at] != fetched[at]:
            text = f"{at.strftime(FORMAT)} closed at {plain(known[at])}, the exchange now says {plain(fetched[at])}"
            raise ConfigError(f"{source}: {text}; {MEND}")
    return {**known, **fetched}


def side_by_side(closes: Mapping[str, Closes]) -> Series:
    """Return the closes of all coins at the times that all of them have.

    Raises ConfigError when those are fewer than two.
    """
    times = sorted(set.intersection(*(set(each) for each in closes.values())))
    if len(times) < 2:  # noqa: PLR2004  # a way from one close to another
        youngest = max(closes, key=lambda asset: min(closes[asset]))
        raise ConfigError(
            f"the coins have {len(times)} fetched close(s) in common, at least 2 are needed; "
            f"{youngest} is the youngest: fetch again later, or take it out of the targets"
        )
    rows = [[to_float(each[at]) for each in closes.values()] for at in times]
    return Series(tuple(closes), tuple(times), np.array(rows, dtype=np.float64))
