"""Coins that rest after a trade: what was just traded is not traded again, so that noise at a band costs no fees. Pure.

The rest of a wish that a limit cut goes on at once, in its own direction: the caps spread a large plan over several
cycles, and a pause of hours between the parts would serve nobody. Only the other direction waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from rebalancer.core.model import Side, Usage
from rebalancer.core.reasons import Reason, Skip


def resting(usage: Usage, cooldown_h: Decimal, now: datetime) -> Iterator[tuple[str, Side]]:
    """Yield each asset with a direction in which it may not trade yet."""
    for asset, trade in usage.trades.items():
        if now < _end(trade.at, cooldown_h):
            yield from ((asset, side) for side in Side if not (trade.rest and side is trade.side))


def rests(usage: Usage, cooldown_h: Decimal, asset: str) -> Reason:
    """Return why a resting asset is not traded, and until when."""
    at = usage.trades[asset].at
    until = _end(at, cooldown_h)
    day = "" if until.date() == at.date() else f"{until:%Y-%m-%d} "
    text = f"{asset} was traded at {at:%H:%M} and is outside its band again: it cools down until {day}{until:%H:%M} UTC"
    return Reason(Skip.COOLDOWN, text)


def _end(at: datetime, cooldown_h: Decimal) -> datetime:
    return at + timedelta(seconds=float(cooldown_h) * 3600)
