"""A life of the journal to be traced: `python -m tests.power.writer FOLDER SEED`; each step is said on stdout once it returned."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

from rebalancer.journal import records
from rebalancer.journal.store import Journal
from tests.journal.builders import new_journal, random_life
from tests.support import FakeClock

STEPS = 25  # of every kind that the service writes
SHORT, LONG = 15, 240  # further rows; the long ones fill the log until it is written back and begun anew
ROW_CHARS = 3000


def say(journal: Journal) -> None:
    """Say which row is the last that `append` answered for."""
    newest = next(iter(journal.rows(after_seq=journal.last_seq - 1)))
    os.write(1, f"{newest.seq} {newest.hash}\n".encode())


def main() -> None:
    path, seed = Path(sys.argv[1]) / "journal.db", int(sys.argv[2])
    clock = FakeClock()
    with closing(new_journal(path, clock)) as journal:
        say(journal)
        for _rows in random_life(journal, clock, seed=seed, steps=STEPS):
            say(journal)
    with closing(Journal.open(path, clock)) as journal:
        say(journal)
        for number in range(LONG if seed % 5 == 0 else SHORT):
            journal.append(records.targets_changed({"how": "file", "digest": f"{number:0{ROW_CHARS}}"}))
            say(journal)


if __name__ == "__main__":
    main()
