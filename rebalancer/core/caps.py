"""How much may be traded now: turnover, notional and number of orders, this cycle and within 24 hours.

A cap is measured against an absolute amount or the last validated NAV, never only against the valuation that it is
meant to check.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from rebalancer.core.model import Usage
from rebalancer.core.money import HUNDRED, ZERO
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny
from rebalancer.core.targets import Limits


@dataclass(frozen=True, slots=True)
class Room:
    """What the limits leave: quote amounts and a count; None is no limit."""

    turnover_quote: Decimal
    turnover_code: Deny  # which of the two turnover limits binds
    turnover_limit: str
    notional_day_quote: Decimal | None
    notional_order_quote: Decimal | None
    orders: int
    needs_leave: bool = False  # it is what the owner allowed, or less


def nav_known(usage: Usage, nav_quote: Decimal) -> Decimal:
    """Return what percents are of: the NAV at the exchange, but no more than it was when it last passed the guards."""
    return nav_quote if usage.nav_validated_quote is None else min(nav_quote, usage.nav_validated_quote)


def room_left(limits: Limits, usage: Usage, nav_quote: Decimal) -> Room:
    """Return what is left of every limit, never below zero; `nav_quote` is of what is at the exchange."""
    known = nav_known(usage, nav_quote)
    cycle = limits.max_turnover_per_cycle / HUNDRED * known
    day = limits.max_turnover_per_day / HUNDRED * known - usage.turnover_quote
    binding_day = day < cycle
    notional = None
    if limits.max_notional_per_day is not None:
        notional = max(ZERO, limits.max_notional_per_day - usage.notional_quote)
    return Room(
        turnover_quote=max(ZERO, min(cycle, day)),
        turnover_code=Deny.TURNOVER_DAY if binding_day else Deny.TURNOVER_CYCLE,
        turnover_limit=f"{limits.max_turnover_per_day if binding_day else limits.max_turnover_per_cycle} % of NAV",
        notional_day_quote=notional,
        notional_order_quote=limits.max_order_notional,
        orders=max(0, limits.max_orders_per_day - usage.orders),
    )


def denials_of(room: Room, limits: Limits, usage: Usage) -> tuple[Denial, ...]:
    """Return a denial for each limit that leaves nothing at all."""
    made = []
    if room.turnover_quote <= ZERO:
        text = "the turnover of the last 24 hours used up its limit; the rest waits"
        value = f"{usage.turnover_quote:.2f}"
        made.append(Denial(room.turnover_code, text, limit=room.turnover_limit, value=value))
    if room.notional_day_quote is not None and room.notional_day_quote <= ZERO:
        text = "the orders of the last 24 hours used up max_notional_per_day; the rest waits"
        limit = f"{limits.max_notional_per_day}"
        made.append(Denial(Deny.NOTIONAL_DAY, text, limit=limit, value=f"{usage.notional_quote:.2f}"))
    if room.orders <= 0:
        text = "max_orders_per_day is used up; the rest waits"
        made.append(Denial(Deny.ORDERS_DAY, text, limit=str(limits.max_orders_per_day), value=str(usage.orders)))
    return tuple(made)


def missing_live_limits(limits: Limits) -> tuple[Denial, ...]:
    """Return a denial for each absolute limit that live trading requires and the file does not set."""
    named = {"max_notional_per_day": limits.max_notional_per_day, "max_order_notional": limits.max_order_notional}
    return tuple(
        Denial(Deny.LIMIT_NOT_SET, f"live trading needs {name} in [limits]", limit=name, value="not set")
        for name, value in named.items()
        if value is None
    )


def scale_to(room: Room, sold: Decimal, bought: Decimal) -> Decimal:
    """Return the factor, at most 1, that brings the sums of sells and buys within turnover and the day's notional."""
    factor = Decimal(1)
    if max(sold, bought) > room.turnover_quote:
        factor = room.turnover_quote / max(sold, bought)
    if room.notional_day_quote is not None and (sold + bought) * factor > room.notional_day_quote:
        factor = room.notional_day_quote / (sold + bought)
    return factor
