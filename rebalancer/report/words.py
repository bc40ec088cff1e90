"""Numbers and sentences that every form of the report shares. Pure."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from rebalancer.core.money import plain
from rebalancer.core.plan import Plan
from rebalancer.core.reasons import Trigger

CENT = Decimal("0.01")


def money(value: Decimal) -> str:
    """Return a quote amount with two decimals and thousands apart."""
    return f"{value.quantize(CENT, ROUND_HALF_EVEN):,}"


def percent(fraction: Decimal, digits: int = 2) -> str:
    """Return a fraction as percent."""
    return f"{fraction * 100:.{digits}f}"


def signed_points(fraction: Decimal) -> str:
    """Return a drift in percentage points with its sign."""
    return f"{fraction * 100:+.2f}"


def amount(value: Decimal) -> str:
    """Return a coin amount, all of its digits up to eight decimals."""
    short = value.quantize(Decimal("0.00000001")) if -value.as_tuple().exponent > 8 else value  # type: ignore[operator]  # noqa: PLR2004
    return plain(short)


def printable(text: str) -> str:
    """Return foreign words without control characters."""
    return "".join(char if char.isprintable() else " " for char in text)


def closing(plan: Plan, mode: str) -> str:
    """Return the plan in one plain sentence."""
    if plan.denials and not plan.legs:
        nothing = "Nothing would be sent." if mode == "dry-run" else "Nothing is sent."
        return f"No plan: {len(plan.denials)} guard(s) refused. {nothing}"
    if plan.trigger is Trigger.NONE:
        return "Every asset is inside its band: nothing to do."
    if not plan.legs:
        return "Something is outside its band, but nothing that may be traded would help now; see the reasons."
    assert plan.totals is not None
    totals = plan.totals
    verb = "would trade" if mode == "dry-run" else "to trade"
    return (
        f"{len(plan.legs)} order(s) {verb} {money(totals.notional_quote)} {plan.quote} "
        f"({percent(totals.turnover)} % turnover) for about {money(totals.fee_quote)} {plan.quote} in fees; "
        f"largest drift {percent(totals.drift_before)} -> {percent(totals.drift_after)} points."
        f"{_saving(plan)}"
    )


def _saving(plan: Plan) -> str:
    """Return what the direct pairs are worth, or nothing without them."""
    direct = sum(leg.direct is not None for leg in plan.legs)
    if not direct:
        return ""
    return f" {direct} of them directly from coin to coin, which saves about {money(plan.saves_quote)} {plan.quote}."
