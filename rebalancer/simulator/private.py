"""The signed read endpoints: accounts, balances, fees, orders, match results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from rebalancer.simulator.envelopes import answer, error_v1, error_v2, ok_v1, ok_v2, padded, text
from rebalancer.simulator.http import Response
from rebalancer.simulator.market import Market
from rebalancer.simulator.state import SimOrder, State, Trade, User

HOUR_MS = 3_600_000
FINISHED_BY_CLIENT_ID_MS = 2 * HOUR_MS
OPEN_BY_CLIENT_ID_MS = 8 * HOUR_MS
CANCELED_KEPT_MS = 2 * HOUR_MS
SEARCH_WINDOW_MS = 48 * HOUR_MS
SEARCHABLE_MS = 180 * 24 * HOUR_MS
FEE_SYMBOLS_MAX = 10
OPEN_STATES = ("created", "submitted", "partial-filled", "canceling")


@dataclass(frozen=True, slots=True)
class PrivateCall:
    """One signed read."""

    state: State
    user: User
    market: Market
    params: dict[str, str]
    argument: str  # the id inside the path, if it has one
    now_ms: int
    old_shape: bool = False
    cleared_after_ms: int = 0  # match results appear this long after a fill
    figures_late_ms: int = 0  # for so long after its end an order shows all but its last fill
    without_fills: str = "empty"  # empty | invalid: the match results of an order that has none (yet)
    canceled_search: str = "ignored"  # ignored | refused: a search for cancelled orders further back than they stay

    def orders(self) -> list[SimOrder]:
        """Return the user's visible orders, newest first."""
        ids = {self.user.spot_id}
        mine = [order for order in self.state.orders.values() if order.account_id in ids]
        shown = (self._as_known(order) for order in mine if self._visible(order))
        return sorted(shown, key=lambda order: -order.order_id)

    def _as_known(self, order: SimOrder) -> SimOrder:
        late = order.finished_ms and self.now_ms < order.finished_ms + self.figures_late_ms
        return replace(order, trades=order.trades[:-1]) if late else order

    def _visible(self, order: SimOrder) -> bool:
        if self.now_ms < order.visible_ms:
            return False
        forgotten = order.state == "canceled" and self.now_ms > order.canceled_ms + CANCELED_KEPT_MS
        return not forgotten


Handler = Callable[[PrivateCall], Response]


def accounts(call: PrivateCall) -> Response:
    """Answer `/v1/account/accounts`."""
    return ok_v1(call.user.accounts())


def balance(call: PrivateCall) -> Response:
    """Answer a balance with rows for every currency, zeros included, trade and frozen not adjacent."""
    if call.argument != str(call.user.spot_id):
        code = "account-get-balance-account-inexistent-error"
        return error_v1(code, "account for id does not exist")
    names = [*call.market.currencies()]
    names += sorted(call.user.wallets.keys() - set(names))
    names = [name for name in names if name not in call.user.unlisted]
    rows: list[dict[str, Any]] = []
    for kind in ("trade", "frozen"):
        for name in names:
            wallet = call.user.wallets.get(name)
            figure = "0" if wallet is None else text(wallet.trade if kind == "trade" else wallet.frozen)
            rows.append({"currency": name, "type": kind, "balance": figure, "debt": "invalid",
                         "available": "invalid", "seq-num": "7"})  # fmt: skip
    return ok_v1({"id": call.user.spot_id, "type": "spot", "state": call.user.spot_state, "list": rows})


def uid(call: PrivateCall) -> Response:
    """Answer `/v2/user/uid`."""
    return answer({"code": 200, "data": call.user.uid, "ok": True})


def api_key(call: PrivateCall) -> Response:
    """Answer `/v2/user/api-key`; a sub-user may not ask."""
    if call.user.sub_user:
        return error_v2(1002, "forbidden")
    if call.params.get("uid") != str(call.user.uid):
        return error_v2(2002, "invalid field value in `uid`")
    row = {
        "accessKey": call.user.access_key, "status": "normal", "note": "rebalancer",
        "permission": ",".join(call.user.permissions), "ipAddresses": ",".join(call.user.ip_addresses),
        "validDays": call.user.days_valid, "createTime": 1_710_000_000_000, "updateTime": 1_710_000_000_000,
    }  # fmt: skip
    return ok_v2([row])


