"""Live cycles of IOC orders: within their collar, known in every ending, and what is left is planned afresh."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rebalancer.core.model import Side
from rebalancer.core.money import BPS
from rebalancer.core.orders import Event
from rebalancer.core.plan import Leg, Plan
from rebalancer.core.targets import OrderPolicy, OrderType
from rebalancer.journal.rows import Kind
from rebalancer.service.cycle import CycleResult, CycleStatus
from rebalancer.service.reconcile import resolve
from rebalancer.service.shell import Step
from rebalancer.simulator.exchange import ExchangeOptions
from rebalancer.simulator.state import SimOrder
from tests.core.builders import targets as make_targets
from tests.service.house import DRIFTED, LIVE_LIMITS, WEIGHTS, House
from tests.service.truth import must_be_settled, must_hold

TARGETS = replace(make_targets(WEIGHTS, limits=LIVE_LIMITS), orders=OrderPolicy(OrderType.IOC))


def house_of(folder: Path, **more: Any) -> House:
    return House(folder, targets=TARGETS, **more)


def legs_of(result: CycleResult) -> tuple[Leg, ...]:
    assert isinstance(result.plan, Plan)
    return result.plan.legs


def at_step(house: House, step: Step, action: Callable[[], Any]) -> None:
    """Act once, when the cycle says that it reached a step."""

    def hear(progress: Any) -> None:
        if progress.step is step:
            house.on_progress = lambda _progress: None
            action()

    house.on_progress = hear


def all_prices_times(house: House, factor: str) -> None:
    market, usd = house.exchange.market, house.exchange.market._usd
    market._usd = lambda code, at: usd(code, at) * (1 if code == "usdt" else Decimal(factor))  # type: ignore[method-assign]


def orders(house: House) -> list[SimOrder]:
    return list(house.exchange.state.orders.values())


@pytest.mark.parametrize("options", [{}, {"fill_precision": "amount"}, {"deduct_fees_in_points": True}], ids=str)
def test_a_cycle_of_ioc_orders_brings_the_account_home_and_books_it_to_the_last_digit(
    options: dict[str, Any], tmp_path: Path
) -> None:
    house = house_of(tmp_path, balances=DRIFTED | {"HTX": Decimal(10**9)}, options=ExchangeOptions(**options))
    start = {asset: house.held(asset) for asset in (*DRIFTED, "HTX")}
    legs = legs_of(house.cycle())
    assert {post["type"] for post in house.wire.posts} == {"sell-ioc", "buy-ioc"}
    assert [record.state for record in house.records] == ["filled"] * len(legs)
    assert house.booked(start) == {asset: house.held(asset) for asset in start}
    must_be_settled(house)


def test_what_is_on_disk_before_an_order_leaves_says_its_type_and_its_price(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    seen: list[dict[str, Any]] = []

    def look(request: Any) -> None:
        if request.method == "POST":
            body, sending = json.loads(request.read()), house.payloads(Kind.SENDING)[-1]
            for name in ("symbol", "amount", "price"):
                assert body[name] == sending[name], name
            assert body["type"] == f"{sending['side']}-{sending['order_type']}" and sending["unit"] == "base"
            seen.append(body)

    house.wire.before = look
    house.cycle()
    assert len(seen) == len(house.payloads(Kind.INTENT)) > 1
    assert [row["price"] for row in house.payloads(Kind.INTENT)] == [
        row["price"] for row in sorted(house.payloads(Kind.SENDING), key=lambda row: row["side"], reverse=True)
    ]


def test_no_fill_is_beyond_the_collar_and_no_buy_costs_more_than_it_planned(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    legs = {leg.symbol: leg for leg in legs_of(house.cycle())}
    for order in orders(house):
        leg = legs[order.symbol]
        sign = 1 if leg.side is Side.BUY else -1
        assert order.trades
        for trade in order.trades:
            off_bps = sign * (trade.price - leg.mid) / leg.mid * BPS
            assert off_bps <= TARGETS.limits.max_slippage_bps
        assert order.cash <= leg.committed_quote or leg.side is Side.SELL


@pytest.mark.parametrize("factor", ["0.985", "1.015"])
def test_a_price_that_runs_away_after_the_last_look_fills_nothing_and_the_need_is_planned_afresh(
    factor: str, tmp_path: Path
) -> None:
    """A market order would be filled at the new price; the collar stays at the decision's."""
    house = house_of(tmp_path)
    house.limits(max_slippage_bps=Decimal(100))
    at_step(house, Step.SENDING, lambda: all_prices_times(house, factor))
    first = house.cycle()
    assert first.status is CycleStatus.WORK_LEFT
    ends = {record.side: record.state.value for record in house.records if record.sent_amount is not None}
    hurt = Side.SELL if factor < "1" else Side.BUY
    assert ends[hurt] == "canceled" if hurt in ends else "slippage" in str([r.text for r in house.records])
    assert all(order.kind.startswith(hurt) for order in orders(house) if order.state == "canceled")
    must_be_settled(house)


