"""Journals with a past: rows as the service writes them, one by one or a whole life drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.core.ids import client_order_id, run_id
from rebalancer.core.ledger import Books, Look, next_books, open_books
from rebalancer.core.model import LimitIoc, Order, OrderState, Side, Terms, Usage, amount_of, price_of
from rebalancer.core.money import EXACT, BaseAmount, QuoteAmount
from rebalancer.core.orders import MOVES, UNRESOLVED, Event, IntentState
from rebalancer.core.plan import Leg, Plan
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Reason, Why
from rebalancer.journal import records
from rebalancer.journal.records import Binding, Intent
from rebalancer.journal.rows import Entry, Row
from rebalancer.journal.state import IntentRecord, JournalState
from rebalancer.journal.store import CHECKPOINT_ROWS, Journal
from tests.core.builders import NOW, d, snapshot, targets
from tests.support import FakeClock

BOUND = Binding("embedded", "127.0.0.1", "10101010", "USDT")
RUN = run_id("test", NOW, 1)
PLAN = make_plan(snapshot({"BTC": 1, "USDT": 0}, {"BTC": 50_000}), targets({"BTC": 50, "USDT": 50}), Usage())
ABSENCE = timedelta(seconds=420)
ACKS = (Event.ACK_FILLED, Event.ACK_PARTIAL, Event.ACK_ABSENT)


def new_journal(
    path: Path | str = ":memory:", clock: FakeClock | None = None, *, checkpoint_rows: int = CHECKPOINT_ROWS
) -> Journal:
    journal = Journal.open(path, clock or FakeClock(), checkpoint_rows=checkpoint_rows)
    journal.ensure_binding(BOUND)
    return journal


def started(run: str = RUN, *, slot: datetime = NOW, schedule: str = "test", mode: str = "live") -> Entry:
    return records.run_started(run, schedule_id=schedule, slot=slot, mode=mode)


def planned(run: str = RUN, *, plan: Plan = PLAN, mode: str = "live", complete: bool = True, **more: Any) -> Entry:
    document = more.get("document", {"totals": None})
    digest = more.get("digest", "weights")
    plan = replace(plan, taken_at=more.get("at", plan.taken_at))
    return records.plan_made(run, plan, mode=mode, weights_digest=digest, complete=complete, document=document)


def intent(
    number: int = 1,
    *,
    run: str = RUN,
    side: Side = Side.SELL,
    amount: str = "0.25",
    nonce: str = "00",
    price: Decimal | None = None,
) -> Intent:
    """Return a leg's intent; with a price, of an IOC order."""
    terms: Terms = BaseAmount(d(amount)) if side is Side.SELL else QuoteAmount(d(amount))
    if price is not None:
        terms = LimitIoc(side, BaseAmount(d(amount)), price)
    name = client_order_id(
        account_id=BOUND.account_id,
        nonce=nonce,
        run=run,
        intent_seq=number,
        symbol="btcusdt",
        side=side,
        amount=d(amount),
        price=price,
    )
    return Intent(run, number, "BTC", "btcusdt", "USDT", terms, d(100), name)


def leg_of(made: Intent, *, notional: str = "100") -> Leg:
    zero, terms = Decimal(0), made.terms
    size = terms
    if isinstance(terms, LimitIoc):
        spend = QuoteAmount(EXACT.multiply(terms.quantity.value, terms.price))
        size = terms.quantity if terms.side is Side.SELL else spend
    assert not isinstance(size, LimitIoc)
    return Leg(
        made.intent_seq,
        made.asset,
        made.symbol,
        "USDT",
        size,
        d(notional),
        d(400),
        zero,
        zero,
        zero,
        Reason(Why.OVERWEIGHT, "too much"),
        collar=price_of(terms),
    )


def sending(made: Intent, at: datetime = NOW, *, notional: str = "100") -> Entry:
    before = {"BTC": d("1.000000000000000001"), "USDT": d(0)}
    leg = leg_of(made, notional=notional)
    return records.sending(made, leg, signed_at=at, deadline=at + ABSENCE, free_before=before)


def order_of(made: Intent, *, filled: str = "0.25") -> Order:
    return Order(
        venue_order_id="1001",
        client_order_id=made.client_order_id,
        account_id=BOUND.account_id,
        symbol=made.symbol,
        side=made.side,
        kind="market" if price_of(made.terms) is None else "ioc",
        price=price_of(made.terms),
        requested=amount_of(made.terms),
        state=OrderState.FILLED,
        state_text="filled",
        filled_quantity=d(filled),
        filled_quote=d(filled) * 400,
        fee_nominal=d("0.2"),
        created_at=NOW,
    )


