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
from rebalancer.simulator.state import SimOrder
from tests.simulation import chaos
from tests.simulation.balances import Balances
from tests.simulation.leaks import Leaks
from tests.simulation.lies import edited, lied
from tests.simulation.rows import Listed
from tests.simulation.world import CRASH_ODDS, World

TIMEOUT_MS = 10_000
PLACE_CRASH_ODDS = 0.01  # on either side of the one call that must never be made again
RUNS = tuple(map(Decimal, ("0.93", "0.96", "1.04", "1.07")))  # what a price does while an order is on its way
GATEWAY = error_v1("gateway-internal-error", "Failed to load data. Try again later.")
MUTE = error_v1("base-symbol-error", "symbol error")
ABOUT_ORDERS = ("order", "client-order", "order-search", "open-orders", "order-fills")
LOOK_ALIKE_ODDS = 0.1
# What is answered in the exchange's place, without and with the request having been carried out.
NOT_CARRIED_OUT = {
    "storm_429": Response(429, b"Too Many Requests", {}),
    "empty": Response(200, b"", {}),
    "gateway_error": GATEWAY,
    "timeout_code": error_v1("timeout", "Request Timeout"),
    "auction": error_v1("forbidden-trade-for-open-protect", "opening phase"),
    "blind": error_v1("base-record-invalid", "record invalid"),
    "delayed_request": Response(0, b"", dropped=True),
    "not_found": error_v1("base-record-invalid", "record invalid"),
    "mute": MUTE,
    "key_refused": error_v1("api-signature-not-valid", "Signature not valid: Incorrect Access key [Access key错误]"),
}
LISTING = ("", "balance_lag", "missing_row", "empty_list")  # faults after which an answer is still a list of balances
IN_ANSWERS: dict[str, Callable[[dict[str, Any]], None]] = {
    "empty_list": lambda document: document["data"].__setitem__("list", []),
    "no_fills": lambda document: document.__setitem__("data", []),
    "odd_state": lambda document: document["data"].__setitem__("state", "frobnicated"),
    "other_order": lambda document: document["data"].__setitem__("amount", "0.0123"),
}
CARRIED_OUT = {
    "gateway_executed": GATEWAY,
    "ok_without_id": Response(200, b'{"status":"ok","data":""}', {}),
    "unlisted_code": error_v1("order-something-new", "?"),
    "html_200": Response(200, b"<html><body>maintenance</body></html>", {"content-type": "text/html"}),
    "duplicate_unanswered": Response(0, b"", dropped=True),
    "limbo": Response(0, b"", dropped=True),
}


@dataclass
class Post:
    """One place call as its bytes left."""

    at_ms: int
    body: dict[str, Any]
    query: str
    hosts: set[str]  # by the address and by the header
    left: bool = False  # from here on nobody may say that it was never sent


@dataclass
class Seen:
    """What one life of the service was shown."""

    read_ms: dict[str, int] = field(default_factory=dict)  # when each endpoint last answered well
    rows: list[dict[str, Any]] = field(default_factory=list)  # of the last answer about balances
    free: dict[str, Decimal] = field(default_factory=dict)  # by coin, in the last answer about balances

    def take_balances(self, body: bytes) -> dict[str, Decimal]:
        """Take in an answer about balances; return the totals, none where it is none."""
        totals: dict[str, Decimal] = {}
        with suppress(ValueError, LookupError, TypeError):  # a fault's: no balances at all
            rows = self.rows = json.loads(body)["data"]["list"]
            self.free = {row["currency"].upper(): Decimal(row["balance"]) for row in rows if row["type"] == "trade"}
            for row in rows:
                coin = row["currency"].upper()
                totals[coin] = totals.get(coin, Decimal(0)) + Decimal(row["balance"])
        return totals


class Judge(Protocol):
    """Whoever looks at all that goes over the wire."""

    listed: Listed
    balances: Balances
    leaks: Leaks

    def read_rows(self) -> None:
        """Take in what became durable since."""
        ...

    def at_post(self, post: Post, seen: Seen) -> None:
        """Judge one place call."""
        ...


