"""What other targets lead to in all, beyond what the limits let one cycle do: turnover, fees, and days. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal

from rebalancer.core.approval import days_needed, turnover_needed
from rebalancer.core.caps import nav_known
from rebalancer.core.judge import judge
from rebalancer.core.leaving import still_held
from rebalancer.core.model import Snapshot, Usage
from rebalancer.core.money import HUNDRED, ZERO
from rebalancer.core.plan import Plan
from rebalancer.core.planner import make_plan
from rebalancer.core.targets import Limits, Targets
from rebalancer.core.valuation import value_of


@dataclass(frozen=True, slots=True)
class Spread:
    """All the way to the targets: quote amounts, the turnover as a fraction of what is at the exchange, and days.

    `plan` is the plan that would do it at once, were there no limits but that of the slippage.
    """

    turnover_quote: Decimal
    turnover: Decimal
    fee_quote: Decimal
    days: int
    plan: Plan


def spread_of(snapshot: Snapshot, targets: Targets, usage: Usage, looks_a_day: Decimal) -> Spread | None:
    """Return what a change to these targets takes in all; None where a price for it is missing."""
    wanted = targets.with_leaving(still_held(snapshot, targets))
    judged = judge(snapshot, wanted, usage)
    valuation = value_of(replace(snapshot, balances=judged.balances), wanted, judged)
    if valuation is None:
        return None
    needed, both = turnover_needed(wanted, valuation)
    nav = valuation.nav_here_quote
    days = max(
        days_needed(targets.limits, usage, nav, needed, both), days_of_looks(targets, usage, nav, needed, looks_a_day)
    )
    plan = make_plan(snapshot, replace(targets, limits=_at_once(targets.limits)), replace(usage, targets_changed=True))
    fee = ZERO if plan.totals is None else plan.totals.fee_quote
    return Spread(needed, needed / nav, fee, days, plan)


def days_of_looks(targets: Targets, usage: Usage, nav_quote: Decimal, needed: Decimal, looks_a_day: Decimal) -> int:
    """Return how long the schedule takes, each look trading as much as a cycle may."""
    a_cycle = targets.limits.max_turnover_per_cycle / HUNDRED * nav_known(usage, nav_quote)
    looks = (needed / a_cycle).to_integral_value(ROUND_CEILING)
    return int((looks / looks_a_day).to_integral_value(ROUND_CEILING))


def _at_once(limits: Limits) -> Limits:
    """Return limits that spread nothing; what a book does not take stays so."""
    return replace(
        limits,
        max_turnover_per_cycle=HUNDRED,
        max_turnover_per_day=Decimal(1000),
        max_notional_per_day=None,
        max_order_notional=None,
        max_orders_per_day=10_000,
    )
