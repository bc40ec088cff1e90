"""Closes kept in the state directory: fetched from the exchange, and read for a back-test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rebalancer.backtest.candles import Closes, csv_of, merge, read_closes, side_by_side
from rebalancer.cli.context import Connection
from rebalancer.core.model import CandlePeriod
from rebalancer.core.targets import Targets
from rebalancer.durable import write_durably
from rebalancer.errors import ConfigError, Rejected
from rebalancer.venues.htx.client import CANDLES_MAX
from rebalancer.venues.htx.codes_map import CodeMap

if TYPE_CHECKING:
    from rebalancer.backtest.series import Series
    from rebalancer.settings import Settings

PERIODS_MAX = CANDLES_MAX - 1  # of one request, whose last candle is not over yet
SETTLED = timedelta(minutes=1)  # after its end, until a candle counts as final
FILE_MODE = 0o640


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of one coin after a fetch."""

    asset: str
    path: Path
    closes: Closes
    new: int

    def document(self) -> dict[str, Any]:
        """Return this as JSON values."""
        times = sorted(self.closes)
        gap = max((late - early for early, late in itertools.pairwise(times)), default=timedelta(0))
        return {
            "asset": self.asset,
            "file": str(self.path),
            "closes": len(times),
            "new": self.new,
            "from": times[0].isoformat() if times else None,
            "to": times[-1].isoformat() if times else None,
            "longest_gap_h": gap / timedelta(hours=1),
        }


def folder_of(settings: Settings, period: CandlePeriod) -> Path:
    """Return where the closes of the venue of public data are kept."""
    return settings.paths.state / "candles" / settings.public_kind / period.value


def files_of(folder: Path, targets: Targets) -> dict[str, Path]:
    """Return the file of each target coin but the quote coin, by asset."""
    codes = CodeMap(targets.codes)
    coins = [asset for asset in targets.assets if asset != targets.quote]
    return {asset: folder / f"{codes.symbol_of(asset, targets.quote)}.csv" for asset in coins}


def load_series(folder: Path, targets: Targets) -> Series:
    """Return the kept closes of every target coin side by side; ConfigError says which are missing."""
    closes = {asset: read_closes(path, asset) for asset, path in files_of(folder, targets).items()}
    missing = [asset for asset, found in closes.items() if not found]
    if missing:
        raise ConfigError(
            f"{folder}: no closes of {', '.join(missing)}; `rebalancer backtest fetch --period {folder.name}` "
            "gets them, or give a file with --prices"
        )
    return side_by_side(closes)


def fetch_candles(
    connection: Connection,
    targets: Targets,
    folder: Path,
    period: CandlePeriod,
    periods: int,
    *,
    tell: Callable[[int], None],
) -> list[Kept]:
    """Bring the kept closes up to now, asking only for what is missing, all coins together.

    Raises ConfigError for a coin without a market, and then keeps nothing; also for a coin whose history is not what
    was fetched before, once the others are kept.
    """
    now = connection.venue.fetch_server_time()
    folder.mkdir(parents=True, exist_ok=True)
    known = {asset: read_closes(path, asset) for asset, path in files_of(folder, targets).items()}
    done = itertools.count(1)  # whose `next` threads may share
    calls = [
        partial(
            _fetch,
            connection,
            asset,
            targets.quote,
            period,
            _missing(closes, now, period, periods),
            lambda: tell(next(done)),
        )
        for asset, closes in known.items()
    ]
    made, problems = [], []
    for (asset, path), fetched in zip(files_of(folder, targets).items(), connection.gather(calls), strict=True):
        try:
            made.append(_keep(asset, path, known[asset], _final(fetched, now)))
        except ConfigError as exc:
            problems.append(str(exc))
    if problems:
        raise ConfigError("\n".join(problems))
    return made


def _missing(known: Closes, now: datetime, period: CandlePeriod, periods: int) -> int:
    """Return how many candles to ask for: what came since the last close, or all when the file does not reach back."""
    if not known or min(known) > now - (periods - 1) * period.length:
        return periods
    since = (now - max(known)) // period.length
    return min(periods, since + 1)  # with one that is known already, to see that it is the same


def _fetch(
    connection: Connection, asset: str, quote: str, period: CandlePeriod, count: int, done: Callable[[], None]
) -> Mapping[datetime, Any]:
    symbol = connection.venue.symbol_of(asset, quote)
    try:
        candles = connection.venue.fetch_candles(symbol, period, count + 1)  # for the last one is not over yet
    except Rejected as exc:
        raise ConfigError(f"{asset}: no candles of {asset}/{quote} ({exc}); check the name") from None
    done()
    return {candle.starts_at + period.length: candle.close for candle in candles}


def _final(fetched: Mapping[datetime, Any], now: datetime) -> Closes:
    return {at: close for at, close in fetched.items() if at + SETTLED <= now}


def _keep(asset: str, path: Path, known: Closes, fetched: Closes) -> Kept:
    closes = merge(known, fetched, str(path))
    if len(closes) > len(known):
        write_durably(path, csv_of(asset, closes).encode(), FILE_MODE)
    return Kept(asset, path, closes, len(closes) - len(known))
