"""What a back-test assumes of the exchange and of the account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from rebalancer.core.money import ONE, ZERO
from rebalancer.errors import ConfigError

SPREAD_BPS_MAX = Decimal(100)  # the planner refuses wider books, so that nothing would ever trade


@dataclass(frozen=True, slots=True)
class BacktestSetting:
    """Fee, spread, size and minimum of a back-test, and whether the owner's caps and the price guards are in force.

    The account starts at its targets, bought at the first close without cost. `lots` are lot sizes by coin; a coin
    that is not in it gets the power of ten that was worth at most a hundredth of the quote coin at the first close.
    """

    fee_rate: Decimal = Decimal("0.002")  # a fraction, taken from the coin received
    spread_bps: Decimal = ZERO  # of the mid, from bid to ask
    nav_quote: Decimal = Decimal(10_000)
    min_order_quote: Decimal = Decimal(10)
    caps: bool = True  # turnover, notional and order limits of the targets file
    guards: bool = True  # 24 h move, and the jump since the last look
    lots: Mapping[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _within("fee_rate", self.fee_rate, ZERO, Decimal("0.1"))
        _within("spread_bps", self.spread_bps, ZERO, SPREAD_BPS_MAX)
        _within("nav_quote", self.nav_quote, ONE, Decimal(10) ** 12)
        _within("min_order_quote", self.min_order_quote, ZERO, Decimal(10) ** 9)
        for asset, lot in self.lots.items():
            if not lot.is_finite() or lot <= ZERO:
                raise ConfigError(f"lots.{asset} is {lot}, must be above zero; give the size of one lot")


def _within(name: str, value: Decimal, least: Decimal, most: Decimal) -> None:
    if not value.is_finite() or not least <= value <= most:
        raise ConfigError(f"{name} is {value}, must be from {least} to {most}; give a number in that range")