def fee_rate(call: PrivateCall) -> Response:
    """Answer `/v2/reference/transact-fee-rate` for at most ten symbols."""
    wanted = [name for name in call.params.get("symbols", "").split(",") if name]
    if not wanted:
        return error_v2(2003, "missing mandatory field `symbols`")
    if len(wanted) > FEE_SYMBOLS_MAX or any(name not in call.market.specs() for name in wanted):
        return error_v2(2002, "invalid field value in `symbols`")
    rows = []
    for name in wanted:
        rate = text(call.market.specs()[name].taker_fee)
        rows.append({"symbol": name, "makerFeeRate": rate, "takerFeeRate": rate, "actualMakerRate": rate,
                     "actualTakerRate": rate})  # fmt: skip
    return answer({"code": 200, "data": rows, "success": True})


def order_by_id(call: PrivateCall) -> Response:
    """Answer an order by its id."""
    found = next((order for order in call.orders() if str(order.order_id) == call.argument), None)
    if found is None:
        return error_v1("base-record-invalid", "record invalid")
    return ok_v1(order_detail(found, old_shape=call.old_shape))


def order_by_client_id(call: PrivateCall) -> Response:
    """Answer the latest order with a client id: finished ones for 2 h, open ones for 8 h from creation."""
    wanted = call.params.get("clientOrderId")
    if not wanted:
        return error_v1("validation-constraints-required", "Field is missing: client-order-id.")
    for order in call.orders():
        age_ms = call.now_ms - order.created_ms
        limit_ms = OPEN_BY_CLIENT_ID_MS if order.state in OPEN_STATES else FINISHED_BY_CLIENT_ID_MS
        if order.client_order_id == wanted and age_ms <= limit_ms:
            return ok_v1(order_detail(order, old_shape=call.old_shape))
    return error_v1("base-record-invalid", "record invalid")


def order_detail(order: SimOrder, *, old_shape: bool = False) -> dict[str, Any]:
    """Return an order in the shape of the detail endpoints, of 2024 or padded as before."""
    show = padded if old_shape else text
    row: dict[str, Any] = {
        "id": order.order_id, "symbol": order.symbol, "account-id": order.account_id,
        "client-order-id": order.client_order_id, "amount": show(order.amount), "price": show(order.price),
        "created-at": order.created_ms, "type": order.kind, "field-amount": show(order.filled),
        "field-cash-amount": show(order.cash), "field-fees": show(order.fees), "finished-at": order.finished_ms,
        "source": "spot-api", "state": order.state, "canceled-at": order.canceled_ms,
    }  # fmt: skip
    if not old_shape:
        row |= {
            "market-amount": "0", "ice-amount": "0", "is-ice": False,
            "updated-at": order.finished_ms or order.created_ms, "canceled-source": order.canceled_source,
            "canceled-source-desc": order.canceled_desc,
        }  # fmt: skip
    return row


def open_orders(call: PrivateCall) -> Response:
    """Answer `/v1/order/openOrders`, whose field names differ and whose figures are padded."""
    wanted = call.params.get("symbol")
    if wanted is not None and wanted not in call.market.specs():
        return _bad_symbol()
    found = [order for order in call.orders() if order.state in OPEN_STATES and wanted in (None, order.symbol)]
    return ok_v1([_listed(order) for order in _page(found, call.params, default=100)])


def _listed(order: SimOrder) -> dict[str, Any]:
    return {
        "id": order.order_id, "symbol": order.symbol, "account-id": order.account_id,
        "client-order-id": order.client_order_id, "amount": padded(order.amount), "price": padded(order.price),
        "created-at": order.created_ms, "type": order.kind, "filled-amount": padded(order.filled),
        "filled-cash-amount": padded(order.cash), "filled-fees": padded(order.fees), "source": "api",
        "state": order.state,
    }  # fmt: skip


def order_search(call: PrivateCall) -> Response:
    """Answer `/v1/order/orders`: one symbol, given states, a window of at most 48 h."""
    params = call.params
    if not params.get("symbol") or not params.get("states"):
        return error_v1("validation-constraints-required", "Field is missing: symbol or states.")
    if params["symbol"] not in call.market.specs():
        return _bad_symbol()
    last_ms = min(call.now_ms, int(params.get("start-time", call.now_ms)) + SEARCH_WINDOW_MS)
    end_ms = int(params.get("end-time", last_ms))
    start_ms = int(params.get("start-time", end_ms - SEARCH_WINDOW_MS))
    states = set(params["states"].split(","))
    too_late = call.canceled_search == "refused" and "canceled" in states
    refusal = _bad_window(call, start_ms, end_ms, CANCELED_KEPT_MS if too_late else SEARCHABLE_MS)
    if refusal is not None:
        return refusal
    found = [
        order
        for order in call.orders()
        if order.symbol == params["symbol"] and order.state in states and start_ms <= order.created_ms <= end_ms
    ]
    return ok_v1([order_detail(order, old_shape=call.old_shape) for order in _page(found, params, default=100)])


