from __future__ import annotations

import json
import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.simulator.exchange import Exchange
from rebalancer.simulator.faults import FAULT_KINDS, Faults, FaultSpecError
from rebalancer.simulator.http import Request
from rebalancer.simulator.state import State
from tests.simulator.requests import HOST, START_MS, answered, exchange, place, read, signed

ACCOUNTS = "/v1/account/accounts"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (signed("GET", ACCOUNTS, secret="wrong"), "Verification failure [校验失败]"),
        (signed("GET", ACCOUNTS, auth={"AccessKeyId": "nobody"}), "Incorrect Access key [Access key错误]"),
        (signed("GET", ACCOUNTS, now_ms=START_MS - 301_000), "Invalid submission time"),
        (signed("GET", ACCOUNTS, now_ms=START_MS + 302_000), "Invalid submission time"),
        (signed("GET", ACCOUNTS, auth={"Timestamp": "yesterday"}), "Invalid submission time"),
        (replace(signed("GET", ACCOUNTS), host="other.host"), "Verification failure"),
        (replace(signed("GET", ACCOUNTS), path="/v2/user/uid"), "Verification failure"),
    ],
)
def test_each_flaw_of_a_signature_is_refused_in_the_exchange_words(request_: Request, words: str) -> None:
    document = answered(exchange().handle(request_, START_MS))
    assert words in (document.get("err-msg") or document.get("message"))


def test_a_tampered_query_no_longer_verifies() -> None:
    request = signed("GET", "/v1/order/openOrders", {"symbol": "btcusdt"})
    tampered = replace(request, query=request.query.replace("btcusdt", "ethusdt"))
    assert answered(exchange().handle(tampered, START_MS))["err-code"] == "api-signature-not-valid"


def test_a_request_without_auth_parameters_must_log_in() -> None:
    assert answered(exchange().handle(Request("GET", HOST, ACCOUNTS), START_MS))["err-code"] == "login-required"


def test_the_caller_address_must_be_on_the_list_and_is_shown() -> None:
    made = exchange()
    made.state.users["access"].ip_addresses = ("203.0.113.0/24",)
    assert read(made, ACCOUNTS)["err-msg"].endswith("[IP地址错误]:127.0.0.1")
    allowed = replace(signed("GET", ACCOUNTS), client_ip="203.0.113.9")
    assert answered(made.handle(allowed, START_MS))["status"] == "ok"


def test_a_read_only_key_cannot_place() -> None:
    made = exchange()
    made.state.users["access"].permissions = ("readOnly",)
    assert "no permission" in place(made, "sell-market", "0.1")["err-msg"]


def test_unknown_paths_and_bodies_on_get_are_refused_by_status() -> None:
    made = exchange()
    assert made.handle(signed("GET", "/v1/nowhere"), START_MS).status == 405
    assert made.handle(replace(signed("GET", ACCOUNTS), body=b"{}"), START_MS).status == 403


@pytest.mark.parametrize(
    ("kind", "amount", "more", "code"),
    [
        ("buy-market", "9.99", {}, "order-value-min-error"),
        ("buy-market", "10.123456789", {}, "order-orderamount-precision-error"),
        ("buy-market", "1000001", {}, "order-marketorder-amount-buy-max-error"),
        ("buy-market", "100001", {}, "account-frozen-balance-insufficient-error"),
        ("sell-market", "0.000001", {}, "order-marketorder-amount-min-error"),
        ("sell-market", "0.1234567", {}, "order-orderamount-precision-error"),
        ("sell-market", "99", {}, "order-marketorder-amount-sell-max-error"),
        ("sell-market", "3", {}, "account-frozen-balance-insufficient-error"),
        ("sell-market", "1e-3", {}, "invalid-amount"),
        ("sell-market", "-1", {}, "invalid-amount"),
        ("sell-market", "0", {}, "invalid-amount"),
        ("sell-limit", "1", {}, "order-type-invalid"),
        ("sell-market", "1", {"price": "1"}, "order-invalid-price"),
        ("sell-market", "1", {"source": "margin-api"}, "order-source-invalid"),
        ("sell-market", "1", {"client-order-id": "a b"}, "invalid-client-order-id"),
        ("sell-market", "1", {"symbol": "nonsense"}, "base-symbol-error"),
        ("sell-market", "1", {"symbol": "BTCUSDT"}, "base-symbol-error"),
        ("sell-market", "1", {"symbol": "husdusdt"}, "base-symbol-trade-disabled"),
        ("sell-market", "1", {"symbol": "gtusdt"}, "base-symbol-trade-disabled"),
        ("sell-market", "1", {"account-id": "1"}, "account-account-id-inexistent"),
        ("sell-market", "", {}, "validation-constraints-required"),
    ],
)
def test_a_placement_that_breaks_a_rule_is_refused_with_its_code(
    kind: str, amount: str, more: dict[str, Any], code: str
) -> None:
    made = exchange()
    assert place(made, kind, amount, **more)["err-code"] == code
    assert not made.state.orders


