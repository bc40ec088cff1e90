"""Truths about every plan, over random portfolios, prices, fees, lots, limits and policies."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from rebalancer.core.canonical import canonical
from rebalancer.core.model import Balance, Side, Snapshot, Usage
from rebalancer.core.money import ONE, ZERO, BaseAmount
from rebalancer.core.plan_json import PlanHeader, plan_document
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Trigger
from rebalancer.core.sizing import smallest_trade
from rebalancer.core.snapshot_json import read_snapshot, snapshot_document
from rebalancer.core.targets import BandPolicy, BandRule, Limits, Targets
from tests.core.builders import LOOSE, d, snapshot, targets
from tests.core.owners import filled, random_account

SEEDS = range(400)
COINS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF", "GGG", "HHH")


def random_small_case(seed: int) -> tuple[Snapshot, Targets]:
    """Return an account in which minimums matter, with any band rule, any destination and any of the usual lots."""
    rng = random.Random(seed)
    seen, wanted = random_case(seed)
    nav = d(rng.choice([30, 60, 100, 200, 300, 500, 1000]))
    values = {
        asset: held.total * (seen.books[asset].mid if asset in seen.books else ONE)
        for asset, held in seen.balances.items()
    }
    scale = nav / sum(values.values())
    balances = {
        asset: Balance(asset, (held.free * scale).quantize(d("0.00000001")), ZERO)
        for asset, held in seen.balances.items()
    }
    mids = {asset: book.mid for asset, book in seen.books.items()}
    rules = {
        asset: replace(
            rule,
            min_notional=d(rng.choice([1, 5, 10])),
            lot_size=ONE.scaleb(-rng.randint(0, 6) - (mids[asset] or ONE).adjusted()),
            quote_step=ONE.scaleb(-rng.randint(0, 8)),
        )
        for asset, rule in seen.rules.items()
    }
    rule = rng.choice(list(BandRule))
    k = {BandRule.THEORY: "0.12", BandRule.CLAMP: "20", BandRule.RELATIVE: "25", BandRule.ABSOLUTE: "3"}[rule]
    bands = BandPolicy(rule=rule, k=d(k), destination=d(round(rng.random(), 2)))
    return replace(seen, balances=balances, rules=rules), replace(wanted, bands=bands)


def random_case(seed: int, *, limits: Limits = LOOSE) -> tuple[Snapshot, Targets]:
    rng = random.Random(seed)
    coins = COINS[: rng.randint(1, len(COINS))]
    cuts = [rng.randint(1, 30) for _ in coins]
    cash = rng.randint(3, 40)
    total = sum(cuts) + cash
    percents = [(d(cut) * 100 / total).quantize(d("0.01")) for cut in cuts]
    weights = dict(zip(coins, percents, strict=True)) | {"USDT": 100 - sum(percents)}
    prices, holdings = random_account(rng, weights)
    rules = {
        coin: {
            "lot_size": ONE.scaleb(-rng.randint(0, 6)),
            "min_notional": d(rng.choice([1, 5, 10])),
            "sell_quantity_min": ZERO,
            "sell_quantity_max": d(10**15),
        }
        for coin in coins
    }
    bands = BandPolicy(
        rule=rng.choice([BandRule.THEORY, BandRule.CLAMP, BandRule.ABSOLUTE]),
        destination=d(rng.choice(["0", "0.25", "0.5", "0.75", "1"])),
    )
    k = {BandRule.THEORY: d("0.12"), BandRule.CLAMP: d(20), BandRule.ABSOLUTE: d(3)}[bands.rule]
    made = targets(weights, bands=replace(bands, k=k), limits=limits)
    fee = rng.choice(["0", "0.001", "0.002"])
    return snapshot(holdings, prices, rule_changes=rules, fee=fee, level_quote=10**7), made


@pytest.mark.parametrize("seed", SEEDS)
def test_replanning_after_a_perfect_fill_yields_nothing(seed: int) -> None:
    seen, wanted = random_case(seed)
    for usage in (Usage(has_traded=True), Usage(has_traded=True, targets_changed=True), Usage()):
        first = make_plan(seen, wanted, usage)
        second = make_plan(filled(seen, first), wanted, Usage(has_traded=True))
        assert not second.legs, f"seed {seed}: {first.legs} then {second.legs}"


@pytest.mark.parametrize("block", range(20))
def test_replanning_a_small_account_after_a_perfect_fill_yields_nothing(block: int) -> None:
    for seed in range(block * 50, block * 50 + 50):
        seen, wanted = random_small_case(seed)
        for usage in (Usage(has_traded=True), Usage(has_traded=True, targets_changed=True), Usage()):
            first = make_plan(seen, wanted, usage)
            second = make_plan(filled(seen, first), wanted, Usage(has_traded=True))
            assert not second.legs, f"seed {seed}: {first.legs} then {second.legs}"


@pytest.mark.parametrize("seed", SEEDS)
def test_every_plan_is_payable_in_steps_and_explained(seed: int) -> None:
    seen, wanted = random_case(seed)
    plan = make_plan(seen, wanted, Usage(has_traded=True))
    proceeds = ZERO
    for leg in plan.legs:
        rules = seen.rules[leg.asset]
        if isinstance(leg.size, BaseAmount):
            assert leg.size.value <= seen.balances[leg.asset].free, f"seed {seed}"
            assert leg.size.value % rules.lot_size == 0, f"seed {seed}"
            proceeds += leg.notional_quote * (ONE - seen.fees[leg.asset].taker_fee_rate)
        else:
            assert leg.size.value % min(rules.lot_size, rules.quote_step) == 0, f"seed {seed}"
        assert leg.notional_quote >= rules.min_notional, f"seed {seed}"
    spent = sum((leg.size.value for leg in plan.legs if leg.side is Side.BUY), ZERO)
    assert spent <= (seen.balances["USDT"].free + proceeds) * d("0.995"), f"seed {seed}"
    assert all(line.reason.text for line in plan.assets), f"seed {seed}"
    assert {line.asset for line in plan.assets} == set(wanted.weights), f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_no_trade_makes_an_asset_worse(seed: int) -> None:
    """Every leg moves its asset toward the target, and past it only where the smallest order is that large.

    Even then by less than half of what may be traded at all, so that it ends nearer and no order leads back.
    """
    seen, wanted = random_case(seed)
    plan = make_plan(seen, wanted, Usage(has_traded=True))
    assert plan.nav_quote is not None and plan.totals is not None
    drift = {line.asset: line.drift for line in plan.assets}
    for leg in plan.legs:
        sign = 1 if leg.side is Side.BUY else -1
        assert drift[leg.asset] * sign < 0, f"seed {seed}: {leg.asset} is traded away from its target"
        past = leg.notional_quote / plan.nav_quote - abs(drift[leg.asset]) - d("0.000002")
        assert past <= smallest_trade(seen.rules[leg.asset], plan.nav_quote) / plan.nav_quote / 2, f"seed {seed}"
        assert past < abs(drift[leg.asset]), f"seed {seed}: {leg.asset} ends further away"
    if plan.legs:
        assert plan.totals.drift_after <= plan.totals.drift_before + d("0.002"), f"seed {seed}"


@pytest.mark.parametrize("seed", range(150))
def test_caps_hold_and_only_shrink_the_wishes(seed: int) -> None:
    rng = random.Random(seed)
    limits = replace(
        LOOSE,
        max_turnover_per_cycle=d(rng.choice([1, 5, 10])),
        max_turnover_per_day=d(rng.choice([5, 25])),
        max_notional_per_day=d(rng.choice([50, 500, 50_000])),
        max_order_notional=d(rng.choice([20, 200, 20_000])),
        max_orders_per_day=rng.choice([1, 3, 100]),
    )
    seen, wanted = random_case(seed)
    used = Usage(has_traded=True, sold_quote=d(rng.choice([0, 30])), orders=rng.choice([0, 2]))
    free = {leg.asset: leg.size.value for leg in make_plan(seen, wanted, replace(used, sold_quote=ZERO, orders=0)).legs}
    plan = make_plan(seen, replace(wanted, limits=limits), used)
    if not plan.legs:
        return
    assert plan.nav_quote is not None and plan.totals is not None
    sold = sum((leg.notional_quote for leg in plan.legs if leg.side is Side.SELL), ZERO)
    bought = sum((leg.notional_quote for leg in plan.legs if leg.side is Side.BUY), ZERO)
    assert max(sold, bought) <= limits.max_turnover_per_cycle / 100 * plan.nav_quote, f"seed {seed}"
    assert max(sold, bought) + used.turnover_quote <= limits.max_turnover_per_day / 100 * plan.nav_quote, f"seed {seed}"
    assert sold + bought + used.notional_quote <= (limits.max_notional_per_day or ZERO), f"seed {seed}"
    assert all(leg.notional_quote <= (limits.max_order_notional or ZERO) for leg in plan.legs), f"seed {seed}"
    assert len(plan.legs) + used.orders <= limits.max_orders_per_day, f"seed {seed}"
    assert all(
        leg.asset not in free or leg.size.value <= free[leg.asset] + seen.rules[leg.asset].lot_size for leg in plan.legs
    ), f"seed {seed}"


@pytest.mark.parametrize("seed", range(60))
def test_the_same_snapshot_gives_the_same_bytes_whatever_the_order_of_its_parts(seed: int) -> None:
    seen, wanted = random_case(seed)
    turned = replace(
        seen,
        balances=dict(reversed(seen.balances.items())),
        rules=dict(reversed(seen.rules.items())),
        books=dict(reversed(seen.books.items())),
    )
    header = PlanHeader("x", "dry-run", "embedded")
    usage = Usage(has_traded=True)
    one, two = (canonical(plan_document(make_plan(s, wanted, usage), header)) for s in (seen, turned))
    assert one == two, f"seed {seed}"


@pytest.mark.parametrize("seed", range(40))
def test_a_recorded_snapshot_gives_the_same_plan_again(seed: int) -> None:
    seen, wanted = random_case(seed)
    usage = Usage(
        has_traded=True,
        sold_quote=d("12.5"),
        nav_validated_quote=d(10**6),
        amount_precision_symbols=frozenset({"aaausdt"}),
    )
    again, usage_again = read_snapshot(snapshot_document(seen, usage))
    assert (again, usage_again) == (seen, usage)
    assert make_plan(again, wanted, usage_again) == make_plan(seen, wanted, usage)


def test_the_random_cases_are_worth_their_name() -> None:
    plans = [make_plan(*random_case(seed), Usage(has_traded=True)) for seed in SEEDS]
    assert sum(1 for plan in plans if plan.trigger is Trigger.OUTSIDE_BAND) > 300
    assert sum(len(plan.legs) for plan in plans) > 800
    assert {side for plan in plans for side in (leg.side for leg in plan.legs)} == {Side.BUY, Side.SELL}
