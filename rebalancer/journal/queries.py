"""The read side: runs with their orders, for `status` and `history`."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from rebalancer.core.money import plain
from rebalancer.journal.fold import fold
from rebalancer.journal.rows import Kind, Row
from rebalancer.journal.state import IntentRecord, JournalState
from rebalancer.journal.store import Journal

_IN_RUNS = (Kind.PLAN, Kind.RUN_CLOSED)


@dataclass(slots=True)
class RunView:
    """One run as it stands in the journal."""

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
        return {name: getattr(self, name) for name in self.__slots__}


def recent_runs(journal: Journal, limit: int) -> list[RunView]:
    """Return the newest runs, newest first, each with what became of its orders."""
    started = deque(journal.rows(kinds=(Kind.RUN,)), maxlen=limit)
    if not started:
        return []
    views = {row.run_id: _view(row, json.loads(row.payload_text)) for row in started}
    for row in journal.rows(after_seq=started[0].seq, kinds=_IN_RUNS):
        if row.run_id in views:
            _add(views[row.run_id], row, json.loads(row.payload_text))
    for view in views.values():
        view.orders = [order_document(record) for record in orders_of(journal, view.run_id)]
    return list(reversed(views.values()))


def orders_of(journal: Journal, run_id: str) -> tuple[IntentRecord, ...]:
    """Return a run's intents as its rows tell them: the state keeps only those that decisions may still need."""
    told = JournalState(binding=journal.state.binding)
    for row in journal.rows(run_id=run_id):
        if row.intent_seq is not None:
            fold(told, row)
    return tuple(told.intents.values())


def _view(row: Row, payload: dict[str, Any]) -> RunView:
    return RunView(row.run_id, row.t_wall, payload["mode"], payload["slot"])


def _add(view: RunView, row: Row, payload: dict[str, Any]) -> None:
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
        "side": record.side.value,
        "amount": plain(record.sent_amount or record.amount),
        "state": record.state.value,
        "filled_quantity": plain(record.filled_quantity),
        "filled_quote": plain(record.filled_quote),
        "fees": {asset: plain(fee) for asset, fee in record.fees.items()},
        "client_order_id": record.client_order_id,
        "venue_order_id": record.venue_order_id,
        "text": record.text,
    }
