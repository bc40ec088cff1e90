"""Current state as a fold over the rows. Pure; an illegal row raises before anything is written."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

from rebalancer.core.canonical import parse_moment
from rebalancer.core.ledger import Trades
from rebalancer.core.model import RowsSeen, Side
from rebalancer.core.money import EXACT, ONE, ZERO
from rebalancer.core.orders import Event, IntentState, move
from rebalancer.core.reasons import Trigger
from rebalancer.core.targets import OrderType
from rebalancer.core.trust import CoinTrust, read_trust
from rebalancer.journal.checkpoint import read_books
from rebalancer.journal.records import ANSWERED, NOT_FOUND, REFUSED, RESTORED, Binding
from rebalancer.journal.rows import Kind, Row
from rebalancer.journal.state import DAY, Approval, Halt, IntentRecord, JournalState, Key, Sent, balance_changes

__all__ = ["IMPOSSIBLE", "IntentRecord", "JournalState", "Key", "balance_changes", "fold"]
# An illegal move, an unknown intent or halt, or a value that does not read as what it should be (text for a list).
IMPOSSIBLE = (KeyError, ValueError, TypeError, ArithmeticError, AttributeError)


def fold(state: JournalState, row: Row) -> None:
    """Apply one row; one of IMPOSSIBLE is raised when it does not follow from the ones before."""
    if row.kind is Kind.CHECKPOINT:
        state.forget()  # that the checkpoint says the same is for the chain to see
        return
    handler = _HANDLERS.get(row.kind)
    if handler is not None:
        handler(state, row, json.loads(row.payload_text))


def _key(row: Row) -> Key:
    if row.intent_seq is None:
        raise ValueError("it names no intent")
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
    if row.t_exch:
        state.exchange_at = parse_moment(row.t_exch)
    if payload["validated"] and payload["nav_quote"] is not None:
        state.nav_validated_quote = Decimal(payload.get("nav_here_quote", payload["nav_quote"]))
        state.mids = {asset: Decimal(mid) for asset, mid in payload["mids"].items()}
    _list_rows(state, payload)
    coins = _coins(row, payload)
    state.coins = {asset: coin.forgotten() for asset, coin in state.coins.items()} | coins if coins else state.coins
    if payload["mode"] != "live":
        return
    if payload["validated"]:
        state.totals = {asset: Decimal(held) for asset, held in payload["totals"].items()}
        state.traded = {}
        if payload["trigger"] != Trigger.CASH_FLOW:
            state.flows = {}  # whatever else acted, or nothing to do, has served them
    if payload["validated"] and not state.served_weights_digest:
        state.served_weights_digest = payload["weights_digest"]  # nothing was wanted before: these are no change
    serves = payload["weights_digest"] if payload["validated"] and payload["complete"] else ""
    if payload["legs"]:
        state.open_plan, state.open_plan_digest = row.run_id, serves
    elif serves:
        _served(state, serves)


def _list_rows(state: JournalState, payload: dict[str, Any]) -> None:
    """Remember what a look listed; rows of before say what was held of the targets alone."""
    known = {"count": None, "held": [asset for asset, held in payload["totals"].items() if Decimal(held)]}
    seen = payload.get("rows", known)
    held = frozenset(seen["held"])
    state.ever_held |= held
    if payload["validated"]:
        state.rows = RowsSeen(seen["count"], held)


def _coins(row: Row, payload: dict[str, Any]) -> dict[str, CoinTrust]:
    """Return what a plan's look left in memory of each coin; rows of before that hold the mids of one that passed."""
    if "coins" in payload:
        return read_trust(payload["coins"])
    at, passed = parse_moment(row.t_exch), payload["validated"]
    return {asset: CoinTrust(Decimal(mid), at) for asset, mid in payload["mids"].items()} if passed else {}


