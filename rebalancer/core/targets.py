"""What the owner decides, as one checked value: weights, bands, limits, schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from rebalancer.core.money import HUNDRED, ZERO

COOLDOWN_MAX_H = 48  # the journal remembers trades for longer


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
    `per_coin` names coins whose band is so many points whatever the rule says.
    """

    rule: BandRule = BandRule.THEORY
    k: Decimal = Decimal("0.12")
    floor: Decimal = Decimal(1)
    cap: Decimal = Decimal(5)
    destination: Decimal = Decimal("0.5")
    per_coin: Mapping[str, Decimal] = field(default_factory=dict, hash=False)  # policies are kept in sets


@dataclass(frozen=True, slots=True)
class Limits:
    """What no cycle may exceed. Percent of NAV, quote amounts, counts and basis points, as the names say."""

    max_turnover_per_cycle: Decimal = Decimal(10)
    max_turnover_per_day: Decimal = Decimal(25)
    max_notional_per_day: Decimal | None = None  # quote; required for live
    max_order_notional: Decimal | None = None  # quote; required for live
    max_orders_per_day: int = 100
    max_slippage_bps: Decimal = Decimal(50)
    cooldown_h: Decimal = Decimal(4)  # 0: none


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

    `digest` is the sha256 of the canonical content, so a plan can name the targets it served. `leaving` coins have no
    weight and are sold completely. Of each asset `kept` is what is neither counted nor sold, and `external` what is
    held elsewhere: counted, never traded. Both are amounts of the asset itself.
    """

    quote: str
    weights: Mapping[str, Decimal]
    digest: str
    schedule: Schedule = field(default_factory=Schedule)
    bands: BandPolicy = field(default_factory=BandPolicy)
    limits: Limits = field(default_factory=Limits)
    orders: OrderPolicy = field(default_factory=OrderPolicy)
    codes: Mapping[str, str] = field(default_factory=dict)  # asset -> HTX's currency code where it differs
    leaving: tuple[str, ...] = ()
    kept: Mapping[str, Decimal] = field(default_factory=dict)
    external: Mapping[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert sum(self.weights.values()) == HUNDRED, self.weights
        assert self.quote in self.weights, self.quote
        assert all(weight > 0 for weight in self.weights.values()), self.weights
        assert not self.weights.keys() & set(self.leaving), self.leaving
        assert {*self.kept, *self.external} <= set(self.assets), (self.kept, self.external)

    @property
    def assets(self) -> tuple[str, ...]:
        """Return every asset that is counted: those with a weight, the quote coin included, then those that leave."""
        return (*self.weights, *self.leaving)

    def with_leaving(self, held: tuple[str, ...]) -> Targets:
        """Return the targets without those leaving coins that are not among `held`."""
        gone = set(self.leaving) - set(held)
        kept = {asset: amount for asset, amount in self.kept.items() if asset not in gone}
        return replace(self, leaving=held, kept=kept) if gone else self

    def fraction(self, asset: str) -> Decimal:
        """Return the target weight of `asset` as a fraction of NAV; zero for one that leaves."""
        return self.weights.get(asset, ZERO) / HUNDRED
