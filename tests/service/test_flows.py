"""Balances between cycles: lag is waited out, another hand is written down, what keeps moving stops the plan."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.core.reasons import Deny
from rebalancer.errors import GuardTripped
from rebalancer.journal.rows import Kind
from rebalancer.service.flows import APART_S
from rebalancer.simulator.faults import Faults
from tests.service.house import House


def settled(tmp_path: Path) -> House:
    """Return a house whose portfolio is within its bands and whose journal knows every balance."""
    house = House(tmp_path)
    for _ in range(3):
        house.cycle()
    assert house.cycle().status == "within_bands"
    return house


def test_balances_that_lag_behind_our_last_order_are_looked_at_again_and_nothing_is_sold_twice(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.limits(cooldown_h=Decimal(0))
    house.cycle()
    house.exchange.deposit(house.user, "BTC", Decimal("0.3"))
    house.cycle()  # refills the cash
    assert house.cycle().orders, "and the rest of the drift is answered"
    posts = len(house.wire.posts)
    house.exchange.faults = Faults.parse("balance_lag=1x1")
    assert house.cycle().status == "within_bands"
    assert len(house.wire.posts) == posts
    assert APART_S in house.clock.slept_s
    assert len(house.payloads(Kind.EXTERNAL_FLOW)) == 1  # the deposit alone


@pytest.mark.parametrize(("coin", "amount"), [("BTC", "0.25"), ("USDT", "-500"), ("SOL", "7")])
def test_a_deposit_or_withdrawal_that_stays_is_written_down_and_planned_with(
    tmp_path: Path, coin: str, amount: str
) -> None:
    house = settled(tmp_path)
    house.exchange.deposit(house.user, coin, Decimal(amount))
    result = house.cycle()
    (flow,) = house.payloads(Kind.EXTERNAL_FLOW)
    assert {asset: Decimal(moved) for asset, moved in flow["moved"].items()} == {coin: Decimal(amount)}
    assert Decimal(flow["held"][coin]) - Decimal(flow["moved"][coin]) >= 0
    assert result.plan is not None, "the flow is planned with in the same cycle"
    house.cycle()
    assert len(house.payloads(Kind.EXTERNAL_FLOW)) == 1, "a flow that is known is not one again"


def test_balances_that_keep_moving_refuse_the_plan_by_name(tmp_path: Path) -> None:
    house = settled(tmp_path)
    house.exchange.deposit(house.user, "USDT", Decimal(10))
    sleep = house.clock.sleep

    def others_act(seconds: float) -> None:
        sleep(seconds)
        if seconds == APART_S:
            house.exchange.deposit(house.user, "USDT", Decimal(1))

    house.clock.sleep = others_act  # type: ignore[method-assign]
    with pytest.raises(GuardTripped, match="keep moving") as refused:
        house.cycle()
    assert refused.value.code == Deny.BALANCE_MOVED


def test_a_coin_whose_rows_vanished_is_never_a_withdrawal(tmp_path: Path) -> None:
    house = settled(tmp_path)
    posts = len(house.wire.posts)
    house.exchange.faults = Faults.parse("missing_row=1")
    with pytest.raises(GuardTripped, match="no row any more") as refused:
        house.cycle()
    assert refused.value.code == Deny.BALANCE_MISSING
    assert len(house.wire.posts) == posts and not house.payloads(Kind.EXTERNAL_FLOW)
    house.set_faults("")
    assert house.cycle().status == "within_bands"


def test_a_target_that_was_taken_out_is_not_missed(tmp_path: Path) -> None:
    house = settled(tmp_path)
    weights = {"BTC": Decimal(50), "ETH": Decimal(30), "USDT": Decimal(20)}
    house.targets = replace(house.targets, weights=weights)
    house.exchange.deposit(house.user, "SOL", -house.held("SOL"))
    assert house.cycle().plan is not None
    assert not house.payloads(Kind.EXTERNAL_FLOW)


def test_a_pause_during_the_wait_ends_the_cycle(tmp_path: Path) -> None:
    house = settled(tmp_path)
    house.exchange.deposit(house.user, "USDT", Decimal(5000))
    house.on_progress = lambda progress: house.pause.pause("by hand") if "do not explain" in progress.text else None
    with pytest.raises(GuardTripped):
        house.cycle()