class Wire(httpx.BaseTransport):
    """One process life's way to the exchange."""

    def __init__(self, world: World, judge: Judge, *, faulty: bool = True) -> None:
        self._world = world
        self._judge = judge
        self.leaks = judge.leaks
        self._faulty = faulty
        self.seen = Seen()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        world = self._world
        received = _received(request)
        endpoint = world.exchange.endpoint_of(received)
        self._judge.leaks.sign(received.query)
        post = None
        if endpoint == "place":
            hosts = {request.url.netloc.decode(), received.host}
            post = Post(world.true_ms, json.loads(received.body), received.query, hosts)
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
            self._judge.read_rows()  # a plan is judged by the looks before it, whatever our clock says of when it was
            self._judge.listed.see(self.seen.take_balances(answered.body))
            self._judge.balances.see(self.seen.rows, of_now=fault != "balance_lag")

    def _answer(self, request: Request, endpoint: str, fault: str) -> Response:
        world, exchange = self._world, self._world.exchange
        rng = world.chance["network"]
        if fault == "storm_429":
            world.storm_until_ms = world.true_ms + rng.randint(5_000, 90_000)
        if fault == "delayed_request":
            exchange.pending.append(Pending(world.true_ms + rng.randint(1_000, 400_000), request))
        if fault == "mute":
            world.mute_until_ms = world.true_ms + rng.randint(600_000, 12 * 3_600_000)
        if fault in NOT_CARRIED_OUT:
            self._imitate(request, fault, endpoint)
            return NOT_CARRIED_OUT[fault]
        if endpoint in ABOUT_ORDERS and not world.quiet and world.true_ms < world.mute_until_ms:
            return MUTE
        answered = self._handled(request, fault)
        if fault in CARRIED_OUT:
            return CARRIED_OUT[fault]
        if fault in IN_ANSWERS:
            return edited(answered, IN_ANSWERS[fault])
        return lied(world, answered, endpoint, request.query.partition("symbol=")[2].partition("&")[0])

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
        if fault in ("invisible", "limbo", "redelivered") and len(exchange.state.orders) > known:
            self._keep_back(exchange.state.orders[max(exchange.state.orders)], fault)
        return answered

    def _imitate(self, request: Request, fault: str, endpoint: str) -> None:
        """Let somebody place by hand now and then what they see missing: the very order, without our id."""
        world, rng = self._world, self._world.chance["brink"]
        if fault != "delayed_request" or endpoint != "place" or rng.random() >= LOOK_ALIKE_ODDS:
            return
        body = json.loads(request.body)
        symbol, kind, amount, price = (
            body["symbol"],
            body["type"],
            Decimal(body["amount"]),
            Decimal(body.get("price", 0)),
        )
        spec = world.market.specs()[symbol]
        wallet = world.user.wallet(spec.quote if kind.startswith("buy") else spec.base)
        if wallet.trade >= amount * (price if kind == "buy-ioc" else 1):
            world.exchange.place_by_hand(world.user, symbol, kind, amount, world.true_ms, price=price)
            world.moved()
            world.fired["look_alike"] += 1

    def _keep_back(self, order: SimOrder, fault: str) -> None:
        """Let an order be seen late, or have an answer that says that it is none."""
        world, rng = self._world, self._world.chance["network"]
        if fault == "invisible":
            order.visible_ms = world.true_ms + rng.randint(1_000, 60_000)
            return
        world.unforeseen.add(order.client_order_id)
        if fault == "limbo":  # locked and neither shown nor matched, for longer than any proof waits
            order.visible_ms = order.due_ms = world.true_ms + rng.randint(480_000, 10_800_000)


def _received(request: httpx.Request) -> Request:
    url = request.url
    headers = {name.decode().lower(): value.decode() for name, value in request.headers.raw}
    path = url.raw_path.partition(b"?")[0].decode()
    return Request(request.method, headers["host"], path, url.query.decode(), headers, request.read(), "127.0.0.1")
