"""The read side: runs with their orders, for `status`, `history` and `report`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rebalancer.core.canonical import parse_moment
from rebalancer.core.money import plain
from rebalancer.journal.fold import fold
from rebalancer.journal.records import unpack_snapshot
from rebalancer.journal.rows import Kind, Row
from rebalancer.journal.state import IntentRecord, JournalState
from rebalancer.journal.store import Journal

_IN_RUNS = (Kind.PLAN, Kind.RUN_CLOSED)


@dataclass(slots=True)
class RunView:
    """One run as it stands in the journal."""

    seq: int  # of its first row
    run_id: str
    started_at: str
    mode: str
    slot: str
    status: str = "open"
    text: str = ""
    trigger: str = ""
    nav_quote: str = ""
    legs: int = 0
    turnover: str = ""
    orders: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return the run as JSON values."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "seq"}


def recent_runs(journal: Journal, limit: int, *, before_seq: int | None = None) -> list[RunView]:
    """Return the newest runs, newest first, each with what became of its orders."""
    return [run_view(journal, row) for row in journal.newest(Kind.RUN, limit, before_seq=before_seq)]


def begun_between(journal: Journal, since: datetime | None, until: datetime | None) -> list[Row]:
    """Return the first rows of the runs that began from `since` to before `until`, newest first."""
    begun = [row for row in journal.rows(kinds=(Kind.RUN,)) if _within(parse_moment(row.t_wall), since, until)]
    return begun[::-1]


def _within(at: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or at >= since) and (until is None or at < until)


def run_view(journal: Journal, started: Row) -> RunView:
    """Return the run that a RUN row began."""
    view, told = begin_view(started, json.loads(started.payload_text)), JournalState(binding=journal.state.binding)
    for row in journal.rows(run_id=started.run_id):
        if row.kind in _IN_RUNS:
            add_to_view(view, row, json.loads(row.payload_text))
        elif row.intent_seq is not None:
            fold(told, row)
    view.orders = [order_document(record) for record in told.intents.values()]
    return view


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """All that was written down of a run: what it saw, what it planned, and what became of its orders."""

    view: RunView
    plan: Mapping[str, Any] | None  # the plan's document
    snapshot: Mapping[str, Any] | None  # the document that the plan was made of
    orders: tuple[IntentRecord, ...]  # in the order of the plan


def recorded_run(journal: Journal, run_id: str) -> RecordedRun | None:
    """Return a run with everything that was written down of it, or None where there is none of that name."""
    rows = list(journal.rows(run_id=run_id))
    started = next((row for row in rows if row.kind is Kind.RUN), None)
    if started is None:
        return None
    told = JournalState(binding=journal.state.binding)
    for row in rows:
        if row.intent_seq is not None:
            fold(told, row)
    payloads = {row.kind: json.loads(row.payload_text) for row in rows if row.kind in (Kind.PLAN, Kind.SNAPSHOT)}
    return RecordedRun(
        view=run_view(journal, started),
        plan=payloads[Kind.PLAN]["plan"] if Kind.PLAN in payloads else None,
        snapshot=unpack_snapshot(payloads[Kind.SNAPSHOT]) if Kind.SNAPSHOT in payloads else None,
        orders=tuple(sorted(told.intents.values(), key=lambda record: record.intent_seq)),
    )


def begin_view(row: Row, payload: Mapping[str, Any]) -> RunView:
    """Return a run as its first row says, before anything became of it."""
    return RunView(row.seq, row.run_id, row.t_wall, payload["mode"], payload["slot"])


def add_to_view(view: RunView, row: Row, payload: Mapping[str, Any]) -> None:
    """Take a run's plan or its end into its view."""
    if row.kind is Kind.PLAN:
        view.trigger, view.legs, view.nav_quote = payload["trigger"], payload["legs"], payload["nav_quote"] or ""
        totals = payload["plan"].get("totals")
        view.turnover = totals["turnover"] if totals else ""
    else:
        view.status, view.text = payload["status"], payload["text"]


def order_document(record: IntentRecord) -> dict[str, Any]:
    """Return an intent and its outcome as JSON values."""
    return {
        "intent_seq": record.intent_seq,
        "symbol": record.symbol,
        "quote": record.quote,
        "side": record.side.value,
        "order_type": record.order_type.value,
        "limit_price": None if record.price is None else plain(record.price),
        "amount": plain(record.sent_amount or record.amount),
        "state": record.state.value,
        "filled_quantity": plain(record.filled_quantity),
        "filled_quote": plain(record.filled_quote),
        "fees": {asset: plain(fee) for asset, fee in record.fees.items()},
        "client_order_id": record.client_order_id,
        "venue_order_id": record.venue_order_id,
        "text": record.text,
    }
