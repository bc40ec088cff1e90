"""What was told before, in a small file of the state directory: a restart says nothing twice."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from pathlib import Path

from rebalancer.alerts.condition import Condition, Memory
from rebalancer.core.canonical import jsonable, parse_moment
from rebalancer.durable import write_durably

NAME = "alerts.json"
_MOMENTS = ("since", "told_at", "started_at")
_LATER_MOMENTS = ("missed_at",)  # which a file of before does not have


def load_memory(state: Path) -> Memory:
    """Return what the file says; a blank memory where it is missing or damaged, for then telling twice is right."""
    try:
        raw = json.loads((state / NAME).read_text(encoding="utf-8"))
        known = (*_MOMENTS, *(name for name in _LATER_MOMENTS if name in raw))
        moments: dict[str, datetime | None] = {n: raw[n] and parse_moment(raw[n]) for n in known}
        return Memory(**{**raw, **moments, "condition": Condition(raw["condition"])})
    except (OSError, ValueError, KeyError, TypeError):
        return Memory()


def keep_memory(state: Path, memory: Memory) -> bool:
    """Write the file and return whether that went well; if not it costs a second message and nothing else."""
    document = {each.name: jsonable(getattr(memory, each.name)) for each in fields(memory)}
    try:
        write_durably(state / NAME, json.dumps(document).encode(), 0o640)
    except OSError:
        return False
    return True
