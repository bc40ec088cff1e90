"""A walk along the rows: each bound to the one before, the state folded, checkpoints held against it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime

from rebalancer.core.canonical import parse_moment
from rebalancer.journal.checkpoint import is_readable, read_state, text_of
from rebalancer.journal.fold import fold
from rebalancer.journal.rows import GENESIS, Kind, Row, hash_of
from rebalancer.journal.state import JournalState


@dataclass(slots=True)
class Chain:
    """Where the walk stands: the state after a row, and what the next row must follow from."""

    state: JournalState = field(default_factory=JournalState)
    last_seq: int = 0
    last_hash: str = GENESIS
    last_wall: datetime | None = None
    checkpoint_seq: int = 0  # of the last checkpoint that a start can begin from; 0 is none

    @classmethod
    def from_checkpoint(cls, row: Row) -> Chain:
        """Return the chain as it stands at a checkpoint, by its own word."""
        state = read_state(json.loads(row.payload_text))
        return cls(state, row.seq, row.hash, parse_moment(row.t_wall), row.seq)

    def draft(self) -> Chain:
        """Return a copy on which rows can be tried."""
        return replace(self, state=self.state.draft())

    def is_followed_by(self, row: Row) -> bool:
        """Return whether a row has the next number, names the hash before it, and is what its own hash says."""
        return (row.seq, row.prev_hash, row.hash) == (self.last_seq + 1, self.last_hash, hash_of(row))

    def take(self, row: Row) -> None:
        """Step onto the next row; one of IMPOSSIBLE when it does not follow, as a checkpoint that is not the fold."""
        fold(self.state, row)
        if row.kind is Kind.CHECKPOINT and is_readable(row):
            if row.payload_text != text_of(self.state):
                raise ValueError("this checkpoint is not the fold of the rows before it")
            self.checkpoint_seq = row.seq
        self.last_seq, self.last_hash, self.last_wall = row.seq, row.hash, parse_moment(row.t_wall)


def is_bound(row: Row, before: Row | None) -> bool:
    """Return whether two rows are whole and follow each other, whatever stands before them."""
    if before is None:
        return False
    return Chain(last_seq=before.seq, last_hash=hash_of(before)).is_followed_by(row) and before.hash == row.prev_hash
