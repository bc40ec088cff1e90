"""Lives of the service on one disk: their fences grow, and each run of a slot has an attempt of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tests.simulation.world import must


@dataclass
class Lives:
    """Follows the fences and the runs; I15 holds each row against those before."""

    ended: int = 0  # how many lives have ended; a disk that is replaced changes nothing about that
    fence: int = 0
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)  # by schedule and slot
    runs: set[str] = field(default_factory=set)

    def at_row(self, kind: str, run: str, payload: Mapping[str, Any], fence: int) -> None:
        if kind == "FENCE":
            must(fence > self.fence, "I15", f"a life began with fence {fence} after {self.fence}")
            self.fence = fence
        must(fence == self.fence, "I15", f"a row of fence {fence} stands after one of {self.fence}")
        if kind == "RUN":
            self._at_run(run, payload)
        elif run:
            must(run in self.runs, "I15", f"a row of {run}, which never began")

    def _at_run(self, run: str, payload: Mapping[str, Any]) -> None:
        slot = (payload["schedule_id"], payload["slot"])
        self.attempts[slot] += 1
        at = datetime.fromisoformat(payload["slot"])
        name = f"{payload['schedule_id']}-{at:%Y%m%dT%H%MZ}-a{self.attempts[slot]}"
        must(run == name, "I15", f"{run} is to be {name}")
        must(run not in self.runs, "I15", f"{run} runs twice")
        self.runs.add(run)

    def forget(self) -> None:
        """Start anew on an older disk."""
        self.fence, self.attempts, self.runs = 0, Counter(), set()

    def clone(self) -> Lives:
        return replace(self, attempts=Counter(self.attempts), runs=set(self.runs))
