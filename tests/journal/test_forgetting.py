"""What a checkpoint leaves out is asked for by no decision: the service is asked both ways, over many days of a life."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from rebalancer.core.model import Balance, Order
from rebalancer.core.orders import TERMINAL, IntentState
from rebalancer.journal import records
from rebalancer.journal import state as states
from rebalancer.journal.fold import fold
from rebalancer.journal.rows import Entry, Row
from rebalancer.journal.state import IntentRecord, JournalState
from rebalancer.service import reconcile
from rebalancer.service.cycle import orders_of
from rebalancer.service.shell import Shell
from rebalancer.service.strangers import look_for_strangers
from tests.core.builders import NOW, d
from tests.journal.builders import (
    BOUND,
    brought_to,
    intent,
    moved,
    new_journal,
    order_of,
    path_to,
    planned,
    random_life,
)
from tests.support import FakeClock

SEEDS, STEPS = 10, 400
HOUR = timedelta(hours=1)
LATE_MAX_S = 600  # an order is made at the latest so long after its plan was


@dataclass
class _Past:
    """A journal's side of the service: a state, and what would be written."""

    state: JournalState
    written: list[Entry] = field(default_factory=list)

    def append(self, *entries: Entry) -> None:
        self.written += entries


@dataclass
class _World:
    """The exchange's side: every order that any intent can ever have become, whatever the journal believes."""

    orders: Sequence[Order]
    now: datetime

    def server_now(self) -> datetime:
        return self.now

    def fetch_server_time(self) -> datetime:
        return self.now

    def fetch_recent_orders(self, start: datetime) -> Sequence[Order]:
        return [order for order in self.orders if start <= order.created_at <= self.now]

    def fetch_open_orders(self, _account: str, symbol: str) -> Sequence[Order]:
        return [order for order in self.orders if order.symbol == symbol and order.created_at > self.now - HOUR]

    def search_orders(self, symbol: str, start: datetime, end: datetime | None = None) -> Sequence[Order]:
        found = (order for order in self.fetch_recent_orders(start) if order.symbol == symbol)
        return [order for order in found if end is None or order.created_at <= end]

    def fetch_balances(self, _account: str) -> Mapping[str, Balance]:
        return {}


class _Asking:
    """The seams of a shell that the questions need."""

    def __init__(self, state: JournalState, world: _World) -> None:
        self.journal, self.venue, self.account_id = _Past(state), world, BOUND.account_id

    def say(self, _progress: object) -> None:
        pass


def orders_in(whole: JournalState, rng: random.Random) -> list[Order]:
    made = []
    for record in whole.intents.values():
        assert record.exchange_at is not None
        named = replace(intent(record.intent_seq, run=record.run_id), client_order_id=record.client_order_id)
        created = record.exchange_at + timedelta(seconds=rng.randint(0, LATE_MAX_S))
        order = replace(order_of(named), side=record.side, requested=record.sent_amount or d(1), created_at=created)
        made += [
            replace(order, venue_order_id=f"{record.client_order_id}{twin}") for twin in range(rng.choice([1, 1, 2]))
        ]
    return made


def answers(state: JournalState, world: _World) -> dict[str, Any]:
    """Return what the service decides or would write, question by question."""
    asking = _Asking(state, world)
    shell = cast("Shell", asking)
    look_for_strangers(shell)
    waiting = state.unresolved
    sought = [record for record in waiting if record.state is IntentState.UNKNOWN]
    found = {record.key: reconcile._scan(shell, record) for record in sought}
    return {
        "strangers": list(asking.journal.written),
        "unresolved": waiting,
        "look-alikes": [reconcile._looks_like_ours(shell, record, found[record.key]) for record in sought],
        "balances": [reconcile._balances_differ(shell, record) for record in sought],
        "usage": [state.usage(world.now + ahead * HOUR, "digest") for ahead in (-24, -1, 0, 1, 25)],
        "run": orders_of(cast("Any", asking.journal), state.open_run),
        "plan": [r for r in orders_of(cast("Any", asking.journal), state.open_plan) if r.state is IntentState.PLANNED],
        "rest": {part.name: getattr(state, part.name) for part in fields(state) if part.name != "intents"},
    }


