"""What the owner is told, and when: one message a change, one a day while it lasts, never a storm. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

REMIND_AFTER = timedelta(hours=24)
KEY_WARN_DAYS = (21, 7, 1)
START_AGAIN_AFTER = timedelta(hours=1)  # a service that is restarted over and over says so once


class Condition(StrEnum):
    """How the service is."""

    FINE = "fine"
    DOUBTED = "a coin is in doubt"  # it is left alone until its price passes
    FROZEN = "a coin is frozen"  # it waits for the owner
    DENIED = "denied"  # a guard refused
    UNRESOLVED = "unresolved"  # an order's outcome is unknown
    HALTED = "halted"
    PAUSED = "paused"
    UNREACHABLE = "unreachable"
    KEY_REFUSED = "key refused"
    BAD_TARGETS = "targets invalid"
    FAILED = "failed"  # a defect of ours


# Looks in a row: one that failed or was refused is made up by the next.
TOLD_FROM = {Condition.UNREACHABLE: 2, Condition.DENIED: 2, Condition.DOUBTED: 24}
# In these a cycle does what it can.
GOOD = frozenset({Condition.FINE, Condition.DOUBTED, Condition.FROZEN})
# In these a watcher elsewhere is told of a failure, not of a good cycle.
FAILING = frozenset({Condition.HALTED, Condition.KEY_REFUSED, Condition.BAD_TARGETS, Condition.FAILED})


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What was told before; it outlives the process."""

    condition: Condition = Condition.FINE
    text: str = ""
    since: datetime | None = None
    told_at: datetime | None = None  # of this condition; None: not yet told
    in_a_row: int = 0  # looks in this condition
    started_at: datetime | None = None  # of the last start that was told
    digest_week: str = ""  # Monday of the last week whose digest was handed over, or that needs none
    missed_at: datetime | None = None  # when a missed slot was last told
    key_told_days: int = 0  # the last of KEY_WARN_DAYS that was told; 0: the key lasts


@dataclass(frozen=True, slots=True)
class Seen:
    """How one cycle left things."""

    condition: Condition
    text: str = ""
    trades: str = ""  # what was traded, in a sentence; empty when nothing was


def at_start(memory: Memory, now: datetime, *, mode: str, venue: str) -> tuple[Memory, list[Message]]:
    """Return what to say at a start of the service."""
    if memory.started_at is not None and _within(START_AGAIN_AFTER, memory.started_at, now):
        return memory, []
    known = "" if memory.condition is Condition.FINE else f"; last known: {memory.condition}, {memory.text}"
    return replace(memory, started_at=now), [Message(f"started, {mode} on {venue}", f"The service is running{known}.")]


def at_cycle(memory: Memory, seen: Seen, now: datetime) -> tuple[Memory, list[Message]]:
    """Return what to say after a cycle: its trades, a change of condition, or that one lasts."""
    told = [Message("traded", seen.trades)] if seen.trades else []
    same = seen.condition is memory.condition
    if not same:
        was_told = memory.condition is not Condition.FINE and memory.told_at is not None
        new = replace(memory, condition=seen.condition, text=seen.text, since=now, told_at=None, in_a_row=1)
        if seen.condition is Condition.FINE:
            ended = Message("in order again", f"No longer {memory.condition}: the last cycle ended well.")
            return replace(new, told_at=now), [*told, *([ended] if was_told else [])]
        memory = new
    elif memory.condition is not Condition.FINE:
        memory = replace(memory, text=seen.text, in_a_row=memory.in_a_row + 1)
    if memory.condition is Condition.FINE or not _due(memory, now):
        return memory, told
    title = (
        f"{memory.condition}" if memory.told_at is None else f"still {memory.condition} since {memory.since:%Y-%m-%d}"
    )
    return replace(memory, told_at=now), [*told, Message(title, memory.text)]


def at_missed(memory: Memory, text: str, now: datetime) -> tuple[Memory, list[Message]]:
    """Return what to say about slots that had no cycle, once a day at the most."""
    if memory.missed_at is not None and _within(REMIND_AFTER, memory.missed_at, now):
        return memory, []
    return replace(memory, missed_at=now), [Message("a cycle was missed", text)]


def at_key(memory: Memory, days_valid: int | None, text: str) -> tuple[Memory, list[Message]]:
    """Return what to say about how long the key still lasts: once at each of the days to warn at."""
    reached = [days for days in KEY_WARN_DAYS if days_valid is not None and days_valid <= days]
    if not reached:
        return replace(memory, key_told_days=0), []
    if memory.key_told_days and min(reached) >= memory.key_told_days:
        return memory, []
    return replace(memory, key_told_days=min(reached)), [Message("the key expires", text)]


def digest_due(memory: Memory, now: datetime) -> str:
    """Return the Monday of the last whole week by UTC, if the owner has not been told of that week; else nothing."""
    last = now.astimezone(UTC).date() - timedelta(days=now.astimezone(UTC).weekday() + 7)
    told_ahead = memory.digest_week > now.astimezone(UTC).date().isoformat()  # by a clock that was wrong
    return last.isoformat() if last.isoformat() > memory.digest_week or told_ahead else ""


def _within(span: timedelta, then: datetime, now: datetime) -> bool:
    """Whether a moment is no further away, either way: one in the future was told by a clock that was wrong."""
    return abs(now - then) < span


def _due(memory: Memory, now: datetime) -> bool:
    if memory.told_at is not None:
        return not _within(REMIND_AFTER, memory.told_at, now)
    return memory.in_a_row >= TOLD_FROM.get(memory.condition, 1)
