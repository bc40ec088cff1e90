"""Snapshot and targets in, plan out: pure, deterministic, and every asset with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from rebalancer.core import explain
from rebalancer.core.bands import band_widths
from rebalancer.core.caps import denials_of, missing_live_limits, room_left
from rebalancer.core.destination import wished_moves
from rebalancer.core.drift import FloatArray, drift_of, frozen, outside_band, weights_of
from rebalancer.core.guards import check_snapshot
from rebalancer.core.legs import Cut, Outcome, Setting, Wish, cut_to_size
from rebalancer.core.model import Side, Snapshot, Usage
from rebalancer.core.money import BPS, ONE, ZERO, from_float, to_float
from rebalancer.core.plan import AssetLine, AssetState, Decision, Denial, Leg, Plan, SkipLine, Totals
from rebalancer.core.reasons import Reason, Skip, Trigger
from rebalancer.core.targets import Targets

WEIGHT_STEP = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Valuation:
    """Every target asset priced and weighed; arrays are in the order of the targets file."""

    prices: dict[str, Decimal]
    values: dict[str, Decimal]
    nav_quote: Decimal
    weights: FloatArray
    targets: FloatArray
    drift: FloatArray
    bands: FloatArray


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
    denials = denied + check_snapshot(snapshot, targets)
    if live:
        denials += missing_live_limits(targets.limits)
    valuation = _value(snapshot, targets)
    if valuation is None:
        return _refused(snapshot, targets, denials)
    room = room_left(targets.limits, usage, valuation.nav_quote)
    trigger = _trigger(valuation, usage, forced=forced)
    if trigger is not Trigger.NONE:
        denials += denials_of(room, targets.limits, usage)
    if denials or trigger is Trigger.NONE:
        return _assemble(snapshot, targets, valuation, trigger, Outcome(), denials, {})
    moves = _moves(snapshot, targets, valuation, trigger)
    wishes = _wishes(snapshot, targets, usage, valuation, moves, trigger)
    setting = Setting(room, valuation.nav_quote, snapshot.balances[targets.quote].free, targets.limits.max_slippage_bps)
    outcome = cut_to_size(list(wishes.values()), setting)
    return _assemble(snapshot, targets, valuation, trigger, outcome, (), wishes)


def _value(snapshot: Snapshot, targets: Targets) -> Valuation | None:
    """Price every target asset at its mid; None when one cannot be priced or all are worth nothing."""
    prices: dict[str, Decimal] = {targets.quote: ONE}
    for asset in targets.assets:
        book = snapshot.books.get(asset)
        mid = ONE if asset == targets.quote else book.mid if book is not None else None
        if mid is None or mid <= ZERO or asset not in snapshot.balances:
            return None
        prices[asset] = mid
    values = {asset: snapshot.balances[asset].total * prices[asset] for asset in targets.assets}
    nav_quote = sum(values.values(), ZERO)
    if nav_quote <= ZERO:
        return None
    weights = weights_of(frozen([to_float(value) for value in values.values()]))
    fractions = frozen([to_float(targets.fraction(asset)) for asset in targets.assets])
    bands = band_widths(fractions, targets.bands)
    return Valuation(prices, values, nav_quote, weights, fractions, drift_of(weights, fractions), bands)


def _trigger(valuation: Valuation, usage: Usage, *, forced: bool) -> Trigger:
    """Return why to act. An account that never traded and lacks a target coin entirely is built for the first time."""
    if forced:
        return Trigger.FORCED
    if usage.targets_changed:
        return Trigger.TARGETS_CHANGED
    if not usage.has_traded and any(value <= ZERO for value in valuation.values.values()):
        return Trigger.FIRST_BUILD
    return Trigger.OUTSIDE_BAND if outside_band(valuation.drift, valuation.bands).any() else Trigger.NONE


def _moves(snapshot: Snapshot, targets: Targets, valuation: Valuation, trigger: Trigger) -> FloatArray:
    cash = targets.assets.index(targets.quote)
    movable = np.array([a == targets.quote or snapshot.rules[a].tradable for a in targets.assets])
    fee = max((to_float(rate.taker_fee_rate) for rate in snapshot.fees.values()), default=0.0)
    turned = float(np.abs(valuation.drift).sum()) / 2
    return wished_moves(
        valuation.drift,
        valuation.bands,
        destination=to_float(targets.bands.destination),
        cash=cash,
        movable=movable,
        full=trigger is not Trigger.OUTSIDE_BAND,
        edge_margin=2 * fee * turned,
    )


def _wishes(
    snapshot: Snapshot, targets: Targets, usage: Usage, valuation: Valuation, moves: FloatArray, trigger: Trigger
) -> dict[str, Wish]:
    outside = outside_band(valuation.drift, valuation.bands)
    made = {}
    for index, asset in enumerate(targets.assets):
        move = float(moves[index])
        if asset == targets.quote or move == 0:
            continue
        rules = snapshot.rules[asset]
        side = Side.BUY if move > 0 else Side.SELL
        made[asset] = Wish(
            asset=asset,
            side=side,
            quote=from_float(abs(move)) * valuation.nav_quote,
            drift=float(valuation.drift[index]),
            order=index,
            mid=valuation.prices[asset],
            free=snapshot.balances[asset].free,
            rules=rules,
            book=snapshot.books[asset],
            fee_rate=snapshot.fees[asset].taker_fee_rate,
            amount_precision=rules.symbol in usage.amount_precision_symbols,
            why=explain.why(valuation, index, asset, side, trigger, outside=bool(outside[index])),
        )
    return made


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
    wishes: dict[str, Wish],
) -> Plan:
    ordered = sorted(outcome.cuts, key=lambda cut: (cut.wish.side is Side.BUY, -abs(cut.wish.drift), cut.wish.order))
    legs = tuple(_leg(number, cut) for number, cut in enumerate(ordered, start=1))
    traded = {leg.asset: leg for leg in legs}
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
        skips=_skips(snapshot, targets, lines, outcome, wishes),
        denials=denials,
        totals=_totals(targets, valuation, ordered),
    )


def _leg(number: int, cut: Cut) -> Leg:
    wish, sized = cut.wish, cut.sized
    return Leg(
        intent_seq=number,
        asset=wish.asset,
        symbol=wish.rules.symbol,
        size=sized.size,
        notional_quote=sized.notional_quote,
        mid=wish.mid,
        fee_quote=sized.notional_quote * wish.fee_rate,
        spread_cost_bps=cut.walk.spread_bps,
        impact_bps=cut.walk.impact_bps,
        reason=explain.capped(wish.why, sized.notional_quote, wish.quote, wish.rules.quote) if cut.capped else wish.why,
        capped=cut.capped,
    )


def _line(
    snapshot: Snapshot,
    targets: Targets,
    valuation: Valuation,
    index: int,
    traded: dict[str, Leg],
    outcome: Outcome,
    denials: tuple[Denial, ...],
) -> AssetLine:
    asset = targets.assets[index]
    balance, leg = snapshot.balances[asset], traded.get(asset)
    target, band = from_float(float(valuation.targets[index])), from_float(float(valuation.bands[index]))
    weight = from_float(float(valuation.weights[index]))
    reason = leg.reason if leg else outcome.dropped.get(asset) or explain.stays(valuation, index, targets, snapshot)
    if denials and leg is None:
        first = next((denial for denial in denials if denial.asset in ("", asset)), denials[0])
        reason = Reason(first.code, f"no trade: {first.text}")
    decision = Decision.HOLD if leg is None else Decision.SELL if leg.side is Side.SELL else Decision.BUY
    return AssetLine(
        asset=asset,
        free=balance.free,
        locked=balance.locked,
        price=valuation.prices[asset],
        value_quote=valuation.values[asset],
        weight=weight.quantize(WEIGHT_STEP),
        target=target.quantize(WEIGHT_STEP),
        band_low=max(ZERO, target - band).quantize(WEIGHT_STEP),
        band_high=min(ONE, target + band).quantize(WEIGHT_STEP),
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
    wishes: dict[str, Wish],
) -> tuple[SkipLine, ...]:
    """Return wishes that became nothing, strays that nobody could answer, and what is held beside the targets."""
    made = [SkipLine(asset, outcome.dropped[asset]) for asset in targets.assets if asset in outcome.dropped]
    for line in lines:
        idle = line.asset not in wishes and line.decision is Decision.HOLD
        if idle and line.reason.code in {Skip.NOT_TRADABLE, Skip.NO_COUNTERPART}:
            made.append(SkipLine(line.asset, line.reason))
    beside = sorted(asset for asset, held in snapshot.balances.items() if asset not in targets.weights and held.total)
    made += [SkipLine(asset, explain.not_counted(asset)) for asset in beside]
    return tuple(made)


def _totals(targets: Targets, valuation: Valuation, cuts: list[Cut]) -> Totals:
    """Sum the plan up; what it leaves behind is computed for fills at the mid less the fees."""
    after = {asset: valuation.values[asset] for asset in targets.assets}
    sold = bought = fee = slip = ZERO
    for cut in cuts:
        notional, wish = cut.sized.notional_quote, cut.wish
        cost, sign = notional * wish.fee_rate, ONE if wish.side is Side.BUY else -ONE
        fee += cost
        slip += notional * cut.walk.slippage_bps / BPS
        after[wish.asset] += sign * notional - (cost if wish.side is Side.BUY else ZERO)
        after[targets.quote] -= sign * notional + (ZERO if wish.side is Side.BUY else cost)
        sold, bought = (sold, bought + notional) if wish.side is Side.BUY else (sold + notional, bought)
    weights = weights_of(frozen([to_float(value) for value in after.values()]))
    drift_after = np.abs(drift_of(weights, valuation.targets)).max()
    traded = sold + bought
    return Totals(
        turnover=(max(sold, bought) / valuation.nav_quote).quantize(WEIGHT_STEP),
        notional_quote=traded,
        fee_quote=fee,
        cost_bps=((fee + slip) / traded * BPS).quantize(Decimal("0.01")) if traded else ZERO,
        drift_before=from_float(float(np.abs(valuation.drift).max())).quantize(WEIGHT_STEP),
        drift_after=from_float(float(drift_after)).quantize(WEIGHT_STEP),
        nav_after_quote=valuation.nav_quote - fee - slip,
    )
