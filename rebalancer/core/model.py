"""What is seen and what is sent: frozen values shared by every part.

Assets are upper-case codes (`"BTC"`), symbols are HTX's names (`"btcusdt"`), times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum

from rebalancer.core.money import EXACT, ZERO, BaseAmount, QuoteAmount
from rebalancer.core.trust import CoinTrust


class Side(StrEnum):
    """Which way a leg goes."""

    BUY = "buy"
    SELL = "sell"


class MarketState(IntEnum):
    """`marketStatus` of HTX: only NORMAL may be traded in."""

    NORMAL = 1
    HALTED = 2
    CANCEL_ONLY = 3


@dataclass(frozen=True, slots=True)
class MarketStatus:
    """Whether the exchange as a whole trades; `affected` is `all` or a comma list of symbols."""

    state: MarketState
    affected: str = ""
    halt_end: datetime | None = None

    @property
    def symbols(self) -> frozenset[str]:
        """Return the symbols that are named as affected."""
        return frozenset(name for name in self.affected.split(",") if name)

    @property
    def affects_all(self) -> bool:
        """Return whether the state is that of the whole exchange."""
        return not self.symbols or "all" in self.symbols

    def is_halted(self, symbol: str) -> bool:
        """Return whether a symbol takes no orders because of the state."""
        return self.state is not MarketState.NORMAL and (self.affects_all or symbol in self.symbols)


@dataclass(frozen=True, slots=True)
class MarketRules:
    """What HTX says one symbol accepts (market-symbols, section 3.3 of its reference)."""

    symbol: str
    base: str
    quote: str
    online: bool
    api_enabled: bool
    tick_size: Decimal
    lot_size: Decimal  # step of a market sell's quantity (amount-precision)
    quote_step: Decimal  # step of a market buy's spend (value-precision)
    min_notional: Decimal  # quote; a buy-market must reach it, and we hold sells to it too
    sell_quantity_min: Decimal  # base
    sell_quantity_max: Decimal  # base
    buy_notional_max: Decimal  # quote
    # Of limit orders, in base; None where the exchange does not say, and then none is sent.
    limit_quantity_min: Decimal | None = None
    limit_buy_quantity_max: Decimal | None = None
    limit_sell_quantity_max: Decimal | None = None
    tags: tuple[str, ...] = ()

    @property
    def tradable(self) -> bool:
        """Whether the symbol takes orders from an API key."""
        return self.online and self.api_enabled

    @property
    def leveraged(self) -> bool:
        """Whether this is a leveraged token, which is never traded."""
        return "etp" in self.tags


@dataclass(frozen=True, slots=True)
class Level:
    """One price of a book and the base quantity offered there."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """Both sides of one symbol: bids descending, asks ascending; either may be empty."""

    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    quoted_at: datetime

    @property
    def mid(self) -> Decimal | None:
        """Return the middle of best bid and best ask, or None when a side is missing."""
        if not self.bids or not self.asks:
            return None
        return (self.bids[0].price + self.asks[0].price) / 2


class CandlePeriod(StrEnum):
    """How long one candle is, by HTX's name; a day begins at midnight GMT+8."""

    HOUR = "60min"
    DAY = "1day"

    @property
    def length(self) -> timedelta:
        """Return the length of time."""
        return timedelta(hours=1 if self is CandlePeriod.HOUR else 24)


@dataclass(frozen=True, slots=True)
class Candle:
    """One period of a symbol; while it lasts, `close` is only its last price so far."""

    starts_at: datetime
    close: Decimal


@dataclass(frozen=True, slots=True)
class Ticker:
    """Last trade, and the price a day before it, of one symbol."""

    symbol: str
    last: Decimal
    open_24h: Decimal
    bid: Decimal
    ask: Decimal


@dataclass(frozen=True, slots=True)
class FeeRate:
    """The taker fee of one symbol as a fraction: the dearer of the nominal and the actual rate."""

    symbol: str
    taker_fee_rate: Decimal


@dataclass(frozen=True, slots=True)
class CrossPair:
    """A pair of two target coins, neither of them the quote coin; what the exchange did not answer is None."""

    rules: MarketRules
    book: Book | None
    fee: FeeRate | None


@dataclass(frozen=True, slots=True)
class Balance:
    """What the account holds of one asset; a zero here is a zero row, never an absent one."""

    asset: str
    free: Decimal  # type `trade`: spendable
    locked: Decimal  # type `frozen`: in orders

    @property
    def total(self) -> Decimal:
        """Return what counts as value."""
        return EXACT.add(self.free, self.locked)


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the key's user."""

    account_id: str
    kind: str  # spot, margin, point …
    working: bool


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What the exchange says about the API key in use."""

    can_read: bool
    can_trade: bool
    can_withdraw: bool
    ip_addresses: tuple[str, ...]
    days_valid: int | None  # None: no expiry


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Balances, quotes, rules and fees seen together: all of it, or there is no snapshot.

    `balances` holds the target assets and every other asset that is held or was at the last look. `rules`, `books`,
    `tickers` and `fees` are keyed by asset: the pair of that asset against `quote`. The quote asset itself is in
    `balances` only.
    `crosses` are the pairs among the target coins by symbol, looked at only where direct routes are wanted.
    """

    taken_at: datetime
    account_id: str
    quote: str
    balances: Mapping[str, Balance]
    rules: Mapping[str, MarketRules]
    books: Mapping[str, Book]
    tickers: Mapping[str, Ticker]
    fees: Mapping[str, FeeRate]
    peg: Decimal | None = None  # mid of one stable coin in the other, where the quote coin is one of them
    crosses: Mapping[str, CrossPair] = field(default_factory=dict)
    hub_tickers: Mapping[str, Ticker] = field(default_factory=dict)  # of each coin's pair with BTC, where one is listed
    halted: frozenset[str] = frozenset()  # coins whose pair the exchange halted
    # How many balances the exchange listed in all; None: nobody counted, or it listed others when asked again.
    balance_rows: int | None = None


