"""Bands of a value to the last digit: what leaves, the owner's own bands, and the smallest orders that widen them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rebalancer.core.judge import judge
from rebalancer.core.model import Snapshot, Usage
from rebalancer.core.targets import BandPolicy, BandRule, Targets
from rebalancer.core.valuation import Valuation, owner_bands, value_of
from tests.core.builders import d, snapshot, targets

NARROW = BandPolicy(rule=BandRule.ABSOLUTE, k=d("0.1"), destination=d(0))
PRICES = {"BTC": 50_000, "ETH": 2_500, "DOGE": 1}
HELD: dict[str, Any] = {"BTC": "0.006", "ETH": "0.04", "USDT": 100, "DOGE": 100}  # of 600: 300, 100, 100 and 100


def value(seen: Snapshot, wanted: Targets) -> Valuation:
    made = value_of(seen, wanted, judge(seen, wanted, Usage()))
    assert made is not None
    return made


def leaving(**locked: str) -> tuple[Valuation, int]:
    bands = replace(NARROW, destination=d("0.5"))
    wanted = replace(targets({"BTC": 50, "ETH": 30, "USDT": 20}, bands=bands), leaving=("DOGE",))
    seen = snapshot(HELD | {"DOGE": d(100) - d(locked.get("DOGE", "0"))}, PRICES, locked=locked)
    return value(seen, wanted), wanted.assets.index("DOGE")


def test_what_leaves_has_no_band_and_no_aim_while_it_can_be_sold() -> None:
    made, doge = leaving()
    both = made.both_bands
    assert [each[doge] for each in (both.below, both.above, both.aim_above, made.bands, made.aims)] == [0] * 5
    assert made.strays[doge]


def test_what_leaves_and_cannot_be_sold_now_is_inside_a_band_as_wide_as_it_is() -> None:
    made, doge = leaving(DOGE="95")
    both = made.both_bands
    assert both.above[doge] == made.weights[doge] == pytest.approx(1 / 6)
    assert (both.below[doge], both.aim_above[doge], made.strays[doge]) == (0, 0, False)


def test_a_band_of_a_coins_own_takes_the_place_of_the_rules_and_of_no_others() -> None:
    wanted = targets({"BTC": 50, "ETH": 30, "USDT": 20}, bands=replace(NARROW, per_coin={"ETH": d(3)}))
    assert list(owner_bands(wanted)) == pytest.approx([0.001, 0.03, 0.001])


def test_bands_are_as_wide_as_the_smallest_orders_of_their_own_coins_need() -> None:
    """Of 500: BTC trades from 24 on, in lots of 5 when sold; ETH from 12 on; cash moves by the smallest of theirs."""
    wanted = targets({"BTC": 50, "ETH": 30, "USDT": 20}, bands=NARROW)
    held = {coin: HELD[coin] for coin in ("BTC", "ETH", "USDT")}
    made = value(snapshot(held, PRICES, rule_changes={"BTC": {"min_notional": d(20)}}), wanted)
    assert list(made.both_bands.below * 500) == pytest.approx([24 * 0.55, 12 * 0.55, 12])
    assert list(made.both_bands.above * 500) == pytest.approx([25 - 24 * 0.45, 12 * 0.55, 12])


def test_the_aim_of_a_coin_is_that_of_the_side_on_which_it_stands() -> None:
    """With two percent for a target and a band of three points, the band below is one point."""
    bands = replace(NARROW, k=d(3), destination=d("0.5"))
    wanted = targets({"BTC": 78, "ETH": 2, "USDT": 20}, bands=bands)
    over, under = (value(snapshot({"BTC": 1, "ETH": eth, "USDT": 15_000}, PRICES), wanted) for eth in ("5", "0.1"))
    assert (over.bands[1], over.aims[1]) == pytest.approx((0.03, 0.015))
    assert (under.bands[1], under.aims[1]) == pytest.approx((0.01, 0.005))


def test_what_is_kept_is_not_part_of_what_can_be_traded_here_and_what_is_elsewhere_counts_only() -> None:
    wanted = replace(targets({"BTC": 50, "ETH": 30, "USDT": 20}), kept={"ETH": d("0.01")}, external={"BTC": d("0.002")})
    held = {coin: HELD[coin] for coin in ("BTC", "ETH", "USDT")}
    made = value(snapshot(held, PRICES), wanted)
    assert (made.nav_here_quote, made.nav_quote) == (475, 575)
