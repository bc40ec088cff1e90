"""Names of runs and of orders: pure functions of what is on disk, so that recovery computes them again."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from decimal import Decimal

from rebalancer.core.model import Side
from rebalancer.core.money import plain

PREFIX = "rb1-"
DIGEST_CHARS = 24
LENGTH_MAX = 32  # HTX takes 64; some of its clients only 32


def run_id(schedule_id: str, slot: datetime, attempt: int) -> str:
    """Return the id of one attempt at one slot; it sorts by time within a schedule."""
    assert attempt >= 1, attempt
    return f"{run_prefix(schedule_id, slot)}-a{attempt}"


def run_prefix(schedule_id: str, slot: datetime) -> str:
    """Return what all attempts at a slot begin with: the run key."""
    return f"{schedule_id}-{slot.astimezone(UTC):%Y%m%dT%H%MZ}"


def client_order_id(
    *,
    account_id: str,
    nonce: str,
    run: str,
    intent_seq: int,
    symbol: str,
    side: Side,
    amount: Decimal,
    price: Decimal | None = None,
) -> str:
    """Return our id of an intent: a look-up key, not a lock, for HTX does not check that it is used once.

    Market buys count quote, market sells and orders with a limit price base. `nonce` is drawn anew by each process
    life, so a restored journal or a cloned machine mints no id that was already used.
    """
    unit = "quote" if side is Side.BUY and price is None else "base"
    limit = () if price is None else (plain(price),)
    parts = (account_id, nonce, run, str(intent_seq), symbol, side.value, unit, plain(amount), *limit)
    assert not any("|" in part for part in parts), parts  # or two different intents could read the same
    digest = hashlib.sha256("|".join(parts).encode()).digest()
    text = base64.b32encode(digest).decode("ascii").lower()[:DIGEST_CHARS]
    made = f"{PREFIX}{text}-{intent_seq}"
    assert len(made) <= LENGTH_MAX, made
    return made
