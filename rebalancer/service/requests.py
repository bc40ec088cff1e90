"""What the page may ask for: one-time files that the service takes and executes. Never a trade, a resume or a limit.

A request is asked for once, used once, and forgotten when it is old: a page that was left open must not act tomorrow.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from rebalancer.core.canonical import jsonable, parse_moment

FOLDER = "requests"
LIFE = timedelta(minutes=10)
BYTES_MAX = 100_000
WAITING_MAX = 20
_NAME = re.compile(r"[0-9a-f]{32}\.json")


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


class RequestRefused(ValueError):
    """A request that is not taken; the text says why."""


def leave(state: Path, request: Request) -> Path:
    """Leave a request for the service; it is there whole or not at all. RequestRefused while too many wait."""
    folder = state / FOLDER
    folder.mkdir(mode=0o770, exist_ok=True)
    if sum(1 for _ in folder.glob("*.json")) >= WAITING_MAX:
        raise RequestRefused(f"{WAITING_MAX} requests wait already: is the service running?")
    path = folder / f"{secrets.token_hex(16)}.json"
    text = json.dumps(jsonable({"ask": request.ask, "asked_at": request.asked_at, "facts": request.facts}))
    if len(text.encode()) > BYTES_MAX:
        raise RequestRefused("the request is too large")
    beside = path.with_suffix(".part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
    return path


def take(state: Path, now: datetime) -> list[Request]:
    """Return what was asked for, oldest first, and use it up; what is old, foreign or damaged is thrown away."""
    found = []
    for path in sorted((state / FOLDER).glob("*.json"), key=_age):
        text = _used_up(path)
        request = _read(text) if text is not None and _NAME.fullmatch(path.name) else None
        if request is not None and abs(now - request.asked_at) <= LIFE:
            found.append(request)
    return found


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _used_up(path: Path) -> str | None:
    """Return the file's text and remove it; None when it is no plain small file. It is removed before it is obeyed."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            raw = file.read(BYTES_MAX + 1)
        path.unlink()
        return raw.decode("utf-8") if len(raw) <= BYTES_MAX else None
    except (OSError, UnicodeDecodeError):
        with suppress(OSError):  # a link or a pipe is thrown away too
            path.unlink()
        return None


def _read(text: str) -> Request | None:
    try:
        raw = json.loads(text)
        facts = raw["facts"]
        return Request(Ask(raw["ask"]), parse_moment(raw["asked_at"]), facts) if isinstance(facts, dict) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
