"""The wire: the real client's bytes go to the exchange through every fault, and every place call is written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Protocol

import httpx

from rebalancer.simulator.envelopes import error_v1
from rebalancer.simulator.exchange import Pending
from rebalancer.simulator.faults import FAULT_KINDS, Faults, Rule
from rebalancer.simulator.http import Request, Response
from tests.simulation import chaos
from tests.simulation.rows import Listed
from tests.simulation.world import CRASH_ODDS, World

TIMEOUT_MS = 10_000
PLACE_CRASH_ODDS = 0.01  # on either side of the one call that must never be made again
RUNS = tuple(map(Decimal, ("0.93", "0.96", "1.04", "1.07")))  # what a price does while an order is on its way
GATEWAY = error_v1("gateway-internal-error", "Failed to load data. Try again later.")
# What is answered in the exchange's place, without and with the request having been carried out.
NOT_CARRIED_OUT = {
    "storm_429": Response(429, b"Too Many Requests", {}),
    "empty": Response(200, b"", {}),
    "gateway_error": GATEWAY,
    "timeout_code": error_v1("timeout", "Request Timeout"),
    "auction": error_v1("forbidden-trade-for-open-protect", "opening phase"),
    "blind": error_v1("base-record-invalid", "record invalid"),
    "delayed_request": Response(0, b"", dropped=True),
}
LISTING = ("", "balance_lag", "missing_row", "empty_list")  # faults after which an answer is still a list of balances
CARRIED_OUT = {
    "gateway_executed": GATEWAY,
    "ok_without_id": Response(200, b'{"status":"ok","data":""}', {}),
    "unlisted_code": error_v1("order-something-new", "?"),
    "html_200": Response(200, b"<html><body>maintenance</body></html>", {"content-type": "text/html"}),
    "duplicate_unanswered": Response(0, b"", dropped=True),
}


@dataclass
class Post:
    """One place call as its bytes left."""

    at_ms: int
    body: dict[str, Any]
    query: str
    left: bool = False  # from here on nobody may say that it was never sent


@dataclass
class Seen:
    """What one life of the service was shown."""

    read_ms: dict[str, int] = field(default_factory=dict)  # when each endpoint last answered well
    free: dict[str, Decimal] = field(default_factory=dict)  # by coin, in the last answer about balances

    def take_balances(self, body: bytes) -> dict[str, Decimal]:
        """Take in an answer about balances; return the totals, none where it is none."""
        totals: dict[str, Decimal] = {}
        with suppress(ValueError, LookupError, TypeError):  # a fault's: no balances at all
            rows = json.loads(body)["data"]["list"]
            self.free = {row["currency"].upper(): Decimal(row["balance"]) for row in rows if row["type"] == "trade"}
            for row in rows:
                coin = row["currency"].upper()
                totals[coin] = totals.get(coin, Decimal(0)) + Decimal(row["balance"])
        return totals


class Judge(Protocol):
    """Whoever looks at all that goes over the wire."""

    @property
    def listed(self) -> Listed:
        """Return what takes in each list of balances."""
        ...

    def at_post(self, post: Post, seen: Seen) -> None:
        """Judge one place call."""
        ...


class Wire(httpx.BaseTransport):
    """One process life's way to the exchange."""

    def __init__(self, world: World, judge: Judge, *, faulty: bool = True) -> None:
        self._world = world
        self._judge = judge
        self._faulty = faulty
        self.seen = Seen()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        world = self._world
        received = _received(request)
        endpoint = world.exchange.endpoint_of(received)
        post = Post(world.true_ms, json.loads(received.body), received.query) if endpoint == "place" else None
        if post is not None:
            self._judge.at_post(post, self.seen)
        world.calls += 1
        rng = world.chance["network"]
        fault = "" if world.quiet or not self._faulty else chaos.draw(rng, world.chance["twice"], endpoint)
        if not world.quiet and world.true_ms < world.storm_until_ms:
            fault = "http_429"
        if fault:
            world.fired[fault] += 1
        if fault == "connect_error":
            raise httpx.ConnectError("refused", request=request)
        trace = request.extensions.get("trace")
        if trace is not None:
            trace("http11.send_request_headers.started", {})
        if post is not None:
            post.left = True
        odds = CRASH_ODDS if post is None else PLACE_CRASH_ODDS
        world.maybe_crash(f"before {received.method}", odds)
        world.pass_ms(rng.randint(10, 60))
        world.meanwhile()
        answered = self._answer(received, endpoint, fault)
        world.maybe_crash(f"after {received.method}", odds)
        world.pass_ms(rng.randint(10, 60))
        if answered.delay_s:
            world.pass_ms(TIMEOUT_MS)
            raise httpx.ReadTimeout("timed out", request=request)
        if answered.dropped:
            raise httpx.RemoteProtocolError("closed", request=request)
        self._show(received, endpoint, fault, answered)
        return httpx.Response(answered.status, headers=dict(answered.headers), content=answered.body)

    def _show(self, request: Request, endpoint: str, fault: str, answered: Response) -> None:
        """Take down what the service is about to read."""
        if answered.status == 200:
            symbol = request.query.partition("symbol=")[2] if endpoint == "depth" else ""
            self.seen.read_ms[endpoint + symbol] = self._world.true_ms
        if answered.status == 200 and endpoint == "balance" and fault in LISTING:
            self._judge.listed.see(self.seen.take_balances(answered.body))

    def _answer(self, request: Request, endpoint: str, fault: str) -> Response:
        world, exchange = self._world, self._world.exchange
        rng = world.chance["network"]
        if fault == "storm_429":
            world.storm_until_ms = world.true_ms + rng.randint(5_000, 90_000)
        if fault == "delayed_request":
            exchange.pending.append(Pending(world.true_ms + rng.randint(1_000, 400_000), request))
        if fault in NOT_CARRIED_OUT:
            return NOT_CARRIED_OUT[fault]
        answered = self._handled(request, fault)
        if fault in CARRIED_OUT:
            return CARRIED_OUT[fault]
        if fault == "empty_list":
            return _edited(answered, lambda document: document["data"].__setitem__("list", []))
        return self._lied(answered, endpoint, request)

    def _handled(self, request: Request, fault: str) -> Response:
        """Let the exchange answer, with its own faults and with an order's odd fates."""
        world, exchange = self._world, self._world.exchange
        rng, known = world.chance["network"], len(exchange.state.orders)
        if fault in FAULT_KINDS and fault not in ("invisible", "html_200"):
            exchange.faults = Faults([Rule(fault, "", 1.0, 1)], 0)
        if fault == "duplicate_unanswered":
            exchange.faults = Faults([Rule("duplicate", "", 1.0, 1)], 0)
        options = exchange.options
        if fault == "late_fill":
            exchange.options = replace(options, execution_delay_ms=rng.randint(1_000, 30_000))
        symbol = json.loads(request.body).get("symbol", "") if request.body else ""
        if fault == "price_ran" and symbol in world.market.specs():
            world.market.run_away(world.market.specs()[symbol].base, rng.choice(RUNS), world.true_ms)
        if fault == "breaker" and symbol in world.market.specs():
            tight = {"market_buy_rate": Decimal("0.0000001"), "market_sell_rate": Decimal("0.0000001")}
            world.market.change_spec(symbol, **tight)
        try:
            answered = exchange.handle(request, world.true_ms)
            if fault == "breaker":
                exchange.handle(
                    replace(request, method="GET", body=b"", path="/v1/common/timestamp"), world.true_ms + 50
                )
        finally:
            exchange.faults, exchange.options = Faults([], 0), options
            if fault == "breaker" and symbol in world.market.specs():
                world.market.change_spec(symbol, market_buy_rate=Decimal("0.1"), market_sell_rate=Decimal("0.1"))
        if fault == "invisible" and len(exchange.state.orders) > known:
            newest = exchange.state.orders[max(exchange.state.orders)]
            newest.visible_ms = world.true_ms + rng.randint(1_000, 60_000)
        return answered

    def _lied(self, answered: Response, endpoint: str, request: Request) -> Response:
        """Return the answer as the cycle's lie has it."""
        world = self._world
        coin = f"{world.lied_about}usdt" if world.lies else ""
        books = {f"{world.lied_about}{quote}" for quote in ("usdt", "btc", "eth")} if world.lies else set()
        about = request.query.partition("symbol=")[2].partition("&")[0]
        for lie in world.lies:
            if endpoint == "tickers" and answered.status == 200:
                answered = _edited(answered, lambda document, lie=lie: _lie_in_tickers(document, lie, coin))
                if lie == "times_ten_all":
                    answered = _edited(answered, lambda document: _tenfold(document, world.lied_about))
            elif endpoint == "depth" and about in books:
                answered = _edited(answered, lambda document, lie=lie: _lie_in_book(document, lie))
            elif endpoint == "market-status" and lie in ("halted", "cancel_only"):
                state = 2 if lie == "halted" else 3
                data = {"marketStatus": state, "affectedSymbols": "all"}
                answered = _edited(answered, lambda document, data=data: document.__setitem__("data", data))
        return answered


