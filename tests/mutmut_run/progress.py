"""Say on stderr how far a long run is."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeVar

EVERY_S = 10.0
Thing = TypeVar("Thing")


class Progress:
    """Count what is done, and every ten seconds tell how much is left; the rate so far foretells the rest."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._statuses: Counter[str] = Counter()

    def say(self, text: str) -> None:
        """Print a line of this run."""
        print(f"{self._title}: {text}", file=sys.stderr, flush=True)

    def count(self, status: str) -> None:
        """Take note of a verdict; the next line tells of it."""
        self._statuses[status] += 1

    def over(self, things: Iterable[Thing], total: int, doing: str) -> Iterator[Thing]:
        """Hand things on, saying now and then how many there were."""
        start = told = time.perf_counter()
        for number, thing in enumerate(things, 1):
            yield thing
            now = time.perf_counter()
            if now - told >= EVERY_S or number == total:
                told = now
                self.say(
                    f"{number} of {total} {doing}{self._verdicts()}{_left((now - start) / number * (total - number))}"
                )

    def _verdicts(self) -> str:
        return "".join(f", {count} {status}" for status, count in self._statuses.most_common())


def _left(left_s: float) -> str:
    if not left_s:
        return ""
    return f", about {left_s / 60:.0f} min left" if left_s > 90 else f", about {left_s:.0f} s left"