def _bad_symbol() -> Response:
    return error_v1("base-symbol-error", "The symbol is invalid")


def _bad_window(call: PrivateCall, start_ms: int, end_ms: int, kept_ms: int = SEARCHABLE_MS) -> Response | None:
    """Refuse what HTX does not search: the future, what is older than it keeps, and too much at once."""
    if not call.now_ms - kept_ms <= start_ms <= call.now_ms:
        return error_v1("invalid-start-date", "The start date of query contains illegal values.")
    if not call.now_ms - kept_ms <= end_ms <= call.now_ms:
        return error_v1("invalid-end-date", "The end date of query contains illegal values.")
    if not start_ms <= end_ms <= start_ms + SEARCH_WINDOW_MS:
        return error_v1("invalid-interval", "invalid interval")
    return None


def order_history(call: PrivateCall) -> Response:
    """Answer `/v1/order/history`: the last 48 h, symbol optional."""
    wanted = call.params.get("symbol")
    start_ms = max(int(call.params.get("start-time", 0)), call.now_ms - SEARCH_WINDOW_MS)
    end_ms = int(call.params.get("end-time", call.now_ms))
    refusal = _bad_window(call, start_ms, end_ms)
    if refusal is not None:
        return refusal
    found = [
        order
        for order in call.orders()
        if wanted in (None, order.symbol) and order.state not in OPEN_STATES and start_ms <= order.created_ms <= end_ms
    ]
    size = int(call.params.get("size", 100))
    rows = [order_detail(order, old_shape=call.old_shape) for order in found[:size]]
    more = {"next-time": found[size].created_ms} if len(found) > size else {}
    return answer({"status": "ok", "data": rows, **more})


def _page(orders: list[SimOrder], params: dict[str, str], *, default: int) -> Iterable[SimOrder]:
    """Return a page, newest first; `from` with `direct=next` continues below an order id, which is not repeated."""
    size = int(params.get("size", default))
    if "from" in params:
        start = int(params["from"])
        older = params.get("direct", "next") == "next"
        orders = [order for order in orders if (order.order_id < start if older else order.order_id > start)]
    return orders[:size]


def order_fills(call: PrivateCall) -> Response:
    """Answer the match results of one order."""
    found = next((order for order in call.orders() if str(order.order_id) == call.argument), None)
    if found is None:
        return error_v1("base-record-invalid", "record invalid")
    rows = _fill_rows(call, found)
    if not rows and call.without_fills == "invalid":
        return error_v1("base-record-invalid", "record invalid")
    return ok_v1(rows)


def match_results(call: PrivateCall) -> Response:
    """Answer `/v1/order/matchresults` of a symbol, newest first."""
    wanted = call.params.get("symbol")
    if not wanted:
        return error_v1("validation-constraints-required", "Field is missing: symbol.")
    rows = [row for order in call.orders() if order.symbol == wanted for row in _fill_rows(call, order)]
    return ok_v1(rows[: int(call.params.get("size", 100))])


def _fill_rows(call: PrivateCall, order: SimOrder) -> list[dict[str, Any]]:
    if order.finished_ms and call.now_ms < order.finished_ms + call.cleared_after_ms:
        return []
    return [_fill_row(order, trade, call.now_ms) for trade in order.trades]


def _fill_row(order: SimOrder, trade: Trade, now_ms: int) -> dict[str, Any]:
    deducted = bool(trade.deduct_currency)
    return {
        "id": trade.trade_id, "symbol": order.symbol, "order-id": order.order_id, "match-id": trade.trade_id + 1,
        "trade-id": trade.trade_id + 2, "price": text(trade.price), "created-at": trade.at_ms, "type": order.kind,
        "filled-amount": text(trade.quantity), "filled-fees": "0" if deducted else text(trade.fee),
        "fee-currency": trade.fee_currency, "source": "spot-api", "role": "taker",
        "filled-points": text(trade.points), "fee-deduct-currency": trade.deduct_currency,
        "fee-deduct-state": "ongoing" if deducted and now_ms < trade.at_ms + 500 else "done",
        "updated-at": trade.at_ms,
    }  # fmt: skip
