"""How far the limits spread a change of targets, in words and as a document. Pure."""

from __future__ import annotations

from typing import Any

from rebalancer.core.money import plain
from rebalancer.core.spread import Spread
from rebalancer.core.targets import Targets
from rebalancer.report.words import CENT, money, percent


def spread_text(spread: Spread, targets: Targets) -> str:
    """Return what a change takes in all, and that it is spread over days where it is."""
    limits, quote = targets.limits, targets.quote
    caps = f"{plain(limits.max_turnover_per_cycle)} % a cycle, {plain(limits.max_turnover_per_day)} % a day"
    if limits.max_notional_per_day is not None:
        caps += f", orders of {plain(limits.max_notional_per_day)} {quote} a day"
    time = "within a day" if spread.days == 1 else f"spread over about {spread.days} days"
    return (
        f"All the way to these targets: a turnover of {money(spread.turnover_quote)} {quote} "
        f"({percent(spread.turnover, 1)} % of the portfolio) for about {money(spread.fee_quote)} {quote} in fees, "
        f"{time} by the limits ({caps}) and the schedule."
    )


def spread_document(spread: Spread) -> dict[str, Any]:
    """Return the same as JSON values."""
    return {
        "turnover_quote": plain(spread.turnover_quote.quantize(CENT)),
        "turnover": plain(spread.turnover.quantize(CENT * CENT)),
        "fee_quote": plain(spread.fee_quote.quantize(CENT)),
        "days": spread.days,
    }
