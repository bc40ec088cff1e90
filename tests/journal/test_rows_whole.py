"""Every row that the service writes, whole: its kind, its payload, its run, its intent and its time."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from rebalancer.core.canonical import canonical
from rebalancer.core.ledger import Books
from rebalancer.core.model import Fill, RowsSeen, Side
from rebalancer.core.orders import Event
from rebalancer.core.plan import AssetLine, AssetState, Decision, Denial
from rebalancer.core.reasons import Deny, Reason, Skip, Trigger
from rebalancer.core.targets import OrderType
from rebalancer.core.trust import CoinState, CoinTrust
from rebalancer.journal import records
from rebalancer.journal.rows import GENESIS, Entry, Kind, hash_of, row_of
from tests.core.builders import NOW, d
from tests.journal.builders import BOUND, PLAN, RUN, intent, leg_of, order_of

DOCUMENT = {"b": 1, "a": "é"}
PACKED = base64.b64encode(zlib.compress(canonical(DOCUMENT).encode(), level=9)).decode()
SELL, BUY = intent(3), intent(4, side=Side.BUY, amount="25.50")
DEADLINE = NOW + timedelta(seconds=420)
LEG = leg_of(SELL, notional="99.5")
ORDER = order_of(SELL, filled="0.2")
HELD = {"BTC": d("1.5")}
FILL = Fill("71", "1001", "btcusdt", Side.SELL, d("399.6"), d("0.15"), d("0.1"), "USDT", filled_at=NOW)
DEDUCTED = Fill("72", "1001", "btcusdt", Side.SELL, d("399.5"), d("0.05"), d(0), "USDT", d(3), "HTX")
BOOKS = Books(NOW, DEADLINE, HELD, HELD, HELD, HELD, HELD, HELD, d(1), HELD, d(2), HELD, d(3), d(4), d(5), 6)


def line(asset: str, free: str, locked: str, price: str) -> AssetLine:
    zero = d(0)
    return AssetLine(
        asset, d(free), d(locked), d(price), zero, zero, zero, zero, zero, zero, AssetState.NORMAL, Decision.HOLD,
        Reason(Skip.INSIDE_BAND, "inside"),
    )  # fmt: skip


SMALL = replace(
    PLAN, trigger=Trigger.FORCED, nav_quote=d("7.5"), legs=PLAN.legs[:1],
    assets=(line("BTC", "1", "0.5", "400"), line("USDT", "2", "3", "1")), denials=(),
    trust={"BTC": CoinTrust(d(400), NOW, CoinState.FROZEN, NOW, "w"), "ETH": CoinTrust(accepted=True)},
    rows=RowsSeen(700, frozenset({"USDT", "BTC"})),
)  # fmt: skip
PLANNED = {
    "mode": "live", "nav_quote": d("7.5"), "nav_here_quote": SMALL.nav_here_quote, "validated": True, "trigger": Trigger.FORCED, "legs": 1,
    "weights_digest": "w", "complete": True, "totals": {"BTC": d("1.5"), "USDT": d(5)}, "mids": {"BTC": d(400)},
    "coins": {"BTC": {"state": "frozen", "price": "400", "at": "2026-03-01T12:00:00Z", "since": "2026-03-01T12:00:00Z", "why": "w"}, "ETH": {"state": "normal", "accepted": True}},
    "rows": {"count": 700, "held": ["BTC", "USDT"]},
    "plan": DOCUMENT,
}  # fmt: skip


def plan_row(*, denied: bool = False) -> Entry:
    plan = replace(SMALL, denials=(Denial(Deny.PAUSED, "paused"),)) if denied else SMALL
    return records.plan_made(RUN, plan, mode="live", weights_digest="w", complete=True, document=DOCUMENT)


def outcome(**more: object) -> Entry:
    return records.outcome(RUN, 3, Event.FILL, **more)  # type: ignore[arg-type]


ROWS = [
    (lambda: records.binding(BOUND), Entry(Kind.BINDING, {
        "venue": "embedded", "host": "127.0.0.1", "account_id": "10101010", "quote": "USDT"})),
    (lambda: records.run_started(RUN, schedule_id="cron", slot=NOW, mode="live"),
     Entry(Kind.RUN, {"schedule_id": "cron", "slot": NOW, "mode": "live"}, RUN)),
    (lambda: records.config(RUN, digest="w", weights={"BTC": d(40)}), Entry(Kind.CONFIG, {"digest": "w", "weights": {"BTC": d(40)}}, RUN)),
    (lambda: records.snapshot(RUN, DOCUMENT, NOW), Entry(Kind.SNAPSHOT, {"zlib": PACKED}, RUN, t_exch=NOW)),
    (plan_row, Entry(Kind.PLAN, PLANNED, RUN, t_exch=PLAN.taken_at)),
    (lambda: plan_row(denied=True), Entry(Kind.PLAN, PLANNED | {"validated": False}, RUN, t_exch=PLAN.taken_at)),
    (lambda: records.intent(SELL), Entry(Kind.INTENT, {
        "asset": "BTC", "symbol": "btcusdt", "quote": "USDT", "side": Side.SELL, "order_type": OrderType.MARKET, "unit": "base", "amount": d("0.25"),
        "notional_quote": d(100), "client_order_id": SELL.client_order_id, "capped": False}, RUN, 3)),
    (lambda: records.intent(BUY), Entry(Kind.INTENT, {
        "asset": "BTC", "symbol": "btcusdt", "quote": "USDT", "side": Side.BUY, "order_type": OrderType.MARKET, "unit": "quote", "amount": d("25.50"),
        "notional_quote": d(100), "client_order_id": BUY.client_order_id, "capped": False}, RUN, 4)),
    (lambda: records.sending(SELL, LEG, signed_at=NOW, deadline=DEADLINE, free_before=HELD), Entry(Kind.SENDING, {
        "symbol": "btcusdt", "side": Side.SELL, "order_type": OrderType.MARKET, "unit": "base", "amount": d("0.25"), "notional_quote": d("99.5"),
        "signed_at": NOW, "deadline": DEADLINE, "balances_before": HELD}, RUN, 3, NOW)),
    (outcome, Entry(Kind.OUTCOME, {"event": Event.FILL}, RUN, 3)),
    (lambda: outcome(text="why", t_exch=NOW), Entry(Kind.OUTCOME, {"event": Event.FILL, "text": "why"}, RUN, 3, NOW)),
    (lambda: outcome(venue_order_id="9"), Entry(Kind.OUTCOME, {"event": Event.FILL, "venue_order_id": "9"}, RUN, 3)),
    (lambda: outcome(order=ORDER, fees={}), Entry(Kind.OUTCOME, {
        "event": Event.FILL, "venue_order_id": "1001", "state": "filled", "filled_quantity": d("0.2"),
        "filled_quote": d(80), "fees": {}}, RUN, 3)),
    (lambda: outcome(fees={}, fills=(FILL, DEDUCTED)), Entry(Kind.OUTCOME, {"event": Event.FILL, "fees": {}, "fills": [
        {"id": "71", "at": NOW, "price": d("399.6"), "quantity": d("0.15"), "fees": {"USDT": d("0.1")}},
        {"id": "72", "price": d("399.5"), "quantity": d("0.05"), "fees": {"HTX": d(3)}}]}, RUN, 3)),
    (lambda: records.ledger(RUN, BOOKS), Entry(Kind.LEDGER, {
        "at": NOW, "opened_at": DEADLINE, "prices": HELD, "held": HELD, "weights": HELD, "opening": HELD, "changes": HELD, "never": HELD,
        "frictionless_quote": d(1), "flows": HELD, "flows_quote": d(2), "fees": HELD, "fees_quote": d(3), "slip_quote": d(4),
        "notional_quote": d(5), "orders": 6}, RUN, t_exch=NOW)),
    (lambda: records.targets_changed({"how": "file"}), Entry(Kind.TARGETS, {"how": "file"})),
    (lambda: records.ack_plan(RUN, "owner", weights_digest="w", up_to_quote=d("0.5")), Entry(Kind.ACK, {
        "plan": RUN, "weights_digest": "w", "up_to_quote": d("0.5"), "who": "owner"})),
    (lambda: outcome(order=ORDER, venue_order_id="9", fees=HELD), Entry(Kind.OUTCOME, {
        "event": Event.FILL, "venue_order_id": "9", "state": "filled", "filled_quantity": d("0.2"),
        "filled_quote": d(80), "fees": HELD}, RUN, 3)),
    (lambda: records.evidence(RUN, 3, "not_found", {"by": "id"}, NOW),
     Entry(Kind.EVIDENCE, {"evidence": "not_found", "by": "id"}, RUN, 3, NOW)),
    (lambda: records.plan_closed(RUN, "done", whole=True), Entry(Kind.PLAN_CLOSED, {"text": "done", "whole": True}, RUN)),
    (lambda: records.run_closed(RUN, status="done"), Entry(Kind.RUN_CLOSED, {"status": "done", "text": ""}, RUN)),
    (lambda: records.run_closed(RUN, status="done", text="t", facts={"n": 1}),
     Entry(Kind.RUN_CLOSED, {"status": "done", "text": "t", "n": 1}, RUN)),
    (lambda: records.external_flow(RUN, held=HELD, moved={"BTC": d(-1)}, t_exch=NOW),
     Entry(Kind.EXTERNAL_FLOW, {"held": HELD, "moved": {"BTC": d(-1)}}, RUN, t_exch=NOW)),
    (lambda: records.halt("code", "text"), Entry(Kind.HALT, {"code": "code", "text": "text"})),
    (lambda: records.halt("code", "text", run_id=RUN), Entry(Kind.HALT, {"code": "code", "text": "text"}, RUN)),
    (lambda: records.ack_halt(7, "owner"), Entry(Kind.ACK, {"halt": 7, "who": "owner"})),
    (lambda: records.ack_coin("BTC", "owner"), Entry(Kind.ACK, {"coin": "BTC", "who": "owner"})),
    (lambda: records.ack_intent(RUN, 3, Event.ACK_ABSENT, who="owner", text="t"), Entry(Kind.ACK, {
        "event": Event.ACK_ABSENT, "who": "owner", "text": "t", "filled_quantity": d(0), "filled_quote": d(0),
        "fees": {}}, RUN, 3)),
    (lambda: records.ack_intent(RUN, 3, Event.ACK_PARTIAL, who="owner", text="t", filled=(d(1), d(2))), Entry(Kind.ACK, {
        "event": Event.ACK_PARTIAL, "who": "owner", "text": "t", "filled_quantity": d(1), "filled_quote": d(2)}, RUN, 3)),
    (lambda: records.learned_amount_precision("btcusdt"), Entry(Kind.LEARNED, {"amount_precision": "btcusdt"})),
    (lambda: records.checkpoint({"format": 1}), Entry(Kind.CHECKPOINT, {"format": 1})),
]  # fmt: skip


@pytest.mark.parametrize(("make", "wanted"), ROWS, ids=[f"{n}-{wanted.kind}" for n, (_, wanted) in enumerate(ROWS)])
def test_a_row_is_exactly_this(make: Callable[[], Entry], wanted: Entry) -> None:
    assert make() == wanted


def test_a_plan_and_its_intents_stand_in_this_order() -> None:
    made = records.plan_and_intents(plan_row(), [SELL, BUY])
    assert made == (plan_row(), records.intent(SELL), records.intent(BUY))


def test_a_snapshot_unpacks_to_what_was_packed() -> None:
    assert records.unpack_snapshot({"zlib": PACKED}) == DOCUMENT


ZERO, ONE = d(0), d(1)


@pytest.mark.parametrize(
    ("event", "filled"),
    [
        (Event.FILL, (ONE, ONE)),
        (Event.PROVE_ABSENT, None),
        (Event.ACK_FILLED, None),
        (Event.ACK_PARTIAL, None),
        (Event.ACK_ABSENT, (ONE, ONE)),
        (Event.ACK_FILLED, (ZERO, ONE)),
        (Event.ACK_FILLED, (ONE, ZERO)),
        (Event.ACK_FILLED, (ONE, d("NaN"))),
        (Event.ACK_FILLED, (d("Infinity"), ONE)),
    ],
)
def test_an_owners_word_that_says_two_things_is_our_mistake(event: Event, filled: tuple[object, object] | None) -> None:
    with pytest.raises((AssertionError, ArithmeticError)):
        records.ack_intent(RUN, 3, event, who="owner", text="t", filled=filled)  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity"])
def test_leave_for_nothing_or_for_no_number_is_our_mistake(amount: str) -> None:
    with pytest.raises(AssertionError):
        records.ack_plan(RUN, "owner", weights_digest="w", up_to_quote=d(amount))


def test_an_entry_becomes_the_row_of_its_place() -> None:
    entry = Entry(Kind.HALT, {"b": 1, "a": d("1.50")}, RUN, 3, NOW)
    row = row_of(entry, seq=7, t_wall="wall", prev_hash=GENESIS, fence=2)
    assert (row.seq, row.run_id, row.intent_seq, row.kind) == (7, RUN, 3, Kind.HALT)
    assert (row.payload_text, row.t_wall, row.t_exch) == ('{"a":"1.5","b":1}', "wall", "2026-03-01T12:00:00Z")
    assert (row.prev_hash, row.hash, row.fence) == ("0" * 64, hash_of(row), 2)
    assert row_of(replace(entry, t_exch=None), seq=7, t_wall="", prev_hash="", fence=2).t_exch == ""


def test_the_hash_of_a_row_is_the_one_that_it_always_had() -> None:
    row = row_of(Entry(Kind.HALT, {"a": 1}, "run", 3, NOW), seq=7, t_wall="wall", prev_hash=GENESIS, fence=2)
    assert row.hash == "5b159db3cee565fdb4c3829f7883d7daf16c9886b4852eb3e0bd1ced724b5749"