def _received(request: httpx.Request) -> Request:
    url = request.url
    headers = {name.decode().lower(): value.decode() for name, value in request.headers.raw}
    path = url.raw_path.partition(b"?")[0].decode()
    return Request(request.method, headers["host"], path, url.query.decode(), headers, request.read(), "127.0.0.1")


def _edited(answered: Response, edit: Callable[[dict[str, Any]], None]) -> Response:
    try:
        document = json.loads(answered.body)
    except ValueError:
        return answered
    if document.get("status", "ok") != "ok" or document.get("code", 200) != 200:
        return answered
    edit(document)
    return replace(answered, body=json.dumps(document).encode())


def _lie_in_tickers(document: dict[str, Any], lie: str, coin: str) -> None:
    for row in document.get("data", ()):
        if lie == "depeg" and row["symbol"] == "usdcusdt":
            row.update(close=row["close"] * 1.06, bid=row["bid"] * 1.06, ask=row["ask"] * 1.06)
        if row["symbol"] != coin:
            continue
        if lie == "zero_price":
            row["close"] = 0
        if lie == "times_ten":  # every figure against the cash agrees with every other; the past and BTC do not
            _scale(row, 10)


def _tenfold(document: dict[str, Any], coin: str) -> None:
    """Let every pair of a coin, whichever side it stands on, say that it costs ten times as much."""
    for row in document.get("data", ()):
        symbol = str(row["symbol"])
        if symbol.startswith(coin):
            _scale(row, 10)
        elif symbol.endswith(coin):
            _scale(row, 0.1)


def _scale(row: dict[str, Any], factor: float) -> None:
    for name in ("open", "high", "low", "close", "bid", "ask"):
        row[name] *= factor


def _lie_in_book(document: dict[str, Any], lie: str) -> None:
    tick = document.get("tick")
    if tick is None:
        return
    if lie == "one_sided":
        tick["bids"] = []
    if lie == "frozen_price":
        tick["ts"] -= 120_000
    if lie in ("times_ten", "times_ten_all"):
        for side in ("bids", "asks"):
            tick[side] = [[price * 10, quantity] for price, quantity in tick[side]]
