"""The read side for taxes: every settled order with the moment, the fees and the value that were written down then."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from rebalancer.core.canonical import parse_moment
from rebalancer.core.model import Side
from rebalancer.core.money import EXACT, ONE, ZERO
from rebalancer.core.orders import UNRESOLVED
from rebalancer.journal.fold import fold
from rebalancer.journal.rows import Kind, Row
from rebalancer.journal.state import TRADED, IntentRecord, JournalState, Key
from rebalancer.journal.store import Journal

# A signed order is dead after minutes: what traded in a period was signed in it, or so long before.
SIGNED_BEFORE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Traded:
    """One order that traded. Amounts are without fees; those stand apart, in the currencies that paid them.

    `value_quote` is what was traded, at the prices of the decision, in the account's quote coin; None where a direct
    pair's coin had no price then. `owner_said`: nobody else knows what it traded, nor its fees.
    """

    at: datetime
    run_id: str
    intent_seq: int
    symbol: str
    spent: str
    spent_amount: Decimal
    received: str
    received_amount: Decimal
    fees: Mapping[str, Decimal]
    fees_quote: Mapping[str, Decimal]  # their value at the same prices, of the currencies that had one
    value_quote: Decimal | None
    venue_order_id: str
    owner_said: bool = False


@dataclass(slots=True)
class _Told:
    """What the rows of one run say of its orders."""

    state: JournalState
    mids: Mapping[str, Decimal] = field(default_factory=dict)
    filled_at: dict[Key, datetime] = field(default_factory=dict)
    acked: set[Key] = field(default_factory=set)

    def take(self, row: Row) -> None:
        """Take in a row of the run."""
        if row.kind is Kind.PLAN:
            self.mids = {a: Decimal(mid) for a, mid in json.loads(row.payload_text)["mids"].items()}
        elif row.intent_seq is not None:
            fold(self.state, row)
            self._note(row, (row.run_id, row.intent_seq))

    def _note(self, row: Row, key: Key) -> None:
        if row.kind is Kind.ACK:
            self.acked.add(key)
        elif row.kind is Kind.OUTCOME:
            payload: dict[str, Any] = json.loads(row.payload_text)
            # Older rows know no fills; the order was signed moments before.
            moments = [parse_moment(fill["at"]) for fill in payload.get("fills", ()) if "at" in fill]
            if moments:
                self.filled_at[key] = max(moments)


def traded_between(journal: Journal, since: datetime | None, until: datetime | None) -> Iterator[Traded | IntentRecord]:
    """Yield every order that traded from `since` to before `until`, oldest run first.

    One whose end is not known yet comes as it stands: what it did is missing from a sum.
    """
    for run_id in runs_signed(journal, since, until):
        yield from traded_in(journal, run_id, since, until)


def traded_in(
    journal: Journal, run_id: str, since: datetime | None, until: datetime | None
) -> Iterator[Traded | IntentRecord]:
    """Yield the orders of one run as `traded_between` does."""
    assert journal.state.binding is not None
    told = _Told(JournalState(binding=journal.state.binding))
    for row in journal.rows(run_id=run_id):
        told.take(row)
    for record in told.state.intents.values():
        at = told.filled_at.get(record.key, record.signed_at)
        if at is None or (since is not None and at < since) or (until is not None and at >= until):
            continue
        if record.state in TRADED:
            yield _traded(record, at, told)
        elif record.state in UNRESOLVED:
            yield record


def runs_signed(journal: Journal, since: datetime | None, until: datetime | None) -> list[str]:
    """Return the runs that may have traded in a period; by the exchange's time, for ours may have been wrong."""
    runs: dict[str, None] = {}
    for row in journal.rows(kinds=(Kind.SENDING,)):
        at = parse_moment(row.t_exch)
        if (since is None or at >= since - SIGNED_BEFORE) and (until is None or at < until):
            runs[row.run_id] = None
    return list(runs)


def _traded(record: IntentRecord, at: datetime, told: _Told) -> Traded:
    assert told.state.binding is not None
    prices = {**told.mids, told.state.binding.quote: ONE}
    base, quote = (record.asset, record.filled_quantity), (record.quote, record.filled_quote)
    spent, received = (base, quote) if record.side is Side.SELL else (quote, base)
    priced = record.quote in prices
    return Traded(
        at=at,
        run_id=record.run_id,
        intent_seq=record.intent_seq,
        symbol=record.symbol,
        spent=spent[0],
        spent_amount=spent[1],
        received=received[0],
        received_amount=received[1],
        fees={asset: fee for asset, fee in record.fees.items() if fee != ZERO},
        fees_quote={a: EXACT.multiply(fee, prices[a]) for a, fee in record.fees.items() if fee != ZERO and a in prices},
        value_quote=EXACT.multiply(record.filled_quote, prices[record.quote]) if priced else None,
        venue_order_id=record.venue_order_id,
        owner_said=record.key in told.acked,
    )
