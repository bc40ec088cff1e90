"""What each row holds, to the last digit, as it is read back from the disk."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.canonical import canonical, parse_moment
from rebalancer.core.ids import client_order_id
from rebalancer.core.inputs import Inputs, inputs_document
from rebalancer.core.model import Balance, Book, Level, Side, Snapshot, Usage
from rebalancer.core.orders import Event
from rebalancer.core.plan_json import PlanHeader, plan_document
from rebalancer.core.planner import make_plan
from rebalancer.core.snapshot_json import read_snapshot, snapshot_document
from rebalancer.core.trust import CoinTrust
from rebalancer.journal import records
from rebalancer.journal.rows import Entry, Kind
from rebalancer.journal.store import Journal
from tests.core.builders import NOW, d, snapshot, targets
from tests.journal.builders import ACKS, BOUND, PLAN, RUN, intent, new_journal, planned, random_life, sending
from tests.support import FakeClock

SNAPSHOT_BYTES_MAX = 20_000
AMOUNTS = st.decimals(min_value="1e-18", max_value=10**15, places=18, allow_nan=False)
# Of so many digits that what an amount costs still is an exact number: no exchange has prices of more.
PRICES = st.decimals(min_value="1e-12", max_value=10**9, places=12, allow_nan=False)


def written(*entries: Entry) -> list[dict[str, Any]]:
    """Return the payloads of rows as they stand on disk."""
    with new_journal() as journal:
        journal.append(*entries)
        return [json.loads(row.payload_text) for row in list(journal.rows())[-len(entries) :]]


def market_of(seed: int, assets: int) -> Snapshot:
    """Return a snapshot as large as they come: odd digits everywhere, 20 levels a side."""
    rng = random.Random(seed)

    def drawn(digits: int, size: int) -> Decimal:
        return Decimal(rng.randrange(1, 10**size)).scaleb(-digits)

    def side(mid: Decimal, sign: int, tick: Decimal) -> Sequence[Level]:
        steps = sorted(rng.sample(range(1, 200), 20))
        return tuple(Level(mid + sign * step * tick, drawn(6, 9)) for step in steps)

    coins = [f"COIN{number}" for number in range(assets)]
    seen = snapshot({coin: drawn(18, 24) for coin in (*coins, "USDT")}, {coin: drawn(4, 9) + 1 for coin in coins})
    tick = d("0.0001")
    books = {
        coin: Book(book.symbol, side(book.asks[0].price, -1, tick), side(book.asks[0].price, 1, tick), NOW)
        for coin, book in seen.books.items()
    }
    return replace(seen, books=books, taken_at=NOW + timedelta(microseconds=rng.randrange(10**6)))


@pytest.mark.parametrize("seed", range(5))
def test_the_snapshot_row_of_20_assets_with_20_levels_stays_under_20_kb(seed: int) -> None:
    seen = market_of(seed, 20)
    wanted = targets({**dict.fromkeys(seen.rules, "4.5"), "USDT": d(100) - len(seen.rules) * d("4.5")})
    document = inputs_document(Inputs(seen, Usage(nav_validated_quote=d("123456.78901234")), wanted))
    with new_journal() as journal:
        (row,) = journal.append(records.snapshot(RUN, document, NOW))
    assert len(row.payload_text) <= SNAPSHOT_BYTES_MAX, f"seed {seed}"


@pytest.mark.parametrize("seed", range(5))
def test_a_snapshot_comes_back_from_its_row_as_it_was(seed: int) -> None:
    balances = {"BTC": Balance("BTC", d("0.000000000000000001"), d("1e-8"))}
    seen = replace(market_of(seed, 4), balances=balances, peg=d("0.999900000000000001"))
    usage = Usage(
        sold_quote=d("1.10"),
        orders=3,
        has_traded=True,
        coins={"BTC": CoinTrust(d("50000.000000000000000001"), NOW)},
        amount_precision_symbols=frozenset({"b", "a"}),
    )
    (payload,) = written(records.snapshot(RUN, snapshot_document(seen, usage), seen.taken_at))
    assert read_snapshot(records.unpack_snapshot(payload)) == (seen, usage), f"seed {seed}"


def test_the_same_snapshot_makes_the_same_row_whatever_the_order_of_its_assets() -> None:
    seen = market_of(1, 5)
    turned = replace(seen, books=dict(reversed(seen.books.items())), rules=dict(reversed(seen.rules.items())))
    one, two = (records.snapshot(RUN, snapshot_document(each, Usage()), NOW) for each in (seen, turned))
    assert one == two


@pytest.mark.parametrize("seed", range(4))
def test_every_payload_on_disk_is_canonical(seed: int) -> None:
    clock = FakeClock()
    with new_journal(clock=clock) as journal:
        for rows in random_life(journal, clock, seed):
            for row in rows:
                assert canonical(json.loads(row.payload_text)) == row.payload_text, f"seed {seed}, row {row.seq}"


@given(AMOUNTS, st.sampled_from(Side), st.none() | PRICES)
def test_amounts_keep_every_digit_and_their_unit_from_the_intent_to_the_wire(
    amount: Decimal, side: Side, price: Decimal | None
) -> None:
    made = replace(intent(side=side, amount=str(amount), price=price), notional_quote=amount)
    planned_row, sent_row = written(records.intent(made), sending(made, notional=str(amount)))
    for payload in (planned_row, sent_row):
        assert (Decimal(payload["amount"]), Decimal(payload["notional_quote"])) == (amount, amount)
        base = side is Side.SELL or price is not None
        assert (payload["side"], payload["unit"]) == (side, "base" if base else "quote")
        limit = ("market", None) if price is None else ("ioc", price)
        assert (payload["order_type"], Decimal(payload["price"]) if "price" in payload else None) == limit


@given(AMOUNTS, st.sampled_from(Side), st.integers(1, 999), st.none() | PRICES)
def test_an_order_id_can_be_computed_again_from_the_rows_alone(
    amount: Decimal, side: Side, number: int, price: Decimal | None
) -> None:
    with new_journal() as journal:
        made = intent(number, side=side, amount=str(amount), nonce=journal.state.nonce, price=price)
        (row,) = journal.append(records.intent(made))
        payload, bound = json.loads(row.payload_text), journal.state.binding
        (fence,) = (each for each in journal.rows(kinds=[Kind.FENCE]) if each.fence == row.fence)
        assert bound is not None
        assert row.intent_seq is not None
        again = client_order_id(
            account_id=bound.account_id,
            nonce=json.loads(fence.payload_text)["nonce"],
            run=row.run_id,
            intent_seq=row.intent_seq,
            symbol=payload["symbol"],
            side=Side(payload["side"]),
            amount=Decimal(payload["amount"]),
            price=None if price is None else Decimal(payload["price"]),
        )
    assert again == payload["client_order_id"]


@pytest.mark.parametrize(
    "entry",
    [
        records.evidence(RUN, 1, "not_found", {"skew_s": 0.5}, NOW),
        records.run_closed(RUN, status="done", facts={"seconds": 1.25}),
        records.config(RUN, digest="d", weights={"BTC": 99.5}),  # type: ignore[dict-item]
    ],
)
def test_a_float_in_a_row_is_refused_and_nothing_is_written(entry: Entry) -> None:
    with new_journal() as journal:
        before = journal.state.draft()
        with pytest.raises(TypeError, match="float"):
            journal.append(records.intent(intent()), entry)
        assert (journal.state, journal.verify()) == (before, 2)


def test_a_plan_and_its_intents_are_one_step_and_the_plan_stands_first() -> None:
    with new_journal() as journal:
        rows = journal.append(*records.plan_and_intents(planned(), [intent(1), intent(2)]))
    assert [(row.kind, row.intent_seq) for row in rows] == [(Kind.PLAN, None), (Kind.INTENT, 1), (Kind.INTENT, 2)]
    assert len({row.t_wall for row in rows}) == 1


def test_a_plan_row_holds_the_whole_document_and_what_decisions_need_of_it() -> None:
    document = plan_document(PLAN, PlanHeader(RUN, "live", "embedded"))
    (payload,) = written(planned(document=document))
    assert payload["plan"] == json.loads(canonical(document))
    assert (payload["legs"], payload["validated"], payload["trigger"]) == (len(PLAN.legs), True, PLAN.trigger)
    assert len(PLAN.legs) == 1


def test_a_plan_is_not_sent_past_its_row_when_the_price_is_missing() -> None:
    blind = make_plan(replace(market_of(1, 1), books={}, tickers={}), targets({"COIN0": 50, "USDT": 50}), Usage())
    document = plan_document(blind, PlanHeader(RUN, "live", "embedded"))
    (payload,) = written(planned(plan=blind, document=document))
    assert payload["plan"]["denials"]
    assert (payload["nav_quote"], payload["legs"], payload["validated"]) == (None, 0, False)


def test_the_deadline_on_disk_is_the_moment_after_which_the_signature_is_dead() -> None:
    at = NOW + timedelta(microseconds=1)
    made = intent()
    _planned, payload = written(records.intent(made), sending(made, at))
    assert (parse_moment(payload["signed_at"]), parse_moment(payload["deadline"])) == (at, at + timedelta(minutes=7))


@pytest.mark.parametrize("event", sorted(set(Event) - set(ACKS)))
def test_the_owner_can_say_only_what_became_of_an_order(event: Event) -> None:
    with pytest.raises(AssertionError):
        records.ack_intent(RUN, 1, event, who="owner", text="")


@pytest.mark.parametrize(
    ("event", "filled"), [(ACKS[0], None), (ACKS[1], None), (ACKS[2], (d(1), d(1))), (ACKS[0], (d(0), d(1)))]
)
def test_what_the_owner_says_was_filled_has_its_quantities_and_nothing_else_has(
    event: Event, filled: tuple[Decimal, Decimal] | None
) -> None:
    with pytest.raises(AssertionError):
        records.ack_intent(RUN, 1, event, who="owner", text="", filled=filled)


def test_the_binding_is_the_first_thing_said_after_the_fence(tmp_path: Path) -> None:
    with new_journal(tmp_path / "journal.db") as journal:
        first, second = journal.rows()
    assert (first.kind, second.kind) == (Kind.FENCE, Kind.BINDING)
    assert json.loads(second.payload_text) == {
        "venue": BOUND.venue,
        "host": BOUND.host,
        "account_id": BOUND.account_id,
        "quote": BOUND.quote,
    }
    with Journal.open_to_read(tmp_path / "journal.db", FakeClock()) as reader:
        assert reader.state.binding == BOUND