def life(seed: int) -> Iterator[tuple[JournalState, JournalState, _World, int]]:
    """Yield, step by step, a state that never forgets, one that does at each checkpoint, and the exchange."""
    clock, rng, whole = FakeClock(), random.Random(seed), JournalState()
    with new_journal(clock=clock, checkpoint_rows=12) as journal:
        follow(whole, journal.rows())
        for number, rows in enumerate(random_life(journal, clock, seed, STEPS)):
            follow(whole, rows)
            yield whole, journal.state, _World(orders_in(whole, rng), clock.now()), number


def follow(state: JournalState, rows: Iterable[Row]) -> None:
    for row in rows:
        fold(state, row)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_decision_is_another_for_what_was_forgotten(seed: int) -> None:
    forgotten = 0
    for whole, kept, world, number in life(seed):
        remembered, known = answers(whole, world), answers(kept, world)
        for question, answer in remembered.items():
            assert known[question] == answer, f"seed {seed}, step {number}: {question}"
        forgotten = max(forgotten, len(whole.intents) - len(kept.intents))
    assert forgotten > 15, f"seed {seed}: the life is too short to prove anything"


def test_a_memory_of_a_day_would_be_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The questions are sharp enough to see one intent too few."""
    monkeypatch.setattr(states, "KEEP", timedelta(hours=24))
    assert any(
        answers(whole, world) != answers(kept, world) for seed in range(SEEDS) for whole, kept, world, _ in life(seed)
    )


def aged(record: IntentRecord, hours: float) -> JournalState:
    """Return a state whose last order was sent so long after an intent's."""
    at = NOW + hours * HOUR
    return JournalState(exchange_at=at, intents={record.key: replace(record, exchange_at=NOW)})


@pytest.mark.parametrize("state", IntentState)
def test_only_what_has_ended_is_forgotten_and_only_after_three_days(state: IntentState) -> None:
    with new_journal() as journal:
        made = brought_to(journal, state)
        record = journal.state.intents[made.run_id, made.intent_seq]
    for hours, kept in ((72, True), (72.1, state not in TERMINAL)):
        past = aged(record, hours)
        past.forget()
        assert (record.key in past.intents) is kept, hours


def test_what_was_done_since_an_unknown_order_was_signed_is_kept_however_long_ago_that_is() -> None:
    with new_journal() as journal:
        lost = brought_to(journal, IntentState.UNKNOWN)
        later = brought_to(journal, IntentState.FILLED, intent(2))
        journal.append(planned("run-b", at=NOW + 99 * HOUR))
        journal.state.forget()
        assert set(journal.state.intents) == {(lost.run_id, 1), (later.run_id, 2)}


def test_an_order_that_the_limits_count_is_kept_though_a_plan_was_made_days_later() -> None:
    with new_journal() as journal:
        made = brought_to(journal, IntentState.FILLED)
        journal.append(planned("run-b", at=NOW + 99 * HOUR))
        journal.state.forget()
        assert journal.state.usage(NOW, "").orders == 1
        assert (made.run_id, 1) in journal.state.intents


def test_orders_of_the_open_run_are_kept() -> None:
    with new_journal() as journal:
        made = brought_to(journal, IntentState.DENIED)
        for part in ("open_run", "open_plan"):
            past = replace(aged(journal.state.intents[made.run_id, 1], 99), **{part: made.run_id})
            past.forget()
            assert past.intents, part


def test_what_a_journal_keeps_in_mind_does_not_grow_with_its_age() -> None:
    clock, sizes = FakeClock(), []
    with new_journal(clock=clock, checkpoint_rows=40) as journal:
        for day in range(40):
            clock.advance(86_400)
            journal.append(planned(f"run-{day}", at=clock.now()))
            for number in (1, 2, 3):
                made = intent(number, run=f"run-{day}")
                events = (moved(made, event, clock.now()) for event in path_to(IntentState.FILLED))
                journal.append(records.intent(made), *events)
            sizes.append(len(journal.state.intents))
    assert max(sizes[20:]) == max(sizes[10:20]) < 25
