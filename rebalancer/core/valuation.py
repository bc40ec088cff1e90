"""What the account is worth and how far each asset is from its target. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from rebalancer.core.bands import band_widths
from rebalancer.core.drift import FloatArray, drift_of, frozen, weights_of
from rebalancer.core.model import Snapshot
from rebalancer.core.money import ONE, ZERO, to_float
from rebalancer.core.targets import Targets


@dataclass(frozen=True, slots=True)
class Valuation:
    """Every target asset priced and weighed; arrays are in the order of the targets file."""

    prices: dict[str, Decimal]
    values: dict[str, Decimal]
    nav_quote: Decimal
    weights: FloatArray
    targets: FloatArray
    drift: FloatArray
    bands: FloatArray


def value_of(snapshot: Snapshot, targets: Targets) -> Valuation | None:
    """Price every target asset at its mid; None when one cannot be priced or all are worth nothing."""
    prices: dict[str, Decimal] = {targets.quote: ONE}
    for asset in targets.assets:
        book = snapshot.books.get(asset)
        mid = ONE if asset == targets.quote else book.mid if book is not None else None
        if mid is None or mid <= ZERO or asset not in snapshot.balances:
            return None
        prices[asset] = mid
    values = {asset: snapshot.balances[asset].total * prices[asset] for asset in targets.assets}
    nav_quote = sum(values.values(), ZERO)
    if nav_quote <= ZERO:
        return None
    weights = weights_of(frozen([to_float(value) for value in values.values()]))
    fractions = frozen([to_float(targets.fraction(asset)) for asset in targets.assets])
    bands = band_widths(fractions, targets.bands)
    return Valuation(prices, values, nav_quote, weights, fractions, drift_of(weights, fractions), bands)