def test_the_least_buy_is_inclusive() -> None:
    assert place(exchange(), "buy-market", "10")["status"] == "ok"


@pytest.mark.parametrize("change", [{"headers": {}}, {"body": b"{"}, {"body": b"[]"}])
def test_a_post_that_is_no_json_gets_the_gateway_error(change: dict[str, Any]) -> None:
    made = exchange()
    request = replace(signed("POST", "/v1/order/orders/place", body={}), **change)
    assert answered(made.handle(request, START_MS))["err-code"] == "gateway-internal-error"


def test_types_are_text_here_and_numbers_there() -> None:
    made = exchange()
    number = place(made, "sell-market", "0.5")["data"]
    assert isinstance(number, str)
    detail = read(made, f"/v1/order/orders/{number}", now_ms=START_MS + 1000)["data"]
    assert isinstance(detail["id"], int) and isinstance(detail["field-amount"], str)
    balance = read(made, "/v1/account/accounts/10101010/balance")["data"]
    assert isinstance(balance["id"], int) and all(isinstance(row["balance"], str) for row in balance["list"])
    assert len(balance["list"]) > 2800


def test_an_order_is_open_until_it_is_due_and_its_funds_are_frozen() -> None:
    made = exchange(execution_delay_ms=500)
    number = place(made, "sell-market", "0.5")["data"]
    assert read(made, f"/v1/order/orders/{number}")["data"]["state"] == "submitted"
    wallet = made.state.users["access"].wallet("btc")
    assert (wallet.trade, wallet.frozen) == (Decimal("1.5"), Decimal("0.5"))
    listed = read(made, "/v1/order/openOrders", {"symbol": "btcusdt", "account-id": "10101010"})["data"]
    assert listed[0]["filled-amount"] == "0.0"
    assert read(made, f"/v1/order/orders/{number}", now_ms=START_MS + 501)["data"]["state"] == "filled"
    assert wallet.frozen == 0


@pytest.mark.parametrize(("kind", "coin", "locked"), [("buy-limit", "usdt", 12_000), ("sell-limit", "btc", 0.3)])
def test_an_order_that_rests_locks_what_it_would_pay_with_until_it_is_taken_back(
    kind: str, coin: str, locked: float
) -> None:
    made = exchange()
    user = made.state.users["access"]
    wallet, free = user.wallet(coin), user.wallet(coin).trade
    resting = made.place_by_hand(user, "btcusdt", kind, Decimal("0.3"), START_MS, price=Decimal(40_000))
    read(made, ACCOUNTS, now_ms=START_MS + 3_600_000)
    assert (wallet.frozen, wallet.trade) == (Decimal(str(locked)), free - Decimal(str(locked)))
    made.cancel_by_hand(user, resting, START_MS + 3_600_000)
    assert (wallet.frozen, wallet.trade, resting.state) == (0, free, "canceled")


