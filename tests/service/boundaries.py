"""Where a life can end: before and after each request and each transaction."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.service.house import House
from tests.service.wire import Crash, nothing

BOUNDARIES_MAX = 200


class Boundaries:
    """Counts the edges of a life, before and after each request and each transaction, and ends it at one of them.

    `since` is part of the name of the first edge that counts.
    """

    def __init__(self, house: House, fatal: int, since: str) -> None:
        self.crashed_at = ""
        self.passed = 0
        self._left = fatal
        self._since = since
        append = house.journal.append

        def watched(*entries: Any) -> Any:
            self.edge(f"before {entries[0].kind}")
            rows = append(*entries)
            self.edge(f"after {entries[0].kind}")
            return rows

        house.journal.append = watched  # type: ignore[method-assign]
        house.wire.before = lambda request: self.edge(f"before {request.method} {request.url.path}")
        house.wire.after = lambda request: self.edge(f"after {request.method} {request.url.path}")

    def edge(self, name: str) -> None:
        if self._since not in name or self.crashed_at:
            return
        self._since = ""
        self.passed += 1
        self._left -= 1
        if not self._left:
            self.crashed_at = name
            raise Crash(name)


def crash_at(house: House, number: int, *, since: str = "", life: Callable[[], object] | None = None) -> str:
    """Live, or run a cycle, until death at one boundary; return which, or an empty text when there are fewer."""
    boundaries = Boundaries(house, number, since)
    with suppress(Crash):
        (life or house.cycle)()
    house.wire.before = house.wire.after = nothing
    return boundaries.crashed_at
