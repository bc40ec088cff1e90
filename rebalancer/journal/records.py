"""One constructor a kind of row, so that each payload's shape stands in one place. Pure."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from rebalancer.core.canonical import canonical
from rebalancer.core.ledger import Books
from rebalancer.core.model import Fill, Order, Side, Terms, amount_of, price_of, side_of
from rebalancer.core.money import EXACT, ZERO, QuoteAmount
from rebalancer.core.orders import Event
from rebalancer.core.plan import Leg, Plan
from rebalancer.core.targets import OrderType
from rebalancer.core.trust import trust_document
from rebalancer.journal.rows import Entry, Kind

RESTORED = "restored"  # the halt of a journal that lacks what came after its backup


@dataclass(frozen=True, slots=True)
class Binding:
    """What a journal is about; another binding is refused."""

    venue: str
    host: str
    account_id: str
    quote: str


@dataclass(frozen=True, slots=True)
class Intent:
    """One leg as it is written down before anything of it can leave."""

    run_id: str
    intent_seq: int
    asset: str
    symbol: str
    quote: str  # that the pair is priced in
    terms: Terms
    notional_quote: Decimal
    client_order_id: str
    capped: bool = False  # less than wished: the rest of it is for a later plan

    @property
    def side(self) -> Side:
        """Return the side that the terms imply."""
        return side_of(self.terms)


def binding(bound: Binding) -> Entry:
    """Return the journal's first row."""
    payload = {"venue": bound.venue, "host": bound.host, "account_id": bound.account_id, "quote": bound.quote}
    return Entry(Kind.BINDING, payload)


def run_started(run_id: str, *, schedule_id: str, slot: datetime, mode: str) -> Entry:
    """Return the row that uses up a slot."""
    return Entry(Kind.RUN, {"schedule_id": schedule_id, "slot": slot, "mode": mode}, run_id)


def config(run_id: str, *, digest: str, weights: Mapping[str, Decimal]) -> Entry:
    """Return the row that says which targets a run served."""
    return Entry(Kind.CONFIG, {"digest": digest, "weights": weights}, run_id)


def targets_changed(facts: Mapping[str, Any]) -> Entry:
    """Return the row of a version of the targets: how, who and when, the digests and weights before and after."""
    return Entry(Kind.TARGETS, facts)


def snapshot(run_id: str, document: Mapping[str, Any], taken_at: datetime) -> Entry:
    """Return the row with everything the plan was made of, compressed."""
    packed = zlib.compress(canonical(document).encode(), level=9)
    return Entry(Kind.SNAPSHOT, {"zlib": base64.b64encode(packed).decode("ascii")}, run_id, t_exch=taken_at)


def unpack_snapshot(payload: Mapping[str, Any]) -> Any:
    """Return the document that `snapshot` packed."""
    return json.loads(zlib.decompress(base64.b64decode(payload["zlib"])))


def ledger(run_id: str, books: Books) -> Entry:
    """Return the row of the account's books at a look."""
    return Entry(Kind.LEDGER, {each.name: getattr(books, each.name) for each in fields(books)}, run_id, t_exch=books.at)


def plan_made(
    run_id: str, plan: Plan, *, mode: str, weights_digest: str, complete: bool, document: Mapping[str, Any]
) -> Entry:
    """Return the row of a plan; `complete` when no limit cut it, so that a change of targets has been served."""
    payload = {
        "mode": mode,
        "nav_quote": plan.nav_quote,
        "nav_here_quote": plan.nav_here_quote,
        "validated": not plan.denials,
        "trigger": plan.trigger,
        "legs": len(plan.legs),
        "weights_digest": weights_digest,
        "complete": complete,
        "totals": {a.asset: EXACT.add(a.free, a.locked) for a in plan.assets if a.asset not in plan.taken_as_zero},
        "rows": {"count": plan.rows.count, "held": sorted(plan.rows.held)},
        "mids": {line.asset: line.price for line in plan.assets if line.asset != plan.quote},
        "coins": trust_document(plan.trust),
        "plan": document,
    }
    return Entry(Kind.PLAN, payload, run_id, t_exch=plan.taken_at)


def intent(made: Intent) -> Entry:
    """Return the row of one leg."""
    payload = {
        "asset": made.asset,
        "symbol": made.symbol,
        "quote": made.quote,
        **_terms(made.terms),
        "notional_quote": made.notional_quote,
        "client_order_id": made.client_order_id,
        "capped": made.capped,
    }
    return Entry(Kind.INTENT, payload, made.run_id, made.intent_seq)


def sending(
    made: Intent,
    leg: Leg,
    *,
    signed_at: datetime,
    deadline: datetime,
    free_before: Mapping[str, Decimal],
) -> Entry:
    """Return the row without which nothing is sent: type, amount and price as on the wire, and when it dies.

    `free_before` are the totals of base and quote as last read: what the account holds if this order never was.
    """
    payload = {
        "symbol": leg.symbol,
        **_terms(leg.terms),
        "notional_quote": leg.notional_quote,
        "signed_at": signed_at,
        "deadline": deadline,
        "balances_before": free_before,
    }
    return Entry(Kind.SENDING, payload, made.run_id, made.intent_seq, signed_at)