def test_a_buy_walks_the_book_and_pays_its_fee_in_the_coin_received() -> None:
    made = exchange(fill_precision="significant")
    number = place(made, "buy-market", "90000")["data"]
    detail = read(made, f"/v1/order/orders/{number}", now_ms=START_MS + 1000)["data"]
    fills = read(made, f"/v1/order/orders/{number}/matchresults", now_ms=START_MS + 1000)["data"]
    prices = [Decimal(row["price"]) for row in fills]
    assert len(prices) > 1 and prices == sorted(prices), "the asks are eaten from the best upward"
    assert sum(Decimal(row["filled-amount"]) for row in fills) == Decimal(detail["field-amount"])
    assert {row["fee-currency"] for row in fills} == {"btc"}
    bought = made.state.users["access"].wallet("btc").trade - 2
    assert bought == Decimal(detail["field-amount"]) - Decimal(detail["field-fees"])


def test_two_orders_of_one_instant_do_not_eat_the_same_level() -> None:
    made = exchange(holdings={"BTC": Decimal(9), "USDT": Decimal(1)})
    first, second = (place(made, "sell-market", "1.5")["data"] for _ in range(2))
    first_cash, second_cash = (
        Decimal(read(made, f"/v1/order/orders/{n}", now_ms=START_MS + 900)["data"]["field-cash-amount"])
        for n in (first, second)
    )
    assert second_cash < first_cash


def test_the_circuit_breaker_stops_an_order_that_walks_too_far() -> None:
    made = exchange(holdings={"LEO": Decimal(9_000_000)})
    made.market.change_spec("leousdt", market_sell_rate=Decimal("0.001"), sell_market_max_amount=Decimal(10**7))
    number = place(made, "sell-market", "100000", symbol="leousdt")["data"]
    detail = read(made, f"/v1/order/orders/{number}", now_ms=START_MS + 1000)["data"]
    assert (detail["state"], detail["canceled-source"]) == ("partial-canceled", 410)
    assert detail["canceled-source-desc"] == "Market order circuit-breaker"
    assert 0 < Decimal(detail["field-amount"]) < 100_000


def test_an_exhausted_book_cancels_the_rest() -> None:
    made = exchange(holdings={"LEO": Decimal(9_000_000)})
    made.market.change_spec("leousdt", sell_market_max_amount=Decimal(10**7))
    number = place(made, "sell-market", "5000000", symbol="leousdt")["data"]
    detail = read(made, f"/v1/order/orders/{number}", now_ms=START_MS + 1000)["data"]
    assert detail["state"] == "partial-canceled"
    wallet = made.state.users["access"].wallet("leo")
    assert wallet.frozen == 0 and wallet.trade == 9_000_000 - Decimal(detail["field-amount"])


def test_the_recorded_worked_example_of_a_partial_last_slice() -> None:
    made = exchange(holdings={"USDT": Decimal(20)})
    made.market.book = lambda *_: ([(Decimal("0.7"), Decimal(100))], [(Decimal("0.733"), Decimal(100))])  # type: ignore[method-assign]
    made.market.last_price = lambda *_: Decimal("0.733")  # type: ignore[method-assign]
    place(made, "buy-market", "20", symbol="adausdt")
    order = made.state.orders[max(made.state.orders)]
    made.handle(signed("GET", ACCOUNTS, now_ms=START_MS + 100), START_MS + 100)
    assert (order.filled, order.cash) == (Decimal("27.2851296043656207"), Decimal("19.999999999999999973"))
    assert order.fees == Decimal("0.054570259208731241")


def test_amount_precision_mode_refuses_a_finer_buy() -> None:
    made = exchange(buy_precision="amount")
    assert place(made, "buy-market", "25.1234567")["err-code"] == "order-orderamount-precision-error"
    assert place(made, "buy-market", "25.123456")["status"] == "ok"


def test_a_reused_client_id_is_accepted_and_the_latest_wins() -> None:
    made = exchange()
    place(made, "sell-market", "0.1", **{"client-order-id": "same"})
    second = place(made, "sell-market", "0.2", **{"client-order-id": "same"})["data"]
    found = read(made, "/v1/order/orders/getClientOrder", {"clientOrderId": "same"}, now_ms=START_MS + 100)["data"]
    assert str(found["id"]) == second
    strict = exchange(duplicates="reject")
    place(strict, "sell-market", "0.1", **{"client-order-id": "same"})
    assert place(strict, "sell-market", "0.1", **{"client-order-id": "same"})["err-code"] == "invalid-client-order-id"


