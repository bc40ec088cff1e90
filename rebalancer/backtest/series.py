"""Price history: closes of several coins at the same times, checked on the way in."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np

from rebalancer.core.drift import FloatArray
from rebalancer.errors import ConfigError

TIME_COLUMNS = ("time_utc", "date")
YEAR_S = 365.25 * 86_400
GENERATED_FROM = datetime(2020, 1, 1, tzinfo=UTC)
TIMES_MIN = 2  # fewer span no time
DIGITS = 6  # of a generated price, as exchanges print them


@dataclass(frozen=True, eq=False)
class Series:
    """Closes in quote per coin, shape (n_times, n_assets), every one above zero, in the order of `assets`.

    Times ascend strictly but need not be evenly spaced: exchanges have outages. The quote coin is no column.
    """

    assets: tuple[str, ...]
    times: tuple[datetime, ...]
    closes: FloatArray

    def __post_init__(self) -> None:
        assert self.closes.shape == (len(self.times), len(self.assets)), self.closes.shape
        assert np.isfinite(self.closes).all() and (self.closes > 0).all()
        assert all(early < late for early, late in pairwise(self.times))
        self.closes.setflags(write=False)

    def __len__(self) -> int:
        return len(self.times)

    @property
    def years(self) -> float:
        """Return the time from the first close to the last, in years of 365.25 days."""
        return (self.times[-1] - self.times[0]).total_seconds() / YEAR_S

    def part(self, first: int, last: int) -> Series:
        """Return the closes from index `first` up to, not including, `last`."""
        return Series(self.assets, self.times[first:last], self.closes[first:last].copy())


def coins_of(path: Path) -> tuple[str, ...]:
    """Return the coins that a price file has a column for. Raises ConfigError as `read_csv` does."""
    with _opened(path) as rows:
        header = _header(rows)
        _columns(path, header, ())
    return tuple(name.upper() for name in header if name and name.lower() not in TIME_COLUMNS)


def read_csv(path: Path, assets: Sequence[str]) -> Series:
    """Read a column `date` or `time_utc` and one column a coin; start where every coin of `assets` has a price.

    Cells before a coin's first price may be empty. Closes become float64, which keeps 15 digits. Raises ConfigError
    with file, line and column for anything else that is not a price above zero at a later time than the line before.
    """
    with _opened(path) as rows:
        return _read(path, rows, tuple(assets))


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield csv.reader(file, strict=True)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror}); give a CSV file of closes") from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        raise ConfigError(f"{path}: is not a CSV file in UTF-8 ({exc}); export it again") from exc


def _header(rows: Iterator[list[str]]) -> list[str]:
    return [name.strip() for name in next(rows, [])]


def _read(path: Path, rows: Iterator[list[str]], assets: tuple[str, ...]) -> Series:
    header = _header(rows)
    time_column, columns = _columns(path, header, assets)
    times: list[datetime] = []
    closes: list[list[float]] = []
    seen_at = [0] * len(assets)  # line of the first price of each coin
    last: datetime | None = None
    for line, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise ConfigError(f"{path}:{line}: {len(row)} cells, but the header names {len(header)}; mend the line")
        at = _time(path, line, header[time_column], row[time_column])
        if last is not None and at <= last:
            what = "the same time twice" if at == last else "times are not in order"
            raise ConfigError(f"{path}:{line}: {what} ({row[time_column].strip()}); sort the file, one line a time")
        last = at
        prices = [_price(path, line, asset, row[column]) for asset, column in zip(assets, columns, strict=True)]
        _note_first(path, line, assets, prices, seen_at)
        known = [price for price in prices if price is not None]
        if len(known) == len(assets):
            times.append(at)
            closes.append(known)
    if len(times) < TIMES_MIN:
        text = f"{len(times)} line(s) hold a price of every coin ({', '.join(assets)}), at least {TIMES_MIN} are needed"
        raise ConfigError(f"{path}: {text}; leave out the youngest coin or give a longer file")
    return Series(assets, tuple(times), np.array(closes, dtype=np.float64))


def _columns(path: Path, header: list[str], assets: tuple[str, ...]) -> tuple[int, list[int]]:
    lower = [name.lower() for name in header]
    named = [name for name in TIME_COLUMNS if name in lower]
    if not named:
        shown = ", ".join(header[:12]) or "nothing"
        raise ConfigError(f"{path}:1: no column date or time_utc (found: {shown}); name the column of times so")
    upper = [name.upper() for name in header]
    for asset in (named[0].upper(), *assets):
        if upper.count(asset) > 1:
            raise ConfigError(f"{path}:1: the column {asset} stands there twice; keep one")
    missing = [asset for asset in assets if asset not in upper]
    if missing:
        others = ", ".join(name for name in header if name.lower() not in TIME_COLUMNS) or "none"
        text = f"no column for {', '.join(missing)} (coins there: {others})"
        raise ConfigError(f"{path}:1: {text}; add it or take the coin out of the targets")
    return lower.index(named[0]), [upper.index(asset) for asset in assets]


def _time(path: Path, line: int, column: str, cell: str) -> datetime:
    try:
        at = datetime.fromisoformat(cell.strip())
    except ValueError as exc:
        text = f"{column} is {cell.strip()[:40]!r}, not a date"
        raise ConfigError(f"{path}:{line}: {text}; write 2021-12-31 or 2021-12-31T23:00") from exc
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _price(path: Path, line: int, asset: str, cell: str) -> float | None:
    text = cell.strip()
    if not text:
        return None
    try:
        price = float(text)
    except ValueError:
        price = float("nan")
    if not 0 < price < float("inf"):
        raise ConfigError(f"{path}:{line}: {asset} is {text[:40]!r}, not a price above zero; mend or drop the line")
    return price


def _note_first(path: Path, line: int, assets: tuple[str, ...], prices: list[float | None], seen_at: list[int]) -> None:
    """Remember where each coin begins; an empty cell after that is a gap."""
    for index, price in enumerate(prices):
        if price is not None:
            seen_at[index] = seen_at[index] or line
        elif seen_at[index]:
            text = f"{assets[index]} has no price, but had one before (from line {seen_at[index]})"
            raise ConfigError(f"{path}:{line}: {text}; fill the gap or drop the line")


def generate(seed: int, days: int, assets: Sequence[str], *, step: timedelta = timedelta(days=1)) -> Series:
    """Return a made-up history, the same for the same seed: a geometric walk that coins share in part, with jumps.

    Daily volatility is 2.5 to 5 % a coin, two thirds of it common, around no trend; about four times a year all jump
    together by some 12 %. Smaller steps than a day are scaled by the root of time. `days` counts closes, at least 2.
    """
    assert days >= TIMES_MIN, days
    rng = random.Random(seed)
    scale = (step / timedelta(days=1)) ** 0.5
    jump_chance = 4 / 365.25 * scale**2
    prices = [10 ** rng.uniform(-1, 4) for _ in assets]
    volatility = [rng.uniform(0.025, 0.05) for _ in assets]
    closes = []
    for _ in range(days):
        closes.append([float(f"{price:.{DIGITS}g}") for price in prices])
        common = rng.gauss(0, 1)
        jump = rng.gauss(0, 0.12) if rng.random() < jump_chance else 0.0
        for index, own in enumerate(volatility):
            shock = own * scale * (0.816 * common + 0.577 * rng.gauss(0, 1))  # squares add up to one
            prices[index] *= math.exp(shock + jump * rng.uniform(0.6, 1.4))
    times = tuple(GENERATED_FROM + step * number for number in range(days))
    return Series(tuple(assets), times, np.array(closes, dtype=np.float64))
