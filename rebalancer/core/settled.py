"""Amounts and ways together: decided again on the plan's own perfect result, as direct ways leave more cash. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rebalancer.core.caps import Room
from rebalancer.core.direct import Routed, route_directly
from rebalancer.core.effects import filled_at_mid
from rebalancer.core.holdings import cash_for_buys, spendable
from rebalancer.core.leg_order import legs_of
from rebalancer.core.legs import Cut, Outcome, Setting
from rebalancer.core.model import Balance, Side, Snapshot, Usage
from rebalancer.core.plan import Leg
from rebalancer.core.reasons import Trigger
from rebalancer.core.rounds import ROUNDS_MAX, decide_orders, joined, later_than, turns_back
from rebalancer.core.targets import Route, Targets
from rebalancer.core.valuation import Valuation, value_of


def decide_routed(
    snapshot: Snapshot, targets: Targets, usage: Usage, valuation: Valuation, trigger: Trigger, room: Room
) -> tuple[Outcome, Routed]:
    """Return the chosen amounts and the orders that bring them about, over the ways that the targets allow."""
    outcome = decide_orders(snapshot, targets, usage, valuation, trigger, room)
    if targets.orders.route is not Route.DIRECT:
        return outcome, Routed(outcome.cuts)
    slippage = targets.limits.max_slippage_bps
    cash = cash_for_buys(targets, snapshot.balances[targets.quote])
    setting = Setting(room, valuation.nav_here_quote, cash, slippage, cash_strays=False)
    routed = route_directly(snapshot, targets, usage, outcome.cuts, setting)
    for _ in range(ROUNDS_MAX):
        if not routed.straight or outcome.limited:
            break
        seen = after_legs(snapshot, legs_of(routed, targets.quote))
        valued = value_of(seen, targets, valuation.judged)
        assert valued is not None, "a fill cannot take the value away"
        if not valued.strays.any():
            break
        more = decide_orders(seen, targets, usage, valued, later_than(trigger), room)
        both = None if turns_back(trigger, outcome, more) else joined(outcome, more, slippage, room)
        again = routed if both is None else route_directly(snapshot, targets, usage, both.cuts, setting)
        if both is None or not again.straight:  # over the quote coin alone, what it adds might not be payable
            break
        if sells_too_much(snapshot, targets, both.cuts):  # the first has held whole lots back, and they count twice
            break
        outcome, routed = both, again
    return outcome, routed


def sells_too_much(snapshot: Snapshot, targets: Targets, cuts: Sequence[Cut]) -> bool:
    """Return whether a coin would be sold beyond what is free of it."""
    sells = [cut for cut in cuts if cut.wish.side is Side.SELL]
    return any(cut.sized.size.value > spendable(targets, snapshot.balances[cut.wish.asset]) for cut in sells)


def after_legs(snapshot: Snapshot, legs: Sequence[Leg]) -> Snapshot:
    """Return the snapshot with every leg filled at the decision mid."""
    free = {asset: held.free for asset, held in snapshot.balances.items()}
    for leg in legs:
        for asset, change in filled_at_mid(leg).items():
            free[asset] += change
    balances = {asset: Balance(asset, free[asset], held.locked) for asset, held in snapshot.balances.items()}
    return replace(snapshot, balances=balances)
