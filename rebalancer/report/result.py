"""What became of a plan's orders, as text and as a document. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rebalancer.core.model import Side
from rebalancer.core.money import BPS, ZERO, plain
from rebalancer.core.orders import IntentState
from rebalancer.core.plan import Leg
from rebalancer.report.words import amount, money, printable


@dataclass(frozen=True, slots=True)
class OrderEnd:
    """One leg and its outcome."""

    leg: Leg
    state: IntentState
    sent: Decimal | None
    filled_quantity: Decimal
    filled_quote: Decimal
    fees: Mapping[str, Decimal]
    client_order_id: str
    venue_order_id: str
    text: str

    @property
    def average_price(self) -> Decimal | None:
        """Return quote per base, or None without a fill."""
        return self.filled_quote / self.filled_quantity if self.filled_quantity else None

    @property
    def shortfall_bps(self) -> Decimal | None:
        """Return the cost of fills and fees against the decision mid, in bps of the notional; > 0 is a cost."""
        if self.average_price is None:
            return None
        sign = 1 if self.leg.side is Side.BUY else -1
        slip = sign * (self.average_price - self.leg.mid) * self.filled_quantity
        fee = self.fees.get(self.leg.quote, ZERO) + self.fees.get(self.leg.asset, ZERO) * self.leg.mid
        return (slip + fee) / (self.filled_quantity * self.leg.mid) * BPS


def ends_text(ends: Iterable[OrderEnd]) -> str:
    """Return a line or two an order."""
    lines = []
    for end in ends:
        what = f"{end.leg.intent_seq}. {end.leg.side.value} {end.leg.asset}: {end.state.value}"
        price, shortfall = end.average_price, end.shortfall_bps
        if price is not None and shortfall is not None:
            fees = " + ".join(f"{amount(paid)} {asset}" for asset, paid in end.fees.items()) or "none"
            cash = amount(end.filled_quote) if end.leg.direct else money(end.filled_quote)
            lines.append(f"{what}, {amount(end.filled_quantity)} {end.leg.asset} for {cash} {end.leg.quote}")
            lines.append(f"   fee {fees}, shortfall {shortfall:.1f} bps against the decision")
        else:
            lines.append(what)
        if end.text and end.state is not IntentState.FILLED:
            lines.append(f"   {printable(end.text)}")
    return "\n".join(lines) + "\n" if lines else ""


def ends_document(ends: Iterable[OrderEnd]) -> list[dict[str, Any]]:
    """Return the outcomes as JSON values."""
    return [
        {
            "intent_seq": end.leg.intent_seq,
            "symbol": end.leg.symbol,
            "side": end.leg.side.value,
            "state": end.state.value,
            "sent": None if end.sent is None else plain(end.sent),
            "filled_quantity": plain(end.filled_quantity),
            "filled_quote": plain(end.filled_quote),
            "fees": {asset: plain(paid) for asset, paid in end.fees.items()},
            "shortfall_bps": _bps(end.shortfall_bps),
            "client_order_id": end.client_order_id,
            "venue_order_id": end.venue_order_id or None,
            "text": printable(end.text),
        }
        for end in ends
    ]


def _bps(value: Decimal | None) -> str | None:
    return None if value is None else plain(value.quantize(Decimal("0.01")))
