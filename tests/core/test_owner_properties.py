"""What the owner's word about single coins, money and waiting promises, over many accounts."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.holdings import counted
from rebalancer.core.ladder import PAST_TARGET_MAX
from rebalancer.core.model import Balance, Side, Usage
from rebalancer.core.money import HUNDRED, ZERO
from rebalancer.core.plan import AssetState, Plan
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Skip, Trigger, Why
from rebalancer.core.sizing import SMALLEST_SHARE
from rebalancer.core.snapshot_json import read_snapshot, snapshot_document
from tests.core.builders import LOOSE, NOW, d
from tests.core.owners import Case, case, filled, with_free

SEEDS = st.integers(0, 10**6)
MANY = settings(deadline=None, max_examples=300)
QUIET = Usage(has_traded=True)
TRIGGERS = st.sampled_from([QUIET, replace(QUIET, targets_changed=True), Usage()])


def sums(plan: Plan) -> dict[Side, Decimal]:
    return {side: sum((leg.notional_quote for leg in plan.legs if leg.side is side), ZERO) for side in Side}


@MANY
@given(SEEDS, TRIGGERS, st.booleans())
def test_nothing_below_what_is_kept_is_sold_or_spent(seed: int, past: Usage, forced: bool) -> None:
    made = case(seed)
    plan = make_plan(made.seen, made.targets, past, forced=forced)
    spent = sum((leg.size.value for leg in plan.legs if leg.side is Side.BUY), ZERO)
    proceeds = sums(plan)[Side.SELL] * d("0.998")
    for asset, kept in made.targets.kept.items():
        held = made.seen.balances[asset].total
        sold = sum((leg.size.value for leg in plan.legs if leg.asset == asset and leg.side is Side.SELL), ZERO)
        gone = spent - proceeds if asset == "USDT" else sold
        assert gone <= max(ZERO, held - kept), f"seed {seed}: {asset} falls below what is kept"


def with_orders(made: Case) -> Case:
    """Return the case with some of what it holds locked in open orders of the owner."""
    rng = random.Random(f"orders {made.seed}")
    balances = {}
    for asset, held in made.seen.balances.items():
        locked = (held.free * d(rng.choice(["0", "0.3", "0.8", "1"]))).quantize(d("0.00000001"))
        balances[asset] = Balance(asset, held.free - locked, held.locked + locked)
    return replace(made, seen=replace(made.seen, balances=balances))


@MANY
@given(SEEDS, TRIGGERS, st.booleans())
def test_nothing_is_planned_that_what_is_free_beyond_what_is_kept_could_not_pay(
    seed: int, past: Usage, forced: bool
) -> None:
    made = with_orders(case(seed))
    plan = make_plan(made.seen, made.targets, past, forced=forced)
    traded = sums(plan)
    cash = made.seen.balances["USDT"].free - made.targets.kept.get("USDT", ZERO)
    most = cash + traded[Side.SELL] * d("0.998")
    assert traded[Side.BUY] <= max(ZERO, most), f"seed {seed}: {traded}, {cash}"


@MANY
@given(SEEDS)
def test_weights_count_what_is_elsewhere_and_not_what_is_kept(seed: int) -> None:
    made = case(seed)
    plan = make_plan(made.seen, made.targets, QUIET)
    if plan.nav_quote is None or plan.nav_here_quote is None:
        return
    worth = {
        line.asset: counted(made.targets, line.asset, line.free + line.locked) * line.price for line in plan.assets
    }
    assert sum(worth.values()) == plan.nav_quote, f"seed {seed}"
    here = sum((line.external * line.price for line in plan.assets), ZERO)
    assert plan.nav_quote - here == plan.nav_here_quote, f"seed {seed}"
    for line in plan.assets:
        assert abs(line.weight - worth[line.asset] / plan.nav_quote) < d("0.000002"), f"seed {seed}: {line.asset}"


@MANY
@given(SEEDS, TRIGGERS)
def test_a_coin_that_leaves_is_sold_to_dust_and_never_bought(seed: int, past: Usage) -> None:
    made = case(seed, cooled=False)
    plan = make_plan(made.seen, made.targets, past)
    assert not [leg for leg in plan.legs if leg.asset in made.targets.leaving and leg.side is Side.BUY], f"seed {seed}"
    if plan.denials:
        return
    after = make_plan(filled(made.seen, plan), made.targets, QUIET)
    states = {line.asset: line.state for line in after.assets}
    for asset in made.targets.leaving:
        assert states[asset] is AssetState.GONE, f"seed {seed}: {asset} is {states[asset]}"
    assert {leg.reason.code for leg in plan.legs if leg.asset in made.targets.leaving} <= {Why.EXIT}, f"seed {seed}"


@settings(MANY, max_examples=60)  # each is a whole life
@given(SEEDS, st.sampled_from(["2", "10", "40"]))
def test_caps_sell_a_leaving_coin_in_parts_and_strand_nothing_that_could_be_sold(seed: int, percent: str) -> None:
    limits = replace(LOOSE, max_turnover_per_cycle=d(percent), cooldown_h=ZERO)
    made = case(seed, limits=limits, cooled=False)
    seen = made.seen
    for _ in range(120):
        plan = make_plan(seen, made.targets, QUIET)
        if not plan.legs:
            break
        assert all(leg.side is Side.SELL for leg in plan.legs if leg.asset in made.targets.leaving), f"seed {seed}"
        seen = filled(seen, plan)
    if plan.nav_here_quote is None or plan.denials:
        return
    part = d(percent) / HUNDRED * plan.nav_here_quote / len(made.targets.assets)  # of the cap that each may have
    lots = [made.seen.rules[asset].lot_size * made.seen.books[asset].bids[0].price for asset in made.seen.rules]
    if part < max([d(25), *lots]):  # the least order is more than the cap leaves
        return
    states = {line.asset: line.state for line in plan.assets}
    assert {states[asset] for asset in made.targets.leaving} <= {AssetState.GONE}, f"seed {seed}: {plan.skips}"


def flowing(made: Case, amount: Decimal) -> tuple[Case, Plan]:
    """Return a portfolio that was at rest, and the plan after so much cash came in (or went out)."""
    at_rest = filled(made.seen, make_plan(made.seen, made.targets, QUIET, forced=True))
    free = {asset: held.free for asset, held in at_rest.balances.items()}
    free["USDT"] = max(ZERO, free["USDT"] + amount)
    flow = free["USDT"] - at_rest.balances["USDT"].free
    seen = with_free(at_rest, free)
    usage = replace(made.usage, flows={"USDT": flow})
    return replace(made, seen=seen, usage=usage), make_plan(seen, made.targets, usage)


@MANY
@given(SEEDS, st.decimals("0.01", "3", places=2))
def test_a_deposit_never_sells_and_serves_the_lightest_first(seed: int, share: Decimal) -> None:
    made = case(seed, exits=False)
    now, plan = flowing(made, share * sum((b.total for a, b in made.seen.balances.items() if a == "USDT"), ZERO))
    if plan.trigger is not Trigger.CASH_FLOW:
        assert plan.trigger in {Trigger.NONE, Trigger.OUTSIDE_BAND}, f"seed {seed}"
        return
    assert all(leg.side is Side.BUY and leg.reason.code is Why.DEPOSIT for leg in plan.legs), f"seed {seed}"
    drift = {line.asset: line.drift for line in plan.assets}
    assert all(drift[leg.asset] < 0 for leg in plan.legs), f"seed {seed}: bought beyond its target"
    again = make_plan(filled(now.seen, plan), now.targets, now.usage)
    assert not [leg for leg in again.legs if leg.reason.code is Why.DEPOSIT], f"seed {seed}: {again.legs}"


@MANY
@given(SEEDS, st.decimals("0.01", "1", places=2))
def test_a_withdrawal_never_buys_and_refills_only_the_cash(seed: int, share: Decimal) -> None:
    made = case(seed, exits=False)
    _, plan = flowing(made, -share * made.seen.balances["USDT"].total)
    if plan.trigger is not Trigger.CASH_FLOW or plan.nav_quote is None:
        return
    assert all(leg.side is Side.SELL and leg.reason.code is Why.WITHDRAWAL for leg in plan.legs), f"seed {seed}"
    cash = next(line for line in plan.assets if line.asset == "USDT")
    lots = [rules.lot_size * made.seen.books[asset].bids[0].price for asset, rules in made.seen.rules.items()]
    # Half of the least order, or of a coarse lot: a whole one may come nearer than none.
    spare = max(d("0.01") * plan.nav_quote, d(6), *lots)
    assert sums(plan)[Side.SELL] <= -cash.drift * plan.nav_quote + spare, f"seed {seed}"


@MANY
@given(SEEDS)
def test_a_resting_coin_is_in_no_leg_but_for_the_rest_of_its_own_wish(seed: int) -> None:
    made = case(seed)
    plan = make_plan(made.seen, made.targets, made.usage)
    for leg in plan.legs:
        trade = made.usage.trades.get(leg.asset)
        if trade is not None and trade.at + timedelta(hours=4) > NOW:
            assert trade.rest and leg.side is trade.side, f"seed {seed}: {leg.asset} rests"
    rests = {skip.asset for skip in plan.skips if skip.reason.code is Skip.COOLDOWN}
    assert rests <= made.usage.trades.keys(), f"seed {seed}"


@MANY
@given(SEEDS)
def test_resting_coins_make_no_other_trade_more(seed: int) -> None:
    """Who rests neither trades nor is counted on: no leg passes its target, by more than fees, to make up for it."""
    made = case(seed)
    plan = make_plan(made.seen, made.targets, made.usage)
    if plan.nav_quote is None or plan.totals is None:
        return
    # By so little the least order may pass its target.
    least = PAST_TARGET_MAX * max(12 / plan.nav_quote, SMALLEST_SHARE)
    slack = plan.totals.fee_quote / plan.nav_quote + d("0.000002") + least
    drift = {line.asset: line.drift for line in plan.assets}
    for leg in plan.legs:
        sign = 1 if leg.side is Side.BUY else -1
        assert drift[leg.asset] * sign < 0, f"seed {seed}: {leg.asset} is traded away from its target"
        assert leg.notional_quote / plan.nav_quote <= abs(drift[leg.asset]) + slack, f"seed {seed}"


@MANY
@given(SEEDS, TRIGGERS, st.booleans())
def test_planning_twice_changes_nothing_whatever_is_kept_sold_locked_or_elsewhere(
    seed: int, past: Usage, locked: bool
) -> None:
    made = case(seed, cooled=False)
    made = with_orders(made) if locked else made
    first = make_plan(made.seen, made.targets, past)
    second = make_plan(filled(made.seen, first), made.targets, QUIET)
    assert not second.legs, f"seed {seed}: {first.legs} then {second.legs}"


@MANY
@given(SEEDS, st.sampled_from([1, 5, 10]), st.sampled_from([5, 25]), TRIGGERS, st.sampled_from([None, 30, 3000]))
def test_percents_are_of_what_is_at_the_exchange_and_the_leave_binds_too(
    seed: int, cycle: int, day: int, past: Usage, acked: int | None
) -> None:
    limits = replace(LOOSE, max_turnover_per_cycle=d(cycle), max_turnover_per_day=d(day))
    made = case(seed, limits=limits)
    past = replace(past, acked_quote=None if acked is None else d(acked), nav_validated_quote=d(5000))
    plan = make_plan(made.seen, made.targets, past)
    if plan.nav_here_quote is None or plan.totals is None:
        return
    known = min(plan.nav_here_quote, d(5000))
    turned = max(sums(plan).values())
    assert turned <= d(min(cycle, day)) / HUNDRED * known, f"seed {seed}"
    asks = not plan.warnings and plan.trigger in {Trigger.FIRST_BUILD, Trigger.TARGETS_CHANGED}
    if asks and turned > ZERO and acked is not None:
        needed = max(abs(leg.notional_quote) for leg in plan.legs)
        assert turned <= max(d(acked), d(cycle) / HUNDRED * known), f"seed {seed}: {needed}"


@MANY
@given(SEEDS)
def test_the_owners_wishes_are_replayed_from_what_was_recorded(seed: int) -> None:
    made = case(seed)
    usage = replace(made.usage, flows={"USDT": d("12.5"), "AAA": d("-1")}, acked_quote=d("77.7"))
    again, usage_again = read_snapshot(snapshot_document(made.seen, usage))
    assert (again, usage_again) == (made.seen, usage), f"seed {seed}"
    assert make_plan(again, made.targets, usage_again) == make_plan(made.seen, made.targets, usage), f"seed {seed}"


def test_the_random_owners_are_worth_their_name() -> None:
    cases = [case(seed) for seed in range(200)]
    plans = [make_plan(each.seen, each.targets, each.usage) for each in cases]
    codes = {leg.reason.code for plan in plans for leg in plan.legs} | {s.reason.code for p in plans for s in p.skips}
    assert {Why.EXIT, Why.OVERWEIGHT, Skip.COOLDOWN, Skip.GONE} <= codes
    flows = [flowing(case(seed, exits=False), d(sign) * 5000)[1] for seed in range(100) for sign in (-1, 1)]
    assert sum(1 for plan in flows if plan.trigger is Trigger.CASH_FLOW and plan.legs) > 40
