"""What the owner decided, carried out by the whole house: kept, sold, allowed, waited for, across restarts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from rebalancer.core.plan import AssetState
from rebalancer.core.reasons import Deny, Skip, Trigger
from rebalancer.journal import records
from rebalancer.journal.rows import Kind
from rebalancer.service.conserve import BALANCE_LAG_S
from rebalancer.service.cycle import CycleResult, weights_digest
from rebalancer.service.shell import Progress, Step
from tests.service.house import DRIFTED, House
from tests.service.truth import must_hold

HOUR_S = 3600.0


def weights(house: House, **percents: int) -> None:
    house.targets = replace(house.targets, weights={asset: Decimal(each) for asset, each in percents.items()})


def settled(tmp_path: Path, **more: Any) -> House:
    """Return a house whose portfolio is within its bands and whose coins have rested."""
    house = House(tmp_path, **more)
    for _ in range(3):
        house.cycle()
    house.clock.advance(5 * HOUR_S)
    assert house.cycle().status == "within_bands"
    return house


def reason(result: CycleResult, asset: str) -> Any:
    assert result.plan is not None
    return next(line.reason for line in result.plan.assets if line.asset == asset)


def allow(house: House, result: CycleResult, amount: str) -> None:
    digest = weights_digest(house.targets.weights)
    house.journal.append(records.ack_plan(result.run_id, "owner", weights_digest=digest, up_to_quote=Decimal(amount)))


def test_what_is_kept_stays_also_when_the_owner_locks_coins_between_plan_and_order(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.targets = replace(house.targets, kept={"BTC": Decimal("0.2")})
    wallet = house.user.wallet("btc")

    def lock(progress: Progress) -> None:
        if progress.step is Step.PLANNED:
            wallet.trade -= Decimal("0.25")
            wallet.frozen += Decimal("0.25")

    house.on_progress = lock
    house.cycle()
    sold = [record for record in house.records if record.asset == "BTC" and record.side == "sell"]
    assert sold and sold[0].amount > Decimal("0.05"), "the plan wished for more than is free now"
    assert sold[0].sent_amount is not None and sold[0].sent_amount <= Decimal("0.05")
    assert wallet.trade >= Decimal("0.2")


def lag(house: House, *numbers: int) -> None:
    """Let these of the answers about balances from now on be as old as what is held this instant."""
    house.exchange.lagging = {name: (each.trade, each.frozen) for name, each in house.user.wallets.items()}
    asked = 0

    def act(request: httpx.Request) -> None:
        nonlocal asked
        if request.url.path.endswith("/balance"):
            asked += 1
            house.set_faults("balance_lag@balance=1x1" if asked in numbers else "")

    house.wire.before = act


def test_what_is_kept_stays_also_when_the_plan_and_the_last_look_lag_behind_a_look_between_them(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.targets = replace(house.targets, kept={"BTC": Decimal("0.2")})
    lag(house, 1, 3)
    house.exchange.deposit(house.user, "BTC", Decimal("-0.25"))
    house.cycle()
    (sold,) = [record for record in house.records if record.asset == "BTC" and record.side == "sell"]
    assert sold.amount > Decimal("0.05"), "the plan does not know what is gone"
    assert sold.sent_amount is not None and 0 < sold.sent_amount <= Decimal("0.05")
    assert house.held("BTC") >= Decimal("0.2")


def test_cash_that_lags_behind_our_own_sell_is_spent_whole_once_it_is_there(tmp_path: Path) -> None:
    house = House(tmp_path, balances={"BTC": Decimal(1), "ETH": Decimal(0), "SOL": Decimal(0), "USDT": Decimal(15)})
    lag(house, 4)  # after the plan's look, the sell's and the one that proves the first order ever
    house.cycle()
    assert BALANCE_LAG_S[1] in house.clock.slept_s, "the cash was waited for"
    bought = [record for record in house.records if record.side == "buy"]
    assert bought and all((record.sent_amount or 0) >= record.amount * Decimal("0.98") for record in bought)


def test_kept_cash_in_an_order_of_the_owner_is_made_good_and_no_buy_is_planned_that_could_not_be_sent(
    tmp_path: Path,
) -> None:
    house = House(tmp_path)
    cash = house.user.wallet("usdt")
    house.targets = replace(house.targets, kept={"USDT": cash.trade - Decimal(100)})
    cash.trade, cash.frozen = Decimal(0), cash.trade
    house.cycle()
    assert house.records and not {"denied", "rejected", "abandoned"} & set(house.states()), house.states()
    bought = sum(record.filled_quote for record in house.records if record.side == "buy")
    assert cash.trade >= house.targets.kept["USDT"] or not bought


def test_a_coin_rests_after_its_trade_across_a_restart_and_then_goes_on(tmp_path: Path) -> None:
    house = settled(tmp_path)
    house.targets = replace(house.targets, external={"BTC": Decimal("0.3")})
    assert house.cycle().orders, "counted with what is elsewhere, it strays"
    house.restart()
    house.targets = replace(house.targets, external={"BTC": Decimal("0.6")})
    waits = house.cycle()
    assert reason(waits, "BTC").code is Skip.COOLDOWN and waits.status == "work_left"
    assert "BTC" not in {record.asset for record in waits.orders}
    house.clock.advance(4 * HOUR_S)
    assert "BTC" in {record.asset for record in house.cycle().orders}


def test_what_a_cap_cut_is_finished_by_the_next_cycles(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.limits(max_turnover_per_cycle=Decimal(8))
    statuses = [house.cycle().status.value for _ in range(12)]
    assert statuses[0] == "work_left" and statuses[-1] == "within_bands"
    assert house.clock.monotonic_s() < HOUR_S, "no cool-down was waited for"
    assert max(len([r for r in house.records if r.asset == asset]) for asset in ("BTC", "ETH", "SOL")) > 1


def test_a_deposit_buys_and_sells_nothing_and_is_served_once(tmp_path: Path) -> None:
    house = settled(tmp_path)
    house.exchange.deposit(house.user, "USDT", Decimal(20_000))
    result = house.cycle()
    assert result.plan is not None and result.plan.trigger is Trigger.CASH_FLOW
    assert result.orders and {record.side for record in result.orders} == {"buy"}
    house.restart()
    assert house.cycle().status == "within_bands"
    assert house.journal.state.flows == {}


def test_a_withdrawal_sells_only_what_refills_the_cash_and_does_not_wait(tmp_path: Path) -> None:
    house = settled(tmp_path)
    before = house.held("USDT")
    house.exchange.deposit(house.user, "USDT", -before * Decimal("0.8"))
    result = house.cycle()
    assert result.plan is not None and result.plan.trigger is Trigger.CASH_FLOW
    assert result.orders and {record.side for record in result.orders} == {"sell"}
    assert house.held("USDT") < before
    house.exchange.deposit(house.user, "USDT", -house.held("USDT") * Decimal("0.8"))
    assert house.cycle().orders, "money does not wait for a cool-down"


def test_a_dry_run_foresees_the_flow_that_a_live_cycle_would_write_down(tmp_path: Path) -> None:
    house = settled(tmp_path)
    house.exchange.deposit(house.user, "USDT", Decimal(20_000))
    house.shell = replace(house.shell, mode="dry-run")
    result = house.cycle()
    assert result.plan is not None and result.plan.trigger is Trigger.CASH_FLOW
    assert not house.payloads(Kind.EXTERNAL_FLOW), "and writes nothing of it"


def test_a_coin_that_leaves_is_sold_is_gone_and_then_nothing_is_left_to_do(tmp_path: Path) -> None:
    house = settled(tmp_path)
    weights(house, BTC=45, ETH=35, USDT=20)
    house.targets = replace(house.targets, leaving=("SOL",))
    first = house.cycle()
    assert first.plan is not None
    states = {line.asset: line.state for line in first.plan.assets}
    assert states["SOL"] is AssetState.LEAVING and "SOL" in {record.asset for record in first.orders}
    for _ in range(3):
        last = house.cycle()
    assert last.plan is not None and last.status == "within_bands"
    assert next(line.state for line in last.plan.assets if line.asset == "SOL") is AssetState.GONE
    assert house.held("SOL") < 1


def capped_change(tmp_path: Path) -> House:
    """Return a settled house with a change of targets that turns over several times a cycle's cap."""
    house = settled(tmp_path)
    house.limits(max_turnover_per_cycle=Decimal(10))
    weights(house, BTC=10, ETH=55, SOL=15, USDT=20)
    return house


