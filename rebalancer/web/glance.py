"""What an owner should have understood after ten seconds, from a plan document. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from rebalancer.core.money import ZERO
from rebalancer.core.orders import IntentState
from rebalancer.core.targets import Schedule
from rebalancer.cron_trigger import next_slot
from rebalancer.report.words import money, percent

WIDTH = Decimal(1000)  # of a bar, in its own units
TENTH = Decimal("0.1")
COLOURS = 10  # as many as the style sheet has
LATE = timedelta(minutes=15)  # a look may take that long to be written down
FILLED = IntentState.FILLED.value
VENUES = {
    "embedded": "an embedded exchange",
    "loopback": "a simulated exchange on this machine",
    "htx": "HTX",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One coin's place in a bar of all."""

    asset: str
    colour: int
    start: Decimal
    width: Decimal


@dataclass(frozen=True, slots=True)
class Bar:
    """The whole portfolio as one bar."""

    name: str
    parts: tuple[Part, ...]


def bars(plan: Mapping[str, Any]) -> tuple[Bar, ...]:
    """Return what is held above what is wanted, each coin in the same colour."""
    return tuple(Bar(name, _parts(plan["assets"], key)) for name, key in (("now", "weight"), ("wanted", "target")))


def _parts(assets: list[Mapping[str, Any]], key: str) -> tuple[Part, ...]:
    parts, start = [], ZERO
    for number, asset in enumerate(assets):
        width = Decimal(asset[key]) * WIDTH
        parts.append(Part(asset["asset"], number % COLOURS, start.quantize(TENTH), width.quantize(TENTH)))
        start += width
    return tuple(parts)


def verdict(plan: Mapping[str, Any], orders: Sequence[Mapping[str, Any]] = ()) -> tuple[str, str]:
    """Return the last look in one sentence, and its kind: good, busy or bad. `orders` are what became of its legs."""
    legs, denials = plan["legs"], plan["denials"]
    if denials and not legs:
        return "The last look made no plan: a guard refused.", "bad"
    if legs:
        total = money(Decimal(plan["totals"]["notional_quote"]))
        count = "one order" if len(legs) == 1 else f"{len(legs)} orders"
        return f"The last look {_done(plan, orders)} {total} {plan['quote']} in {count}.", "busy"
    if plan["trigger"] == "none":
        return "Every coin is inside its band: nothing to do.", "good"
    return "A coin is outside its band, but nothing that may be traded would help now.", "busy"


def _done(plan: Mapping[str, Any], orders: Sequence[Mapping[str, Any]]) -> str:
    if plan["mode"] != "live":
        return "would trade"
    whole = len(orders) == len(plan["legs"]) and all(order["state"] == FILLED for order in orders)
    return "traded" if whole else "was to trade"


def nearest(plan: Mapping[str, Any]) -> str:
    """Return which coin is nearest to being traded, or an empty text where one is beyond its band already."""
    rooms = {
        asset["asset"]: min(
            Decimal(asset["weight"]) - Decimal(asset["band_low"]),
            Decimal(asset["band_high"]) - Decimal(asset["weight"]),
        )
        for asset in plan["assets"]
    }
    if not rooms or min(rooms.values()) < 0:
        return ""
    asset = min(rooms, key=lambda each: rooms[each])
    return f"Nearest to acting is {asset}, {percent(rooms[asset])} points from the edge of its band."


def overdue(seen_at: datetime, schedule: Schedule, now: datetime) -> bool:
    """Return whether a look that the schedule asks for after that one is missing."""
    due = next_slot(schedule.cron, schedule.timezone, seen_at)
    return now > due + timedelta(seconds=float(schedule.jitter_s)) + LATE


def wait_words(until: datetime, now: datetime) -> str:
    """Return how long a wait is."""
    minutes = int((until - now).total_seconds() // 60)
    if minutes < 1:
        return "now"
    if minutes < 120:  # noqa: PLR2004  # two hours
        return f"in {minutes} minute{'' if minutes == 1 else 's'}"
    hours = minutes // 60
    return f"in {hours} hours" if hours < 48 else f"in {hours // 24} days"  # noqa: PLR2004
