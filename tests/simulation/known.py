"""What the rows on disk tell of one intent, read by other eyes than the journal's."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

OPEN = {"sending", "acked", "unknown", "quarantined"}
# A twin of the state machine on purpose: the checker must not believe the code under test.
NEXT = {
    "close": "abandoned", "deny": "denied", "accept": "acked", "reject": "rejected", "not_sent": "abandoned",
    "lose_sight": "unknown", "find": "acked", "fill": "filled", "part": "partial", "cancel": "canceled",
    "prove_absent": "absent", "quarantine": "quarantined", "ack_filled": "filled", "ack_partial": "partial",
    "ack_absent": "absent",
}  # fmt: skip


@dataclass
class Known:
    """One intent as its rows tell it."""

    cid: str
    symbol: str
    side: str
    amount: Decimal
    price: str | None = None  # of an IOC order
    state: str = "planned"
    moves: int = 0  # from state to state
    sending: dict[str, Any] | None = None
    filled: Decimal = Decimal(0)
    quote: Decimal = Decimal(0)
    fees: dict[str, Decimal] = field(default_factory=dict)
    run: str = ""
    number: int = 0  # within its run
    sent_in: int = 0  # how many lives of the service had ended when its SENDING was read

    @property
    def is_open(self) -> bool:
        """Whether its end is not known yet."""
        return self.state in OPEN

    def coins(self) -> tuple[str, str]:
        """Return the pair's base and what it is priced in."""
        priced = next(code for code in ("usdt", "btc", "eth") if self.symbol.endswith(code))
        return self.symbol.removesuffix(priced).upper(), priced.upper()

    def sides(self) -> tuple[str, ...]:
        """Return on which sides of the turnover it counts: one coin sold for another on both."""
        return (self.side,) if self.coins()[1] == "USDT" else ("sell", "buy")

    def spends(self) -> str:
        """Return the coin that it pays with."""
        return self.coins()[self.side == "buy"]

    def sent(self) -> Decimal:
        """Return the most that it takes of that coin; a buy with a price carries base."""
        each = Decimal(self.price or 1) if self.side == "buy" else Decimal(1)
        return Decimal((self.sending or {})["amount"]) * each

    def turned(self) -> dict[str, Decimal]:
        """Return what was turned over by side, in USDT: as filled, or as it was worth when sent."""
        direct = len(self.sides()) > 1
        return dict.fromkeys(self.sides(), Decimal((self.sending or {})["notional_quote"]) if direct else self.quote)
