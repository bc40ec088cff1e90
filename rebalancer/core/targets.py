"""What the owner decides, as one checked value: weights, bands, limits, schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from rebalancer.core.money import HUNDRED


class BandRule(StrEnum):
    """How wide an asset's no-trade band is."""

    THEORY = "theory"
    RELATIVE = "relative"
    ABSOLUTE = "absolute"
    CLAMP = "clamp"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a cycle starts: true cron meaning, in `timezone`, spread by up to `jitter_s`."""

    cron: str = "7 * * * *"
    timezone: str = "UTC"
    jitter_s: int = 60


@dataclass(frozen=True, slots=True)
class BandPolicy:
    """Width of the band and where a trade stops.

    `k` is a factor of [w(1-w)]^(2/3) for THEORY, percent of the target for RELATIVE and CLAMP, points for ABSOLUTE.
    `floor` and `cap` are points and bound THEORY and CLAMP. `destination` is 0 at the target and 1 at the band's edge.
    """

    rule: BandRule = BandRule.THEORY
    k: Decimal = Decimal("0.12")
    floor: Decimal = Decimal(1)
    cap: Decimal = Decimal(5)
    destination: Decimal = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Limits:
    """What no cycle may exceed. Percent of NAV, quote amounts, counts and basis points, as the names say."""

    max_turnover_per_cycle: Decimal = Decimal(10)
    max_turnover_per_day: Decimal = Decimal(25)
    max_notional_per_day: Decimal | None = None  # quote; required for live
    max_order_notional: Decimal | None = None  # quote; required for live
    max_orders_per_day: int = 100
    max_slippage_bps: Decimal = Decimal(50)


class OrderType(StrEnum):
    """What is sent: a market order, or an immediate-or-cancel order with a price collar."""

    MARKET = "market"
    IOC = "ioc"


class Route(StrEnum):
    """Over which pairs: always against the quote coin, or directly where that is cheaper."""

    QUOTE = "quote"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class OrderPolicy:
    """How the amounts of a plan become orders."""

    order_type: OrderType = OrderType.MARKET
    route: Route = Route.QUOTE


@dataclass(frozen=True, slots=True)
class Targets:
    """The owner's file, checked: weights are percent, sum to exactly 100 and keep the file's order.

    `digest` is the sha256 of the canonical content, so a plan can name the targets it served.
    """

    quote: str
    weights: Mapping[str, Decimal]
    digest: str
    schedule: Schedule = field(default_factory=Schedule)
    bands: BandPolicy = field(default_factory=BandPolicy)
    limits: Limits = field(default_factory=Limits)
    orders: OrderPolicy = field(default_factory=OrderPolicy)
    codes: Mapping[str, str] = field(default_factory=dict)  # asset -> HTX's currency code where it differs

    def __post_init__(self) -> None:
        assert sum(self.weights.values()) == HUNDRED, self.weights
        assert self.quote in self.weights, self.quote
        assert all(weight > 0 for weight in self.weights.values()), self.weights

    @property
    def assets(self) -> tuple[str, ...]:
        """Return every target asset, the quote coin included, in the file's order."""
        return tuple(self.weights)

    def fraction(self, asset: str) -> Decimal:
        """Return the target weight of `asset` as a fraction of NAV."""
        return self.weights[asset] / HUNDRED