@dataclass(frozen=True, slots=True)
class LimitIoc:
    """An order that is executed at once at its price or better, as far as that goes, and whose rest is cancelled.

    It carries base on both sides; a buy can spend at most quantity times price.
    """

    side: Side
    quantity: BaseAmount
    price: Decimal  # quote per base, on the tick

    def __post_init__(self) -> None:
        assert self.price.is_finite() and self.price > 0, self.price


# What an order asks for. A bare amount is a market order, and its type is the side: base sells, quote buys.
Terms = BaseAmount | QuoteAmount | LimitIoc


def side_of(terms: Terms) -> Side:
    """Return which way an order goes."""
    match terms:
        case LimitIoc(side=side):
            return side
        case BaseAmount():
            return Side.SELL
        case QuoteAmount():
            return Side.BUY


def amount_of(terms: Terms) -> Decimal:
    """Return what an order carries: quote for a market buy, base otherwise."""
    return terms.quantity.value if isinstance(terms, LimitIoc) else terms.value


def price_of(terms: Terms) -> Decimal | None:
    """Return the worst price that an order may be executed at, or None for a market order."""
    return terms.price if isinstance(terms, LimitIoc) else None


@dataclass(frozen=True, slots=True)
class PlaceRequest:
    """One order as it will stand on the wire."""

    account_id: str
    symbol: str
    terms: Terms
    client_order_id: str
    signed_at: datetime  # exchange time, whole seconds; SENDING on disk carries the same

    @property
    def side(self) -> Side:
        """Return the side that the terms imply."""
        return side_of(self.terms)


class OrderState(StrEnum):
    """What HTX says an order is; UNRECOGNISED keeps a word we do not know from passing as final."""

    OPEN = "open"  # created, submitted, partial-filled, canceling, pre-submitted
    FILLED = "filled"
    PARTIAL = "partial-canceled"
    CANCELED = "canceled"
    UNRECOGNISED = "unrecognised"


@dataclass(frozen=True, slots=True)
class Order:
    """An order as HTX holds it."""

    venue_order_id: str
    client_order_id: str
    account_id: str
    symbol: str
    side: Side
    kind: str  # market, ioc, or another word of the exchange for an order that cannot be ours
    price: Decimal | None  # its limit; None of a market order, and where the exchange does not say
    requested: Decimal  # quote for a market buy, base otherwise
    state: OrderState
    state_text: str
    filled_quantity: Decimal  # base
    filled_quote: Decimal
    fee_nominal: Decimal  # base for a buy, quote for a sell
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Fill:
    """One match result: the only accurate record of a fee."""

    fill_id: str
    venue_order_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal  # base
    fee: Decimal
    fee_asset: str  # base for a buy, quote for a sell
    deducted: Decimal = ZERO  # paid in `deducted_asset` instead of `fee`
    deducted_asset: str = ""
    settled: bool = True  # the fee deduction is final
    filled_at: datetime | None = None

    @property
    def notional_quote(self) -> Decimal:
        """Return quantity times price."""
        return self.quantity * self.price


@dataclass(frozen=True, slots=True)
class Trade:
    """The last order of one coin that traded; `rest` when limits or the book left part of its wish for later."""

    at: datetime
    side: Side
    rest: bool = False


@dataclass(frozen=True, slots=True)
class RowsSeen:
    """What a look listed: how many balances in all, None where that is not known, and the assets that were held."""

    count: int | None = None
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Usage:
    """What the last 24 hours already took of the daily limits, and what is known of the account's past."""

    sold_quote: Decimal = ZERO
    bought_quote: Decimal = ZERO
    direct_quote: Decimal = ZERO  # of both: one order sold one coin for the other
    orders: int = 0
    nav_validated_quote: Decimal | None = None  # of the last cycle whose data passed; None before the first
    coins: Mapping[str, CoinTrust] = field(default_factory=dict)  # what is remembered of each
    has_traded: bool = False  # a leg was filled before on this journal
    targets_changed: bool = False  # since the last executed plan
    amount_precision_symbols: frozenset[str] = field(default_factory=frozenset)  # buys cut at the lot's decimals
    trades: Mapping[str, Trade] = field(default_factory=dict)  # by asset, the last one
    flows: Mapping[str, Decimal] = field(default_factory=dict)  # by asset, what others moved and no plan served yet
    acked_quote: Decimal | None = None  # of turnover: left of what the owner allowed these targets; None: nothing asked
    rows: RowsSeen = field(default_factory=RowsSeen)  # of the last look that passed, and our fills since
    ever_held: frozenset[str] = frozenset()  # by any look or fill in the journal

    @property
    def notional_quote(self) -> Decimal:
        """Return what all orders together were worth."""
        return self.sold_quote + self.bought_quote - self.direct_quote

    @property
    def turnover_quote(self) -> Decimal:
        """Return max(sold, bought)."""
        return max(self.sold_quote, self.bought_quote)