def test_what_a_fee_took_of_a_bought_coin_is_not_sold_with_it(tmp_path: Path) -> None:
    """The fee of a buy comes out of the coin: of what was bought less is there, and a sell of all of it is refused."""
    house = House(tmp_path, balances={**DRIFTED, "SOL": Decimal(0)})
    for _ in range(3):
        house.cycle()
    bought = [record for record in house.records if record.asset == "SOL" and record.side == "buy"]
    assert bought and all(record.fees.get("SOL") for record in bought)
    held = house.held("SOL")
    assert held < sum(record.filled_quantity for record in bought)
    house.clock.advance(5 * HOUR_S)
    weights(house, BTC=55, ETH=25, USDT=20)
    house.targets = replace(house.targets, leaving=("SOL",))
    allow(house, house.cycle(), "1000000")
    for _ in range(3):
        house.cycle()
        house.clock.advance(5 * HOUR_S)
    sold = [record for record in house.records if record.asset == "SOL" and record.side == "sell"]
    assert sold and {record.state.value for record in sold} == {"filled"}
    lot = Decimal(1).scaleb(-house.exchange.market.specs()["solusdt"].amount_precision)
    assert sum(record.filled_quantity for record in sold) == held // lot * lot and house.held("SOL") < lot
    must_hold(house)