def test_a_sell_that_fills_nothing_takes_the_buys_that_it_was_to_pay_for_with_it(tmp_path: Path) -> None:
    """There is cash enough, but the plan did not mean it to be spent: it holds less than its target already."""
    house = house_of(
        tmp_path, balances={"BTC": Decimal("0.7"), "ETH": Decimal(1), "SOL": Decimal(95), "USDT": Decimal(9000)}
    )
    cash = house.held("USDT")
    at_step(house, Step.SENDING, lambda: all_prices_times(house, "0.98"))
    result = house.cycle()
    assert [leg.side for leg in legs_of(result)] == [Side.SELL, Side.BUY]
    assert house.states() == ["canceled", "denied"]
    assert "were to pay for ETH left 0.00 of" in house.records[1].text
    assert house.held("USDT") == cash
    must_be_settled(house)


def test_a_book_that_thins_out_fills_up_to_the_collar_and_only_the_rest_is_planned_next(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    at_step(house, Step.SENDING, lambda: house.exchange.market.change_spec("btcusdt", level_quote=Decimal(60)))
    first = legs_of(house.cycle())[0]
    record = house.records[0]
    assert (record.state.value, record.symbol, record.side) == ("partial", "btcusdt", Side.SELL)
    assert record.sent_amount is not None and 0 < record.filled_quantity < record.sent_amount
    order = house.orders_of(record.client_order_id)[0]
    assert (order.state, order.canceled_desc) == ("partial-canceled", "ioc")
    assert min(trade.price for trade in order.trades) >= order.price == record.price
    house.exchange.market.change_spec("btcusdt", level_quote=Decimal(60_000))
    again = [leg for leg in legs_of(house.cycle()) if leg.symbol == first.symbol]
    assert again and all(leg.size.value <= (first.size.value - record.filled_quantity) * 2 for leg in again)
    assert len({record.client_order_id for record in house.records}) == len(house.records)
    must_be_settled(house)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("fault", ["lost_reply", "delayed_request", "system_error_executed", "http_429"])
def test_an_ioc_order_of_unknown_outcome_is_found_or_proven_absent_and_never_sent_again(
    fault: str, side: Side, tmp_path: Path
) -> None:
    house = house_of(tmp_path)
    number = 1 if side is Side.SELL else 2
    house.wire.before_post(lambda: house.set_faults(f"{fault}@place=1x1"), number=number)
    house.cycle(settle_s=0)
    (record,) = [record for record in house.records if record.state.value == "unknown"]
    assert record.side is side
    assert resolve(house.shell, 480) == 0
    record = next(each for each in house.records if each.key == record.key)
    assert (record.state.value == "absent") == (not house.orders_of(record.client_order_id)), record
    must_be_settled(house, fault)


def test_a_look_alike_of_another_type_does_not_stand_in_the_way_of_a_proof(tmp_path: Path) -> None:
    """An owner's market sell of the same amount is no IOC order of ours under another id; its coins still count."""
    house = house_of(tmp_path, faults="lost_request@place=1x1")
    house.cycle(settle_s=0)
    sent = house.records[0]
    assert sent.sent_amount is not None
    house.exchange.place_by_hand(house.user, sent.symbol, "sell-market", sent.sent_amount, house.now_ms())
    resolve(house.shell, 480)
    assert house.records[0].state.value == "quarantined"
    assert "balances moved" in house.records[0].text


@pytest.mark.parametrize("name", ["price", "kind", "amount"])
def test_an_order_of_another_price_type_or_amount_is_not_ours(name: str, tmp_path: Path) -> None:
    house = house_of(tmp_path)
    other = {"price": Decimal(1), "kind": "sell-market", "amount": Decimal("0.001")}[name]
    house.wire.after_post(lambda: setattr(orders(house)[0], name, other))
    house.cycle()
    assert house.states() == ["quarantined", "abandoned", "abandoned"]
    assert house.cycle().plan is None and len(house.wire.posts) == 1


@pytest.mark.parametrize("seconds", [1, 4])
def test_a_cancelled_order_that_does_not_show_its_fills_yet_is_asked_again(seconds: int, tmp_path: Path) -> None:
    """HTX may for a moment say that nothing of a freshly cancelled order was filled."""
    house = house_of(tmp_path)
    at_step(house, Step.SENDING, lambda: house.exchange.market.change_spec("btcusdt", level_quote=Decimal(60)))
    hidden: list[Any] = []

    def hide() -> None:
        order = orders(house)[0]
        hidden.extend(order.trades)
        order.trades.clear()
        shown_at = house.clock.now().timestamp() + seconds

        def show(_request: Any) -> None:
            if hidden and house.clock.now().timestamp() >= shown_at:
                order.trades.extend(hidden)
                hidden.clear()

        house.wire.before = show

    house.wire.after_post(hide)
    house.cycle()
    assert not hidden
    assert house.states()[0] == "partial"
    house.exchange.market.change_spec("btcusdt", level_quote=Decimal(60_000))
    must_be_settled(house)


def test_a_refused_price_is_a_rejection_that_teaches_nothing_about_amounts(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    house.wire.before_post(lambda: house.exchange.market.change_spec("ethusdt", price_precision=0), number=2)
    house.cycle()
    (record,) = [record for record in house.records if record.state.value == "rejected"]
    assert record.text.startswith("order-orderprice-precision-error")
    assert not house.journal.state.amount_precision_symbols
    must_be_settled(house)


def test_an_amount_refused_for_its_digits_does_not_turn_into_a_lesson_about_market_buys(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    house.wire.before_post(lambda: house.exchange.market.change_spec("ethusdt", amount_precision=0), number=2)
    house.cycle()
    assert [r.text.split(":")[0] for r in house.records if r.state == "rejected"] == [
        "order-orderamount-precision-error"
    ]
    assert not house.journal.state.amount_precision_symbols


def test_a_symbol_without_bounds_for_limit_orders_is_skipped_by_name(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    fetch = house.shell.venue.fetch_rules
    bare = {"limit_quantity_min": None}
    house.shell.venue.fetch_rules = lambda: {name: replace(rules, **bare) for name, rules in fetch().items()}  # type: ignore[method-assign, arg-type]
    result = house.cycle()
    assert not house.wire.posts
    assert result.plan is not None
    assert {skip.reason.code.value for skip in result.plan.skips} == {"not_tradable"}
    assert 'order_type = "ioc" cannot be used' in result.plan.skips[0].reason.text


def test_turning_from_ioc_to_market_and_back_between_cycles_changes_only_what_is_sent(tmp_path: Path) -> None:
    house = house_of(tmp_path, faults="partial@place=1x2")
    house.cycle()
    house.targets = replace(house.targets, orders=OrderPolicy(OrderType.MARKET))
    house.restart()
    house.cycle()
    kinds = {record.order_type.value for record in house.records}
    assert kinds == {"ioc", "market"}
    assert not house.outcomes(Event.QUARANTINE)
    house.targets = TARGETS
    must_hold(house)
    must_be_settled(house)
