"""Which coins the exchange lists against the cash, kept for those who cannot ask it, as the page cannot."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rebalancer.core.canonical import canonical, parse_moment
from rebalancer.core.model import MarketRules
from rebalancer.durable import write_durably
from rebalancer.targets.check import near

NAME = "listed-coins.json"
RENEWED_AFTER = timedelta(hours=24)
MODE = 0o640  # public, and read by the page


@dataclass(frozen=True, slots=True)
class Listed:
    """The coins of one venue that trade against one quote coin, as read at a moment."""

    venue: str
    quote: str
    coins: frozenset[str]
    at: datetime

    def problems(self, assets: Collection[str]) -> list[str]:
        """Return a line for each coin that is not listed, with the nearest that is."""
        missing = [asset for asset in assets if asset != self.quote and asset not in self.coins]
        return [
            f"{asset}: {self.venue} lists no pair {asset}/{self.quote} that can be held here"
            f"{near(asset, sorted(self.coins))}; take a coin of its list, or map HTX's code in [codes]"
            for asset in missing
        ]


def listed_by(rules: Iterable[MarketRules], venue: str, quote: str, at: datetime) -> Listed:
    """Return what can be held of the symbols that an exchange lists: leveraged tokens are not among it."""
    coins = (each.base for each in rules if each.quote == quote and not each.leveraged)
    return Listed(venue, quote, frozenset(coins), at)


def keep_listed(state: Path, listed: Listed) -> None:
    """Keep a list for the page; OSError when it cannot be written."""
    document = {"venue": listed.venue, "quote": listed.quote, "coins": sorted(listed.coins), "at": listed.at}
    write_durably(state / NAME, canonical(document).encode(), MODE)


def listed_in(state: Path, venue: str, quote: str) -> Listed | None:
    """Return the list that is kept for a venue and a quote coin; None when there is none, or none that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        found = _listed(json.loads((state / NAME).read_text(encoding="utf-8")))
        if (found.venue, found.quote) == (venue, quote):
            return found
    return None


def _listed(raw: dict[str, Any]) -> Listed:
    coins = frozenset(str(coin) for coin in raw["coins"])
    return Listed(str(raw["venue"]), str(raw["quote"]), coins, parse_moment(raw["at"]))
