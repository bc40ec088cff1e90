"""The parts of the policy benchmark measure what they say, on small cases."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from rebalancer.backtest.policies import Calendar, Period, run_policy
from rebalancer.backtest.series import generate
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.errors import ConfigError
from tests.backtest.histories import COINS, FREE, targets
from tests.benchmarks.policy_parts import markets, peers, speed
from tests.benchmarks.policy_parts.portfolios import DEFAULT, parse_weights, targets_of, weights_for
from tests.benchmarks.policy_parts.ratios import LIMITS


def test_the_default_weights_are_cut_to_the_coins_of_a_file() -> None:
    assert weights_for([*DEFAULT, "DOGE"]) == DEFAULT
    some = weights_for(["DOGE", "ETH", "BTC", "USDT"])
    assert list(some) == ["BTC", "ETH", "USDT"] and sum(some.values()) == 100 and some["USDT"] == 10
    others = weights_for([f"X{number}" for number in range(11)])
    assert len(others) == 9 and sum(others.values()) == 100 and others["X0"] == others["X7"] == Decimal("11.25")
    with pytest.raises(ConfigError, match="no coin"):
        weights_for(["USDT"])


def test_weights_are_read_as_an_owner_writes_them() -> None:
    assert parse_weights("btc=60.5, USDT=39.5") == {"BTC": Decimal("60.5"), "USDT": Decimal("39.5")}
    with pytest.raises(ConfigError, match="one twice"):
        parse_weights("BTC=50,btc=50")


def test_growth_is_the_power_that_made_it() -> None:
    sizes = (100, 200, 400)
    assert speed.power_of(sizes, np.array([3.0 * size**1.4 for size in sizes])) == pytest.approx(1.4)


def test_every_speed_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"FACTORS": (1.0,), "STOPS": (Decimal("0.5"),), "SETS": 2, "PORTFOLIOS": 50, "DAYS": 40}
    for name, value in {**small, "GROWTH_COINS": (2, 4), "GROWTH_DAYS": (100, 200), "GROWTH_SEEDS": (1,)}.items():
        monkeypatch.setattr(speed, name, value)
    figures, growth = speed.measure()
    assert all(np.isfinite(figure.value) for figure in figures) and len({figure.name for figure in figures}) == 6
    assert np.shape(growth["seconds"]) == (2, 2)
    assert len(speed.table(figures, growth)) == 6 + 2 + 2


def test_what_was_traded_is_told_by_what_was_held() -> None:
    series, free = generate(3, 100, COINS[:3]), replace(FREE, fee_rate=Decimal(0), min_order_quote=Decimal(0))
    result = run_policy(Calendar(Period.MONTH), series, targets(), free)
    bought = peers.traded(result, series, targets())
    turns = peers.turns(series)
    assert np.flatnonzero(result.orders).tolist() == turns
    assert np.allclose(bought[turns], -result.drift[turns][:, :3] * result.nav_quote[turns][:, np.newaxis])
    assert np.abs(np.delete(bought, turns, axis=0)).max() < 1e-9


@pytest.mark.skipif(importlib.util.find_spec("bt") is None, reason="bt comes with the extra `bench`")
@pytest.mark.filterwarnings("ignore")  # bt's and pandas's own
def test_bt_trades_as_we_do() -> None:
    series = generate(3, 200, COINS[:3])
    found = peers.compare(series, targets(), FREE, names=("bt",))
    assert found["bt"]["same_trades"] and found["ours"]["rebalances"] == len(peers.turns(series)) > 4


def test_a_peer_that_is_not_there_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    found = peers.compare(generate(3, 60, COINS[:3]), targets(), FREE)
    assert all(peers.INSTALL in line for line in peers.table(found)[1:]) and len(peers.table(found)) == 3


def test_other_portfolios_are_whole_and_none_is_the_one_given() -> None:
    given = targets_of(DEFAULT, "USDT")
    others = markets.portfolios(given)
    assert len(others) == 5 and all(sum(other.weights.values()) == 100 for other in others.values())
    assert others["two largest"].weights == {"BTC": Decimal("50.00"), "ETH": Decimal("40.00"), "USDT": Decimal(10)}
    pair = targets_of({"BTC": Decimal(35), "ETH": Decimal(35), "USDT": Decimal(30)}, "USDT")
    assert {name: list(other.weights) for name, other in markets.portfolios(pair).items()} == {
        "without the largest": ["ETH", "USDT"], "every other coin": ["BTC", "USDT"],
    }  # fmt: skip


def test_the_markets_of_a_file_are_its_parts_and_those_of_no_file_are_seeds() -> None:
    series, given = generate(3, 90, COINS[:3]), targets()
    parts = {market.name: market.series for market in markets.of_file(series, given, Decimal(10_000))}
    halves = parts["first half"].times + parts["second half"].times
    thirds = tuple(time for number in (1, 2, 3) for time in parts[f"third {number}"].times)
    assert halves == thirds == parts["whole"].times == series.times
    made = list(markets.of_seeds(30, given, Decimal(10_000)))
    assert len({market.name for market in made}) == len(made) > markets.SEEDS


def test_the_spread_counts_what_was_measured_and_what_holds() -> None:
    series = generate(3, 400, COINS[:3])
    made = [
        markets.Market("long", series, targets(), Decimal(10_000)),
        markets.Market("short", series.part(0, 3), targets(), Decimal(10_000)),
    ]
    told: list[str] = []
    long, short = rows = markets.table_of(iter(made), BacktestSetting(), 2.0, progress=told.append)
    spread = markets.spread_of(rows)
    assert told == ["long", "short"]
    assert long["threshold_trades"] > 3 and short["threshold_trades"] is short["fee_ratio_half"] is None
    found = spread["fee_ratio_half"]
    assert found["measured"] == 1 and found["least"] == found["median"] == found["greatest"] == long["fee_ratio_half"]
    assert found["within_limit"] == (long["fee_ratio_half"] <= LIMITS["fee_ratio_half"])
    assert spread["rms_pp_nav_300"]["measured"] == 2
    text = markets.lines(rows, spread)
    assert len(text) == 1 + 2 + 3 + 3 and max(map(len, text)) <= 80
