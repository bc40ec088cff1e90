"""The read side for the digest: what the rows between two moments say, gathered and counted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from rebalancer.core.canonical import parse_moment
from rebalancer.core.ledger import Books
from rebalancer.journal.checkpoint import read_books
from rebalancer.journal.rows import Kind, Row
from rebalancer.journal.state import Halt, IntentRecord
from rebalancer.journal.store import Journal
from rebalancer.journal.trades import Traded, traded_between

WEEK = timedelta(days=7)
_KINDS = (Kind.RUN, Kind.RUN_CLOSED, Kind.PLAN, Kind.LEDGER, Kind.HALT)


@dataclass(slots=True)
class Count:
    """How often something was said, and its last words."""

    times: int = 0
    text: str = ""

    def add(self, text: str) -> None:
        """Count one more."""
        self.times += 1
        self.text = text or self.text


@dataclass(frozen=True, slots=True)
class Stray:
    """How far one asset was from its target at one look; the drift is a weight, signed."""

    asset: str
    drift: Decimal
    at: datetime
    outside: bool  # its band
    why: str = ""  # what was decided about it


@dataclass(slots=True)
class Period:
    """What happened from `since` to before `until`. `opened` are the books with which it began, `closed` its last."""

    since: datetime
    until: datetime
    quote: str
    opened: Books | None = None
    closed: Books | None = None
    mode: str = ""  # of the last run
    ran_before: bool = False
    began: list[datetime] = field(default_factory=list)  # of each run
    statuses: dict[str, Count] = field(default_factory=dict)
    denials: dict[str, Count] = field(default_factory=dict)
    skips: dict[str, Count] = field(default_factory=dict)
    stray: Stray | None = None  # the largest
    still_outside: list[Stray] = field(default_factory=list)  # their bands, and the last plan traded nothing for it
    looks: list[Books] = field(default_factory=list)
    halts: list[Halt] = field(default_factory=list)
    open_halts: list[Halt] = field(default_factory=list)  # that wait for the owner now
    trades: list[Traded] = field(default_factory=list)
    unsettled: list[IntentRecord] = field(default_factory=list)

    def take(self, row: Row) -> None:
        """Take in a row of the period."""
        payload: dict[str, Any] = json.loads(row.payload_text)
        match row.kind:
            case Kind.RUN:
                self.mode = payload["mode"]
                self.began.append(parse_moment(row.t_wall))
            case Kind.RUN_CLOSED:
                self.statuses.setdefault(payload["status"], Count()).add(payload["text"])
            case Kind.PLAN:
                self._plan(payload["plan"])
            case Kind.LEDGER:
                self.closed = read_books(payload)
                self.opened = self.opened or self.closed
                self.looks.append(self.closed)
            case Kind.HALT:
                self.halts.append(Halt(row.seq, payload["code"], payload["text"], row.t_wall))

    def _plan(self, plan: Mapping[str, Any]) -> None:
        for denial in plan.get("denials", ()):
            self.denials.setdefault(denial["code"], Count()).add(denial["text"])
        for skip in plan.get("skips", ()):
            self.skips.setdefault(skip["reason"]["code"], Count()).add(skip["reason"]["text"])
        strays = [_stray(line, parse_moment(plan["taken_at"])) for line in plan.get("assets", ())]
        known = [self.stray] if self.stray is not None else []
        self.stray = max((*known, *strays), key=lambda stray: abs(stray.drift), default=None)
        self.still_outside = [stray for stray in strays if stray.outside and not plan["legs"]]


def _stray(line: Mapping[str, Any], at: datetime) -> Stray:
    inside = Decimal(line["band_low"]) <= Decimal(line["weight"]) <= Decimal(line["band_high"])
    return Stray(line["asset"], Decimal(line["drift"]), at, not inside, line["reason"]["text"])


def read_period(journal: Journal, since: datetime, until: datetime) -> Period:
    """Return what the journal says of a period; a run belongs to that in which it began."""
    made = Period(since, until, journal.state.binding.quote if journal.state.binding else "")
    first = journal.seq_from(since)
    before = journal.newest(Kind.LEDGER, 1, before_seq=first)
    made.opened = made.closed = read_books(json.loads(before[0].payload_text)) if before else None
    made.ran_before = bool(journal.newest(Kind.RUN, 1, before_seq=first))
    for row in _rows(journal, first, until):
        made.take(row)
    for each in traded_between(journal, since, until):
        if isinstance(each, Traded):
            made.trades.append(each)
        else:
            made.unsettled.append(each)
    made.open_halts = list(journal.state.halts.values())
    return made


def _rows(journal: Journal, first: int, until: datetime) -> Iterator[Row]:
    end = journal.seq_from(until)
    for row in journal.rows(after_seq=first - 1, kinds=_KINDS):
        if row.seq >= end:
            return
        yield row


def week_of(moment: datetime) -> tuple[datetime, datetime]:
    """Return Monday 00:00 UTC of the week in which an aware UTC moment lies, and the next one."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = midnight - timedelta(days=midnight.weekday())
    return monday, monday + WEEK
