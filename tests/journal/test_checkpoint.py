"""The state as a document and back: whatever a life of the journal leads to, to the last digit and in its order."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.canonical import canonical
from rebalancer.core.model import Side
from rebalancer.core.orders import IntentState
from rebalancer.core.targets import OrderType
from rebalancer.journal.checkpoint import read_state, state_document, text_of
from rebalancer.journal.state import IntentRecord, JournalState, Sent
from tests.core.builders import NOW
from tests.journal.builders import new_journal, random_life
from tests.support import FakeClock

AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e20"), max_value=Decimal("1e20"))
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=3650)).map(lambda ahead: NOW + ahead)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
BY_ASSET = st.dictionaries(TEXTS, AMOUNTS, max_size=3)
INTENTS = st.builds(
    IntentRecord,
    run_id=TEXTS,
    intent_seq=st.integers(1, 999),
    asset=TEXTS,
    symbol=TEXTS,
    side=st.sampled_from(Side),
    amount=AMOUNTS,
    notional_quote=AMOUNTS,
    client_order_id=TEXTS,
    capped=st.booleans(),
    state=st.sampled_from(IntentState),
    order_type=st.sampled_from(OrderType),
    price=st.none() | AMOUNTS,
    sent_amount=st.none() | AMOUNTS,
    signed_at=st.none() | MOMENTS,
    deadline=st.none() | MOMENTS,
    balances_before=BY_ASSET,
    venue_order_id=TEXTS,
    filled_quantity=AMOUNTS,
    filled_quote=AMOUNTS,
    fees=BY_ASSET,
    text=TEXTS,
    not_found_at=st.lists(MOMENTS, max_size=2).map(tuple),
    unanswered_since=st.none() | MOMENTS,
    changed_at=TEXTS,
    exchange_at=st.none() | MOMENTS,
)
SENTS = st.builds(
    Sent, key=st.tuples(TEXTS, st.integers(1, 9)), at=MOMENTS, side=st.sampled_from(Side), notional_quote=AMOUNTS
)


def again(state: JournalState) -> JournalState:
    return read_state(json.loads(canonical(state_document(state))))


def lived(seed: int, steps: int = 60) -> JournalState:
    clock = FakeClock()
    with new_journal(clock=clock) as journal:
        for _rows in random_life(journal, clock, seed, steps):
            pass
        return journal.state


@pytest.mark.parametrize("seed", range(12))
def test_a_state_of_any_life_comes_back_as_it_was_after_every_step(seed: int) -> None:
    clock = FakeClock()
    with new_journal(clock=clock) as journal:
        for number, _rows in enumerate(random_life(journal, clock, seed)):
            state = journal.state
            found = again(state)
            assert found == state, f"seed {seed}, step {number}"
            assert text_of(found) == text_of(state), f"seed {seed}, step {number}"
            assert list(found.intents) == list(state.intents), f"seed {seed}, step {number}: another order"
            assert found.unresolved == state.unresolved, f"seed {seed}, step {number}"


def test_the_lives_fill_every_part_of_the_state() -> None:
    blank, filled = JournalState(), set()
    for seed in range(12):
        clock = FakeClock()
        with new_journal(clock=clock) as journal:
            for _rows in random_life(journal, clock, seed):
                state = journal.state
                filled |= {
                    part.name for part in fields(state) if getattr(state, part.name) != getattr(blank, part.name)
                }
    assert filled == {each.name for each in fields(JournalState)}


def test_a_blank_state_comes_back_blank() -> None:
    assert again(JournalState()) == JournalState()


@given(INTENTS, SENTS, BY_ASSET)
def test_every_digit_moment_and_letter_comes_back(record: IntentRecord, sent: Sent, held: dict[str, Decimal]) -> None:
    state = JournalState(intents={record.key: record}, sent=(sent,), totals=held, traded=held, mids=held)
    assert again(state) == state
    assert text_of(again(state)) == text_of(state)


@pytest.mark.parametrize("part", [None, "intents", "halts", "sent", "binding"])
def test_a_document_that_lacks_or_adds_something_is_refused(part: str | None) -> None:
    state = next(state for state in map(lived, range(12)) if state.intents and state.halts and state.sent)
    for change in ("lack", "add"):
        document: dict[str, Any] = json.loads(text_of(state))
        inner = document if part is None else document[part] if part == "binding" else document[part][0]
        if change == "lack":
            inner.popitem()
        else:
            inner["other"] = 1
        with pytest.raises(ValueError, match="has or lacks"):
            read_state(document)


def test_a_document_is_refused_by_what_it_has_too_much_and_what_it_lacks() -> None:
    document = json.loads(text_of(JournalState()))
    document["other"] = document.pop("fence")
    with pytest.raises(ValueError, match=r"^JournalState has or lacks \['fence', 'other'\]$"):
        read_state(document)


def test_reading_a_document_leaves_nothing_shared_with_the_state_it_came_from() -> None:
    state = lived(1)
    found, before = again(state), replace(state, intents=dict(state.intents))
    found.intents.clear()
    found.last_slots.clear()
    assert state == before
