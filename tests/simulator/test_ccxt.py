"""A foreign HTX client, ccxt's own and unmodified, trades on the loopback exchange."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from rebalancer.cli.embedded import ACCESS_KEY, SECRET_KEY
from tests.simulator.loopback import running_exchange

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what ccxt's own dependencies warn of is not ours
    import ccxt


@pytest.fixture(scope="module")
def htx() -> Iterator[Any]:
    with running_exchange("--balances", "BTC=0.5,USDT=1000") as (url, _):
        client = ccxt.htx({"apiKey": ACCESS_KEY, "secret": SECRET_KEY, "enableRateLimit": False})
        host = url.removeprefix("http://")
        client.options["defaultType"] = "spot"
        client.options["fetchMarkets"]["types"] = {"spot": True, "linear": False, "inverse": False}
        client.hostname = host
        client.urls["hostnames"]["spot"] = host
        client.urls["api"] = {
            name: address.replace("https://", "http://") if isinstance(address, str) else address
            for name, address in client.urls["api"].items()
        }
        client.session.trust_env = False
        yield client
        client.session.close()


def test_markets_time_prices_and_book_are_read(htx: Any) -> None:
    markets = htx.load_markets()
    assert {"BTC/USDT", "ETH/USDT", "ETH/BTC"} <= set(markets)
    assert markets["BTC/USDT"]["precision"]["amount"] == 0.000001
    assert abs(htx.fetch_time() - htx.milliseconds()) < 60_000
    tickers = htx.fetch_tickers()
    assert tickers["BTC/USDT"]["bid"] > 0
    book = htx.fetch_order_book("BTC/USDT", 20)
    assert book["bids"][0][0] < book["asks"][0][0]


def test_a_buy_for_a_value_and_a_sell_of_an_amount_are_made_and_read_back(htx: Any) -> None:
    htx.load_markets()
    before = htx.fetch_balance()
    assert before["BTC"]["free"] == 0.5
    bought = htx.create_market_buy_order_with_cost("BTC/USDT", 100)
    sold = htx.create_order("BTC/USDT", "market", "sell", 0.01)
    htx.sleep(200)
    buy, sell = htx.fetch_order(bought["id"], "BTC/USDT"), htx.fetch_order(sold["id"], "BTC/USDT")
    assert (buy["status"], buy["side"]) == ("closed", "buy")
    assert abs(buy["cost"] - 100) < 0.01
    assert (sell["status"], sell["filled"]) == ("closed", 0.01)
    trades = htx.fetch_my_trades("BTC/USDT")
    assert {bought["id"], sold["id"]} <= {trade["order"] for trade in trades}
    after = htx.fetch_balance()
    assert after["USDT"]["total"] > before["USDT"]["total"]
    assert after["BTC"]["total"] < before["BTC"]["total"]


def test_an_ioc_order_with_a_limit_is_made_and_read_back(htx: Any) -> None:
    htx.load_markets()
    ask, bid = (htx.fetch_ticker(f"{coin}/USDT")[side] for coin, side in (("ETH", "ask"), ("BTC", "bid")))
    at_once = {"timeInForce": "IOC"}
    met = htx.create_order("ETH/USDT", "limit", "buy", 0.01, round(ask * 1.01, 2), at_once)
    unmet = htx.create_order("BTC/USDT", "limit", "sell", 0.001, round(bid * 1.05, 2), at_once)
    htx.sleep(200)
    bought, kept = htx.fetch_order(met["id"], "ETH/USDT"), htx.fetch_order(unmet["id"], "BTC/USDT")
    assert (bought["info"]["type"], bought["status"], bought["filled"]) == ("buy-ioc", "closed", 0.01)
    assert bought["cost"] <= 0.01 * bought["price"]
    assert (kept["info"]["type"], kept["status"], kept["filled"]) == ("sell-ioc", "canceled", 0)
