"""Snapshot and targets in, plan out: pure, deterministic, and every asset with its reason."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from rebalancer.core import explain
from rebalancer.core.caps import denials_of, missing_live_limits, room_left
from rebalancer.core.direct import Routed
from rebalancer.core.drift import drift_of, frozen, outside_band, weights_of
from rebalancer.core.guards import check_snapshot
from rebalancer.core.leg_order import legs_of, why_cut
from rebalancer.core.legs import Cut, Outcome
from rebalancer.core.model import Side, Snapshot, Usage
from rebalancer.core.money import BPS, ONE, ZERO, from_float, to_float
from rebalancer.core.plan import AssetLine, AssetState, Decision, Denial, Leg, Plan, SkipLine, Totals
from rebalancer.core.reasons import Reason, Skip, Trigger
from rebalancer.core.settled import decide_routed
from rebalancer.core.targets import Targets
from rebalancer.core.valuation import Valuation, value_of

WEIGHT_STEP = Decimal("0.000001")


def make_plan(
    snapshot: Snapshot,
    targets: Targets,
    usage: Usage,
    *,
    forced: bool = False,
    live: bool = False,
    denied: tuple[Denial, ...] = (),
) -> Plan:
    """Decide what to trade. With a denial of the data or of every limit there are no legs.

    `forced` brings every asset to its target, inside its band or not. `denied` is what the caller already refuses.
    """
    assert snapshot.quote == targets.quote, (snapshot.quote, targets.quote)
    denials = denied + check_snapshot(snapshot, targets, usage.mids)
    if live:
        denials += missing_live_limits(targets.limits)
    valuation = value_of(snapshot, targets)
    if valuation is None:
        return _refused(snapshot, targets, denials)
    room = room_left(targets.limits, usage, valuation.nav_quote)
    trigger = _trigger(valuation, usage, forced=forced)
    if trigger is not Trigger.NONE:
        denials += denials_of(room, targets.limits, usage)
    if denials or trigger is Trigger.NONE:
        return _assemble(snapshot, targets, valuation, trigger, Outcome(), denials, Routed(()))
    outcome, routed = decide_routed(snapshot, targets, usage, valuation, trigger, room)
    return _assemble(snapshot, targets, valuation, trigger, outcome, (), routed)


def _trigger(valuation: Valuation, usage: Usage, *, forced: bool) -> Trigger:
    """Return why to act. An account that never traded and lacks a target coin entirely is built for the first time."""
    if forced:
        return Trigger.FORCED
    if usage.targets_changed:
        return Trigger.TARGETS_CHANGED
    if not usage.has_traded and any(value <= ZERO for value in valuation.values.values()):
        return Trigger.FIRST_BUILD
    return Trigger.OUTSIDE_BAND if outside_band(valuation.drift, valuation.bands).any() else Trigger.NONE


def _refused(snapshot: Snapshot, targets: Targets, denials: tuple[Denial, ...]) -> Plan:
    """Return a plan without a valuation."""
    reasons = denials or (explain.worthless(targets),)
    return Plan(
        snapshot.taken_at, snapshot.account_id, targets.quote, targets.digest, None, Trigger.NONE, (), (), (), reasons,
        None,
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
        _line(snapshot, targets, valuation, index, traded, outcome, denials) for index in range(len(targets.assets))
    )
    return Plan(
        taken_at=snapshot.taken_at,
        account_id=snapshot.account_id,
        quote=targets.quote,
        targets_digest=targets.digest,
        nav_quote=valuation.nav_quote,
        trigger=trigger,
        assets=lines,
        legs=legs,
        skips=_skips(snapshot, targets, lines, outcome),
        denials=denials,
        totals=_totals(targets, valuation, legs),
        notes=routed.notes,
    )


def _line(
    snapshot: Snapshot,
    targets: Targets,
    valuation: Valuation,
    index: int,
    traded: dict[str, Cut],
    outcome: Outcome,
    denials: tuple[Denial, ...],
) -> AssetLine:
    asset = targets.assets[index]
    balance, cut = snapshot.balances[asset], traded.get(asset)
    target, bands = from_float(float(valuation.targets[index])), valuation.both_bands
    weight = from_float(float(valuation.weights[index]))
    reason = why_cut(cut) if cut else outcome.dropped.get(asset) or explain.stays(valuation, index, targets, snapshot)
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
        state=AssetState.NORMAL,
        decision=decision,
        reason=reason,
    )


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
        if idle and line.reason.code in {Skip.NOT_TRADABLE, Skip.NO_COUNTERPART}:
            made.append(SkipLine(line.asset, line.reason))
    beside = sorted(asset for asset, held in snapshot.balances.items() if asset not in targets.weights and held.total)
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
        turnover=(max(sold, bought) / valuation.nav_quote).quantize(WEIGHT_STEP),
        notional_quote=traded,
        fee_quote=fee,
        cost_bps=((fee + slip) / traded * BPS).quantize(Decimal("0.01")) if traded else ZERO,
        drift_before=from_float(float(np.abs(valuation.drift).max())).quantize(WEIGHT_STEP),
        drift_after=from_float(float(drift_after)).quantize(WEIGHT_STEP),
        nav_after_quote=valuation.nav_quote - fee - slip,
    )
