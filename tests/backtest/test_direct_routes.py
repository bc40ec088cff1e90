"""Back-tests over direct pairs: the same planner, books to the last digit, and fewer fees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rebalancer.backtest.engine import run_backtest
from rebalancer.backtest.result import Result
from rebalancer.backtest.series import generate
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.money import EXACT, ZERO
from rebalancer.core.targets import OrderPolicy, OrderType, Route
from tests.backtest.histories import FREE, d, targets

WEIGHTS: dict[str, str | int] = {"BTC": 30, "ETH": 25, "SOL": 20, "LINK": 10, "USDT": 15}
SPREAD = replace(FREE, spread_bps=d(4))
COINS = ("BTC", "ETH", "SOL", "LINK")


def run(seed: int, route: Route, setting: BacktestSetting = SPREAD, order_type: OrderType = OrderType.MARKET) -> Result:
    wanted = replace(targets(WEIGHTS), orders=OrderPolicy(order_type, route))
    return run_backtest(generate(seed, 400, COINS), wanted, setting)


@pytest.mark.parametrize("order_type", list(OrderType))
@pytest.mark.parametrize("seed", range(6))
def test_direct_orders_save_fees_and_the_books_stay_exact(seed: int, order_type: OrderType) -> None:
    direct, over_quote = (run(seed, route, SPREAD, order_type) for route in (Route.DIRECT, Route.QUOTE))
    pairs = {trade.symbol for trade in direct.trades if trade.quote != "USDT"}
    assert pairs and pairs <= {"ethbtc", "solbtc", "linkbtc", "soleth", "linketh"}, f"seed {seed}"
    assert all(trade.quote == "USDT" for trade in over_quote.trades), f"seed {seed}"
    assert direct.fees_quote < over_quote.fees_quote, f"seed {seed}"
    summed = dict(direct.initial)
    for trade in direct.trades:
        for asset, change in trade.changes.items():
            summed[asset] = EXACT.add(summed[asset], change)
    assert summed == direct.final and min(summed.values()) >= ZERO, f"seed {seed}"


@pytest.mark.parametrize("seed", range(6))
def test_direct_orders_keep_to_the_turnover_of_a_cycle(seed: int) -> None:
    result = run(seed, Route.DIRECT, replace(SPREAD, caps=True))
    assert result.turnover.max() <= 0.1 * 1.01, f"seed {seed}: ten percent a cycle, at the close"
