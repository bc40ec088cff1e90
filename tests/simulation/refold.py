"""The fold of the rows, kept beside the journal's own: all rows once a life of the process, then what was added."""

from __future__ import annotations

from rebalancer.journal.fold import JournalState, fold
from rebalancer.journal.store import Journal


class Refold:
    """Folds the rows of one journal after another, each row read from disk and held to its hash."""

    def __init__(self) -> None:
        self._journal: Journal | None = None
        self._state = JournalState()
        self._seq = 0

    def of(self, journal: Journal) -> JournalState:
        """Return what the rows on disk add up to; one opened anew is read from its first row."""
        if journal is not self._journal:
            self._journal, self._state, self._seq = journal, JournalState(), 0
        for row in journal.rows(after_seq=self._seq):
            fold(self._state, row)
            self._seq = row.seq
        return self._state
