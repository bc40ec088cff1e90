"""One text for one value: canonical JSON, so that hashes and replays compare bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from rebalancer.core.money import plain

# Named once: this runs for every value of every row, and a union written in place is made anew each time.
_OWN = (bool, int, str, type(None))
_SETS = (set, frozenset)
_LISTS = (list, tuple, *_SETS)


def canonical(value: Any) -> str:
    """Return JSON with sorted keys and no spaces; Decimals are plain text, times UTC text. TypeError as `jsonable`."""
    return json.dumps(jsonable(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def jsonable(value: Any) -> Any:
    """Return `value` in JSON's own types.

    TypeError for a float, whose digits would not be the owner's, and for a key that is no text: 1 and "1" would become
    one. ValueError for a Decimal that is no number and for a time without its zone.
    """
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, _OWN):
        return value
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is no number")
        return plain(value)
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, Mapping):
        return {_key(key): jsonable(each) for key, each in value.items()}
    if isinstance(value, _LISTS):
        items = sorted(value) if isinstance(value, _SETS) else value
        return [jsonable(each) for each in items]
    raise TypeError(f"{type(value).__name__} has no canonical text")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key that is {type(key).__name__} has no canonical text")
    return str(key)


def moment_text(moment: datetime) -> str:
    """Return an aware time as UTC text ending in Z, with microseconds only where there are some.

    Such texts do not sort by time: ".5Z" stands before "Z".
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_moment(text: str) -> datetime:
    """Return the aware UTC time that `moment_text` wrote."""
    return datetime.fromisoformat(text).astimezone(UTC)
