"""The monthly full rebalance run by bt and cvxportfolio on the same closes: whether they trade the same, and how fast.

They come with the extra `bench`. Neither knows lots or minimums, and each has fee models of its own, so all trade free
of charge here: then equal policies must trade equal amounts, and what is compared is the arithmetic.
"""

from __future__ import annotations

import importlib.util
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from rebalancer.backtest.engine import run_backtest
from rebalancer.backtest.policies import Calendar, Period, period_of, run_policy
from rebalancer.backtest.result import Result
from rebalancer.backtest.series import Series
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.drift import FloatArray
from rebalancer.core.money import ZERO, to_float
from rebalancer.core.targets import Targets

RUNS = 3
SAME = 1e-9  # of NAV
INSTALL = "pip install -e '.[bench]'"


def compare(
    series: Series, targets: Targets, setting: BacktestSetting, names: Sequence[str] = ("bt", "cvxportfolio")
) -> dict[str, Any]:
    """Return, by peer, the largest difference of a trade as a fraction of NAV, and how many times slower it is."""
    free = replace(setting, fee_rate=ZERO, spread_bps=ZERO, min_order_quote=ZERO)
    ours = run_policy(Calendar(Period.MONTH), series, targets, free)
    wanted = traded(ours, series, targets)
    seconds = _best(lambda: run_policy(Calendar(Period.MONTH), series, targets, free))
    planner_s = _best(lambda: run_backtest(series, targets, setting))
    made: dict[str, Any] = {
        "ours": {"calendar_s": seconds, "planner_s": planner_s, "rebalances": int(ours.orders.astype(bool).sum())}
    }
    for name in names:
        if importlib.util.find_spec(name) is None:
            made[name] = {"missing": f"{name} is not installed: {INSTALL}"}
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs, about pandas
            theirs, peer_s = PEERS[name](series, targets, free)
        apart = float(np.abs((theirs - wanted) / ours.nav_quote[:, np.newaxis]).max())
        made[name] = {
            "seconds": peer_s,
            "times_slower_than_calendar": peer_s / seconds,
            "times_slower_than_planner": peer_s / planner_s,
            "largest_difference_of_nav": apart,
            "same_trades": apart <= SAME,
        }
    return made


def coins_of(targets: Targets) -> list[str]:
    return [asset for asset in targets.assets if asset != targets.quote]


def traded(result: Result, series: Series, targets: Targets) -> FloatArray:
    """Return the value bought of each coin at each time (sold: negative), from what was held before and after."""
    coins = [result.assets.index(coin) for coin in coins_of(targets)]
    closes = series.closes[:, [series.assets.index(coin) for coin in coins_of(targets)]]
    held = result.weights[:, coins] * result.nav_quote[:, np.newaxis] / closes
    made = np.zeros_like(held)
    made[:-1] = np.diff(held, axis=0) * closes[:-1]
    return made


def turns(series: Series) -> list[int]:
    """Return the times at which a month begins."""
    months = [period_of(at, Period.MONTH) for at in series.times]
    return [number for number, (before, now) in enumerate(pairwise(months), start=1) if before != now]


def table(made: dict[str, Any]) -> list[str]:
    ours = made["ours"]
    what = f"monthly full rebalance without fees, {ours['rebalances']} times"
    speed = f"ours {ours['calendar_s'] * 1000:.1f} ms, our planner with bands {ours['planner_s'] * 1000:.1f} ms"
    lines = [f"{what}: {speed}"]
    for name, found in made.items():
        if name == "ours":
            continue
        if "missing" in found:
            lines.append(f"{name:<14}{found['missing']}")
            continue
        same = "same trades" if found["same_trades"] else "OTHER TRADES"
        lines.append(
            f"{name:<14}{found['seconds']:.3f} s, {found['times_slower_than_calendar']:.0f} times ours,"
            f" {found['times_slower_than_planner']:.1f} times our planner; {same}"
            f" (at most {found['largest_difference_of_nav']:.1e} of NAV apart)"
        )
    return lines


def _best(call: Callable[[], object]) -> float:
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _frame(series: Series, targets: Targets) -> Any:
    import pandas as pd  # noqa: PLC0415  # of the extra, as the peers

    index = pd.DatetimeIndex([at.replace(tzinfo=None) for at in series.times])
    coins = coins_of(targets)
    return pd.DataFrame(series.closes[:, [series.assets.index(coin) for coin in coins]], index=index, columns=coins)


def _bt(series: Series, targets: Targets, setting: BacktestSetting) -> tuple[FloatArray, float]:
    import bt  # noqa: PLC0415

    prices, dates = (
        _frame(series, targets),
        [series.times[number].replace(tzinfo=None) for number in (0, *turns(series))],
    )
    weights = {coin: to_float(targets.fraction(coin)) for coin in coins_of(targets)}

    def run() -> Any:
        algos = [
            bt.algos.RunOnDate(*dates),
            bt.algos.SelectAll(),
            bt.algos.WeighSpecified(**weights),
            bt.algos.Rebalance(),
        ]
        test = bt.Backtest(
            bt.Strategy("monthly", algos),
            prices,
            initial_capital=to_float(setting.nav_quote),
            commissions=lambda _quantity, _price: 0.0,
            integer_positions=False,
        )
        test.run()
        return test

    seconds = _best(run)
    held = run().positions.reindex(index=prices.index, columns=prices.columns)
    bought = held.diff().fillna(0.0) * prices
    bought.iloc[0] = 0.0  # the first build, which ours begins with
    return bought.to_numpy(), seconds


def _cvxportfolio(series: Series, targets: Targets, setting: BacktestSetting) -> tuple[FloatArray, float]:
    import cvxportfolio as cvx  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    logging.getLogger("cvxportfolio").setLevel(logging.CRITICAL)
    prices = _frame(series, targets)
    returns = (prices.shift(-1) / prices - 1).iloc[:-1]  # a trade at this close earns until the next
    returns[targets.quote] = 0.0
    goals = pd.Series({asset: to_float(targets.fraction(asset)) for asset in [*coins_of(targets), targets.quote]})
    dates = [prices.index[number] for number in turns(series) if number < len(returns)]
    with tempfile.TemporaryDirectory() as folder:
        data = cvx.UserProvidedMarketData(
            returns=returns, cash_key=targets.quote, min_history=pd.Timedelta(0), base_location=Path(folder)
        )
        simulator = cvx.MarketSimulator(market_data=data, cash_key=targets.quote, base_location=Path(folder))
        policy = cvx.PeriodicRebalance(target=goals, rebalancing_times=dates)

        def run() -> Any:
            return simulator.backtest(policy, start_time=returns.index[0], h=goals * to_float(setting.nav_quote))

        seconds = _best(run)
        bought = run().u.reindex(index=prices.index, columns=prices.columns).fillna(0.0)
    return bought.to_numpy(), seconds


PEERS = {"bt": _bt, "cvxportfolio": _cvxportfolio}
