"""Truths about every plan of IOC orders: no price beyond the collar, no coin beyond the plan, nothing left to plan."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from rebalancer.core.canonical import canonical
from rebalancer.core.fit import clip_to_limits, fit_leg
from rebalancer.core.model import Balance, LimitIoc, Side, Snapshot, Usage
from rebalancer.core.money import BPS, EXACT, ONE, ZERO
from rebalancer.core.plan import Leg, Plan
from rebalancer.core.plan_json import PlanHeader, plan_document
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Skip
from rebalancer.core.snapshot_json import read_snapshot, snapshot_document
from rebalancer.core.targets import OrderPolicy, OrderType, Targets
from tests.core.builders import LOOSE, d, snapshot, targets
from tests.core.test_planner_properties import random_case

SEEDS = range(200)
IOC = OrderPolicy(OrderType.IOC)
MOVED = Usage(has_traded=True, targets_changed=True)


def collared_case(seed: int) -> tuple[Snapshot, Targets]:
    """Return a random portfolio whose prices have five digits or so, and whose owner wants a collar."""
    rng = random.Random(f"ioc/{seed}")
    limits = replace(LOOSE, max_slippage_bps=d(rng.choice([10, 50, 200, 800])))
    seen, wanted = random_case(seed, limits=limits)
    rules = {
        asset: replace(
            each,
            tick_size=ONE.scaleb((seen.books[asset].mid or ONE).adjusted() - rng.randint(4, 6)),
            limit_quantity_min=each.lot_size,
            limit_buy_quantity_max=d(10**15),
            limit_sell_quantity_max=d(10**15),
        )
        for asset, each in seen.rules.items()
    }
    return replace(seen, rules=rules), replace(wanted, orders=IOC)


def ioc(leg: Leg) -> LimitIoc:
    assert isinstance(leg.terms, LimitIoc), leg
    return leg.terms


def filled(seen: Snapshot, plan: Plan) -> Snapshot:
    """Return the snapshot after every leg filled whole at the decision mid, fees charged in the coin received."""
    free = {asset: held.free for asset, held in seen.balances.items()}
    for leg in plan.legs:
        kept, quantity = ONE - seen.fees[leg.asset].taker_fee_rate, ioc(leg).quantity.value
        selling = leg.side is Side.SELL
        free[leg.asset] += -quantity if selling else quantity * kept
        free[seen.quote] += quantity * leg.mid * (kept if selling else -1)
    balances = {asset: Balance(asset, free[asset], held.locked) for asset, held in seen.balances.items()}
    return replace(seen, balances=balances)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_order_may_be_filled_beyond_its_collar_or_for_more_than_planned(seed: int) -> None:
    seen, wanted = collared_case(seed)
    plan = make_plan(seen, wanted, MOVED)
    for leg in plan.legs:
        rules, order = seen.rules[leg.asset], ioc(leg)
        assert order.side is leg.side and order.price % rules.tick_size == 0, f"seed {seed}"
        sign = 1 if leg.side is Side.BUY else -1
        off_bps = sign * (order.price - leg.mid) / leg.mid * BPS
        assert off_bps <= wanted.limits.max_slippage_bps, f"seed {seed}"
        quantity = order.quantity.value
        assert quantity % rules.lot_size == 0, f"seed {seed}"
        assert EXACT.multiply(quantity, leg.mid) == leg.notional_quote, f"seed {seed}"
        assert quantity * order.price >= rules.min_notional, f"seed {seed}"
        if leg.side is Side.SELL:
            assert quantity == leg.size.value <= seen.balances[leg.asset].free, f"seed {seed}"
        else:
            assert EXACT.multiply(quantity, order.price) == leg.size.value == leg.committed_quote, f"seed {seed}"
    sells = [leg for leg in plan.legs if leg.side is Side.SELL]
    bought = sum((leg.notional_quote for leg in plan.legs if leg.side is Side.BUY), ZERO)
    proceeds = sum((x.notional_quote * (ONE - seen.fees[x.asset].taker_fee_rate) for x in sells), ZERO)
    assert bought <= (seen.balances["USDT"].free + proceeds) * d("0.995"), f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_replanning_after_a_perfect_fill_yields_nothing(seed: int) -> None:
    seen, wanted = collared_case(seed)
    for usage in (Usage(has_traded=True), MOVED, Usage()):
        first = make_plan(seen, wanted, usage)
        second = make_plan(filled(seen, first), wanted, Usage(has_traded=True))
        assert not second.legs, f"seed {seed}: {first.legs} then {second.legs}"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leg_cut_to_cash_and_limits_keeps_its_collar_and_only_shrinks(seed: int) -> None:
    rng = random.Random(seed)
    seen, wanted = collared_case(seed)
    for leg in make_plan(seen, wanted, MOVED).legs:
        rules = seen.rules[leg.asset]
        have = leg.size.value * d(rng.randint(1, 120)) / 100
        fitted = fit_leg(leg, free=have, rules=rules, amount_precision=rng.random() < 0.5)
        if not isinstance(fitted, Leg):
            assert fitted.code in {Skip.NO_CASH, Skip.NO_FREE_BALANCE}, f"seed {seed}"
            continue
        cap = leg.committed_quote * d(rng.randint(1, 120)) / 100
        limits = replace(wanted.limits, max_order_notional=cap)
        clipped = clip_to_limits(fitted, limits, Usage(), d(10**9), rules, spent_quote=ZERO)
        for shrunk in (fitted, clipped):
            if isinstance(shrunk, Leg):
                order, planned = ioc(shrunk), ioc(leg)
                assert order.price == planned.price and order.quantity <= planned.quantity, f"seed {seed}"
                assert order.quantity.value % rules.lot_size == 0, f"seed {seed}"
                assert order.quantity.value * order.price >= rules.min_notional, f"seed {seed}"
        if isinstance(clipped, Leg):
            assert clipped.committed_quote <= cap, f"seed {seed}"


@pytest.mark.parametrize("seed", range(50))
def test_the_snapshot_document_makes_the_same_collared_plan_again(seed: int) -> None:
    seen, wanted = collared_case(seed)
    again, usage = read_snapshot(snapshot_document(seen, MOVED))
    header = PlanHeader("c", "dry-run", "embedded")
    one, two = (plan_document(make_plan(each, wanted, usage), header) for each in (seen, again))
    assert canonical(one) == canonical(two), f"seed {seed}"
    for leg in one["legs"]:
        assert leg["order_type"] == "ioc" and leg["limit_price"] and leg["quantity"], f"seed {seed}"
        assert ("spend_quote" in leg) == (leg["side"] == "buy"), f"seed {seed}"


def test_a_tick_wider_than_the_collar_leaves_no_order_and_says_why() -> None:
    coarse = {"AAA": {"tick_size": d(10), "lot_size": d("0.0001")}}
    limits = replace(LOOSE, max_slippage_bps=d(10))
    wanted = replace(targets({"AAA": 50, "USDT": 50}, limits=limits), orders=IOC)
    for holdings in ({"AAA": 0, "USDT": 1000}, {"AAA": 100, "USDT": 1}):
        plan = make_plan(snapshot(holdings, {"AAA": 9}, rule_changes=coarse), wanted, MOVED)
        assert not plan.legs
        reason = next(line.reason for line in plan.assets if line.asset == "AAA")
        assert reason.code is Skip.SLIPPAGE and "beyond max_slippage_bps = 10" in reason.text
