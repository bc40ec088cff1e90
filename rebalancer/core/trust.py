"""How far each coin's price is trusted, and what of it is remembered from look to look. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from rebalancer.core.canonical import moment_text, parse_moment
from rebalancer.core.money import plain

MOVE_MAX = Decimal("0.40")
APART = timedelta(minutes=10)  # of two looks that agree: what is told wrong now is told wrong again a moment later
FILL_OFF_MAX = Decimal("0.02")  # of the decision mid: far beyond spread and max_slippage_bps


class CoinState(StrEnum):
    """Whether a coin may trade: a suspect one recovers by itself, a frozen one waits for the owner."""

    NORMAL = "normal"
    SUSPECT = "suspect"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class CoinTrust:
    """What is remembered of one coin.

    `price` is the last trusted mid, at exchange time `at`. A mid is trusted when it passed every test and stood near an
    earlier one: the first of all is only `fresh`, for an exchange that lies once would be believed for long. So is one
    that moved too far from the trusted one, until the day is over after which it may pass.
    """

    price: Decimal | None = None
    at: datetime | None = None
    state: CoinState = CoinState.NORMAL
    since: datetime | None = None  # of the state, unless it is normal
    why: str = ""  # the doubt in words, unless it is normal
    fresh: Decimal | None = None  # what looks told since `fresh_at`, with nothing trusted near it
    fresh_at: datetime | None = None
    accepted: bool = False  # by the owner, or a fill gave the last price away: the next need not agree with it
    rowless_since: datetime | None = None  # no look since then listed a balance of it, not even of nothing
    excused: bool = False  # the owner said that a coin without a row is not held

    @property
    def is_proven(self) -> bool:
        """Whether a price of the coin is trusted that the next one can be held against."""
        return self.price is not None and not self.accepted

    @property
    def in_doubt(self) -> bool:
        """Whether there is anything about the coin that the owner should hear of."""
        return self.since is not None or self.lacks_row

    @property
    def lacks_row(self) -> bool:
        """Whether no balance of the coin is listed, and the owner has not said that none is held."""
        return self.rowless_since is not None and not self.excused

    def forgotten(self) -> CoinTrust:
        """Return the memory of a coin that is no target any more: its price, and no question that is open."""
        return replace(self, state=CoinState.NORMAL, since=None, why="", rowless_since=None, excused=False)

    def acked(self) -> CoinTrust:
        """Return the memory after the owner's word: no longer frozen, and the price may be another from now on.

        A coin without a balance row counts as not held from now on, for as long as it has none.
        """
        rowless = self.rowless_since
        made = replace(self.forgotten(), accepted=True, fresh=None, fresh_at=None)
        return replace(made, rowless_since=rowless, excused=rowless is not None)

    def unexcused(self) -> CoinTrust:
        """Return the memory once it may lack what was bought: the owner's word on a missing row is asked for again."""
        return replace(self, excused=False)

    def listed(self, at: datetime, *, has_row: bool) -> CoinTrust:
        """Return the memory after a look that listed a balance of the coin, or none."""
        if has_row:
            return replace(self, rowless_since=None, excused=False)
        return replace(self, rowless_since=self.rowless_since or at)

    def passed(self, mid: Decimal, at: datetime) -> CoinTrust:
        """Return the memory after a look at which the mid passed every test."""
        if self.is_proven or self.was_told(mid, at):
            return replace(self, price=mid, at=at, fresh=None, fresh_at=None, accepted=False)
        return self.told(mid, at)

    def told(self, mid: Decimal, at: datetime) -> CoinTrust:
        """Return the memory after a look at a mid that cannot be trusted yet."""
        if self.fresh is not None and is_near(mid, self.fresh):
            return self
        return replace(self, fresh=mid, fresh_at=at)

    def was_told(self, mid: Decimal, at: datetime) -> bool:
        """Return whether an earlier look, not one of a moment ago, told a price near this one."""
        if self.fresh is None or not is_near(mid, self.fresh):
            return False
        return self.fresh_at is None or at - self.fresh_at >= APART  # rows of before do not say when

    def after_fill_at(self, paid: Decimal) -> CoinTrust:
        """Return the memory after a fill; one far from what was believed leaves nothing to believe."""
        believed = self.price if self.is_proven or self.fresh is None else self.fresh
        if believed is None or abs(paid - believed) <= FILL_OFF_MAX * believed:
            return self
        return replace(self, fresh=None, fresh_at=None, accepted=True)


UNKNOWN = CoinTrust()


def is_near(mid: Decimal, earlier: Decimal) -> bool:
    """Return whether a price moved no further from an earlier one than markets do within a day."""
    return abs(mid - earlier) <= MOVE_MAX * earlier


def trust_document(coins: Mapping[str, CoinTrust]) -> dict[str, Any]:
    """Return what is remembered as JSON values; what a normal coin lacks is left out."""
    return {asset: _document(coin) for asset, coin in coins.items()}


def _document(coin: CoinTrust) -> dict[str, Any]:
    made: dict[str, Any] = {"state": coin.state.value}
    if coin.price is not None and coin.at is not None:
        made |= {"price": plain(coin.price), "at": moment_text(coin.at)}
    if coin.since is not None:
        made |= {"since": moment_text(coin.since), "why": coin.why}
    if coin.fresh is not None:
        made["fresh"] = plain(coin.fresh)
    if coin.fresh_at is not None:
        made["fresh_at"] = moment_text(coin.fresh_at)
    if coin.rowless_since is not None:
        made["rowless_since"] = moment_text(coin.rowless_since)
    return made | {name: True for name in ("accepted", "excused") if getattr(coin, name)}


def read_trust(document: Mapping[str, Mapping[str, Any]]) -> dict[str, CoinTrust]:
    """Return what `trust_document` was given."""
    return {asset: _read(row) for asset, row in document.items()}


def _read(row: Mapping[str, Any]) -> CoinTrust:
    return CoinTrust(
        price=Decimal(row["price"]) if "price" in row else None,
        at=parse_moment(row["at"]) if "at" in row else None,
        state=CoinState(row["state"]),
        since=parse_moment(row["since"]) if "since" in row else None,
        why=row.get("why", ""),
        accepted=row.get("accepted", False),
        rowless_since=parse_moment(row["rowless_since"]) if "rowless_since" in row else None,
        excused=row.get("excused", False),
        fresh=Decimal(row["fresh"]) if "fresh" in row else None,
        fresh_at=parse_moment(row["fresh_at"]) if "fresh_at" in row else None,
    )
