"""One place call, one known end: under every fault of the wire, and through every odd fate of an order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.core.canonical import parse_moment
from rebalancer.core.model import Fill, Side
from rebalancer.core.orders import Event
from rebalancer.errors import GuardTripped, RebalancerError
from rebalancer.journal.rows import Kind
from rebalancer.service.cycle import CycleStatus
from rebalancer.service.reconcile import resolve_once
from rebalancer.service.settle import fees_of
from rebalancer.simulator.exchange import ExchangeOptions
from rebalancer.simulator.faults import Faults
from rebalancer.simulator.state import SimOrder
from tests.service.house import DRIFTED, House
from tests.service.truth import must_be_settled, must_hold

# What becomes of the one place call that the fault strikes, and whether it is known at once.
FATES = {
    "lost_request": ("absent", False),
    "lost_reply": ("filled", False),
    "delayed_reply": ("filled", False),
    "delayed_request": ("filled", False),
    "system_error_executed": ("filled", False),
    "system_error_refused": ("absent", False),
    "http_429": ("absent", False),
    "rate_code": ("rejected", True),
    "html_502": ("absent", False),
    "html_200": ("filled", False),
    "truncated": ("filled", False),
    "nan": ("filled", False),
    "redirect": ("absent", False),
    "invisible": ("filled", True),
    "partial": ("partial", True),
}


@pytest.mark.parametrize("fault", FATES)
def test_place_call_under_a_fault_is_made_once_and_gets_its_true_end(fault: str, tmp_path: Path) -> None:
    fate, known_at_once = FATES[fault]
    house = House(tmp_path, faults=f"{fault}@place=1x1")
    first = house.cycle(settle_s=0)
    struck = house.wire.posts[0]["client-order-id"]
    if not known_at_once:
        assert first.status is CycleStatus.OUTCOME_UNKNOWN
        assert len(house.wire.posts) == 1
        assert house.states() == ["unknown", "abandoned", "abandoned"]
    house.clock.advance(480)
    house.cycle()
    ends = {record.client_order_id: record.state.value for record in house.records}
    assert ends[struck] == fate
    must_be_settled(house, fault)


@pytest.mark.parametrize("fault", [fault for fault, (_, known_at_once) in FATES.items() if not known_at_once])
def test_no_plan_is_made_until_the_outcome_is_known(fault: str, tmp_path: Path) -> None:
    # With the look-ups failing too, nothing can be known.
    house = House(tmp_path, faults=f"{fault}@place=1x1, html_502@client-order, html_502@order-search")
    house.cycle(settle_s=0)
    for _ in range(3):
        result = house.cycle(settle_s=0)
        assert (result.status, result.plan) == (CycleStatus.OUTCOME_UNKNOWN, None)
    assert len(house.wire.posts) == len(house.payloads(Kind.PLAN)) == 1
    must_hold(house, fault)


@pytest.mark.parametrize("number", [1, 3])  # with legs left to send, and as the last leg
def test_order_carried_out_twice_by_the_exchange_is_quarantined_and_halts(number: int, tmp_path: Path) -> None:
    house = House(tmp_path)
    house.wire.before_post(lambda: house.set_faults("duplicate@place=1x1"), number=number)
    assert house.cycle().status is CycleStatus.OUTCOME_UNKNOWN
    assert len(house.wire.posts) == number
    assert house.states()[number - 1] == "quarantined"
    assert [halt["code"] for halt in house.payloads(Kind.HALT)] == ["duplicate_order"]
    with pytest.raises(GuardTripped, match="2 orders carry the id"):
        house.cycle()


@pytest.mark.parametrize("number", [1, 3])
def test_order_refused_because_its_id_was_used_is_looked_for_and_found(number: int, tmp_path: Path) -> None:
    """We use no id twice: it was this order that used it, and the refusal was of the same request once more."""
    house = House(tmp_path, options=ExchangeOptions(duplicates="reject"))
    house.wire.before_post(lambda: house.set_faults("redelivered@place=1x1"), number=number)
    house.cycle()
    assert len(house.outcomes(Event.LOSE_SIGHT)) == 1
    assert house.states()[number - 1] == "filled"
    must_be_settled(house)


def test_order_delivered_twice_where_ids_may_be_used_twice_is_quarantined_and_halts(tmp_path: Path) -> None:
    house = House(tmp_path, faults="redelivered@place=1x1")
    assert house.cycle().status is CycleStatus.OUTCOME_UNKNOWN
    assert house.states()[0] == "quarantined"
    assert [halt["code"] for halt in house.payloads(Kind.HALT)] == ["duplicate_order"]


@pytest.mark.parametrize("seed", range(12))
def test_any_mix_of_faults_leaves_one_true_end_for_every_intent(seed: int, tmp_path: Path) -> None:
    house = House(tmp_path)
    house.exchange.faults = Faults.parse(
        ", ".join(f"{fault}@place=0.1" for fault in FATES)
        + ", lost_reply=0.02, html_502=0.02, truncated=0.02, nan=0.02, balance_lag=0.05, http_429=0.02",
        seed=seed,
    )
    for _ in range(5):
        try:
            house.cycle(settle_s=60)
        except RebalancerError:
            house.restart_if_it_can()
        must_hold(house, seed)
        house.clock.advance(600)
    house.set_faults("")
    house.cycle()
    must_be_settled(house, seed)


@pytest.mark.parametrize("without_fills", ["empty", "invalid"])
def test_fill_is_booked_only_when_its_match_results_are_there(without_fills: str, tmp_path: Path) -> None:
    house = House(tmp_path, options=ExchangeOptions(cleared_after_ms=3_000, without_fills=without_fills))
    house.cycle()
    assert set(house.states()) == {"filled"}
    assert house.booked(DRIFTED) == {asset: house.held(asset) for asset in DRIFTED}


def test_an_order_that_was_cut_off_is_booked_with_all_of_its_fills_though_they_show_late(tmp_path: Path) -> None:
    house = House(tmp_path, options=ExchangeOptions(figures_late_ms=3_000), faults="partial@place=1x1")
    house.exchange.market.change_spec("btcusdt", level_quote=Decimal(2_000))  # many fills
    house.cycle()
    struck = house.records[0]
    (order,) = house.orders_of(struck.client_order_id)
    assert len(order.trades) > 1, "or nothing of it can be late"
    assert struck.state.value == "partial"
    assert (struck.filled_quantity, struck.filled_quote) == (order.filled, order.cash)


@pytest.mark.parametrize("late_ms", [1_500, 3_600_000])
def test_a_filled_order_that_shows_no_figures_is_looked_at_again_for_half_an_hour(late_ms: int, tmp_path: Path) -> None:
    house = House(tmp_path, options=ExchangeOptions(figures_late_ms=late_ms, fill_precision="amount"))
    for symbol in ("btcusdt", "ethusdt", "solusdt"):
        house.exchange.market.change_spec(symbol, level_quote=Decimal(10**9))  # one fill an order
    house.cycle()
    if late_ms == 1_500:
        assert house.states() == ["filled"] * 3
        must_be_settled(house)
        return
    for _ in range(2):
        assert house.states()[0] == "acked"
        house.clock.advance(900)
        resolve_once(house.shell)
    assert house.states()[0] == "quarantined"
    assert "is filled with 0 filled, which contradicts itself" in house.records[0].text


def test_fees_paid_in_another_coin_are_booked_in_it(tmp_path: Path) -> None:
    start = {**DRIFTED, "HTX": Decimal(1_000_000)}
    house = House(tmp_path, options=ExchangeOptions(deduct_fees_in_points=True), balances=dict(start))
    house.cycle()
    assert set(house.states()) == {"filled"}
    assert all(set(record.fees) == {"HTX"} for record in house.records)
    for order, row in zip(house.exchange.state.orders.values(), house.outcomes(Event.FILL), strict=True):
        # Until then the deduction is going on, and what it took may still change.
        assert parse_moment(row.t_exch).timestamp() * 1000 >= order.trades[-1].at_ms + 500
    assert house.booked(start) == {asset: house.held(asset) for asset in start}


def test_slow_order_is_waited_for(tmp_path: Path) -> None:
    house = House(tmp_path, options=ExchangeOptions(execution_delay_ms=10_000))
    assert house.cycle().status is CycleStatus.DONE


def test_order_that_outlasts_the_polls_ends_the_plan_and_is_settled_later(tmp_path: Path) -> None:
    house = House(tmp_path, options=ExchangeOptions(execution_delay_ms=60_000))
    first = house.cycle(settle_s=0)
    assert first.status is CycleStatus.OUTCOME_UNKNOWN and "not finished yet" in first.text
    assert house.states() == ["acked", "abandoned", "abandoned"]
    house.exchange.options = ExchangeOptions()
    house.cycle()
    must_be_settled(house)


def meddled(house: House, meddle: Callable[[SimOrder], None]) -> list[str]:
    """Run a cycle whose first order is changed behind our back as soon as it is accepted."""
    house.wire.after_post(lambda: meddle(next(iter(house.exchange.state.orders.values()))))
    house.cycle()
    return house.states()


@pytest.mark.parametrize(
    ("name", "value"),
    [("state", "half-baked"), ("symbol", "ethusdt"), ("kind", "buy-market"), ("client_order_id", "rb1-other"),
     ("amount", Decimal("0.001")), ("created_ms", 0)],
)  # fmt: skip
def test_order_that_is_not_the_one_we_sent_goes_to_the_owner(name: str, value: object, tmp_path: Path) -> None:
    house = House(tmp_path)
    assert meddled(house, lambda order: setattr(order, name, value)) == ["quarantined", "abandoned", "abandoned"]
    assert house.cycle().plan is None
    assert len(house.wire.posts) == 1


def test_accepted_order_that_never_appears_goes_to_the_owner_after_half_an_hour(tmp_path: Path) -> None:
    house = House(tmp_path)
    hide = house.now_ms() * 2
    assert meddled(house, lambda order: setattr(order, "visible_ms", hide)) == ["acked", "abandoned", "abandoned"]
    house.clock.advance(20 * 60)
    house.cycle(settle_s=0)
    assert house.states()[0] == "acked"
    house.clock.advance(10 * 60)
    house.cycle(settle_s=0)
    assert house.states()[0] == "quarantined"


@pytest.mark.parametrize("without_fills", ["empty", "invalid"])
def test_order_cancelled_without_a_fill_moves_nothing_and_the_plan_goes_on(without_fills: str, tmp_path: Path) -> None:
    house = House(tmp_path, options=ExchangeOptions(without_fills=without_fills))
    broken = {"market_sell_rate": Decimal("0.0000001")}
    house.wire.before_post(lambda: house.exchange.market.change_spec("btcusdt", **broken))
    house.cycle()
    assert house.states()[0] == "canceled"
    assert house.booked(DRIFTED) == {asset: house.held(asset) for asset in DRIFTED}
    must_hold(house)


def test_fees_are_summed_by_the_coin_that_paid_them() -> None:
    one = Decimal(1)
    fills = [
        Fill("1", "9", "btcusdt", Side.SELL, one, one, Decimal("0.2"), "USDT"),
        Fill("2", "9", "btcusdt", Side.SELL, one, one, Decimal("0.3"), "USDT", Decimal(7), "HTX"),
        Fill("3", "9", "btcusdt", Side.SELL, one, one, Decimal(0), "USDT", Decimal(1), "HTX"),
    ]
    assert fees_of(fills) == {"USDT": Decimal("0.5"), "HTX": Decimal(8)}