def moved(made: Intent, event: Event, at: datetime = NOW) -> Entry:
    """Return the row that brings an event to an intent, of the kind that the service would write."""
    if event is Event.SEND:
        return sending(made, at)
    if event in ACKS:
        filled = None if event is Event.ACK_ABSENT else (d("0.25"), d(100))
        return records.ack_intent(made.run_id, made.intent_seq, event, who="owner", text="looked", filled=filled)
    order = order_of(made) if event in {Event.FILL, Event.PART} else None
    fees = {"USDT": d("0.2")} if order else None
    return records.outcome(made.run_id, made.intent_seq, event, text="because", order=order, fees=fees, t_exch=at)


def path_to(state: IntentState) -> tuple[Event, ...]:
    """Return the shortest way from a planned intent to `state`."""
    ways: dict[IntentState, tuple[Event, ...]] = {IntentState.PLANNED: ()}
    while state not in ways:
        for (old, event), new in MOVES.items():
            if old in ways and new not in ways:
                ways[new] = (*ways[old], event)
    return ways[state]


def brought_to(journal: Journal, state: IntentState, made: Intent | None = None) -> Intent:
    made = made or intent()
    journal.append(records.intent(made), *(moved(made, event) for event in path_to(state)))
    assert journal.state.intents[made.run_id, made.intent_seq].state is state
    return made


def random_life(journal: Journal, clock: FakeClock, seed: int, steps: int = 40) -> Iterator[tuple[Row, ...]]:
    """Append `steps` legal steps of every kind that the service writes, yielding after each."""
    rng = random.Random(seed)
    for number in range(steps):
        clock.advance(rng.choice([0.25, 1.0, 3600.0, 40_000.0]))
        yield journal.append(*_step(journal.state, clock.now(), rng, number))


def _step(state: JournalState, now: datetime, rng: random.Random, number: int) -> tuple[Entry, ...]:
    events = [(record, event) for record in state.intents.values() for old, event in MOVES if old is record.state]
    if events and rng.random() < 0.7:
        waiting = [pair for pair in events if pair[0].state in UNRESOLVED and pair[1] is not Event.QUARANTINE]
        record, event = rng.choice(waiting if waiting and rng.random() < 0.5 else events)
        return (moved(_intent_of(record), event, now),)
    run = run_id("test", now, number + 1)
    if number % 40 == 17:
        return (records.ack_plan(run, "owner", weights_digest="weights", up_to_quote=d("0.5") + number),)
    if number % 40 == 23:
        return (records.targets_changed({"how": "file", "digest": f"digest {number}"}),)
    makers = [
        lambda: (started(run, slot=now), records.config(run, digest="d", weights={"BTC": d("99.5"), "USDT": d("0.5")})),
        lambda: (
            records.ledger(run, _books_at(state, now, random.Random(number))),
            *records.plan_and_intents(planned(run, at=now), [_drawn(run, seq, rng) for seq in range(1, 4)]),
        ),
        lambda: (
            records.plan_closed(state.open_plan, "done", whole=rng.random() < 0.5),
            records.run_closed(state.open_run, status="done"),
        ),
        lambda: (records.halt("foreign_order", f"order {number}", run_id=run),),
        lambda: (records.learned_amount_precision(f"coin{number}usdt"),),
        lambda: (records.external_flow(run, held={"BTC": d(number)}, moved={"BTC": d(1)}, t_exch=now),),
    ]
    if state.halts:
        makers.append(lambda: (records.ack_halt(min(state.halts), "owner"),))
    if state.unresolved:
        asked = rng.choice(state.unresolved)
        makers.append(lambda: (records.evidence(asked.run_id, asked.intent_seq, "not_found", {"by": "id"}, now),))
    return rng.choice(makers)()


def _books_at(state: JournalState, now: datetime, rng: random.Random) -> Books:
    held = {asset: Decimal(rng.randint(0, 10**20)).scaleb(-rng.randint(0, 18)) for asset in ("BTC", "USDT")}
    prices = {"BTC": Decimal(rng.randint(1, 10**9)).scaleb(-rng.randint(0, 8)), "USDT": Decimal(1)}
    look = Look(now, "USDT", prices, held, {"BTC": d("99.5"), "USDT": d("0.5")})
    return open_books(look) if state.books is None else next_books(state.books, look, state.since_books)


def _drawn(run: str, number: int, rng: random.Random) -> Intent:
    digits = rng.randint(0, 18)
    amount = str(Decimal(rng.randint(1, 10**20)).scaleb(-digits))
    price = rng.choice([None, Decimal(rng.randint(1, 10**9)).scaleb(-rng.randint(0, 8))])
    return intent(number, run=run, side=rng.choice([Side.BUY, Side.SELL]), amount=amount, price=price)


def _intent_of(record: IntentRecord) -> Intent:
    return intent(record.intent_seq, run=record.run_id, side=record.side, amount=str(record.amount), price=record.price)
