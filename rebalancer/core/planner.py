"""Snapshot and targets in, plan out: pure, deterministic, and every asset with its reason."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np

from rebalancer.core import explain
from rebalancer.core.approval import approve
from rebalancer.core.caps import denials_of, missing_live_limits, room_left
from rebalancer.core.direct import Routed
from rebalancer.core.drift import drift_of, frozen, weights_of
from rebalancer.core.flows import moved_the_cash
from rebalancer.core.holdings import cash_for_buys, held_in, lacks_its_keep
from rebalancer.core.judge import Judged, judge
from rebalancer.core.leaving import is_gone, still_held
from rebalancer.core.leg_order import legs_of, why_cut
from rebalancer.core.legs import Cut, Outcome
from rebalancer.core.model import RowsSeen, Side, Snapshot, Usage
from rebalancer.core.money import BPS, ONE, ZERO, from_float, to_float
from rebalancer.core.plan import AssetLine, AssetState, Decision, Denial, Leg, Plan, SkipLine, Totals
from rebalancer.core.reasons import Reason, Skip, Trigger
from rebalancer.core.settled import decide_routed
from rebalancer.core.targets import Targets
from rebalancer.core.valuation import Valuation, value_of

# Reasons to stay that are also said among the skips: something is to be done, and is not.
_SAID = {Skip.SUSPECT, Skip.FROZEN, Skip.NO_COUNTERPART, Skip.CASH_FLOW_FIRST, Skip.GONE, Skip.KEEP_NOT_HELD}
WEIGHT_STEP = Decimal("0.000001")


def make_plan(
    snapshot: Snapshot,
    targets: Targets,
    usage: Usage,
    *,
    forced: bool = False,
    live: bool = False,
    name: str = "",
) -> Plan:
    """Decide what to trade. With a denial of the data or of every limit there are no legs.

    `forced` brings every asset to its target, inside its band or not. `name` is what the owner may call this plan.
    """
    assert snapshot.quote == targets.quote, (snapshot.quote, targets.quote)
    wanted = targets.with_leaving(still_held(snapshot, targets))
    plan = _plan(snapshot, wanted, usage, forced=forced, live=live, name=name)
    notes = plan.notes + tuple(explain.taken_as_zero(asset) for asset in sorted(plan.taken_as_zero))
    notes += _of_kept_cash(snapshot, wanted)
    plan = replace(plan, notes=notes, rows=RowsSeen(snapshot.balance_rows, held_in(snapshot)))
    return _with_gone(plan, snapshot, [asset for asset in targets.leaving if asset not in wanted.leaving])


def _plan(
    snapshot: Snapshot,
    targets: Targets,
    usage: Usage,
    *,
    forced: bool,
    live: bool,
    name: str,
) -> Plan:
    judged = judge(snapshot, targets, usage)
    snapshot = replace(snapshot, balances=judged.balances)
    if not live:  # whose plan costs nothing
        judged = replace(judged, unproven=frozenset())
    denials = judged.denials
    if live:
        denials += missing_live_limits(targets.limits)
    cash = snapshot.balances.get(targets.quote)
    if cash is not None and lacks_its_keep(targets, cash):
        denials += (explain.cash_lacks_its_keep(targets, cash.total),)
    valuation = value_of(snapshot, targets, judged)
    if valuation is None:
        return _refused(snapshot, targets, denials, judged)
    trigger = _trigger(snapshot, targets, valuation, usage, forced=forced)
    room = room_left(targets.limits, usage, valuation.nav_limits_quote)
    room, asked = approve(snapshot, targets, usage, valuation, trigger, room, name)
    asked = () if denials else asked  # an amount is asked for on data that can be trusted
    denials += asked if live else ()
    if trigger is not Trigger.NONE:
        denials += denials_of(room, targets.limits, usage)
    if denials or trigger is Trigger.NONE:
        outcome, routed = Outcome(), Routed(())
    else:
        if trigger is not Trigger.OUTSIDE_BAND:  # drift may wait for a cool-down; money, new targets and a word do not
            usage = replace(usage, trades={})
        outcome, routed = decide_routed(snapshot, targets, usage, valuation, trigger, room)
    plan = _assemble(snapshot, targets, valuation, trigger, outcome, denials, routed)
    plan = replace(plan, needs_leave=room.needs_leave)
    return plan if live else replace(plan, warnings=asked)


def _of_kept_cash(snapshot: Snapshot, targets: Targets) -> tuple[str, ...]:
    """Return what to say where cash that is to be kept is locked; where too little is held at all, a denial says so."""
    cash = snapshot.balances.get(targets.quote)
    if cash is None or lacks_its_keep(targets, cash):
        return ()
    free = cash_for_buys(targets, cash)
    return (explain.kept_cash_is_locked(targets.quote, -free),) if free < ZERO else ()


def _with_gone(plan: Plan, snapshot: Snapshot, assets: list[str]) -> Plan:
    """Return the plan with the coins of which nothing is left to sell named, and shown where they have a price."""
    lines = []
    for asset in assets:
        held, book = snapshot.balances[asset], snapshot.books.get(asset)
        if plan.assets and book is not None and book.mid:
            lines.append(
                AssetLine(
                    asset, held.free, held.locked, book.mid, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, AssetState.GONE,
                    Decision.HOLD, explain.gone(asset), kept=held.total,
                )
            )  # fmt: skip
    others = tuple(skip for skip in plan.skips if skip.asset not in assets)
    skips = tuple(SkipLine(asset, explain.gone(asset)) for asset in assets)
    return replace(plan, assets=plan.assets + tuple(lines), skips=others + skips)


def _trigger(snapshot: Snapshot, targets: Targets, valuation: Valuation, usage: Usage, *, forced: bool) -> Trigger:
    """Return why to act. An account that never traded and lacks a target coin entirely is built for the first time.

    What the owner allowed to build is built to its end, over as many cycles as the caps spread it.
    """
    if forced:
        return Trigger.FORCED
    if usage.targets_changed:
        return Trigger.TARGETS_CHANGED
    doubtful = valuation.judged.doubtful
    empty = any(value <= ZERO for asset, value in valuation.values.items() if asset not in doubtful)
    lacking = not usage.has_traded and empty
    if lacking or usage.acked_quote is not None:
        return Trigger.FIRST_BUILD
    if moved_the_cash(snapshot, targets, usage, valuation):
        return Trigger.CASH_FLOW
    return Trigger.OUTSIDE_BAND if valuation.strays.any() else Trigger.NONE


def _refused(snapshot: Snapshot, targets: Targets, denials: tuple[Denial, ...], judged: Judged) -> Plan:
    """Return a plan without a valuation."""
    reasons = denials or (explain.worthless(targets),)
    return Plan(
        snapshot.taken_at, snapshot.account_id, targets.quote, targets.digest, None, None, None, Trigger.NONE, (), (),
        (), reasons, None, trust=judged.trust,
    )  # fmt: skip


def _assemble(
    snapshot: Snapshot,
    targets: Targets,
    valuation: Valuation,
    trigger: Trigger,
    outcome: Outcome,
    denials: tuple[Denial, ...],
    routed: Routed,
) -> Plan:
    legs = legs_of(routed, targets.quote)
    traded = {cut.wish.asset: cut for cut in outcome.cuts}
    lines = tuple(
        _line(snapshot, targets, valuation, index, trigger, traded, outcome, denials)
        for index in range(len(targets.assets))
    )
    return Plan(
        taken_at=snapshot.taken_at,
        account_id=snapshot.account_id,
        quote=targets.quote,
        targets_digest=targets.digest,
        nav_quote=valuation.nav_quote,
        nav_here_quote=valuation.nav_here_quote,
        nav_limits_quote=valuation.nav_limits_quote,
        trigger=trigger,
        assets=lines,
        legs=legs,
        skips=_skips(snapshot, targets, lines, outcome),
        denials=denials,
        totals=_totals(targets, valuation, legs),
        notes=routed.notes,
        trust=valuation.judged.trust,
    )


def _line(
    snapshot: Snapshot,
    targets: Targets,
    valuation: Valuation,
    index: int,
    trigger: Trigger,
    traded: dict[str, Cut],
    outcome: Outcome,
    denials: tuple[Denial, ...],
) -> AssetLine:
    asset = targets.assets[index]
    balance, cut = snapshot.balances[asset], traded.get(asset)
    target, bands = from_float(float(valuation.targets[index])), valuation.both_bands
    weight = from_float(float(valuation.weights[index]))
    reason = why_cut(cut) if cut else outcome.dropped.get(asset)
    if reason is None:
        reason = explain.stays(valuation, index, targets, snapshot, trigger)
    if denials and cut is None:
        first = next((denial for denial in denials if denial.asset in ("", asset)), denials[0])
        reason = Reason(first.code, f"no trade: {first.text}")
    decision = Decision.HOLD if cut is None else Decision.SELL if cut.wish.side is Side.SELL else Decision.BUY
    return AssetLine(
        asset=asset,
        free=balance.free,
        locked=balance.locked,
        price=valuation.prices[asset],
        value_quote=valuation.values[asset],
        weight=weight.quantize(WEIGHT_STEP),
        target=target.quantize(WEIGHT_STEP),
        band_low=max(ZERO, target - from_float(float(bands.below[index]))).quantize(WEIGHT_STEP),
        band_high=min(ONE, target + from_float(float(bands.above[index]))).quantize(WEIGHT_STEP),
        drift=(weight - target).quantize(WEIGHT_STEP),
        state=_state(snapshot, targets, asset, valuation),
        decision=decision,
        reason=reason,
        kept=min(balance.total, targets.kept.get(asset, ZERO)),
        external=targets.external.get(asset, ZERO),
    )


def _state(snapshot: Snapshot, targets: Targets, asset: str, valuation: Valuation) -> AssetState:
    if asset in valuation.judged.doubtful:
        return AssetState(valuation.judged.trust[asset].state)
    if asset not in targets.leaving:
        return AssetState.NORMAL
    return AssetState.GONE if is_gone(snapshot, targets, asset, valuation.prices[asset]) else AssetState.LEAVING


def _skips(
    snapshot: Snapshot,
    targets: Targets,
    lines: tuple[AssetLine, ...],
    outcome: Outcome,
) -> tuple[SkipLine, ...]:
    """Return wishes that became nothing, strays that nobody could answer, and what is held beside the targets."""
    made = [SkipLine(asset, outcome.dropped[asset]) for asset in targets.assets if asset in outcome.dropped]
    for line in lines:
        idle = line.asset not in outcome.dropped and line.decision is Decision.HOLD
        if idle and line.reason.code in _SAID:
            made.append(SkipLine(line.asset, line.reason))
    beside = sorted(asset for asset, held in snapshot.balances.items() if asset not in targets.assets and held.total)
    made += [SkipLine(asset, explain.not_counted(asset)) for asset in beside]
    return tuple(made)


def _totals(targets: Targets, valuation: Valuation, legs: tuple[Leg, ...]) -> Totals:
    """Sum the plan up; what it leaves behind is computed for fills at the mid less the fees."""
    after = {asset: valuation.values[asset] for asset in targets.assets}
    sold = bought = traded = fee = slip = ZERO
    for leg in legs:
        traded += leg.notional_quote
        fee += leg.fee_quote
        slip += leg.notional_quote * (leg.spread_cost_bps + leg.impact_bps) / BPS
        after[leg.spent] -= leg.notional_quote
        after[leg.received] += leg.notional_quote - leg.fee_quote
        sold += leg.notional_quote if leg.spent != targets.quote else ZERO
        bought += leg.notional_quote if leg.received != targets.quote else ZERO
    weights = weights_of(frozen([to_float(value) for value in after.values()]))
    drift_after = np.abs(drift_of(weights, valuation.targets)).max()
    return Totals(
        turnover=(max(sold, bought) / valuation.nav_here_quote).quantize(WEIGHT_STEP),
        notional_quote=traded,
        fee_quote=fee,
        cost_bps=((fee + slip) / traded * BPS).quantize(Decimal("0.01")) if traded else ZERO,
        drift_before=from_float(float(np.abs(valuation.drift).max())).quantize(WEIGHT_STEP),
        drift_after=from_float(float(drift_after)).quantize(WEIGHT_STEP),
        nav_after_quote=valuation.nav_quote - fee - slip,
    )
