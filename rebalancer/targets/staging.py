"""A change of weights that waits for its owner's word: asked for on the page, confirmed in the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.core.canonical import moment_text, parse_moment
from rebalancer.core.money import parse_decimal, plain
from rebalancer.core.targets import Targets
from rebalancer.durable import write_durably
from rebalancer.errors import ConfigError
from rebalancer.targets.changes import Version, version_of, words_of_change

NAME = "targets.staged.json"


@dataclass(frozen=True, slots=True)
class Staged:
    """Weights in percent, the digest of the file that they were made from, and when."""

    weights: Mapping[str, Decimal]
    based_on: str
    asked_at: datetime


def stage(state: Path, facts: Mapping[str, Any], asked_at: datetime) -> None:
    """Keep weights until they are confirmed; the ones before are forgotten. ConfigError for what are none."""
    staged = _checked(facts.get("weights"), facts.get("based_on"), asked_at)
    document = {
        "weights": {asset: plain(percent) for asset, percent in staged.weights.items()},
        "based_on": staged.based_on,
        "asked_at": moment_text(asked_at),
    }
    write_durably(state / NAME, json.dumps(document, indent=1).encode(), 0o640)


def staged_in(state: Path) -> Staged | None:
    """Return what waits, or None; ConfigError when the file cannot be read as that."""
    path = state / NAME
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return _checked(raw["weights"], raw["based_on"], parse_moment(raw["asked_at"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigError(f"{path}: cannot be read ({type(exc).__name__}); delete it and stage again") from None


def unstage(state: Path) -> None:
    """Forget what waits."""
    (state / NAME).unlink(missing_ok=True)


def staged_words(state: Path, targets: Targets) -> str:
    """Return what waits for its owner's word in the terminal, or an empty text."""
    try:
        staged = staged_in(state)
    except ConfigError as exc:
        return str(exc)
    if staged is None:
        return ""
    words = words_of_change(version_of(targets), Version(staged.based_on, staged.weights))
    late = "" if staged.based_on == targets.digest else "; the targets were changed since, so it must be staged again"
    return f"{words} (asked for {staged.asked_at:%Y-%m-%d %H:%M} UTC{late})"


def _checked(weights: Any, based_on: Any, asked_at: datetime) -> Staged:
    if not isinstance(weights, Mapping) or not isinstance(based_on, str):
        raise ConfigError("what was staged holds no weights; stage again")
    try:
        return Staged({str(a): parse_decimal(str(text)) for a, text in weights.items()}, based_on, asked_at)
    except ValueError as exc:
        raise ConfigError(f"what was staged is no weight: {exc}") from None
