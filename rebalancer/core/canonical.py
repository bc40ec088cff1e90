"""One text for one value: canonical JSON, so that hashes and replays compare bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from rebalancer.core.money import plain


def canonical(value: Any) -> str:
    """Return JSON with sorted keys and no spaces; Decimals are plain text, times UTC text. Floats are refused."""
    return json.dumps(jsonable(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def jsonable(value: Any) -> Any:
    """Return `value` in JSON's own types; TypeError for a float, whose digits would not be the owner's."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [jsonable(each) for each in items]
    raise TypeError(f"{type(value).__name__} has no canonical text")


def moment_text(moment: datetime) -> str:
    """Return an aware time as UTC text ending in Z, with microseconds only where there are some."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_moment(text: str) -> datetime:
    """Return the aware UTC time that `moment_text` wrote."""
    return datetime.fromisoformat(text).astimezone(UTC)
