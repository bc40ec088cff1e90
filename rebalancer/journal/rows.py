"""What a row of the journal is, and how its hash binds it to the one before. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from rebalancer.core.canonical import canonical, moment_text

GENESIS = "0" * 64


class Kind(StrEnum):
    """What a row describes."""

    BINDING = "BINDING"  # which venue, host, account and quote coin this journal is about
    FENCE = "FENCE"  # a process opened the journal for writing
    RUN = "RUN"
    CONFIG = "CONFIG"
    SNAPSHOT = "SNAPSHOT"
    PLAN = "PLAN"
    INTENT = "INTENT"
    SENDING = "SENDING"
    OUTCOME = "OUTCOME"
    EVIDENCE = "EVIDENCE"
    PLAN_CLOSED = "PLAN_CLOSED"
    RUN_CLOSED = "RUN_CLOSED"
    HALT = "HALT"
    ACK = "ACK"
    EXTERNAL_FLOW = "EXTERNAL_FLOW"
    LEARNED = "LEARNED"
    TARGETS = "TARGETS"  # another version of the targets took effect, and who made it
    LEDGER = "LEDGER"  # the account's books at a look
    CHECKPOINT = "CHECKPOINT"  # what all rows before add up to, so that a start need not go back further


@dataclass(frozen=True, slots=True)
class Entry:
    """A row to be written."""

    kind: Kind
    payload: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = ""
    intent_seq: int | None = None
    t_exch: datetime | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it stands on disk: the payload is canonical JSON, times are text."""

    seq: int
    run_id: str
    intent_seq: int | None
    kind: Kind
    payload_text: str
    t_wall: str
    t_exch: str
    prev_hash: str
    hash: str
    fence: int


def row_of(entry: Entry, *, seq: int, t_wall: str, prev_hash: str, fence: int) -> Row:
    """Return an entry as the row that it becomes at its place."""
    row = Row(
        seq=seq,
        run_id=entry.run_id,
        intent_seq=entry.intent_seq,
        kind=entry.kind,
        payload_text=canonical(entry.payload),
        t_wall=t_wall,
        t_exch=moment_text(entry.t_exch) if entry.t_exch else "",
        prev_hash=prev_hash,
        hash="",
        fence=fence,
    )
    return replace(row, hash=hash_of(row))


def hash_of(row: Row) -> str:
    """Return what `row.hash` must be: sha256 over the hash before and everything else in the row."""
    times = f"{row.t_wall} {row.t_exch}"
    parts = [row.prev_hash, row.seq, row.run_id, row.intent_seq, row.kind, row.payload_text, times, row.fence]
    return hashlib.sha256(canonical(parts).encode()).hexdigest()
