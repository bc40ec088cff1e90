"""What a leg does to the balances. Pure, and of the leg alone."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.core.collar import bought_within
from rebalancer.core.model import Side
from rebalancer.core.money import EXACT, ONE, QuoteAmount
from rebalancer.core.plan import Leg


def filled_at_mid(leg: Leg) -> dict[str, Decimal]:
    """Return the changes by asset, in coins, of a whole fill at the decision mid, its fee charged in what it brings."""
    size = leg.size.value
    if isinstance(leg.size, QuoteAmount) and leg.collar is not None:  # of which the mid takes less
        size = EXACT.multiply(bought_within(size, leg.collar), leg.mid)
    other = EXACT.multiply(size, leg.mid) if leg.side is Side.SELL else EXACT.divide(size, leg.mid)
    kept = ONE - EXACT.divide(leg.fee_quote, leg.notional_quote)
    return {leg.spent: -size, leg.received: EXACT.multiply(other, kept)}
