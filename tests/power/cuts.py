"""Power cuts on one traced life: at any call, and what was answered for must be there afterwards."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from rebalancer.errors import RebalancerError
from rebalancer.journal.store import Journal
from tests.power.disk import Disk
from tests.power.trace import MEMORY, Answered, Op, Sync
from tests.support import FakeClock


@dataclass
class Found:
    """What the cuts of one or many lives showed."""

    cuts: int = 0
    torn: int = 0  # cuts with something unsynced
    answers: int = 0
    syncs: int = 0
    unsynced_answers: int = 0  # the journal answered while something still waited for a sync
    problems: list[str] = field(default_factory=list)

    def add(self, other: Found) -> None:
        for name in ("cuts", "torn", "answers", "syncs", "unsynced_answers", "problems"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def cut(life: int, ops: Sequence[Op], numbers: Sequence[int]) -> Found:
    """Cut the power once for each number, at the call and with the losses that life and number stand for."""
    found, disk, answered = Found(), Disk(), []
    chances = {number: random.Random(f"{life}/{number}") for number in numbers}
    due = sorted((chances[number].randrange(len(ops) + 1), number) for number in numbers)
    for at in range(len(ops) + 1):
        while due and due[0][0] == at:
            number = due.pop(0)[1]
            found.cuts += 1
            found.torn += disk.unsynced()
            found.problems += [f"life {life}, cut {number}: {text}" for text in _judge(disk, answered, chances[number])]
        if at == len(ops):
            break
        op = ops[at]
        disk.do(op)
        if isinstance(op, Answered):
            answered.append(op)
            found.answers += 1
            found.unsynced_answers += disk.unsynced()
        found.syncs += isinstance(op, Sync) and bool(op.name)
    return found


def _judge(disk: Disk, answered: Sequence[Answered], rng: random.Random) -> Iterator[str]:
    """Open what the cut left: it is a whole journal that holds each row that was answered for."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        disk.after_a_cut(rng, Path(folder))
        try:
            with closing(Journal.open(Path(folder) / "journal.db", FakeClock())) as journal:
                hashes = {row.seq: row.hash for row in journal.rows()}
        except RebalancerError as exc:
            yield f"cannot be opened: {exc}"
            return
    lost = [each.seq for each in answered if hashes.get(each.seq) != each.digest]
    if lost:
        yield f"{len(lost)} answers of {len(answered)} are lost, the first up to row {lost[0]}"
