"""What the page may ask for: one-time files that the service takes and executes. Never a trade, a resume or a limit.

A request is asked for once, used once, and forgotten when it is old: a page that was left open must not act tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from rebalancer.core.canonical import jsonable, parse_moment
from rebalancer.service.box import Box, RequestRefused

__all__ = ["FOLDER", "LIFE", "Ask", "Request", "RequestRefused", "leave", "take"]
FOLDER = "requests"
LIFE = timedelta(minutes=10)


class Ask(StrEnum):
    """All that can be asked for."""

    PAUSE = "pause"
    DRY_RUN = "dry_run"
    STAGE_TARGETS = "stage_targets"


@dataclass(frozen=True, slots=True)
class Request:
    """One thing asked for."""

    ask: Ask
    asked_at: datetime
    facts: Mapping[str, Any]


def leave(state: Path, request: Request) -> Path:
    """Leave a request for the service; it is there whole or not at all. RequestRefused while too many wait."""
    box = Box(state / FOLDER)
    made = box.put(jsonable({"ask": request.ask, "asked_at": request.asked_at, "facts": request.facts}))
    return box.folder / f"{made}.json"


def take(state: Path, now: datetime, life: timedelta = LIFE) -> Iterator[Request]:
    """Use up what was asked for, oldest first, and yield each; what is old, foreign or damaged is thrown away.

    It is removed before it is obeyed: a pause that a crash swallows is asked for again, a dry run need not be. OSError
    where one cannot be removed; those before it were yielded, those after it wait on.
    """
    box = Box(state / FOLDER)
    for found in box.waiting():
        if box.remove(found.name) and not found.problem:
            request = _read(found.document)
            if request is not None and abs(now - request.asked_at) <= life:
                yield request


def _read(raw: Mapping[str, Any]) -> Request | None:
    try:
        facts = raw["facts"]
        return Request(Ask(raw["ask"]), parse_moment(raw["asked_at"]), facts) if isinstance(facts, dict) else None
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