def test_finished_orders_answer_by_client_id_for_two_hours_only() -> None:
    made = exchange()
    number = place(made, "sell-market", "0.1", **{"client-order-id": "old"})["data"]
    late = START_MS + 2 * 3_600_000 + 1000
    assert (
        read(made, "/v1/order/orders/getClientOrder", {"clientOrderId": "old"}, now_ms=late)["err-code"]
        == "base-record-invalid"
    )
    assert read(made, f"/v1/order/orders/{number}", now_ms=late)["status"] == "ok"


def test_a_search_window_over_48_hours_is_refused() -> None:
    params = {
        "symbol": "btcusdt",
        "states": "filled",
        "start-time": str(START_MS - 50 * 3_600_000),
        "end-time": str(START_MS),
    }
    assert read(exchange(), "/v1/order/orders", params)["err-code"] == "invalid-interval"


@pytest.mark.parametrize("endpoint", ["/v1/order/orders", "/v1/order/history"])
@pytest.mark.parametrize(
    ("start_h", "end_h", "code"),
    [(-1, 0.001, "invalid-end-date"), (0.001, 0.002, "invalid-start-date"), (-1, -2, "invalid-interval")],
)
def test_a_search_window_in_the_future_or_backwards_is_refused(
    endpoint: str, start_h: float, end_h: float, code: str
) -> None:
    moments = {"start-time": start_h, "end-time": end_h}
    params = {name: str(START_MS + round(hours * 3_600_000)) for name, hours in moments.items()}
    found = read(exchange(), endpoint, {"symbol": "btcusdt", "states": "filled", **params})
    assert found["err-code"] == code


@pytest.mark.parametrize(
    ("states", "days", "refused"), [("filled", 180.1, True), ("filled", 179.9, False), ("filled,canceled", 1, True)]
)
def test_a_search_further_back_than_orders_are_kept_is_refused(states: str, days: float, refused: bool) -> None:
    start_ms = START_MS - round(days * 24 * 3_600_000)
    params = {"symbol": "btcusdt", "states": states, "start-time": str(start_ms)}
    found = read(exchange(canceled_search="refused"), "/v1/order/orders", params)
    assert found.get("err-code") == ("invalid-start-date" if refused else None)
    if states != "filled":
        assert read(exchange(), "/v1/order/orders", params)["status"] == "ok", "it may just find nothing"


def test_fees_in_points_leave_the_received_coin_whole() -> None:
    made = exchange(holdings={"BTC": Decimal(1), "HTX": Decimal(100000)}, deduct_fees_in_points=True)
    number = place(made, "sell-market", "0.1")["data"]
    rows = read(made, f"/v1/order/orders/{number}/matchresults", now_ms=START_MS + 100)["data"]
    assert rows[0]["fee-deduct-state"] == "ongoing"
    assert rows[0]["filled-fees"] == "0" and Decimal(rows[0]["filled-points"]) > 0
    assert (
        read(made, f"/v1/order/orders/{number}/matchresults", now_ms=START_MS + 900)["data"][0]["fee-deduct-state"]
        == "done"
    )


def test_rate_limits_count_and_refuse_with_headers() -> None:
    made = exchange()
    last = [made.handle(signed("GET", "/v1/order/matchresults", {"symbol": "btcusdt"}), START_MS) for _ in range(21)]
    assert last[0].headers["x-hb-ratelimit-requests-remain"] == "19"
    assert answered(last[-1])["err-code"] == "rate-too-many-requests"
    later = signed("GET", "/v1/order/matchresults", {"symbol": "btcusdt"}, now_ms=START_MS + 2000)
    assert answered(made.handle(later, START_MS + 2000))["status"] == "ok"


