"""Answers that were not taken, kept for their owner to see: the newest few, for a day."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from rebalancer.core.canonical import jsonable, parse_moment
from rebalancer.durable import write_durably
from rebalancer.errors import ConfigError

NAME = "answers.refused.json"
KEPT_MAX = 20
SHOWN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that was refused: its id, the name of its question, why, and when."""

    id: str
    what: str
    why: str
    at: datetime


def refused_in(state: Path) -> list[Refusal]:
    """Return what was refused, oldest first; ConfigError when the file cannot be read as that."""
    path = state / NAME
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return [Refusal(str(r["id"]), str(r["what"]), str(r["why"]), parse_moment(r["at"])) for r in raw["refused"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as exc:
        raise ConfigError(f"{path}: cannot be read ({type(exc).__name__}); delete it") from None


def remember(state: Path, refusal: Refusal) -> None:
    """Keep a refusal; once more is no other one."""
    _keep(state, [*(each for each in _kept(state) if each.id != refusal.id), refusal][-KEPT_MAX:])


def forget(state: Path, what: str) -> None:
    """Drop what was refused of a question that was answered since."""
    before = _kept(state)
    left = [each for each in before if each.what != what]
    if left != before:
        _keep(state, left)


def _kept(state: Path) -> list[Refusal]:
    try:
        return refused_in(state)
    except ConfigError:  # whoever looks was told; what is refused now must not be lost for it
        return []


def _keep(state: Path, refusals: list[Refusal]) -> None:
    rows = [{"id": each.id, "what": each.what, "why": each.why, "at": each.at} for each in refusals]
    # In ASCII: an id may be a file's name that is no UTF-8.
    write_durably(state / NAME, json.dumps(jsonable({"refused": rows})).encode(), 0o600)
