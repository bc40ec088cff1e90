"""The read side for spreadsheets: runs, orders, fills and worth as rows of text, in one pass over the journal.

Orders of the first journals have no fills: only their sums were written down.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rebalancer.core.canonical import moment_text
from rebalancer.core.money import plain
from rebalancer.journal.checkpoint import read_books
from rebalancer.journal.fold import fold
from rebalancer.journal.queries import RunView, add_to_view, begin_view, order_document
from rebalancer.journal.rows import Kind, Row
from rebalancer.journal.state import IntentRecord, JournalState
from rebalancer.journal.store import Journal

Cells = dict[str, str]
RUNS = ("run_id", "started_at", "mode", "slot", "status", "trigger", "nav_quote", "legs", "turnover", "text")
ORDERS = (
    "run_id", "intent_seq", "symbol", "quote", "side", "order_type", "limit_price", "amount", "state", "sent_at",
    "filled_quantity", "filled_quote", "client_order_id", "venue_order_id", "text",
)  # fmt: skip
FILLS = ("run_id", "intent_seq", "symbol", "side", "venue_order_id", "fill_id", "at", "price", "quantity", "fees")
NAV = (
    "at", "nav_quote", "never_rebalanced_quote", "frictionless_quote", "flows_quote", "fees_quote", "slip_quote",
    "notional_quote", "orders", "adds_up",
)  # fmt: skip
TABLES: Mapping[str, tuple[str, ...]] = {"runs": RUNS, "orders": ORDERS, "fills": FILLS, "nav": NAV}
# Snapshots and checkpoints are most of a journal, and nothing of these tables.
_KINDS = tuple(kind for kind in Kind if kind not in {Kind.SNAPSHOT, Kind.CHECKPOINT})


@dataclass(slots=True)
class _Pass:
    """What one pass gathered so far: a run and its orders may be completed long after they began."""

    told: JournalState
    runs: dict[str, RunView] = field(default_factory=dict)
    fills: list[Cells] = field(default_factory=list)
    nav: list[Cells] = field(default_factory=list)

    def take(self, row: Row) -> None:
        """Take in a row."""
        payload = json.loads(row.payload_text)
        if row.kind is Kind.RUN:
            self.runs[row.run_id] = begin_view(row, payload)
        elif row.kind in {Kind.PLAN, Kind.RUN_CLOSED} and row.run_id in self.runs:
            add_to_view(self.runs[row.run_id], row, payload)
        elif row.kind is Kind.LEDGER:
            self.nav.append(_nav(payload))
        elif row.intent_seq is not None:
            fold(self.told, row)
            self.fills += self._fills(row, payload)

    def _fills(self, row: Row, payload: Mapping[str, Any]) -> Iterator[Cells]:
        record = self.told.intents[row.run_id, row.intent_seq or 0]
        same = {"run_id": row.run_id, "intent_seq": str(row.intent_seq), "symbol": record.symbol, "side": record.side}
        for fill in payload.get("fills", ()):
            made = {name: fill[name] for name in ("price", "quantity")} | {
                "at": fill.get("at", ""),
                "fill_id": fill["id"],
            }
            yield same | made | {"venue_order_id": record.venue_order_id, "fees": _fees(fill["fees"])}


def read_tables(journal: Journal, progress: Callable[[int], None]) -> dict[str, list[Cells]]:
    """Return the rows of every table, oldest first, each with the columns of its name; missing ones are empty.

    `progress` is told the number of the row that is being read.
    """
    made = _Pass(JournalState(binding=journal.state.binding))
    for row in journal.rows(kinds=_KINDS):
        made.take(row)
        progress(row.seq)
    orders = [_order(record) for record in made.told.intents.values()]
    runs = [{name: _text(getattr(view, name)) for name in RUNS} for view in made.runs.values()]
    return {"runs": runs, "orders": orders, "fills": made.fills, "nav": made.nav}


def _order(record: IntentRecord) -> Cells:
    sent_at = moment_text(record.signed_at) if record.signed_at is not None else ""
    document = order_document(record) | {"run_id": record.run_id, "sent_at": sent_at}
    return {name: _text(document[name]) for name in ORDERS}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _fees(fees: Mapping[str, str]) -> str:
    return " ".join(f"{paid} {asset}" for asset, paid in fees.items())


def _nav(payload: Mapping[str, Any]) -> Cells:
    books = read_books(payload)
    figures = {
        "nav_quote": books.nav_quote,
        "never_rebalanced_quote": books.never_quote,
        "frictionless_quote": books.frictionless_quote,
        "flows_quote": books.flows_quote,
        "fees_quote": books.fees_quote,
        "slip_quote": books.slip_quote,
        "notional_quote": books.notional_quote,
    }
    adds_up = "no" if books.differing() else "yes"
    made = {name: plain(figure) for name, figure in figures.items()}
    return {"at": moment_text(books.at), **made, "orders": str(books.orders), "adds_up": adds_up}
