"""Large plans ask first: a first build or a change of targets beyond a cycle's cap trades what the owner allowed. Pure.

Drift is answered within the caps without asking. New targets are a wish that a slip of the pen can make, so before a
multiple of the cap is traded for one, the owner names an amount.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_CEILING, Context, Decimal

from rebalancer.core.caps import Room, nav_known
from rebalancer.core.drift import turnover_of
from rebalancer.core.model import Snapshot, Usage
from rebalancer.core.money import HUNDRED, ONE, ZERO, from_float, plain
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny, Trigger
from rebalancer.core.sizing import smallest_trade
from rebalancer.core.targets import Limits, Targets
from rebalancer.core.valuation import Valuation

ASKS = (Trigger.FIRST_BUILD, Trigger.TARGETS_CHANGED)
ROUND_UP = Context(prec=3, rounding=ROUND_CEILING)  # an amount to type: three digits, never too little


def approve(
    snapshot: Snapshot, targets: Targets, usage: Usage, valuation: Valuation, trigger: Trigger, room: Room, name: str
) -> tuple[Room, tuple[Denial, ...]]:
    """Return the room within what the owner allowed, and what is to be asked first, if anything is.

    Needed is the turnover all the way to the targets, before any limit cuts it.
    """
    if trigger not in ASKS:
        return room, ()
    needed, both = turnover_needed(targets, valuation)
    cap = targets.limits.max_turnover_per_cycle / HUNDRED * nav_known(usage, valuation.nav_here_quote)
    if needed <= cap:
        return room, ()
    smallest = max((smallest_trade(each, valuation.nav_here_quote) for each in snapshot.rules.values()), default=ZERO)
    if usage.acked_quote is not None and usage.acked_quote >= smallest:
        return replace(room, turnover_quote=min(room.turnover_quote, usage.acked_quote), needs_leave=True), ()
    return room, (_question(targets, usage, valuation, trigger, needed, both, name),)


def turnover_needed(targets: Targets, valuation: Valuation) -> tuple[Decimal, Decimal]:
    """Return the turnover all the way to the targets, and what is sold and bought together."""
    coins = valuation.tradable_drift.copy()
    coins[targets.assets.index(targets.quote)] = 0.0
    turned, both = turnover_of(coins), float(abs(coins).sum())
    return from_float(turned) * valuation.nav_quote, from_float(both) * valuation.nav_quote


def _question(
    targets: Targets,
    usage: Usage,
    valuation: Valuation,
    trigger: Trigger,
    needed: Decimal,
    both: Decimal,
    name: str,
) -> Denial:
    what = "the first build" if trigger is Trigger.FIRST_BUILD else "the change of targets"
    share = f"{needed / valuation.nav_here_quote * HUNDRED:.1f} %"
    cap = f"{plain(targets.limits.max_turnover_per_cycle)} %"
    days = days_needed(targets.limits, usage, valuation.nav_here_quote, needed, both)
    amount = plain(ROUND_UP.plus(needed))
    still = " still" if usage.acked_quote is not None else ""
    named = f"`rebalancer ack {name or 'PLAN'} --up-to {amount}`" + ("" if name else ", PLAN as a run names it,")
    text = (
        f"{what}{still} needs a turnover of {needed:.2f} {targets.quote} ({share} of the portfolio, over the {cap} of "
        f"a cycle), about {days} day{'' if days == 1 else 's'} within the limits: {named} allows it"
    )
    return Denial(Deny.ACK_NEEDED, text, limit=f"{cap} of NAV", value=share)


def days_needed(limits: Limits, usage: Usage, nav_quote: Decimal, needed: Decimal, both: Decimal) -> int:
    """Return over how many days the daily limits spread a turnover; `both` is what is sold and bought together.

    What was traded in the last 24 hours has its share of the first of them.
    """
    days = (needed + usage.turnover_quote) / (limits.max_turnover_per_day / HUNDRED * nav_known(usage, nav_quote))
    if limits.max_notional_per_day is not None:
        days = max(days, (both + usage.notional_quote) / limits.max_notional_per_day)
    return int(max(days, ONE).to_integral_value(ROUND_CEILING))
