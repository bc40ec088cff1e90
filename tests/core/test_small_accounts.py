"""Accounts in which the exchange's minimum is a large share: tracking, bands, and what is bought at all."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from rebalancer.core.bands import Smallest, placeable
from rebalancer.core.drift import frozen
from rebalancer.core.model import Balance, Snapshot, Usage
from rebalancer.core.money import ONE
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Skip, Trigger
from rebalancer.core.targets import BandPolicy, BandRule, Targets
from tests.core.builders import LOOSE, book, d, snapshot, targets
from tests.core.test_planner_properties import filled

EIGHT = {"BTC": 25, "ETH": 20, "BNB": 10, "XRP": 10, "ADA": 10, "LTC": 5, "TRX": 5, "XLM": 5, "USDT": 10}
FIVE = {"BTC": 18, "ETH": 18, "XRP": 18, "ADA": 18, "LTC": 18, "USDT": 10}
THREE = {"BTC": 50, "ETH": 30, "USDT": 20}
HEAVY = {"BTC": 45, "ETH": 30, "BNB": 5, "XRP": 5, "ADA": 5, "USDT": 10}
DAYS = 400
TRADED = Usage(has_traded=True)


def rms_points(weights: dict[str, int], nav: int, seed: int, *, days: int = DAYS, volatility: float = 0.05) -> float:
    """Return the root-mean-square weight distance, in points, before trading, over days of a seeded market.

    Coins share half of their variance. The account is kept at its NAV, for it is the ratio to the minimum that counts.
    """
    rng = random.Random(seed)
    coins = [asset for asset in weights if asset != "USDT"]
    wanted = targets(weights, limits=LOOSE)
    prices = dict.fromkeys(coins, 100.0)
    seen = snapshot({a: d(w) * nav / 100 / (100 if a in prices else 1) for a, w in weights.items()}, prices)
    rules = {a: replace(r, lot_size=d("0.000001"), sell_quantity_min=d(0)) for a, r in seen.rules.items()}
    squares = 0.0
    for _ in range(days):
        market = rng.gauss(0, volatility / math.sqrt(2))
        for coin in coins:
            prices[coin] *= math.exp(market + rng.gauss(0, volatility / math.sqrt(2)))
        seen = at_prices(replace(seen, rules=rules), prices, nav)
        plan = make_plan(seen, wanted, TRADED)
        assert not plan.denials, plan.denials
        squares += sum(float(line.drift) ** 2 for line in plan.assets)
        seen = filled(seen, plan)
    return 100 * math.sqrt(squares / days)


def at_prices(seen: Snapshot, prices: dict[str, float], nav: int) -> Snapshot:
    made = {coin: d(round(price, 6)) for coin, price in prices.items()}
    value = sum(held.total * made.get(asset, ONE) for asset, held in seen.balances.items())
    balances = {
        asset: Balance(asset, (held.free * nav / value).quantize(d("1e-10")), d(0))
        for asset, held in seen.balances.items()
    }
    books = {coin: book(seen.rules[coin].symbol, price, level_quote=10**9) for coin, price in made.items()}
    tickers = {c: replace(t, last=made[c], open_24h=made[c], bid=made[c], ask=made[c]) for c, t in seen.tickers.items()}
    return replace(seen, balances=balances, books=books, tickers=tickers)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weights", [EIGHT, FIVE, THREE, HEAVY], ids=["eight", "five", "three", "heavy"])
def test_three_hundred_stay_within_six_points_and_a_thousand_within_three_and_a_half(
    weights: dict[str, int], seed: int
) -> None:
    small, middle, large = (rms_points(weights, nav, seed) for nav in (300, 1000, 100_000))
    assert small <= 6, f"seed {seed}: {small:.2f}"
    assert middle <= max(3.5, large * 1.1), f"seed {seed}: {middle:.2f} where a large account has {large:.2f}"


def widths(smallest: float, spare: float, target: float = 0.10, width: float = 0.024) -> tuple[float, float]:
    one = np.array([1.0])
    made = placeable(width * one, target * one, Smallest(smallest * one, smallest * one, spare * one), 0.5)
    return round(float(made.below[0]), 6), round(float(made.above[0]), 6)


def test_a_large_account_has_the_bands_of_its_rule() -> None:
    assert widths(0.001, 0.00045) == (0.024, 0.024)


def test_a_small_account_has_bands_at_whose_edge_the_smallest_order_helps() -> None:
    assert widths(0.07, 0.0315) == (0.0385, 0.0385)
    assert widths(0.07, 0.06) == (0.035, 0.035)  # half an order, to stop at the target


def test_a_trade_goes_nearer_to_the_target_before_a_small_account_has_wider_bands() -> None:
    assert widths(0.04, 0.018) == (0.024, 0.024)
    one = np.array([1.0])
    for smallest, stop in ((0.024, 0.012), (0.04, 0.004), (0.048, 0.0), (0.06, 0.0)):
        made = placeable(0.024 * one, 0.1 * one, Smallest(smallest * one, smallest * one, one), 0.5)
        assert [float(made.aim_below[0]), float(made.aim_above[0])] == pytest.approx([stop, stop])


def test_lots_that_no_order_can_do_without_widen_the_band_further() -> None:
    assert widths(0.2, 0.018) == (0.182, 0.182)


def test_a_coin_may_not_vanish_within_a_band_wider_than_its_target() -> None:
    assert widths(0.001, 0.00045, target=0.02, width=0.03) == (0.01, 0.03)
    seen = snapshot({"BTC": "0.1", "TRX": "0", "USDT": "4980"}, {"BTC": "50000", "TRX": "0.1"})
    bands = BandPolicy(rule=BandRule.ABSOLUTE, k=d(5))
    plan = make_plan(seen, targets({"BTC": 50, "TRX": 1, "USDT": 49}, bands=bands), TRADED)
    assert plan.trigger is Trigger.OUTSIDE_BAND
    assert [leg.asset for leg in plan.legs] == ["TRX"]


def small(holdings: dict[str, str]) -> tuple[Snapshot, Targets]:
    """Return an account of about 100 USDT, of which the smallest order, 12, is more than TRX is to be."""
    return snapshot(holdings, {"BTC": "50000", "TRX": "0.1"}), targets({"BTC": 60, "TRX": 5, "USDT": 35})


def test_what_is_smaller_than_an_order_is_not_bought_and_its_line_says_when_it_acts() -> None:
    plan = make_plan(*small({"BTC": "0.0013", "TRX": "0", "USDT": "35"}), TRADED)
    line = next(line for line in plan.assets if line.asset == "TRX")
    assert (plan.legs, line.band_low) == ((), d("0.000000"))
    assert line.reason.code is Skip.INSIDE_BAND
    assert "acts above" in line.reason.text


def test_the_smallest_order_may_pass_the_target_and_is_not_traded_back() -> None:
    """9 USDT of BTC too little, and no order below 12: it is bought 12, and left alone then."""
    seen, wanted = small({"BTC": "0.00102", "TRX": "50", "USDT": "44"})
    plan = make_plan(seen, wanted, TRADED)
    assert [(leg.asset, leg.notional_quote) for leg in plan.legs] == [("BTC", Decimal("12.0000"))]
    again = make_plan(filled(seen, plan), wanted, TRADED)
    assert again.legs == ()
    assert abs(again.assets[0].drift) < abs(plan.assets[0].drift)


def test_the_arrays_of_the_bands_are_read_only() -> None:
    one = frozen([0.1])
    made = placeable(one, one, Smallest(one, one, one), 0.5)
    with pytest.raises(ValueError, match="read-only"):
        made.below[0] = 1
