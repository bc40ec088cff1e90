"""A plan as the document `rebalancer.plan/1`: stable names and order, all money as text. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rebalancer.core.canonical import moment_text
from rebalancer.core.model import LimitIoc, Side
from rebalancer.core.money import ZERO, plain
from rebalancer.core.plan import AssetLine, Denial, Leg, Plan, Totals
from rebalancer.core.reasons import Reason
from rebalancer.core.targets import OrderType

SCHEMA = "rebalancer.plan/1"
MONEY_STEP = Decimal("0.00000001")
BPS_STEP = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """What a plan does not know of itself: its cycle, its mode and its venue."""

    cycle_id: str
    mode: str  # dry-run | live
    venue: str  # embedded | loopback | htx


def plan_document(plan: Plan, header: PlanHeader) -> dict[str, Any]:
    """Return the plan as JSON values, in the documented order of keys.

    What only some plans have to say stands behind the rest, and only there.
    """
    return {
        "schema": SCHEMA,
        "cycle_id": header.cycle_id,
        "taken_at": moment_text(plan.taken_at),
        "mode": header.mode,
        "venue": header.venue,
        "quote": plan.quote,
        "nav_quote": None if plan.nav_quote is None else _money(plan.nav_quote),
        "nav_here_quote": None if plan.nav_here_quote is None else _money(plan.nav_here_quote),
        "trigger": plan.trigger.value,
        "assets": [_asset(line) for line in plan.assets],
        "legs": [_leg(leg) for leg in plan.legs],
        "skips": [{"asset": skip.asset, "reason": _reason(skip.reason)} for skip in plan.skips],
        "denials": [_denial(denial) for denial in plan.denials],
        "warnings": [_denial(warning) for warning in plan.warnings],
        "totals": None if plan.totals is None else _totals(plan.totals) | _saving(plan),
        **({"notes": list(plan.notes)} if plan.notes else {}),
        **_nav_of_limits(plan),
    }


def _nav_of_limits(plan: Plan) -> dict[str, str]:
    """Return what limits are percents of where that is not all that is at the exchange."""
    if plan.nav_limits_quote is None or plan.nav_limits_quote == plan.nav_here_quote:
        return {}
    return {"nav_limits_quote": _money(plan.nav_limits_quote)}


def _money(value: Decimal) -> str:
    """Return a derived amount at eight decimals; amounts that are sent or held keep all of theirs."""
    return plain(value.quantize(MONEY_STEP))


def _reason(reason: Reason) -> dict[str, str]:
    return {"code": reason.code.value, "text": reason.text}


def _asset(line: AssetLine) -> dict[str, Any]:
    return {
        "asset": line.asset,
        "free": plain(line.free),
        "locked": plain(line.locked),
        "kept": plain(line.kept),
        "external": plain(line.external),
        "price": plain(line.price),
        "value_quote": _money(line.value_quote),
        "weight": plain(line.weight),
        "target": plain(line.target),
        "band_low": plain(line.band_low),
        "band_high": plain(line.band_high),
        "drift": plain(line.drift),
        "state": line.state.value,
        "decision": line.decision.value,
        "reason": _reason(line.reason),
    }


def _leg(leg: Leg) -> dict[str, Any]:
    size = {"quantity": plain(leg.size.value)} if leg.side is Side.SELL else {"spend_quote": plain(leg.size.value)}
    if isinstance(leg.terms, LimitIoc):
        size |= {"quantity": plain(leg.terms.quantity.value), "limit_price": plain(leg.terms.price)}
    return {
        "intent_seq": leg.intent_seq,
        "symbol": leg.symbol,
        "side": leg.side.value,
        "order_type": OrderType.MARKET.value if leg.collar is None else OrderType.IOC.value,
        **size,
        "notional_quote": _money(leg.notional_quote),
        "fee_quote": _money(leg.fee_quote),
        "spread_cost_bps": plain(leg.spread_cost_bps.quantize(BPS_STEP)),
        "impact_bps": plain(leg.impact_bps.quantize(BPS_STEP)),
        "client_order_id": None,
        "reason": _reason(leg.reason),
        **_direct(leg),
    }


def _direct(leg: Leg) -> dict[str, Any]:
    """Return what a direct leg says of itself; its `spend_quote` counts the coin that it spends."""
    if leg.direct is None:
        return {}
    return {"direct": {"spent": leg.spent, "received": leg.received, "saves_quote": _money(leg.direct.saves_quote)}}


def _saving(plan: Plan) -> dict[str, str]:
    """Return the sum of what the legs say they save, to the digits that they say."""
    saved = [leg.direct.saves_quote.quantize(MONEY_STEP) for leg in plan.legs if leg.direct is not None]
    return {"saves_quote": _money(sum(saved, ZERO))} if saved else {}


def _denial(denial: Denial) -> dict[str, str]:
    return {
        "code": denial.code.value,
        "asset": denial.asset,
        "limit": denial.limit,
        "value": denial.value,
        "text": denial.text,
    }


def _totals(totals: Totals) -> dict[str, str]:
    return {
        "turnover": plain(totals.turnover),
        "notional_quote": _money(totals.notional_quote),
        "fee_quote": _money(totals.fee_quote),
        "cost_bps": plain(totals.cost_bps),
        "drift_before": plain(totals.drift_before),
        "drift_after": plain(totals.drift_after),
        "nav_after_quote": _money(totals.nav_after_quote),
    }