def test_a_large_change_waits_for_leave_and_is_then_spread_to_its_end(tmp_path: Path) -> None:
    house = capped_change(tmp_path)
    refused = house.cycle()
    assert refused.status == "refused" and not refused.orders and refused.plan is not None
    (denial,) = refused.plan.denials
    assert denial.code is Deny.ACK_NEEDED and f"`rebalancer ack {refused.run_id} --up-to " in denial.text
    posts = len(house.wire.posts)
    house.restart()
    assert house.cycle().status == "refused" and len(house.wire.posts) == posts
    allow(house, refused, "1000000")
    statuses = []
    for _ in range(8):
        house.restart()
        result = house.cycle()
        statuses.append(result.status.value)
        if result.plan is not None and result.plan.totals is not None:
            assert result.plan.totals.turnover <= Decimal("0.1")
    assert statuses[0] == "work_left" and "done" in statuses and statuses[-1] == "within_bands"
    assert house.journal.state.approval is None, "what is carried out needs no leave any more"


def test_no_more_is_traded_than_was_allowed_and_other_weights_ask_anew(tmp_path: Path) -> None:
    house = capped_change(tmp_path)
    first = house.cycle()
    posts = len(house.records)
    allow(house, first, "9000")
    for _ in range(4):
        last = house.cycle()
    new = house.records[posts:]
    for side in ("buy", "sell"):
        assert sum(record.filled_quote for record in new if record.side == side) <= 9000
    assert last.status == "refused" and last.plan is not None
    assert "still needs" in last.plan.denials[0].text
    weights(house, BTC=70, ETH=5, SOL=5, USDT=20)
    allow_for_others = house.cycle()
    assert allow_for_others.status == "refused"


def test_prices_that_rise_between_plan_and_order_carry_nothing_past_the_leave(tmp_path: Path) -> None:
    house = capped_change(tmp_path)
    allow(house, house.cycle(), "700")
    posts = len(house.records)
    market, usd = house.exchange.market, house.exchange.market._usd

    def rise(progress: Progress) -> None:
        if progress.step is Step.PLANNED:
            market._usd = lambda code, at: usd(code, at) * (1 if code == "usdt" else Decimal("1.019"))  # type: ignore[method-assign]

    house.on_progress = rise
    house.cycle()
    new = house.records[posts:]
    sold = sum(record.filled_quote for record in new if record.side == "sell")
    assert 680 < sold <= 700, [record.text for record in new]
    assert sum(record.filled_quote for record in new if record.side == "buy") <= 700


@pytest.mark.parametrize("mode", ["dry-run", "live"])
def test_a_first_build_asks_live_and_warns_dry(tmp_path: Path, mode: str) -> None:
    house = House(tmp_path, balances={"USDT": Decimal(10_000)}, mode=mode)
    house.limits(max_turnover_per_cycle=Decimal(30))
    result = house.cycle()
    assert result.plan is not None and result.plan.trigger is Trigger.FIRST_BUILD
    asked = result.plan.denials if mode == "live" else result.plan.warnings
    assert [each.code for each in asked] == [Deny.ACK_NEEDED]
    assert bool(result.plan.legs) == (mode == "dry-run")
    if mode == "live":
        allow(house, result, "9000")
        triggers = []
        while len(triggers) < 6 and (result := house.cycle()).orders:
            assert result.plan is not None
            triggers.append(result.plan.trigger)
        assert len(triggers) > 2 and set(triggers) == {Trigger.FIRST_BUILD}, "it is built to its end"
        assert result.status == "within_bands"
