"""The few calls that one cycle needs from an exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from rebalancer.core.model import (
    Account,
    Balance,
    Book,
    Candle,
    CandlePeriod,
    FeeRate,
    Fill,
    KeyInfo,
    MarketRules,
    MarketStatus,
    Order,
    PlaceRequest,
    Ticker,
)


class PublicVenue(Protocol):
    """Market data; needs no key. Reads raise Unavailable, RateLimited, MalformedReply or AuthFailed."""

    @property
    def host(self) -> str:
        """Return the host name, without port, that the journal is bound to."""
        ...

    def symbol_of(self, base: str, quote: str) -> str:
        """Return the exchange's name of a pair of assets."""
        ...

    def fetch_server_time(self) -> datetime:
        """Return the exchange's clock and remember its offset from ours."""
        ...

    def server_now(self) -> datetime:
        """Return our clock moved by the remembered offset; no request."""
        ...

    @property
    def skew_s(self) -> float:
        """Return exchange time minus ours in seconds, as last measured."""
        ...

    def fetch_market_status(self) -> MarketStatus:
        """Return whether the exchange trades."""
        ...

    def fetch_rules(self) -> Mapping[str, MarketRules]:
        """Return every symbol's rules, by symbol."""
        ...

    def fetch_tickers(self) -> Mapping[str, Ticker]:
        """Return every well-formed ticker with positive prices, by symbol; a missing symbol has no price."""
        ...

    def fetch_book(self, symbol: str) -> Book:
        """Return 20 levels of each side."""
        ...

    def fetch_candles(self, symbol: str, period: CandlePeriod, count: int) -> Sequence[Candle]:
        """Return the last `count` candles, at most 2000, oldest first; the last one is not over yet."""
        ...


class Venue(PublicVenue, Protocol):
    """An account at the exchange."""

    def fetch_fee_rates(self, symbols: Sequence[str]) -> Mapping[str, FeeRate]:
        """Return the taker fee of each symbol asked for, in as few requests as the exchange allows."""
        ...

    def fetch_accounts(self) -> Sequence[Account]:
        """Return the accounts of the key's user."""
        ...

    def fetch_balances(self, account_id: str) -> Mapping[str, Balance]:
        """Return one balance per currency that the exchange lists, zeros included, by asset code."""
        ...

    def fetch_key_info(self) -> KeyInfo | None:
        """Return the key's rights, or None where the exchange does not let this key ask (a sub-user's)."""
        ...

    def warm_order_path(self) -> float:
        """Open a fresh connection for the next place call, read the clock over it and return the skew in seconds."""
        ...

    def place(self, request: PlaceRequest) -> str:
        """Send one order, once, and return the exchange's order id.

        Raises NotSent, Rejected or OutcomeUnknown, and nothing else. Never repeats anything.
        """
        ...

    def fetch_order(self, venue_order_id: str) -> Order:
        """Return an order by the exchange's id; RecordNotFound when there is none (yet)."""
        ...

    def fetch_order_by_client_id(self, client_order_id: str) -> Order:
        """Return the latest order with our id; RecordNotFound when there is none (yet)."""
        ...

    def fetch_open_orders(self, account_id: str, symbol: str) -> Sequence[Order]:
        """Return every open order of one symbol, all pages."""
        ...

    def search_orders(self, symbol: str, start: datetime, end: datetime | None = None) -> Sequence[Order]:
        """Return every order of one symbol created from `start` to `end`, at most 48 h later; until now without one.

        Finished ones are included; of those that were cancelled without a fill, only the ones of the last two hours.
        """
        ...

    def fetch_recent_orders(self, start: datetime) -> Sequence[Order]:
        """Return every finished order of any symbol created from `start`, in the last 48 h, until now."""
        ...

    def fetch_fills(self, venue_order_id: str) -> Sequence[Fill]:
        """Return the match results of one order; empty for a moment after a fill."""
        ...
