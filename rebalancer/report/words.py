"""Numbers and sentences that every form of the report shares. Pure."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal

from rebalancer.core.money import plain
from rebalancer.core.plan import AssetLine, Denial, Plan
from rebalancer.core.reasons import Deny, Trigger
from rebalancer.core.trust import CoinState, CoinTrust

CENT = Decimal("0.01")
COMMAND = re.compile(r"`(rebalancer [^`]+)`")


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


def apart(line: AssetLine) -> str:
    """Return what of an asset is kept or held elsewhere, or an empty text."""
    parts = []
    if line.kept:
        parts.append(f"{amount(line.kept)} of it kept: neither counted nor sold")
    if line.external:
        parts.append(f"{amount(line.external)} more held elsewhere: counted, never traded")
    return f"{line.asset}: {'; '.join(parts)}" if parts else ""


def worth(plan: Plan) -> str:
    """Return what the portfolio is worth."""
    return "value unknown" if plan.nav_quote is None else f"{money(plan.nav_quote)} {plan.quote}"


def worth_here(plan: Plan) -> str:
    """Return how much of the worth is at the exchange and what limits are percents of, or nothing where it is all."""
    if plan.nav_here_quote is None or plan.nav_limits_quote is None:
        return ""
    made = []
    if plan.nav_here_quote != plan.nav_quote:
        made.append(f"{money(plan.nav_here_quote)} {plan.quote} of it at the exchange")
    if plan.nav_limits_quote != plan.nav_here_quote:
        made.append(
            f"limits are percents of {money(plan.nav_limits_quote)} {plan.quote}, without coins not yet trusted"
        )
    elif made:
        made.append("limits are percents of that")
    said = ": ".join(made)
    return f"{said[0].upper()}{said[1:]}." if said else ""


def commands(denial: Denial) -> list[str]:
    """Return what the owner is to type to answer a denial."""
    return COMMAND.findall(printable(denial.text)) if denial.code is Deny.ACK_NEEDED else []


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


def in_doubt_text(asset: str, coin: CoinTrust) -> str:
    """Return what stops a coin, and what answers it."""
    if coin.lacks_row:
        return f"{asset} has no balance row, and absent is not zero: if you never held it, `rebalancer ack {asset}`"
    if coin.state is CoinState.FROZEN:
        return f"{asset} is frozen: {coin.why}; look into it, then `rebalancer ack {asset}`"
    return f"{asset} is in doubt: {coin.why}; it trades again by itself when its price passes"
