"""A plan carried out: written down before it is sent, never more than planned, stopped by any doubt."""

from __future__ import annotations

import json
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from rebalancer.core.model import Side
from rebalancer.core.plan import Plan
from rebalancer.core.reasons import Deny
from rebalancer.errors import GuardTripped
from rebalancer.journal import records
from rebalancer.journal.rows import Kind
from rebalancer.service.cycle import CycleResult, CycleStatus
from rebalancer.service.shell import Step
from rebalancer.simulator.exchange import ExchangeOptions
from tests.service.house import House
from tests.service.truth import must_be_settled, must_hold
from tests.service.wire import nothing

TINY = Decimal("0.00000001")
TWO_SELLS = {"BTC": Decimal("0.5"), "ETH": Decimal(10), "SOL": Decimal(5), "USDT": Decimal(200)}


def at_step(house: House, step: Step, action: Any) -> None:
    """Act once, when the cycle says that it reached a step."""

    def hear(progress: Any) -> None:
        if progress.step is step:
            house.on_progress = lambda _progress: None
            action()

    house.on_progress = hear


def plan_of(result: CycleResult) -> Plan:
    assert result.plan is not None
    return result.plan


def test_intent_and_sending_are_on_disk_at_the_instant_a_place_call_leaves(tmp_path: Path) -> None:
    house = House(tmp_path)
    checked: list[str] = []

    def check(request: httpx.Request) -> None:
        if request.method != "POST":
            return
        body = json.loads(request.read())
        database = sqlite3.connect(tmp_path / "journal.db")
        rows = database.execute("SELECT kind, run_id, intent_seq, payload FROM journal ORDER BY seq DESC").fetchall()
        database.close()
        kind, run, number, payload = rows[0]
        sending = json.loads(payload)
        assert (kind, sending["symbol"], sending["amount"]) == ("SENDING", body["symbol"], body["amount"])
        assert f"{sending['side']}-market" == body["type"]
        intents = [json.loads(row[3]) for row in rows if row[:3] == ("INTENT", run, number)]
        assert [intent["client_order_id"] for intent in intents] == [body["client-order-id"]]
        checked.append(body["client-order-id"])

    house.wire.before = check
    house.cycle()
    assert len(checked) == len(set(checked)) == len(house.records) > 1


def test_each_order_leaves_right_after_its_own_connection_was_opened_and_the_clock_read_over_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    calls = house.wire.calls
    before = [calls[number - 1] for number, call in enumerate(calls) if call.startswith("POST")]
    assert before == ["GET /v1/common/timestamp"] * len(house.wire.posts) and len(before) > 1


def test_plan_and_all_its_intents_become_durable_together(tmp_path: Path) -> None:
    house = House(tmp_path)
    written: list[list[str]] = []
    append = house.journal.append

    def spy(*entries: Any) -> Any:
        written.append([entry.kind.value for entry in entries])
        return append(*entries)

    house.journal.append = spy  # type: ignore[method-assign]
    legs = plan_of(house.cycle()).legs
    assert ["PLAN", *["INTENT"] * len(legs)] in written


def test_buys_are_never_larger_than_planned_nor_than_the_cash_that_is_there(tmp_path: Path) -> None:
    house = House(tmp_path, balances={"BTC": Decimal(1), "ETH": Decimal(0), "SOL": Decimal(0), "USDT": Decimal(15)})
    house.set_faults("partial@place=1x1")
    cash: list[Decimal] = []
    house.wire.before = lambda request: (
        cash.append(house.user.wallet("usdt").trade) if request.method == "POST" else None
    )
    legs = {leg.symbol: leg for leg in plan_of(house.cycle()).legs}
    buys = [(post, free) for post, free in zip(house.wire.posts, cash, strict=True) if post["type"] == "buy-market"]
    assert buys
    assert any(Decimal(post["amount"]) < legs[post["symbol"]].size.value for post, _ in buys)
    for post, free in buys:
        assert Decimal(post["amount"]) <= min(free, legs[post["symbol"]].size.value), post
    must_hold(house)


def test_partial_fill_is_partial_and_only_the_remainder_is_planned_next(tmp_path: Path) -> None:
    house = House(tmp_path, faults="partial@place=1x1")
    first = plan_of(house.cycle()).legs[0]
    assert first.side is Side.SELL
    record = house.records[0]
    assert record.state.value == "partial"
    assert record.sent_amount is not None and 0 < record.filled_quantity < record.sent_amount
    again = [leg for leg in plan_of(house.cycle()).legs if leg.symbol == first.symbol]
    assert all(leg.size.value <= (first.size.value - record.filled_quantity) * Decimal("1.02") for leg in again)
    must_be_settled(house)


