"""Current state as a fold over the rows. Pure; an illegal row raises before anything is written."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from rebalancer.core.canonical import parse_moment
from rebalancer.core.model import Side, Usage
from rebalancer.core.money import ZERO
from rebalancer.core.orders import UNRESOLVED, Event, IntentState, move
from rebalancer.journal.records import Binding
from rebalancer.journal.rows import Kind, Row

DAY = timedelta(hours=24)
# An illegal move, an unknown intent or halt, or a value that does not read as what it should be.
IMPOSSIBLE = (KeyError, ValueError, TypeError, ArithmeticError)
Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class IntentRecord:
    """An intent and all that is known of what became of it."""

    run_id: str
    intent_seq: int
    asset: str
    symbol: str
    side: Side
    amount: Decimal
    notional_quote: Decimal
    client_order_id: str
    state: IntentState
    sent_amount: Decimal | None = None
    signed_at: datetime | None = None
    deadline: datetime | None = None
    balances_before: Mapping[str, Decimal] = field(default_factory=dict)
    venue_order_id: str = ""
    filled_quantity: Decimal = ZERO
    filled_quote: Decimal = ZERO
    fees: Mapping[str, Decimal] = field(default_factory=dict)
    text: str = ""
    not_found_at: tuple[datetime, ...] = ()  # exchange times of answers that found nothing, after the deadline
    changed_at: str = ""

    @property
    def key(self) -> Key:
        """Return the run and the number within it."""
        return self.run_id, self.intent_seq


def balance_changes(record: IntentRecord, base: str, quote: str) -> dict[str, Decimal]:
    """Return what a settled intent did to the balances, by asset, fees included."""
    sign = 1 if record.side is Side.BUY else -1
    changes = {base: sign * record.filled_quantity, quote: -sign * record.filled_quote}
    for asset, paid in record.fees.items():
        changes[asset] = changes.get(asset, ZERO) - paid
    return changes


@dataclass(frozen=True, slots=True)
class Sent:
    """One order of the last day, for the rolling limits."""

    key: Key
    at: datetime
    side: Side
    notional_quote: Decimal


@dataclass(frozen=True, slots=True)
class Halt:
    """A stop that waits for the owner."""

    seq: int
    code: str
    text: str
    since: str


@dataclass(slots=True)
class JournalState:
    """Everything that decisions need of the past. Changed only by `fold`."""

    binding: Binding | None = None
    fence: int = 0
    nonce: str = ""  # of this life of the journal
    last_slots: dict[str, datetime] = field(default_factory=dict)  # by schedule id
    intents: dict[Key, IntentRecord] = field(default_factory=dict)
    open_plan: str = ""  # run id of a live plan that is not closed
    open_run: str = ""
    halts: dict[int, Halt] = field(default_factory=dict)
    answered_halts: frozenset[str] = frozenset()  # texts of halts that the owner acknowledged
    sent: tuple[Sent, ...] = ()
    amount_precision_symbols: frozenset[str] = frozenset()
    served_weights_digest: str = ""
    nav_validated_quote: Decimal | None = None
    mids: Mapping[str, Decimal] = field(default_factory=dict)  # of the last validated plan
    mids_at: datetime | None = None
    # What the account must hold by the last live plan's look and our fills since, and how much of that our fills moved.
    totals: Mapping[str, Decimal] = field(default_factory=dict)
    traded: Mapping[str, Decimal] = field(default_factory=dict)
    has_traded: bool = False

    def draft(self) -> JournalState:
        """Return a copy on which rows can be tried; what it holds is frozen, so its containers are enough."""
        made = copy.copy(self)
        made.last_slots, made.intents, made.halts = dict(self.last_slots), dict(self.intents), dict(self.halts)
        return made

    @property
    def unresolved(self) -> tuple[IntentRecord, ...]:
        """Return the intents that forbid the next plan, oldest first."""
        return tuple(record for record in self.intents.values() if record.state in UNRESOLVED)

    def usage(self, now: datetime, weights_digest: str) -> Usage:
        """Return what the 24 hours before `now` took of the limits. What was never sent does not count."""
        recent = [sent for sent in self.sent if sent.at > now - DAY and not self._never_sent(sent.key)]
        changed = self.served_weights_digest not in ("", weights_digest)
        return Usage(
            sold_quote=sum((s.notional_quote for s in recent if s.side is Side.SELL), ZERO),
            bought_quote=sum((s.notional_quote for s in recent if s.side is Side.BUY), ZERO),
            orders=len(recent),
            nav_validated_quote=self.nav_validated_quote,
            mids=self.mids if self.mids_at is not None and self.mids_at > now - DAY else {},
            has_traded=self.has_traded,
            targets_changed=changed,
            amount_precision_symbols=self.amount_precision_symbols,
        )

    def _never_sent(self, key: Key) -> bool:
        return self.intents[key].state is IntentState.ABANDONED


def fold(state: JournalState, row: Row) -> None:
    """Apply one row; one of IMPOSSIBLE is raised when it does not follow from the ones before."""
    handler = _HANDLERS.get(row.kind)
    if handler is not None:
        handler(state, row, json.loads(row.payload_text))


def _key(row: Row) -> Key:
    assert row.intent_seq is not None, row
    return row.run_id, row.intent_seq


def _on_binding(state: JournalState, _row: Row, payload: dict[str, Any]) -> None:
    state.binding = Binding(**payload)


def _on_fence(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    state.fence = row.fence
    state.nonce = payload["nonce"]


def _on_run(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    slot, schedule = parse_moment(payload["slot"]), payload["schedule_id"]
    state.last_slots[schedule] = max(slot, state.last_slots.get(schedule, slot))
    state.open_run = row.run_id


def _on_run_closed(state: JournalState, _row: Row, _payload: dict[str, Any]) -> None:
    state.open_run = ""


def _on_plan(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    if payload["validated"] and payload["nav_quote"] is not None:
        state.nav_validated_quote = Decimal(payload["nav_quote"])
        state.mids = {asset: Decimal(mid) for asset, mid in payload["mids"].items()}
        state.mids_at = parse_moment(row.t_exch)
    if payload["mode"] != "live":
        return
    if payload["validated"]:
        state.totals = {asset: Decimal(held) for asset, held in payload["totals"].items()}
        state.traded = {}
    if payload["legs"]:
        state.open_plan = row.run_id
    if payload["validated"] and payload["complete"]:
        state.served_weights_digest = payload["weights_digest"]


def _on_plan_closed(state: JournalState, row: Row, _payload: dict[str, Any]) -> None:
    if state.open_plan == row.run_id:
        state.open_plan = ""


def _on_intent(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    known = state.intents.get(_key(row))
    state.intents[_key(row)] = IntentRecord(
        run_id=row.run_id,
        intent_seq=_key(row)[1],
        asset=payload["asset"],
        symbol=payload["symbol"],
        side=Side(payload["side"]),
        amount=Decimal(payload["amount"]),
        notional_quote=Decimal(payload["notional_quote"]),
        client_order_id=payload["client_order_id"],
        state=move(known.state if known else None, Event.PLAN),
        changed_at=row.t_wall,
    )


def _on_sending(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    record = state.intents[_key(row)]
    signed_at = parse_moment(payload["signed_at"])
    state.intents[record.key] = replace(
        record,
        state=move(record.state, Event.SEND),
        sent_amount=Decimal(payload["amount"]),
        notional_quote=Decimal(payload["notional_quote"]),
        signed_at=signed_at,
        deadline=parse_moment(payload["deadline"]),
        balances_before={asset: Decimal(held) for asset, held in payload["balances_before"].items()},
        changed_at=row.t_wall,
    )
    kept = tuple(sent for sent in state.sent if sent.at > signed_at - 2 * DAY)
    state.sent = (*kept, Sent(record.key, signed_at, record.side, Decimal(payload["notional_quote"])))


def _on_outcome(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    record = state.intents[_key(row)]
    new = move(record.state, Event(payload["event"]))
    state.intents[record.key] = replace(
        record,
        state=new,
        venue_order_id=payload.get("venue_order_id", record.venue_order_id),
        filled_quantity=Decimal(payload.get("filled_quantity", record.filled_quantity)),
        filled_quote=Decimal(payload.get("filled_quote", record.filled_quote)),
        fees={asset: Decimal(fee) for asset, fee in payload["fees"].items()} if "fees" in payload else record.fees,
        text=payload.get("text", record.text),
        changed_at=row.t_wall,
    )
    state.has_traded = state.has_traded or new in {IntentState.FILLED, IntentState.PARTIAL}
    _follow_balances(state, state.intents[record.key], row.kind)


def _follow_balances(state: JournalState, record: IntentRecord, kind: Kind) -> None:
    """Take a fill into what the account must hold; what only the owner knows makes its coins' balances unknown."""
    assert state.binding is not None
    quote = state.binding.quote
    if kind is Kind.ACK or record.state is IntentState.QUARANTINED:
        state.totals = {a: held for a, held in state.totals.items() if a not in (record.asset, quote)}
        return
    if record.state in {IntentState.FILLED, IntentState.PARTIAL}:
        changes = balance_changes(record, record.asset, quote)
        state.totals = {asset: held + changes.get(asset, ZERO) for asset, held in state.totals.items()}
        state.traded = {a: state.traded.get(a, ZERO) + abs(changes.get(a, ZERO)) for a in {*state.traded, *changes}}


