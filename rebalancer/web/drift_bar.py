"""The drift bar of the page, from an asset of a plan document."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rebalancer.report.drift_bar import DriftBar, bar_of


def drift_bar(asset: Mapping[str, Any]) -> DriftBar:
    """Return where an asset's weight stands against its band."""
    weight, target, low, high = (Decimal(asset[name]) for name in ("weight", "target", "band_low", "band_high"))
    return bar_of(weight, target, low, high)
