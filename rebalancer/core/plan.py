"""What the planner returns: every asset with its decision, the legs, and why the rest stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from rebalancer.core.collar import terms_of
from rebalancer.core.model import RowsSeen, Side, Terms
from rebalancer.core.money import EXACT, ZERO, BaseAmount, QuoteAmount
from rebalancer.core.reasons import Deny, Reason, Skip, Trigger
from rebalancer.core.trust import CoinTrust


class AssetState(StrEnum):
    """How far a coin's price is trusted."""

    NORMAL = "normal"
    SUSPECT = "suspect"
    FROZEN = "frozen"
    LEAVING = "leaving"
    GONE = "gone"


class Decision(StrEnum):
    """What happens to an asset in this plan."""

    SELL = "sell"
    BUY = "buy"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class AssetLine:
    """One target asset: what is held, what is wanted, what is done and why. Weights are fractions of NAV."""

    asset: str
    free: Decimal
    locked: Decimal
    price: Decimal
    value_quote: Decimal
    weight: Decimal
    target: Decimal
    band_low: Decimal
    band_high: Decimal
    drift: Decimal
    state: AssetState
    decision: Decision
    reason: Reason
    kept: Decimal = ZERO  # of `free` and `locked`: neither counted nor sold
    external: Decimal = ZERO  # held elsewhere: counted, never traded

    @property
    def counted(self) -> Decimal:
        """Return the amount that the weight is made of."""
        return EXACT.add(EXACT.subtract(EXACT.add(self.free, self.locked), self.kept), self.external)


@dataclass(frozen=True, slots=True)
class Direct:
    """What a leg between two coins knows beside another one, at the decision, in the account's quote coin."""

    spent_mid: Decimal  # of the coin that is given up
    received_mid: Decimal
    saves_quote: Decimal  # against the two orders over the quote coin: fees, spreads and depth


@dataclass(frozen=True, slots=True)
class Leg:
    """One order of the plan. `size` is base for a sell, the pair's quote for a buy; it only ever shrinks.

    `asset` is the pair's base. Its quote is the account's, but for a direct leg. With a collar it is sent as an
    immediate-or-cancel order, and a buy's size is the most that it can spend.
    """

    intent_seq: int
    asset: str
    symbol: str
    quote: str
    size: BaseAmount | QuoteAmount
    notional_quote: Decimal  # in the account's quote coin, at the decision mid
    mid: Decimal  # the pair's quote per base, at decision
    fee_quote: Decimal
    spread_cost_bps: Decimal
    impact_bps: Decimal  # beyond the best price, from the walk of the book
    reason: Reason
    capped: bool = False  # less than wished: limits, cash or missing counter-trades
    direct: Direct | None = None
    collar: Decimal | None = None  # the worst price allowed; None for a market order

    @property
    def side(self) -> Side:
        """Return the side that the size implies."""
        return Side.SELL if isinstance(self.size, BaseAmount) else Side.BUY

    @property
    def spent(self) -> str:
        """Return the coin that the leg gives up."""
        return self.asset if self.side is Side.SELL else self.quote

    @property
    def received(self) -> str:
        """Return the coin that the leg brings, and in which its fee is charged."""
        return self.quote if self.side is Side.SELL else self.asset

    @property
    def terms(self) -> Terms:
        """Return the order that is sent."""
        return terms_of(self.size, self.collar)

    @property
    def committed_quote(self) -> Decimal:
        """Return what limits are held against: all that a buy can spend, what a sell is worth at the mid."""
        if isinstance(self.size, BaseAmount):
            return self.notional_quote
        return self.size.value if self.direct is None else EXACT.multiply(self.size.value, self.direct.spent_mid)


@dataclass(frozen=True, slots=True)
class SkipLine:
    """A wish that was not turned into a leg."""

    asset: str
    reason: Reason

    def __post_init__(self) -> None:
        assert isinstance(self.reason.code, Skip), self.reason


@dataclass(frozen=True, slots=True)
class Denial:
    """A guard's refusal, with both numbers."""

    code: Deny
    text: str
    asset: str = ""
    limit: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """The plan in sums. Turnover is max(sold, bought) / NAV at the exchange at the decision mid, cash left out."""

    turnover: Decimal
    notional_quote: Decimal
    fee_quote: Decimal
    cost_bps: Decimal  # fee, spread and impact, of the notional
    drift_before: Decimal  # largest absolute drift, a weight
    drift_after: Decimal
    nav_after_quote: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """A pure function's answer to a snapshot and targets. With a denial of the whole plan there are no legs.

    Without a price for every target asset there is no NAV: all NAVs and `totals` are None, `assets` is empty.
    `nav_here_quote` is the part of `nav_quote` that is at the exchange, and limits are percents of `nav_limits_quote`,
    the part of that whose prices passed before. `warnings` stop nothing: what a live cycle would refuse and a dry run
    only says. `needs_leave` plans trade no more than the owner allowed for their weights.
    """

    taken_at: datetime
    account_id: str
    quote: str
    targets_digest: str
    nav_quote: Decimal | None
    nav_here_quote: Decimal | None
    nav_limits_quote: Decimal | None
    trigger: Trigger
    assets: tuple[AssetLine, ...]
    legs: tuple[Leg, ...]  # in the order of sending: sells first
    skips: tuple[SkipLine, ...]
    denials: tuple[Denial, ...]
    totals: Totals | None
    notes: tuple[str, ...] = ()  # what the owner should know and nothing was refused for
    warnings: tuple[Denial, ...] = ()
    needs_leave: bool = False
    trust: Mapping[str, CoinTrust] = field(default_factory=dict)  # what is remembered of each coin after this look
    rows: RowsSeen = field(default_factory=RowsSeen)  # what this look listed

    @property
    def taken_as_zero(self) -> frozenset[str]:
        """Return the coins without a balance row that the owner said are not held, and that nothing else speaks for."""
        refused = {denial.asset for denial in self.denials if denial.code is Deny.BALANCE_MISSING}
        answered = {a for a, coin in self.trust.items() if coin.rowless_since is not None and coin.excused}
        return frozenset(answered - refused)

    @property
    def saves_quote(self) -> Decimal:
        """Return what the direct legs save together; zero without any."""
        return sum((leg.direct.saves_quote for leg in self.legs if leg.direct is not None), ZERO)

    @property
    def refused(self) -> bool:
        """Whether a guard forbade planning at all: no asset could be valued, or no leg was left."""
        return bool(self.denials) and not self.legs