def _on_plan_closed(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    if state.open_plan != row.run_id:
        return
    # A plan that ended early has not served a change of targets, though it was made for it.
    if payload.get("whole") and state.open_plan_digest:
        _served(state, state.open_plan_digest)
    state.open_plan = state.open_plan_digest = ""


def _quote(state: JournalState) -> str:
    if state.binding is None:
        raise ValueError("no row before it says what the journal is about")
    return state.binding.quote


def _served(state: JournalState, digest: str) -> None:
    """Take a set of weights for carried out: what the owner allowed for it is over."""
    state.served_weights_digest = digest
    if state.approval is not None and state.approval.weights_digest == digest:
        state.approval = None


def _on_intent(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    quote = _quote(state)
    known = state.intents.get(_key(row))
    state.intents[_key(row)] = IntentRecord(
        run_id=row.run_id,
        intent_seq=_key(row)[1],
        asset=payload["asset"],
        symbol=payload["symbol"],
        quote=payload.get("quote", quote),  # rows from before there were direct pairs have none
        side=Side(payload["side"]),
        amount=Decimal(payload["amount"]),
        notional_quote=Decimal(payload["notional_quote"]),
        client_order_id=payload["client_order_id"],
        capped=payload.get("capped", False),
        state=move(known.state if known else None, Event.PLAN),
        order_type=OrderType(payload.get("order_type", OrderType.MARKET)),  # rows of before there was another
        price=Decimal(payload["price"]) if "price" in payload else None,
        changed_at=row.t_wall,
        exchange_at=state.exchange_at,
    )


def _on_sending(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    record = state.intents[_key(row)]
    state.exchange_at = signed_at = parse_moment(payload["signed_at"])
    state.intents[record.key] = replace(
        record,
        state=move(record.state, Event.SEND),
        sent_amount=Decimal(payload["amount"]),
        notional_quote=Decimal(payload["notional_quote"]),
        signed_at=signed_at,
        deadline=parse_moment(payload["deadline"]),
        balances_before={asset: Decimal(held) for asset, held in payload["balances_before"].items()},
        changed_at=row.t_wall,
        exchange_at=signed_at,
    )
    kept = tuple(sent for sent in state.sent if sent.at > signed_at - 2 * DAY)
    direct = record.quote != _quote(state)
    state.sent = (*kept, Sent(record.key, signed_at, record.side, Decimal(payload["notional_quote"]), direct))


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
    if new in {IntentState.FILLED, IntentState.PARTIAL}:
        state.has_traded = True
        if state.approval is not None:
            state.approval = state.approval.used_by(state.intents[record.key], _quote(state))
        _hold_price_against(state, state.intents[record.key])
        got = {asset for asset, change in balance_changes(state.intents[record.key]).items() if change > 0}
        state.rows, state.ever_held = replace(state.rows, held=state.rows.held | got), state.ever_held | got
    _follow_balances(state, state.intents[record.key], row.kind)


def _hold_price_against(state: JournalState, record: IntentRecord) -> None:
    """Take back a price that a fill over the quote coin gives away."""
    coin = state.coins.get(record.asset)
    if coin is not None and record.quote == _quote(state) and record.filled_quantity:
        coin = coin.after_fill_at(record.filled_quote / record.filled_quantity)
        state.coins = {**state.coins, record.asset: coin}


def _follow_balances(state: JournalState, record: IntentRecord, kind: Kind) -> None:
    """Take a fill into what the account must hold; what only the owner knows makes its coins' balances unknown."""
    unsure = kind is Kind.ACK or record.state is IntentState.QUARANTINED
    if unsure:
        state.totals = {a: held for a, held in state.totals.items() if a not in (record.asset, record.quote)}
    if record.state in {IntentState.FILLED, IntentState.PARTIAL}:
        changes, mids = balance_changes(record), {**state.mids, _quote(state): ONE}
        state.since_books = state.since_books.plus(record.asset, changes, record.fees, mids)
        if unsure:
            return
        state.totals = {asset: EXACT.add(held, changes.get(asset, ZERO)) for asset, held in state.totals.items()}
        state.traded = {a: state.traded.get(a, ZERO) + abs(changes.get(a, ZERO)) for a in {*state.traded, *changes}}


def _on_external_flow(state: JournalState, _row: Row, payload: dict[str, Any]) -> None:
    state.totals = {**state.totals, **{asset: Decimal(held) for asset, held in payload["held"].items()}}
    moved = {a: EXACT.add(state.flows.get(a, ZERO), Decimal(amount)) for a, amount in payload["moved"].items()}
    state.flows = {**state.flows, **moved}
    state.ever_held |= {asset for asset, held in payload["held"].items() if Decimal(held)}


def _on_evidence(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    record, at = state.intents[_key(row)], parse_moment(row.t_exch)
    if payload["evidence"] == REFUSED:
        record = replace(record, unanswered_since=record.unanswered_since or at)
    elif payload["evidence"] == ANSWERED:
        record = replace(record, unanswered_since=None)
    if payload["evidence"] == NOT_FOUND and record.deadline is not None and at >= record.deadline:
        # How far the first and the last are apart is all that is asked of them.
        record = replace(record, not_found_at=(*record.not_found_at[:1], at))
    state.intents[record.key] = record


def _on_halt(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    state.halts[row.seq] = Halt(row.seq, payload["code"], payload["text"], row.t_wall)
    if payload["code"] == RESTORED:  # what came after the backup may have been bought
        state.coins = {asset: coin.unexcused() for asset, coin in state.coins.items()}


def _on_ack(state: JournalState, row: Row, payload: dict[str, Any]) -> None:
    if row.intent_seq is not None:
        _on_outcome(state, row, payload)
    elif "up_to_quote" in payload:
        state.approval = Approval(payload["weights_digest"], Decimal(payload["up_to_quote"]))
    elif "coin" in payload:
        state.coins = {**state.coins, payload["coin"]: state.coins[payload["coin"]].acked()}
    else:
        state.answered_halts |= {state.halts.pop(payload["halt"]).text}


def _on_ledger(state: JournalState, _row: Row, payload: dict[str, Any]) -> None:
    state.books = read_books(payload)
    state.since_books = Trades()


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
    Kind.LEDGER: _on_ledger,
    Kind.EXTERNAL_FLOW: _on_external_flow,
}
