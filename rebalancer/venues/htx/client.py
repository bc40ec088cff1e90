"""HTX behind the `Venue` protocol: signs, sends, retries reads. Everything it knows of formats is in the pure files."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

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
from rebalancer.errors import (
    AuthCause,
    AuthFailed,
    MalformedReply,
    NotSent,
    RateLimited,
    Rejected,
    Unavailable,
)
from rebalancer.seams import Clock, Gather
from rebalancer.venues.htx import wire_account, wire_market, wire_orders
from rebalancer.venues.htx.budget import WINDOW_S, Budget
from rebalancer.venues.htx.codes_map import CodeMap
from rebalancer.venues.htx.envelope import RawReply, placed_order_id, read_payload
from rebalancer.venues.htx.sign import Credentials, canonical_query, signed_query
from rebalancer.venues.htx.transport import HttpTransport

T = TypeVar("T")

READ_ATTEMPTS = 3
PLACE_PATH = "/v1/order/orders/place"
FEE_SYMBOLS_MAX = 10  # a request
CANDLES_MAX = 2000  # a request
OPEN_ORDERS_PAGE = 500
SEARCH_PAGE = 100
SEARCH_WINDOW = timedelta(hours=48)
HISTORY_PAGE = 1000
PAGES_MAX = 100  # an order list that never ends is no order list
# What stays in the list of orders for 180 days; what was cancelled without a fill may be asked for 2 h back only.
LASTING = "created,submitted,partial-filled,partial-canceled,filled,canceling"
CANCELED = "canceled"
CANCELED_LIFE = timedelta(hours=2) - timedelta(minutes=1)  # less what the clocks may differ by, and the way there


class HtxVenue:
    """One HTX user's spot market. Reads may overlap on threads; place calls may not."""

    def __init__(
        self,
        http: HttpTransport,
        *,
        base_url: str,
        credentials: Credentials | None,
        clock: Clock,
        gather: Gather,
        rng: random.Random,
        signing_host: str | None = None,
        codes: Mapping[str, str] | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        self._base_url = f"{parts.scheme}://{parts.netloc}"
        self._host = parts.hostname or ""
        self._signing_host = signing_host or parts.netloc.lower()
        self._http = http
        self._credentials = credentials
        self._clock = clock
        self._gather = gather
        self._rng = rng
        self._codes = CodeMap(codes)
        self._budget = Budget(clock)
        self._offset: timedelta | None = None

    @property
    def host(self) -> str:
        """Return the host name, without port."""
        return self._host

    def symbol_of(self, base: str, quote: str) -> str:
        """Return HTX's name of a pair of assets."""
        return self._codes.symbol_of(base, quote)

    def fetch_server_time(self) -> datetime:
        """Return the exchange's clock and remember its offset from ours (half the way there and back taken off)."""
        return self._retrying(partial(self._measure_time, fresh=False))

    def server_now(self) -> datetime:
        """Return our clock moved by the remembered offset."""
        return self._clock.now() + (self._offset or timedelta(0))

    @property
    def skew_s(self) -> float:
        """Return exchange time minus ours in seconds, as last measured."""
        return (self._offset or timedelta(0)).total_seconds()

    def warm_order_path(self) -> float:
        """Open the connection for the next place call, read the clock over it, return the skew in seconds.

        The call's turn in our budget is waited for here: nothing waits between the last look at the pause and the send.
        """
        self._budget.take("place")
        self._measure_time(fresh=True)
        return self.skew_s

    def _measure_time(self, *, fresh: bool) -> datetime:
        self._budget.take("timestamp")
        sent = self._clock.now()
        reply = self._http.get(self._base_url + "/v1/common/timestamp", fresh=fresh)
        received = self._clock.now()
        server = wire_market.parse_server_time(read_payload("timestamp", self._hiding(reply)))
        self._offset = server - (sent + (received - sent) / 2)
        return server

    def fetch_market_status(self) -> MarketStatus:
        """Return whether the exchange trades."""
        return wire_market.parse_market_status(self._public("market-status", "/v2/market-status"))

    def fetch_rules(self) -> Mapping[str, MarketRules]:
        """Return every symbol's rules, by symbol."""
        payload = self._public("market-symbols", "/v1/settings/common/market-symbols")
        return wire_market.parse_rules(payload, self._codes)

    def fetch_tickers(self) -> Mapping[str, Ticker]:
        """Return every usable ticker, by symbol."""
        return wire_market.parse_tickers(self._public("tickers", "/market/tickers"))

    def fetch_book(self, symbol: str) -> Book:
        """Return 20 unaggregated levels of each side."""
        params = {"symbol": symbol, "type": "step0", "depth": "20"}
        return wire_market.parse_book(symbol, self._public("depth", "/market/depth", params))

    def fetch_candles(self, symbol: str, period: CandlePeriod, count: int) -> Sequence[Candle]:
        """Return the last `count` candles, at most 2000, oldest first; the last one is not over yet."""
        assert 1 <= count <= CANDLES_MAX, count
        params = {"symbol": symbol, "period": period.value, "size": str(count)}
        payload = self._public("kline", "/market/history/kline", params)
        return wire_market.parse_candles(symbol, period, payload)

    def fetch_fee_rates(self, symbols: Sequence[str]) -> Mapping[str, FeeRate]:
        """Return the taker fee of each symbol, ten a request, requests overlapping."""
        chunks = [symbols[i : i + FEE_SYMBOLS_MAX] for i in range(0, len(symbols), FEE_SYMBOLS_MAX)]
        calls = [
            partial(self._private, "fee-rate", "/v2/reference/transact-fee-rate", {"symbols": ",".join(chunk)})
            for chunk in chunks
        ]
        payloads = self._gather(calls) if len(calls) > 1 else [call() for call in calls]
        made: dict[str, FeeRate] = {}
        for payload in payloads:
            made.update(wire_market.parse_fee_rates(payload))
        return made

    def fetch_accounts(self) -> Sequence[Account]:
        """Return the accounts of the key's user."""
        return wire_account.parse_accounts(self._private("accounts", "/v1/account/accounts"))

    def fetch_balances(self, account_id: str) -> Mapping[str, Balance]:
        """Return one balance per currency that HTX lists, by asset code."""
        payload = self._private("balance", f"/v1/account/accounts/{account_id}/balance")
        return wire_account.parse_balances(account_id, payload, self._codes)

    def fetch_uid(self) -> str:
        """Return the user's id."""
        return wire_account.parse_uid(self._private("uid", "/v2/user/uid"))

    def fetch_key_info(self) -> KeyInfo | None:
        """Return the key's rights, or None where HTX does not let this key ask (a sub-user's)."""
        assert self._credentials is not None
        try:
            payload = self._private("api-key", "/v2/user/api-key", {"uid": self.fetch_uid()})
        except AuthFailed as exc:
            if exc.cause is AuthCause.PERMISSION:
                return None
            raise
        except Rejected as exc:
            if exc.code in {"403", "1002", "base-operation-forbidden"}:
                return None
            raise
        return wire_account.parse_key_info(payload, self._credentials.access_key)

    def place(self, request: PlaceRequest) -> str:
        """Send one order, once, signed with its `signed_at`; return HTX's order id.

        Raises NotSent, Rejected or OutcomeUnknown, and nothing else.
        """
        credentials = self._credentials
        if credentials is None:
            raise NotSent("no key to sign with")
        body = wire_orders.place_body(request)
        back = wire_orders.read_place_body(body)
        wanted = (request.account_id, request.symbol, request.terms, request.client_order_id)
        assert (back.account_id, back.symbol, back.terms, back.client_order_id) == wanted, "the wire is not the intent"
        query = signed_query(
            credentials, method="POST", host=self._signing_host, path=PLACE_PATH, moment=request.signed_at
        )
        reply = self._http.post_once(f"{self._base_url}{PLACE_PATH}?{query}", body)
        self._budget.heed("place", reply.remaining)
        return placed_order_id("place", self._hiding(reply))

    def fetch_order(self, venue_order_id: str) -> Order:
        """Return an order by HTX's id; RecordNotFound when there is none (yet)."""
        payload = self._private("order", f"/v1/order/orders/{venue_order_id}")
        order = wire_orders.parse_order("order", payload.get("data"))
        if order.venue_order_id != venue_order_id:
            raise MalformedReply("order: the answer is about another order")
        return order

    def fetch_order_by_client_id(self, client_order_id: str) -> Order:
        """Return the latest order with our id; RecordNotFound when there is none (yet)."""
        path = "/v1/order/orders/getClientOrder"
        payload = self._private("client-order", path, {"clientOrderId": client_order_id})
        order = wire_orders.parse_order("client-order", payload.get("data"))
        if order.client_order_id != client_order_id:
            raise MalformedReply("client-order: the answer is about another order")
        return order

    def fetch_open_orders(self, account_id: str, symbol: str) -> Sequence[Order]:
        """Return every open order of one symbol, all pages."""
        params = {"account-id": account_id, "symbol": symbol, "size": str(OPEN_ORDERS_PAGE)}
        return self._all_pages("open-orders", "/v1/order/openOrders", params, OPEN_ORDERS_PAGE)

    def search_orders(self, symbol: str, start: datetime, end: datetime | None = None) -> Sequence[Order]:
        """Return every order of one symbol created from `start` to `end`, or until now without one, all pages."""
        assert end is None or start <= end <= start + SEARCH_WINDOW, (start, end)
        cancelled_since = max(start, self.server_now() - CANCELED_LIFE)
        if start == cancelled_since:
            return self._search(symbol, f"{LASTING},{CANCELED}", start, end)
        found = {order.venue_order_id: order for order in self._search(symbol, LASTING, start, end)}
        if end is None or end > cancelled_since:
            cancelled = self._search(symbol, CANCELED, cancelled_since, end)
            found.update((order.venue_order_id, order) for order in cancelled)
        return tuple(found.values())

    def _search(self, symbol: str, states: str, start: datetime, end: datetime | None) -> tuple[Order, ...]:
        # HTX refuses an end in the future, and by a clock that is a little fast ours would lie there: without one it
        # searches up to its own now.
        until = {} if end is None else {"end-time": _ms(end)}
        params = {"symbol": symbol, "states": states, "start-time": _ms(start), **until, "size": str(SEARCH_PAGE)}
        return self._all_pages("order-search", "/v1/order/orders", params, SEARCH_PAGE)

    def fetch_recent_orders(self, start: datetime) -> Sequence[Order]:
        """Return every finished order of any symbol created from `start`, in the last 48 h, until now, all pages."""
        params = {"start-time": _ms(start), "direct": "next", "size": str(HISTORY_PAGE)}
        seen: dict[str, Order] = {}
        for _ in range(PAGES_MAX):
            payload = self._private("order-history", "/v1/order/history", params)
            page = wire_orders.parse_orders("order-history", payload)
            new = [order for order in page if order.venue_order_id not in seen]
            seen.update((order.venue_order_id, order) for order in new)
            # HTX API reference, 6.10: `next-time` is there when the list was cut, and is where it goes on.
            following = wire_orders.next_time(payload)
            if following is None or not new:
                return tuple(seen.values())
            params |= {"end-time": following}
        raise MalformedReply(f"order-history: no end after {PAGES_MAX} pages")

    def fetch_fills(self, venue_order_id: str) -> Sequence[Fill]:
        """Return the match results of one order; empty for a moment after a fill."""
        payload = self._private("order-fills", f"/v1/order/orders/{venue_order_id}/matchresults")
        fills = wire_orders.parse_fills(payload, self._codes)
        if any(fill.venue_order_id != venue_order_id for fill in fills):
            raise MalformedReply("order-fills: a match result of another order")
        return fills

    def _all_pages(self, endpoint: str, path: str, params: dict[str, str], size: int) -> tuple[Order, ...]:
        """Read pages, newest first, until one is not full; an order seen twice is kept once."""
        seen: dict[str, Order] = {}
        page_params = dict(params)
        for _ in range(PAGES_MAX):
            page = wire_orders.parse_orders(endpoint, self._private(endpoint, path, page_params))
            if any(order.symbol != params["symbol"] for order in page):
                raise MalformedReply(f"{endpoint}: an order of another symbol")
            new = [order for order in page if order.venue_order_id not in seen]
            seen.update((order.venue_order_id, order) for order in new)
            if len(page) < size or not new:
                return tuple(seen.values())
            page_params = params | {"from": page[-1].venue_order_id, "direct": "next"}
        raise MalformedReply(f"{endpoint}: no end after {PAGES_MAX} pages")

    def _public(self, endpoint: str, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        query = f"?{canonical_query(params)}" if params else ""
        return self._retrying(lambda: self._read(endpoint, self._base_url + path + query))

    def _private(self, endpoint: str, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        if self._credentials is None:
            raise AuthFailed(AuthCause.KEY, "no-key", f"{endpoint}: this read needs an API key")
        if self._offset is None:
            self.fetch_server_time()
        return self._retrying(partial(self._signed_read, self._credentials, endpoint, path, params or {}))

    def _signed_read(
        self, credentials: Credentials, endpoint: str, path: str, params: Mapping[str, str]
    ) -> dict[str, Any]:
        def attempt() -> dict[str, Any]:
            query = signed_query(
                credentials,
                method="GET",
                host=self._signing_host,
                path=path,
                moment=self.server_now(),
                params=params,
            )
            return self._read(endpoint, f"{self._base_url}{path}?{query}")

        try:
            return attempt()
        except AuthFailed as exc:
            if exc.cause is not AuthCause.CLOCK:
                raise
            self._measure_time(fresh=False)
            return attempt()

    def _read(self, endpoint: str, url: str) -> dict[str, Any]:
        self._budget.take(endpoint)
        reply: RawReply = self._http.get(url)
        self._budget.heed(endpoint, reply.remaining)
        return read_payload(endpoint, self._hiding(reply))

    def _hiding(self, reply: RawReply) -> RawReply:
        """Return an answer that knows what its error's words must not repeat."""
        return replace(reply, hidden=self._credentials.access_key) if self._credentials is not None else reply

    def _retrying(self, call: Callable[[], T]) -> T:
        """Repeat a read that failed for now; nothing that could trade comes through here."""
        return Retrying(
            retry=retry_if_exception(_worth_repeating),
            stop=stop_after_attempt(READ_ATTEMPTS),
            wait=self._wait_s,
            sleep=self._clock.sleep,
            reraise=True,
        )(call)

    def _wait_s(self, state: RetryCallState) -> float:
        """Back off by doubling with jitter; after a rate refusal at least one of HTX's windows."""
        failed = state.outcome.exception() if state.outcome is not None else None
        base = WINDOW_S if isinstance(failed, RateLimited) else 0.25
        return base * float(2 ** (state.attempt_number - 1)) * (1 + self._rng.random() / 2)


def _worth_repeating(error: BaseException) -> bool:
    return isinstance(error, Unavailable) and error.code != "403"


def _ms(moment: datetime) -> str:
    return str(int(moment.timestamp()) * 1000 + moment.microsecond // 1000)
