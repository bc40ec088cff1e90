"""The exchange: one pure door, `handle(request, now_ms)`, behind which everything happens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from typing import Any

from rebalancer.simulator import private
from rebalancer.simulator.auth import check, query_params
from rebalancer.simulator.envelopes import error_v1, ok_v1
from rebalancer.simulator.faults import Faults
from rebalancer.simulator.http import Request, Response
from rebalancer.simulator.limits import Limits
from rebalancer.simulator.market import Market
from rebalancer.simulator.matching import Consumed, execute
from rebalancer.simulator.mishaps import after_answer, before_request, delayed
from rebalancer.simulator.placing import check_placement
from rebalancer.simulator.public import HANDLERS, answer_public
from rebalancer.simulator.specs import MarketStatus
from rebalancer.simulator.state import WIDE, ZERO, SimOrder, State, User

PLACE_PATH = "/v1/order/orders/place"
# path pattern -> (endpoint name, handler); the group is the id inside the path
READS: tuple[tuple[str, str, private.Handler], ...] = (
    ("/v1/account/accounts", "accounts", private.accounts),
    (r"/v1/account/accounts/(\d+)/balance", "balance", private.balance),
    ("/v2/user/uid", "uid", private.uid),
    ("/v2/user/api-key", "api-key", private.api_key),
    ("/v2/reference/transact-fee-rate", "fee-rate", private.fee_rate),
    ("/v1/order/openOrders", "open-orders", private.open_orders),
    ("/v1/order/orders/getClientOrder", "client-order", private.order_by_client_id),
    ("/v1/order/orders", "order-search", private.order_search),
    ("/v1/order/history", "order-history", private.order_history),
    ("/v1/order/matchresults", "matchresults", private.match_results),
    (r"/v1/order/orders/(\d+)/matchresults", "order-fills", private.order_fills),
    (r"/v1/order/orders/(\d+)", "order", private.order_by_id),
)
_READS = tuple((re.compile(pattern), name, handler) for pattern, name, handler in READS)
PUBLIC_NAMES = {
    "/v1/common/timestamp": "timestamp",
    "/v2/market-status": "market-status",
    "/v1/settings/common/market-symbols": "market-symbols",
    "/market/tickers": "tickers",
    "/market/depth": "depth",
    "/market/history/kline": "kline",
}
NOT_FOUND = Response(405, b"method-not-allowed", {"content-type": "text/plain"})
PENDING_MAX = 1000


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """The documentation's contradictions, and what it leaves open, as switches."""

    execution_delay_ms: int = 10
    buy_precision: str = "value"  # value | amount: which decimals a market buy's amount may have
    fill_precision: str = "significant"  # significant (18 digits) | amount
    duplicates: str = "accept"  # accept (the latest wins) | reject
    old_shape: bool = False
    deduct_fees_in_points: bool = False
    cleared_after_ms: int = 0
    figures_late_ms: int = 0  # for so long after its end an order shows all but its last fill
    without_fills: str = "empty"  # empty | invalid: the match results of an order that has none (yet)
    canceled_search: str = "ignored"  # ignored | refused: a search for cancelled orders over 2 h back
    signing_hosts: tuple[str, ...] = ()


@dataclass(slots=True)
class Pending:
    """A request that a fault holds back, and when it arrives after all."""

    due_ms: int
    request: Request


