"""The plan as one HTML file that opens offline, prints on A4 and needs no script. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from rebalancer.core.plan import AssetLine, Decision, Plan
from rebalancer.core.plan_json import PlanHeader
from rebalancer.report.drift_bar import WIDTH, DriftBar, bar_of
from rebalancer.report.result import OrderEnd, ends_text
from rebalancer.report.text import leg_words
from rebalancer.report.words import amount, apart, closing, money, percent, printable, signed_points, worth_here


def drift_bar(line: AssetLine) -> DriftBar:
    """Return the drawing of a line."""
    return bar_of(line.weight, line.target, line.band_low, line.band_high)


@cache
def environment() -> Environment:
    """Return the templates of this package, every value escaped and none ever missing."""
    made = Environment(
        loader=PackageLoader("rebalancer.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = (money, percent, signed_points, amount, printable, leg_words, drift_bar, apart, worth_here)
    made.filters.update({word.__name__: word for word in words})
    return made


def plan_html(plan: Plan, header: PlanHeader, *, ends: Sequence[OrderEnd] = (), ended: Sequence[str] = ()) -> str:
    """Return the report as one self-contained page; of a run that is over with its orders' ends and its own."""
    listed = {line.asset for line in plan.assets}
    reasons = [(line.asset, line.reason) for line in plan.assets if line.decision is Decision.HOLD]
    reasons += [(skip.asset, skip.reason) for skip in plan.skips if skip.asset not in listed]
    return (
        environment()
        .get_template("plan.html.j2")
        .render(
            plan=plan,
            header=header,
            closing=closing(plan, header.mode),
            stays=[] if plan.denials else reasons,
            after=weights_after(plan),
            width=WIDTH,
            orders=ends_text(ends).splitlines(),
            ended=ended,
        )
    )


def ended_html(header: PlanHeader, at: datetime, ended: Sequence[str]) -> str:
    """Return the page of a run that ended before it had a plan."""
    return environment().get_template("ended.html.j2").render(header=header, at=at, ended=ended)


def weights_after(plan: Plan) -> Mapping[str, Decimal]:
    """Return each asset's weight once every leg was filled at its mid less its fee; empty without legs."""
    if not plan.legs:
        return {}
    values = {line.asset: line.value_quote for line in plan.assets}
    for leg in plan.legs:
        values[leg.spent] -= leg.notional_quote
        values[leg.received] += leg.notional_quote - leg.fee_quote
    total = sum(values.values(), Decimal(0))
    return {asset: value / total for asset, value in values.items()}