def test_first_plan_ever_sends_its_smallest_leg_alone(tmp_path: Path) -> None:
    house = House(tmp_path, balances=dict(TWO_SELLS))
    calls: list[int] = []
    house.wire.after_post(lambda: calls.append(len(house.wire.calls)))
    sells = [leg for leg in plan_of(house.cycle()).legs if leg.side is Side.SELL]
    assert len(sells) == 2
    smallest = min(sells, key=lambda leg: leg.notional_quote)
    assert house.wire.posts[0]["symbol"] == smallest.symbol
    between = house.wire.calls[calls[0] :]
    until_next = between[: next(i for i, call in enumerate(between) if call.startswith("POST"))]
    assert sum("/balance" in call for call in until_next) == 2  # once for the proof, once for the next leg


def test_after_the_first_order_ever_even_a_tiny_difference_stops_the_plan(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.wire.after_post(lambda: house.exchange.deposit(house.user, "BTC", TINY))
    result = house.cycle()
    assert len(house.wire.posts) == 1
    assert Deny.BALANCE_MOVED in result.text and "BTC" in result.text
    must_be_settled(house)


def test_rejected_first_order_leaves_the_next_one_alone_too(tmp_path: Path) -> None:
    house = House(tmp_path, faults="rate_code@place=1x1", balances=dict(TWO_SELLS))
    house.wire.after_post(lambda: house.exchange.deposit(house.user, "USDT", TINY), number=2)
    result = house.cycle()
    assert Deny.BALANCE_MOVED in result.text
    assert len(house.wire.posts) == 2
    assert house.states().count("rejected") == house.states().count("filled") == 1


def test_missing_row_after_the_first_order_stops_the_plan_by_name(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.wire.after_post(lambda: house.set_faults("missing_row@balance"))
    result = house.cycle()
    assert Deny.BALANCE_MOVED in result.text and "without a row" in result.text
    assert len(house.wire.posts) == 1
    must_hold(house)


@pytest.mark.parametrize(("asset", "amount"), [("USDT", 50), ("USDT", -50), ("BTC", "0.01")])
def test_coins_moved_by_others_before_a_leg_stop_the_plan_and_the_next_plans_afresh(
    asset: str, amount: int | str, tmp_path: Path
) -> None:
    house = House(tmp_path)
    at_step(house, Step.PLANNED, lambda: house.exchange.deposit(house.user, asset, Decimal(amount)))
    result = house.cycle()
    assert result.status is CycleStatus.WORK_LEFT
    assert Deny.BALANCE_MOVED in result.text and asset in result.text
    assert not house.wire.posts
    assert set(house.states()) == {"abandoned"}
    assert house.cycle().status is CycleStatus.DONE


def test_hand_trade_between_two_legs_stops_the_rest(tmp_path: Path) -> None:
    house = House(tmp_path)
    sell = ("btcusdt", "sell-market", Decimal("0.02"))
    at_step(house, Step.SETTLED, lambda: house.exchange.place_by_hand(house.user, *sell, house.now_ms()))
    assert Deny.BALANCE_MOVED in house.cycle().text
    assert len(house.wire.posts) == 1
    assert house.states() == ["filled", "abandoned", "abandoned"]
    must_be_settled(house)


def test_coins_moved_during_the_last_leg_are_noticed_at_the_end(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.wire.after_post(lambda: house.exchange.deposit(house.user, "USDT", Decimal(100)), number=3)
    result = house.cycle()
    assert set(house.states()) == {"filled"} and Deny.BALANCE_MOVED in result.text
    assert result.status is CycleStatus.WORK_LEFT


def test_stale_plan_is_not_sent(tmp_path: Path) -> None:
    house = House(tmp_path)
    at_step(house, Step.PLANNED, lambda: house.clock.advance(301))
    assert "older than 300 s" in house.cycle().text
    assert not house.wire.posts


def test_leg_that_became_dear_is_cut_to_what_its_book_still_takes(tmp_path: Path) -> None:
    house = House(tmp_path)
    thin = {"level_quote": Decimal(1)}
    at_step(house, Step.PLANNED, lambda: house.exchange.market.change_spec("ethusdt", **thin))
    house.cycle()
    record = next(record for record in house.records if record.symbol == "ethusdt")
    assert record.state.value == "filled" and record.sent_amount is not None
    assert record.sent_amount < record.amount / 2


def test_leg_that_no_book_takes_any_more_is_denied_and_the_others_go_on(tmp_path: Path) -> None:
    house = House(tmp_path)
    thin = {"level_quote": Decimal("0.01")}
    at_step(house, Step.PLANNED, lambda: house.exchange.market.change_spec("ethusdt", **thin))
    house.cycle()
    states = {record.symbol: record.state.value for record in house.records}
    assert states == {"btcusdt": "filled", "ethusdt": "denied", "solusdt": "filled"}


def test_precision_refusal_of_a_buy_teaches_the_amount_precision_for_good(tmp_path: Path) -> None:
    house = House(tmp_path, options=ExchangeOptions(buy_precision="amount"))
    house.wire.before_post(lambda: house.exchange.market.change_spec("ethusdt", amount_precision=1), number=2)
    house.cycle()
    assert house.states().count("rejected") == 1
    house.restart()
    assert house.journal.state.amount_precision_symbols == {"ethusdt"}
    must_be_settled(house)


@pytest.mark.parametrize(
    ("rules", "decimals"),
    [
        ({}, 4),
        ({"amount_precision": 1}, 1),
        ({"min_order_value": Decimal(90_000)}, None),
        ({"sell_market_min_amount": Decimal(30)}, None),
    ],
)
def test_rules_that_the_exchange_changed_between_two_cycles_count_in_the_next(
    rules: dict[str, Any], decimals: int | None, tmp_path: Path
) -> None:
    house = House(tmp_path)
    for _ in range(2):
        house.cycle()
    house.clock.advance(5 * 3600)
    posts = len(house.wire.posts)
    house.exchange.deposit(house.user, "ETH", Decimal("7.9877"))
    house.exchange.market.change_spec("ethusdt", **rules)
    house.cycle()
    sells = [post for post in house.wire.posts[posts:] if (post["symbol"], post["type"]) == ("ethusdt", "sell-market")]
    assert [len(post["amount"].partition(".")[2]) for post in sells] == ([] if decimals is None else [decimals]), sells
    assert "rejected" not in house.states()
    must_hold(house)


REFUSALS_OF_WHO_WE_ARE: dict[str, dict[str, Any]] = {
    "no right to trade": {"permissions": ("readOnly",)},
    "another address": {"ip_addresses": ("203.0.113.7",)},
    "expired": {"expires_ms": 0},
    "another secret": {"secret_key": "rotated"},
}


@pytest.mark.parametrize("change", REFUSALS_OF_WHO_WE_ARE)
def test_a_place_call_refused_for_the_key_ends_the_plan_and_halts_until_the_owner_answers(
    change: str, tmp_path: Path
) -> None:
    """A key that lost its right to trade may still read: without a halt every slot would try again, unheard."""
    house = House(tmp_path)
    changed = REFUSALS_OF_WHO_WE_ARE[change]
    before = {name: getattr(house.user, name) for name in changed}
    house.wire.before_post(lambda: [setattr(house.user, *each) for each in changed.items()])
    result = house.cycle()
    assert "does not accept the key" in result.text and "does not accept the key" in result.halted
    assert "127.0.0.1" not in result.text
    assert house.states() == ["rejected", "abandoned", "abandoned"]
    house.wire.before = nothing
    for name, value in before.items():
        setattr(house.user, name, value)
    house.restart()
    with pytest.raises(GuardTripped, match="does not accept the key"):
        house.cycle()
    assert len(house.wire.posts) == 1
    (halt,) = house.journal.state.halts
    house.journal.append(records.ack_halt(halt, "owner"))
    must_be_settled(house)


def test_a_place_call_refused_for_the_clock_ends_the_plan_and_halts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path)
    house.wire.before_post(lambda: monkeypatch.setattr("rebalancer.simulator.auth.WINDOW_MS", -1))
    house.wire.after_post(monkeypatch.undo)
    result = house.cycle()
    assert "does not accept the key" in result.text and not house.journal.state.halts
    assert house.states() == ["rejected", "abandoned", "abandoned"]
    must_be_settled(house)


def test_lack_of_balance_is_a_rejection_of_the_order_and_not_of_the_key(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.wire.before_post(lambda: house.exchange.deposit(house.user, "BTC", Decimal("-0.45")))
    result = house.cycle()
    assert "key" not in result.text
    assert "account-frozen-balance-insufficient-error" in house.records[0].text
    must_be_settled(house)


def test_a_sell_that_is_rejected_takes_the_buys_that_it_was_to_pay_for_with_it_and_the_next_slot_plans_afresh(
    tmp_path: Path,
) -> None:
    """The buys are cut to the cash that is there; what the rejected sell would have brought is not spent."""
    house = House(tmp_path, balances={"BTC": Decimal(1), "ETH": Decimal(0), "SOL": Decimal(0), "USDT": Decimal(40)})
    house.wire.before_post(lambda: house.exchange.market.change_spec("btcusdt", state="pre-online"))
    result = house.cycle()
    sold = house.records[0]
    assert (sold.symbol, sold.state.value) == ("btcusdt", "rejected") and "order-disabled" in sold.text
    assert result.status is CycleStatus.WORK_LEFT
    assert all(record.state.value in {"denied", "filled"} for record in house.records[1:]), house.states()
    spent = sum((record.filled_quote for record in house.records), Decimal(0))
    assert spent <= 40 and "denied" in house.states()
    house.wire.before = nothing
    house.exchange.market.change_spec("btcusdt", state="online")
    must_be_settled(house)
    assert house.held("ETH") and house.held("SOL")


@pytest.mark.parametrize("fault", ["rate_code", "lost_request"])
def test_when_the_sells_are_done_and_the_buys_fail_the_cash_is_kept_and_spent_by_the_next_slot(
    fault: str, tmp_path: Path
) -> None:
    house = House(tmp_path, balances={"BTC": Decimal(1), "ETH": Decimal(0), "SOL": Decimal(0), "USDT": Decimal(2000)})
    legs: list[int] = []

    def fail_buys(request: httpx.Request) -> None:
        if request.method == "POST" and b'"buy-market"' in request.read():
            legs.append(len(house.wire.posts))
            house.set_faults(f"{fault}@place=1x1")

    house.wire.before = fail_buys
    result = house.cycle()
    assert legs and result.status is not CycleStatus.DONE
    assert {record.state.value for record in house.records if record.side is Side.SELL} == {"filled"}
    bought = [record for record in house.records if record.side is Side.BUY]
    assert bought and not any(record.filled_quantity for record in bought)
    assert not house.held("ETH") and not house.held("SOL")
    house.wire.before = nothing
    house.set_faults("")
    must_be_settled(house, fault)
    assert house.held("ETH") and house.held("SOL")


def test_connection_that_never_was_abandons_the_intent_and_blocks_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)

    def refuse(request: httpx.Request) -> None:
        if request.method == "POST":
            raise httpx.ConnectError("refused", request=request)

    house.wire.before = refuse
    result = house.cycle()
    assert "not sent" in result.text
    assert set(house.states()) == {"abandoned"}
    assert not house.wire.posts
    assert house.journal.state.usage(house.clock.now(), "").orders == 0


def test_clock_that_jumps_before_an_order_stops_the_plan(tmp_path: Path) -> None:
    house = House(tmp_path)
    at_step(house, Step.PLANNED, lambda: house.set_faults("clock_skew@timestamp"))
    assert Deny.CLOCK_SKEW in house.cycle().text
    assert not house.wire.posts and not house.payloads(Kind.SENDING)


def test_a_fill_far_from_the_decision_ends_the_plan(tmp_path: Path) -> None:
    """Figures that lie together pass every guard of the data; the first fill shows that they lied."""
    house = House(tmp_path)
    market = house.exchange.market
    usd = market._usd
    at_step(
        house,
        Step.SENDING,
        lambda: setattr(market, "_usd", lambda code, at: usd(code, at) * (1 if code == "usdt" else Decimal("0.95"))),
    )
    result = house.cycle()
    assert len(house.wire.posts) == 1
    assert Deny.FILL_OFF_DECISION in result.text
    must_hold(house)


def test_a_look_that_took_too_long_is_not_traded_on(tmp_path: Path) -> None:
    house = House(tmp_path)
    at_step(house, Step.PLANNED, lambda: setattr(house.wire, "before", lambda _request: house.clock.advance(4)))
    result = house.cycle()
    assert "looking took over" in result.text
    assert not house.wire.posts
    house.wire.before = lambda _request: None
    must_be_settled(house)
