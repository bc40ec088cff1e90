"""A good answer of every endpoint that the client reads, of today's shape and of the older one, by the embedded exchange."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from rebalancer.core.model import CandlePeriod, PlaceRequest
from rebalancer.core.money import BaseAmount, QuoteAmount
from rebalancer.service.gather import gather_serially
from rebalancer.simulator.exchange import Exchange, ExchangeOptions
from rebalancer.simulator.http import Request
from rebalancer.simulator.market import Market
from rebalancer.simulator.specs import MarketStatus
from rebalancer.simulator.transport import InProcessTransport
from rebalancer.venues.htx.client import HtxVenue
from rebalancer.venues.htx.transport import HttpTransport
from tests.canary import ACCESS_KEY, SECRET_KEY, credentials
from tests.support import FakeClock

ACCOUNT = "10101010"
LISTING = ("btcusdt", "ethusdt", "solusdt", "usdcusdt")
HOLDINGS = {"BTC": Decimal("0.5"), "ETH": Decimal(3), "USDT": Decimal(9000), "HTX": Decimal(100_000)}
OURS, BY_HAND = "rb1-hostile-1", "ethusdt"


@dataclass(frozen=True, slots=True)
class Shape:
    """One endpoint's answer, and the call that reads it."""

    endpoint: str
    age: str  # today's, or old
    body: bytes
    ask: Callable[[HtxVenue], Any]
    good: Any  # what the call makes of the answer as it is

    def __str__(self) -> str:
        return f"{self.endpoint} ({self.age})"


class Recorder(InProcessTransport):
    """Keeps the last answer of every endpoint."""

    def __init__(self, exchange: Exchange, clock: FakeClock) -> None:
        super().__init__(exchange, clock)
        self.kept: dict[str, bytes] = {}
        self._names = exchange

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        self.kept[endpoint_of(self._names, request)] = response.content
        return response


def endpoint_of(exchange: Exchange, request: httpx.Request) -> str:
    return exchange.endpoint_of(Request(request.method, request.url.host, request.url.path))


def make_venue(clock: FakeClock, transport: httpx.BaseTransport) -> HtxVenue:
    return HtxVenue(
        HttpTransport(clock=clock, transport=transport),
        base_url="http://127.0.0.1:1",
        credentials=credentials(),
        clock=clock,
        gather=gather_serially,
        rng=random.Random(0),
    )


@dataclass
class Recording:
    """An exchange with an order behind it and one still open, and what it answers to every call."""

    options: ExchangeOptions = field(default_factory=ExchangeOptions)
    status: MarketStatus = field(default_factory=MarketStatus)

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        market = Market(seed=7, anchor_ms=self._now_ms(), still=True, listing=LISTING, dust=2)
        self.exchange = Exchange(market, options=self.options)
        user = self.exchange.add_user(ACCESS_KEY, SECRET_KEY, HOLDINGS, days_valid=60)
        self.wire = Recorder(self.exchange, self.clock)
        self.venue = make_venue(self.clock, self.wire)
        self.venue.fetch_server_time()
        self.order_id = self.venue.place(self.request())
        self.exchange.place_by_hand(user, BY_HAND, "sell-limit", Decimal(1), self._now_ms())
        self.clock.advance(2)
        self.exchange.status = self.status

    def _now_ms(self) -> int:
        return int(self.clock.now().timestamp() * 1000)

    def request(self) -> PlaceRequest:
        deducted = self.options.deduct_fees_in_points
        size = BaseAmount(Decimal("0.1")) if deducted else QuoteAmount(Decimal(2500))
        return PlaceRequest(ACCOUNT, "btcusdt", size, OURS, self.clock.now())

    def shapes(self, age: str) -> list[Shape]:
        made = []
        placed = self.wire.kept["place"]
        for endpoint, ask in calls(self.order_id, self.request(), self.clock.now()).items():
            good = self.order_id if endpoint == "place" else ask(self.venue)
            body = placed if endpoint == "place" else self.wire.kept[endpoint]
            made.append(Shape(endpoint, age, body, ask, good))
        return made


def calls(order_id: str, request: PlaceRequest, now: datetime) -> dict[str, Callable[[HtxVenue], Any]]:
    """Return the client's call of each endpoint."""
    since = now - timedelta(hours=1)
    return {
        "timestamp": lambda venue: venue.fetch_server_time(),
        "market-status": lambda venue: venue.fetch_market_status(),
        "market-symbols": lambda venue: venue.fetch_rules(),
        "tickers": lambda venue: venue.fetch_tickers(),
        "depth": lambda venue: venue.fetch_book("btcusdt"),
        "kline": lambda venue: venue.fetch_candles("btcusdt", CandlePeriod.HOUR, 3),
        "fee-rate": lambda venue: venue.fetch_fee_rates(LISTING),
        "accounts": lambda venue: venue.fetch_accounts(),
        "balance": lambda venue: venue.fetch_balances(ACCOUNT),
        "uid": lambda venue: venue.fetch_uid(),
        "api-key": lambda venue: venue.fetch_key_info(),
        "place": lambda venue: venue.place(request),
        "order": lambda venue: venue.fetch_order(order_id),
        "client-order": lambda venue: venue.fetch_order_by_client_id(OURS),
        "open-orders": lambda venue: venue.fetch_open_orders(ACCOUNT, BY_HAND),
        "order-search": lambda venue: venue.search_orders("btcusdt", since),
        "order-history": lambda venue: venue.fetch_recent_orders(since),
        "order-fills": lambda venue: venue.fetch_fills(order_id),
    }


def all_shapes() -> list[Shape]:
    """Return the answers of today, then the older: padded figures, codes as text, fees in points, a halted market."""
    halted = MarketStatus(state=2, affected="btcusdt,ethusdt", halt_start_ms=1, halt_end_ms=1_772_370_000_000)
    old = Recording(ExchangeOptions(old_shape=True, deduct_fees_in_points=True), halted).shapes("old")
    return Recording().shapes("today") + [_aged(shape) for shape in old]


def _aged(shape: Shape) -> Shape:
    body = shape.body.replace(b'"code":200', b'"code":"200"')
    if shape.endpoint == "place":  # the id as a number, which the documentation shows too
        body = body.replace(f'"{shape.good}"'.encode(), shape.good.encode())
    return Shape(shape.endpoint, shape.age, body, shape.ask, shape.good)