@dataclass
class Exchange:
    """HTX, simulated: state moves only inside `handle` and the operator's methods."""

    market: Market
    faults: Faults = field(default_factory=lambda: Faults([], 0))
    options: ExchangeOptions = field(default_factory=ExchangeOptions)
    status: MarketStatus = field(default_factory=MarketStatus)
    state: State = field(default_factory=State)
    limits: Limits = field(default_factory=Limits)
    pending: list[Pending] = field(default_factory=list)
    lagging: dict[str, Any] = field(default_factory=dict)  # balances before the last order, for `balance_lag`
    _consumed: Consumed = field(default_factory=Consumed)

    def handle(self, request: Request, now_ms: int) -> Response:
        """Answer one request at an instant of the exchange's own clock."""
        self._arrive_late(now_ms)
        self._match(now_ms)
        endpoint = self.endpoint_of(request)
        fault = self.faults.draw(endpoint)
        early = before_request(fault, request)
        if early is not None:
            if fault == "delayed_request" and len(self.pending) < PENDING_MAX:
                self.pending.append(delayed(request, now_ms))
            return early
        if fault == "redelivered":
            self._answer(request, now_ms, endpoint, "")
        answered = self._answer(request, now_ms, endpoint, fault)
        self._match(now_ms)
        return after_answer(fault, endpoint, answered, self.lagging)

    def endpoint_of(self, request: Request) -> str:
        """Return the name by which faults and limits know a path."""
        if request.path == PLACE_PATH:
            return "place"
        if request.path in PUBLIC_NAMES:
            return PUBLIC_NAMES[request.path]
        return next((name for pattern, name, _ in _READS if pattern.fullmatch(request.path)), "other")

    def _answer(self, request: Request, now_ms: int, endpoint: str, fault: str) -> Response:
        if request.method == "GET" and request.body:
            return Response(403, b"<html><body>403 Forbidden</body></html>", {"content-type": "text/html"})
        if request.path in HANDLERS:
            if request.method != "GET":
                return NOT_FOUND
            status = replace(self.status)
            if fault in ("halted", "cancel_only"):
                status.state = 2 if fault == "halted" else 3
            found = answer_public(self.market, request.path, query_params(request.query), now_ms, status)
            assert found is not None
            return found
        if request.path == PLACE_PATH and request.method == "POST":
            return self._place(request, now_ms, fault)
        if request.method == "GET":
            for pattern, _, handler in _READS:
                match = pattern.fullmatch(request.path)
                if match:
                    return self._read(request, now_ms, endpoint, handler, match[1] if pattern.groups else "")
        return NOT_FOUND

    def _read(self, request: Request, now_ms: int, endpoint: str, handler: private.Handler, argument: str) -> Response:
        user = self._caller(request, now_ms, "readOnly")
        if isinstance(user, Response):
            return user
        headers = self.limits.count(user.uid, endpoint, now_ms)
        if isinstance(headers, Response):
            return headers
        call = private.PrivateCall(
            self.state,
            user,
            self.market,
            query_params(request.query),
            argument,
            now_ms,
            self.options.old_shape,
            self.options.cleared_after_ms,
            self.options.figures_late_ms,
            self.options.without_fills,
            self.options.canceled_search,
        )
        found = handler(call)
        return replace(found, headers={**found.headers, **headers})

    def _caller(self, request: Request, now_ms: int, permission: str) -> User | Response:
        return check(request, self.state.users, now_ms=now_ms, permission=permission, hosts=self.options.signing_hosts)

    def _place(self, request: Request, now_ms: int, fault: str) -> Response:
        user = self._caller(request, now_ms, "trade")
        if isinstance(user, Response):
            return user
        headers = self.limits.count(user.uid, "place", now_ms)
        if isinstance(headers, Response):
            return headers
        placement = check_placement(request, user, self.market, now_ms, buy_precision=self.options.buy_precision)
        if isinstance(placement, Response):
            return placement
        if self.status.stops(placement.spec.symbol):
            return error_v1("system-maintenance", "System is in maintenance!")
        known = {order.client_order_id for order in self.state.orders.values()}
        if self.options.duplicates == "reject" and placement.client_order_id in known - {""}:
            return error_v1("invalid-client-order-id", "invalid.client.order.id (NT)")
        self.lagging = {name: (wallet.trade, wallet.frozen) for name, wallet in user.wallets.items()}
        order = self._accept(user, placement.spec.symbol, placement.kind, placement.amount, now_ms, placement.price)
        order.client_order_id = placement.client_order_id
        order.half_fill = fault == "partial"
        order.visible_ms = now_ms + 20_000 if fault == "invisible" else 0
        if fault == "duplicate":
            again = check_placement(request, user, self.market, now_ms, buy_precision=self.options.buy_precision)
            if not isinstance(again, Response):
                twin = self._accept(user, again.spec.symbol, again.kind, again.amount, now_ms, again.price)
                twin.client_order_id = placement.client_order_id
        return replace(ok_v1(str(order.order_id)), headers={"content-type": "application/json", **headers})

    def _accept(
        self, user: User, symbol: str, kind: str, amount: Decimal, now_ms: int, price: Decimal = ZERO
    ) -> SimOrder:
        spec = self.market.specs()[symbol]
        number = self.state.take_id()
        due_ms = now_ms + self.options.execution_delay_ms
        order = SimOrder(number, user.spot_id, symbol, kind, amount, "", created_ms=now_ms, due_ms=due_ms, price=price)
        wallet = user.wallet(spec.quote if order.side == "buy" else spec.base)
        wallet.trade = WIDE.subtract(wallet.trade, order.reserve)
        wallet.frozen = WIDE.add(wallet.frozen, order.reserve)
        self.state.orders[number] = order
        return order

    def _match(self, now_ms: int) -> None:
        """Execute what is due, in the order of acceptance."""
        owners = {user.spot_id: user for user in self.state.users.values()}
        for order in self.state.orders.values():
            if order.state in private.OPEN_STATES and order.due_ms <= now_ms and order.ends_at_once:
                with localcontext(WIDE):  # ten billion coins and eighteen decimals are more digits than the default's
                    execute(
                        order,
                        owners[order.account_id],
                        self.state,
                        self.market,
                        self._consumed,
                        fill_precision=self.options.fill_precision,
                        deduct=self.options.deduct_fees_in_points,
                    )

    def _arrive_late(self, now_ms: int) -> None:
        due = [late for late in self.pending if late.due_ms <= now_ms]
        self.pending = [late for late in self.pending if late.due_ms > now_ms]
        for late in due:
            self._answer(late.request, late.due_ms, self.endpoint_of(late.request), "")

    def add_user(self, access_key: str, secret_key: str, balances: Mapping[str, Decimal], **more: Any) -> User:
        """Register a key with its user and what its spot account holds (currency codes in any case)."""
        user = User(access_key, secret_key, **more)
        self.state.users[access_key] = user
        for currency, amount in balances.items():
            self.deposit(user, currency, amount)
        return user

    def deposit(self, user: User, currency: str, amount: Decimal) -> None:
        """Add to a free balance; a negative amount is a withdrawal."""
        wallet = user.wallet(currency.lower())
        wallet.trade = WIDE.add(wallet.trade, amount)
        assert wallet.trade >= 0, (currency, wallet.trade)

    def place_by_hand(
        self, user: User, symbol: str, kind: str, amount: Decimal, now_ms: int, *, price: Decimal = ZERO
    ) -> SimOrder:
        """Do what the owner does on HTX's own page: a market order, or a resting limit order, without our prefix."""
        order = self._accept(user, symbol, kind, amount, now_ms, price)
        self._match(now_ms + self.options.execution_delay_ms)
        return order

    def cancel_by_hand(self, user: User, order: SimOrder, now_ms: int) -> None:
        """Take a resting order back: what it locked is free again."""
        assert order.state == "submitted" and not order.ends_at_once, order
        spec = self.market.specs()[order.symbol]
        wallet = user.wallet(spec.quote if order.side == "buy" else spec.base)
        wallet.frozen -= order.reserve
        wallet.trade += order.reserve
        order.state, order.canceled_ms, order.finished_ms = "canceled", now_ms, now_ms

    def dump(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values."""
        return {"version": 1, "seed": self.market.seed, "anchor_ms": self.market.anchor_ms, **self.state.dump()}