def _on_external_flow(state: JournalState, _row: Row, payload: dict[str, Any]) -> None:
    state.totals = {**state.totals, **{asset: Decimal(held) for asset, held in payload["held"].items()}}


def _on_evidence(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    record = state.intents[_key(row)]
    if payload["evidence"] == "not_found" and record.deadline is not None:
        at = parse_moment(row.t_exch)
        if at >= record.deadline:
            state.intents[record.key] = replace(record, not_found_at=(*record.not_found_at, at))


def _on_halt(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    state.halts[row.seq] = Halt(row.seq, payload["code"], payload["text"], row.t_wall)


def _on_ack(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    if row.intent_seq is not None:
        _on_outcome(state, row, payload)
    else:
        state.answered_halts |= {state.halts.pop(payload["halt"]).text}


def _on_learned(state: JournalState, _row: Row, payload: dict[str, Any]) -> None:
    state.amount_precision_symbols |= {payload["amount_precision"]}


_HANDLERS = {
    Kind.BINDING: _on_binding,
    Kind.FENCE: _on_fence,
    Kind.RUN: _on_run,
    Kind.RUN_CLOSED: _on_run_closed,
    Kind.PLAN: _on_plan,
    Kind.PLAN_CLOSED: _on_plan_closed,
    Kind.INTENT: _on_intent,
    Kind.SENDING: _on_sending,
    Kind.OUTCOME: _on_outcome,
    Kind.EVIDENCE: _on_evidence,
    Kind.HALT: _on_halt,
    Kind.ACK: _on_ack,
    Kind.LEARNED: _on_learned,
    Kind.EXTERNAL_FLOW: _on_external_flow,
}
