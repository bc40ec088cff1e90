"""The owner's words as the judge knows them: each counts once, for the very question that was shown, and not for long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.world import World, must

# Two hours, with what the machine's clock may be off by meanwhile and what a cycle takes until its rows are read.
LIFE_MS = 2 * 3_600_000 + 1_800_000


@dataclass(frozen=True)
class Given:
    """One answer: what its row must say, and what its question looked like when it was shown."""

    says: Mapping[str, Any]
    shown: object
    at_ms: int
    counts: bool = True  # one that was never to count: of another account, or too old when it was left


@dataclass
class Words:
    """Follows what was answered; O7 holds each row of an answer against that."""

    world: World
    by_id: dict[str, Given] = field(default_factory=dict)
    at_once: list[Given] = field(default_factory=list)  # said to the journal itself
    counted: set[str] = field(default_factory=set)
    taken: Counter[str] = field(default_factory=Counter)
    slept_ms: int = 0  # that the machine had when rows were last read

    def at_row(self, payload: Mapping[str, Any], shown_now: object, *, again: bool) -> Given | None:
        """Judge the row of an answer; `again` when an older disk is read anew, whose answers were judged before."""
        said = {name: value for name, value in payload.items() if name not in ("who", "text", "answer", "fees")}
        name = payload.get("answer", "")
        if again:
            self.counted.add(name)
            return self.by_id.get(name)
        if not name:
            given = next((each for each in self.at_once if dict(each.says) == said), None)
            must(given is not None, "O7", f"{said} was said by nobody")
            return given
        must(name in self.by_id, "O7", f"{said} is the answer {name}, which nobody gave")
        must(name not in self.counted, "O7", f"the answer {name} counts twice: {said}")
        given = self.by_id[name]
        must(given.counts, "O7", f"{said} is the answer {name}, which was never to count")
        must(dict(given.says) == said, "O7", f"the answer {name} was {given.says}, its row says {said}")
        must(given.shown == shown_now, "O7", f"{said} answers {given.shown}, now it is {shown_now}")
        # A row is read after what came next: a machine that slept since then had it written before.
        age_ms = self.world.true_ms - given.at_ms - (self.world.slept_ms - self.slept_ms)
        must(age_ms <= LIFE_MS, "O7", f"the answer {name} counted {age_ms} ms after it was given")
        self.counted.add(name)
        self.world.fired["answer_taken"] += 1
        return given

    def forget(self) -> None:
        """Start anew on an older disk, whose rows are read again."""
        self.counted = set()