@pytest.mark.parametrize("seed", range(8))
def test_coins_are_conserved_over_random_orders(seed: int) -> None:
    rng = random.Random(seed)
    made = exchange(holdings={"BTC": Decimal(3), "ETH": Decimal(40), "USDT": Decimal(300_000)})
    for step in range(30):
        symbol = rng.choice(["btcusdt", "ethusdt", "ethbtc"])
        kind = rng.choice(["buy-market", "sell-market"])
        amount = {
            "buy-market": "0.05" if symbol == "ethbtc" else str(rng.randint(20, 9000)),
            "sell-market": f"0.{rng.randint(1, 9)}",
        }[kind]
        place(made, kind, amount, now_ms=START_MS + step * 1000, symbol=symbol)
    read(made, ACCOUNTS, now_ms=START_MS + 60_000)
    wanted = {"btc": Decimal(3), "eth": Decimal(40), "usdt": Decimal(300_000)}
    for order in made.state.orders.values():
        spec = made.market.specs()[order.symbol]
        sign = 1 if order.side == "buy" else -1
        wanted[spec.base] += sign * order.filled - (order.fees if sign == 1 else 0)
        wanted[spec.quote] -= sign * order.cash + (order.fees if sign == -1 else 0)
    wallets = made.state.users["access"].wallets
    held = {name: wallets[name].trade + wallets[name].frozen for name in wanted}
    assert held == wanted, f"seed {seed}"
    assert all(wallet.trade >= 0 and wallet.frozen == 0 for wallet in wallets.values()), f"seed {seed}"


def test_a_saved_exchange_answers_the_same() -> None:
    made = exchange()
    number = place(made, "buy-market", "5000", **{"client-order-id": "kept"})["data"]
    read(made, ACCOUNTS, now_ms=START_MS + 100)
    again = Exchange(made.market, state=State.load(json.loads(json.dumps(made.dump()))))
    for path in (
        f"/v1/order/orders/{number}",
        "/v1/account/accounts/10101010/balance",
        f"/v1/order/orders/{number}/matchresults",
    ):
        request = signed("GET", path, now_ms=START_MS + 5000)
        assert again.handle(request, START_MS + 5000).body == made.handle(request, START_MS + 5000).body
    assert again.state.next_id == made.state.next_id


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_every_fault_fires_where_it_makes_sense(kind: str) -> None:
    made = exchange(kind)
    body = {"account-id": "10101010", "symbol": "btcusdt", "type": "sell-market", "amount": "0.1"}
    made.handle(signed("POST", "/v1/order/orders/place", body=body), START_MS)
    made.handle(signed("GET", "/v1/account/accounts/10101010/balance"), START_MS)
    for path, query in (
        ("/v1/common/timestamp", ""),
        ("/v2/market-status", ""),
        ("/market/tickers", ""),
        ("/market/depth", "symbol=btcusdt&type=step0"),
    ):
        made.handle(Request("GET", HOST, path, query), START_MS)
    assert made.faults.fired[kind] >= 1


def test_a_delayed_request_is_carried_out_minutes_later() -> None:
    made = exchange("delayed_request@place=1x1")
    body = {"account-id": "10101010", "symbol": "btcusdt", "type": "sell-market", "amount": "0.1"}
    assert made.handle(signed("POST", "/v1/order/orders/place", body=body), START_MS).dropped
    assert not made.state.orders
    read(made, ACCOUNTS, now_ms=START_MS + 119_000)
    assert not made.state.orders
    read(made, ACCOUNTS, now_ms=START_MS + 121_000)
    assert len(made.state.orders) == 1


@pytest.mark.parametrize(
    "spec", ["nonsense", "lost_reply@nowhere", "lost_reply=2", "lost_reply=x", "=1", "lost_reply=0.1x"]
)
def test_a_bad_fault_specification_says_what_is_known(spec: str) -> None:
    with pytest.raises(FaultSpecError, match=r"known|kind\[|not within|number"):
        Faults.parse(spec)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("lost_reply@placex2", ("lost_reply", "place", 1.0, 2)),
        ("lost_reply@order-searchx3", ("lost_reply", "order-search", 1.0, 3)),
        ("html_502@balance=0.05x3", ("html_502", "balance", 0.05, 3)),
        ("partialx1", ("partial", "place", 1.0, 1)),
        ("http_429", ("http_429", "", 1.0, None)),
    ],
)
def test_every_part_of_a_fault_specification_may_be_left_out(
    text: str, rule: tuple[str, str, float, int | None]
) -> None:
    (found,) = Faults.parse(text)._rules
    assert (found.kind, found.endpoint, found.probability, found.left) == rule
