"""Immediate-or-cancel orders at the simulated exchange: what they must satisfy, how far they fill, what they lock."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.simulator.exchange import Exchange
from rebalancer.simulator.state import SimOrder, State
from tests.simulator.requests import START_MS, exchange, place, read

RICH = {"BTC": Decimal(90), "ETH": Decimal(4000), "USDT": Decimal(9_000_000)}


def book_of(made: Exchange, symbol: str = "btcusdt") -> Any:
    return made.market.book(symbol, START_MS)


def only(made: Exchange) -> SimOrder:
    (order,) = made.state.orders.values()
    return order


def sent(made: Exchange, kind: str, amount: str, price: object, **more: Any) -> SimOrder:
    """Place an order that is accepted and let the engine take it."""
    assert place(made, kind, amount, price=str(price), **more)["status"] == "ok"
    read(made, "/v1/account/accounts", now_ms=START_MS + 1000)
    return only(made)


@pytest.mark.parametrize(
    ("kind", "amount", "price", "code"),
    [
        ("buy-ioc", "0.1", None, "validation-constraints-required"),
        ("buy-ioc", "0.1", "", "validation-constraints-required"),
        ("buy-ioc", "0.1", "8.8e4", "order-invalid-price"),
        ("sell-ioc", "0.1", "0", "order-invalid-price"),
        ("sell-ioc", "0.1", 88000, "order-invalid-price"),
        ("buy-ioc", "0.1", "88000.001", "order-orderprice-precision-error"),
        ("buy-ioc", "0.1", "97500", "order-limitorder-price-buy-max-error"),
        ("buy-ioc", "0.1", "8000", "order-limitorder-price-buy-min-error"),
        ("sell-ioc", "0.1", "79000", "order-limitorder-price-sell-min-error"),
        ("sell-ioc", "0.1", "900000", "order-limitorder-price-sell-max-error"),
        ("buy-ioc", "0.0000001", "88000", "order-orderamount-precision-error"),
        ("buy-ioc", "0.0001", "88000", "order-value-min-error"),
        ("sell-ioc", "0.0001", "88000", "order-value-min-error"),
        ("sell-ioc", "99", "88000", "order-limitorder-amount-max-error"),
        ("buy-ioc", "2", "88000", "account-frozen-balance-insufficient-error"),
        ("sell-ioc", "3", "88000", "account-frozen-balance-insufficient-error"),
    ],
)
def test_an_ioc_order_that_breaks_a_rule_is_refused_with_its_code(
    kind: str, amount: str, price: object, code: str
) -> None:
    made = exchange()
    assert place(made, kind, amount, price=price)["err-code"] == code
    assert not made.state.orders


def test_an_ioc_order_below_the_least_quantity_is_refused() -> None:
    made = exchange(holdings=RICH)
    made.market.change_spec("btcusdt", sell_market_min_amount=Decimal("0.01"))
    assert place(made, "buy-ioc", "0.009", price="88000")["err-code"] == "order-limitorder-amount-min-error"


def test_a_buy_locks_amount_times_price_and_gives_back_what_the_better_price_saved() -> None:
    made = exchange(execution_delay_ms=500)
    wallet = made.state.users["access"].wallet("usdt")
    assert place(made, "buy-ioc", "0.5", price="89000")["status"] == "ok"
    assert (wallet.trade, wallet.frozen) == (Decimal(55_500), Decimal(44_500))
    read(made, "/v1/account/accounts", now_ms=START_MS + 1000)
    order = only(made)
    best = book_of(made)[1][0][0]
    assert (order.state, order.filled) == ("filled", Decimal("0.5"))
    assert order.cash == Decimal("0.5") * best
    assert (wallet.trade, wallet.frozen) == (Decimal(100_000) - order.cash, 0)


@pytest.mark.parametrize("kind", ["buy-ioc", "sell-ioc"])
def test_an_order_fills_up_to_its_price_and_the_rest_is_cancelled(kind: str) -> None:
    made = exchange(holdings=RICH)
    bids, asks = book_of(made)
    levels = asks if kind == "buy-ioc" else bids
    order = sent(made, kind, "5", levels[2][0])
    assert order.filled == sum(quantity for _, quantity in levels[:3])
    assert [trade.price for trade in order.trades] == [price for price, _ in levels[:3]]
    assert (order.state, order.canceled_desc) == ("partial-canceled", "ioc")
    detail = read(made, f"/v1/order/orders/{order.order_id}", now_ms=START_MS + 1000)["data"]
    assert (detail["type"], Decimal(detail["price"]), detail["amount"]) == (kind, levels[2][0], "5")


@pytest.mark.parametrize("kind", ["buy-ioc", "sell-ioc"])
def test_an_order_whose_price_nobody_meets_is_cancelled_whole_and_moves_nothing(kind: str) -> None:
    made = exchange()
    bids, asks = book_of(made)
    order = sent(made, kind, "0.5", bids[0][0] if kind == "buy-ioc" else asks[0][0])
    assert (order.state, order.filled, order.canceled_desc) == ("canceled", 0, "ioc")
    wallets = made.state.users["access"].wallets
    assert {name: (w.trade, w.frozen) for name, w in wallets.items()} == {"btc": (2, 0), "usdt": (100_000, 0)}


def test_no_circuit_breaker_stops_what_has_a_price_of_its_own() -> None:
    made = exchange(holdings=RICH)
    made.market.change_spec("btcusdt", market_buy_rate=Decimal(0))
    assert sent(made, "buy-ioc", "0.1", book_of(made)[1][5][0]).state == "filled"


@pytest.mark.parametrize("fill_precision", ["significant", "amount"])
@pytest.mark.parametrize("seed", range(10))
def test_money_is_conserved_and_no_trade_is_worse_than_the_price(seed: int, fill_precision: str) -> None:
    rng = random.Random(seed)
    made = exchange(holdings=RICH, fill_precision=fill_precision)
    now_ms = START_MS
    for _ in range(25):
        symbol, most = rng.choice([("btcusdt", 3.0), ("ethusdt", 90.0)])
        kind = rng.choice(["buy-ioc", "sell-ioc"])
        bids, asks = made.market.book(symbol, now_ms)
        price = rng.choice([*bids, *asks])[0]
        place(made, kind, f"{rng.uniform(0.01, most):.4f}", now_ms=now_ms, symbol=symbol, price=str(price))
        now_ms += rng.randint(10, 3000)
        read(made, "/v1/account/accounts", now_ms=now_ms)
        user = made.state.users["access"]
        ended = list(made.state.orders.values())
        signs = {"buy": 1, "sell": -1}
        for name in ("btc", "eth"):
            moved = [signs[o.side] * o.filled - (o.fees if o.side == "buy" else 0) for o in ended if name in o.symbol]
            assert user.wallet(name).trade == RICH[name.upper()] + sum(moved), f"seed {seed}"
        cash = sum(-signs[o.side] * o.cash - (o.fees if o.side == "sell" else 0) for o in ended)
        assert user.wallet("usdt").trade == RICH["USDT"] + cash, f"seed {seed}"
        for order in ended:
            assert all(signs[order.side] * (order.price - trade.price) >= 0 for trade in order.trades), f"seed {seed}"
            assert order.filled <= order.amount, f"seed {seed}"
            assert order.side == "sell" or order.cash <= order.reserve, f"seed {seed}"
        assert all(wallet.frozen == 0 for wallet in user.wallets.values()), f"seed {seed}"
    assert {order.state for order in ended} > {"filled"}, f"seed {seed}"


def test_an_ioc_order_survives_a_restart_of_the_exchange() -> None:
    made = exchange(execution_delay_ms=500)
    place(made, "buy-ioc", "0.5", price="89000")
    again = exchange(execution_delay_ms=500)
    again.state = State.load(made.dump())
    read(again, "/v1/account/accounts", now_ms=START_MS + 1000)
    assert (only(again).state, only(again).price) == ("filled", Decimal(89_000))