def outcome(
    run_id: str,
    intent_seq: int,
    event: Event,
    *,
    text: str = "",
    order: Order | None = None,
    venue_order_id: str = "",
    fees: Mapping[str, Decimal] | None = None,
    fills: Sequence[Fill] = (),
    t_exch: datetime | None = None,
) -> Entry:
    """Return the row that moves an intent after SENDING (or ends one that was never sent)."""
    payload: dict[str, Any] = {"event": event}
    if text:
        payload["text"] = text
    if order is not None:
        payload |= {
            "venue_order_id": order.venue_order_id,
            "state": order.state_text,
            "filled_quantity": order.filled_quantity,
            "filled_quote": order.filled_quote,
        }
    if venue_order_id:
        payload["venue_order_id"] = venue_order_id
    if fees is not None:
        payload["fees"] = fees
    if fills:
        payload["fills"] = [_fill(each) for each in fills]
    return Entry(Kind.OUTCOME, payload, run_id, intent_seq, t_exch)


def _fill(fill: Fill) -> dict[str, Any]:
    """Return one match result; a fee that another coin paid stands under that coin."""
    paid = {fill.fee_asset: fill.fee} if fill.fee else {}
    paid |= {fill.deducted_asset: fill.deducted} if fill.deducted else {}
    moment = {} if fill.filled_at is None else {"at": fill.filled_at}
    return {"id": fill.fill_id, **moment, "price": fill.price, "quantity": fill.quantity, "fees": paid}


NOT_FOUND, REFUSED, ANSWERED = "not_found", "refused", "answered"  # what an evidence row can be about


def evidence(run_id: str, intent_seq: int, kind: str, facts: Mapping[str, Any], t_exch: datetime) -> Entry:
    """Return one piece of what is known about an order whose answer never came."""
    return Entry(Kind.EVIDENCE, {"evidence": kind, **facts}, run_id, intent_seq, t_exch)


def plan_closed(run_id: str, text: str, *, whole: bool) -> Entry:
    """Return the row after which nothing more of a plan is sent; `whole` when every leg of it was handled."""
    return Entry(Kind.PLAN_CLOSED, {"text": text, "whole": whole}, run_id)


def run_closed(run_id: str, *, status: str, text: str = "", facts: Mapping[str, Any] | None = None) -> Entry:
    """Return the row that ends a run."""
    return Entry(Kind.RUN_CLOSED, {"status": status, "text": text, **(facts or {})}, run_id)


def external_flow(run_id: str, *, held: Mapping[str, Decimal], moved: Mapping[str, Decimal], t_exch: datetime) -> Entry:
    """Return what somebody else did to the balances: the totals now held, and by how much our fills do not explain."""
    return Entry(Kind.EXTERNAL_FLOW, {"held": held, "moved": moved}, run_id, t_exch=t_exch)


def halt(code: str, text: str, *, run_id: str = "") -> Entry:
    """Return the row that stops all trading until the owner answers."""
    return Entry(Kind.HALT, {"code": code, "text": text}, run_id)


def ack_halt(halt_seq: int, who: str) -> Entry:
    """Return the owner's answer to a halt."""
    return Entry(Kind.ACK, {"halt": halt_seq, "who": who})


def ack_coin(asset: str, who: str) -> Entry:
    """Return the owner's word that a frozen coin may trade again, at whatever price it now has."""
    return Entry(Kind.ACK, {"coin": asset, "who": who})


def ack_plan(plan_run_id: str, who: str, *, weights_digest: str, up_to_quote: Decimal) -> Entry:
    """Return the owner's leave to turn over so much for one set of target weights, asked for by a run's plan."""
    assert up_to_quote.is_finite() and up_to_quote > 0, up_to_quote
    return Entry(
        Kind.ACK, {"plan": plan_run_id, "weights_digest": weights_digest, "up_to_quote": up_to_quote, "who": who}
    )


def ack_intent(
    run_id: str,
    intent_seq: int,
    event: Event,
    *,
    who: str,
    text: str,
    filled: tuple[Decimal, Decimal] | None = None,
) -> Entry:
    """Return the owner's word on a quarantined order; `filled` is how much base for how much quote, if any was."""
    assert event in {Event.ACK_FILLED, Event.ACK_PARTIAL, Event.ACK_ABSENT}, event
    assert (filled is None) == (event is Event.ACK_ABSENT), (event, filled)
    payload: dict[str, Any] = {"event": event, "who": who, "text": text}
    if filled is None:
        payload |= {"filled_quantity": ZERO, "filled_quote": ZERO, "fees": {}}
    else:
        assert all(each.is_finite() and each > 0 for each in filled), filled
        payload |= {"filled_quantity": filled[0], "filled_quote": filled[1]}
    return Entry(Kind.ACK, payload, run_id, intent_seq)


def learned_amount_precision(symbol: str) -> Entry:
    """Return what a precision refusal taught us about a symbol."""
    return Entry(Kind.LEARNED, {"amount_precision": symbol})


def checkpoint(state: Mapping[str, Any]) -> Entry:
    """Return the row that a later start begins from; the hash of the row before is the head that it seals."""
    return Entry(Kind.CHECKPOINT, state)


def _terms(terms: Terms) -> dict[str, Any]:
    """Return what an order asks for, `unit` being what its amount counts; a market order has no price."""
    price = price_of(terms)
    return {
        "side": side_of(terms),
        "order_type": OrderType.MARKET if price is None else OrderType.IOC,
        "unit": "quote" if isinstance(terms, QuoteAmount) else "base",
        "amount": amount_of(terms),
        **({} if price is None else {"price": price}),
    }


def plan_and_intents(plan_row: Entry, intents: Sequence[Intent]) -> tuple[Entry, ...]:
    """Return the rows that must become durable together."""
    return (plan_row, *(intent(each) for each in intents))
