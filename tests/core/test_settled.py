"""Direct ways leave cash that the amounts were not chosen with: it is decided on in the same plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rebalancer.core.model import Balance, FeeRate, Side, Snapshot
from rebalancer.core.plan import Plan
from rebalancer.core.planner import make_plan
from rebalancer.core.settled import after_legs, sells_too_much
from rebalancer.core.targets import BandPolicy, BandRule, Limits, OrderPolicy, OrderType, Route, Targets
from tests.core.builders import LOOSE, d, snapshot, targets, with_crosses
from tests.core.test_cuts import buy, sell
from tests.core.test_direct import AFTERWARDS, ALL_THE_WAY, seen_with, wanted
from tests.core.test_rounds import placed

DEAR = "0.03"  # against USDT; the direct pair asks 0.002


def seen(fee: str = DEAR) -> Snapshot:
    made = seen_with()
    return replace(made, fees={coin: FeeRate(rate.symbol, d(fee)) for coin, rate in made.fees.items()})


def narrow_cash(points: str, band: int = 4, destination: str = "0.5", limits: Limits = LOOSE) -> Targets:
    bands = BandPolicy(rule=BandRule.ABSOLUTE, k=d(band), destination=d(destination), per_coin={"USDT": d(points)})
    return replace(wanted(limits), bands=bands)


def orders(plan: Plan) -> dict[str, Any]:
    assert not plan.denials
    return {leg.symbol: (leg.side, leg.notional_quote) for leg in plan.legs}


@pytest.mark.parametrize(("band", "destination"), [(2, "0.5"), (2, "1"), (4, "0.5"), (4, "1")])
def test_cash_that_direct_ways_save_beyond_its_band_buys_in_the_same_plan(band: int, destination: str) -> None:
    """Chosen with two fees of three percent in mind, an amount leaves most of them over when it goes direct."""
    aims = narrow_cash("0.1", band, destination)
    plan = make_plan(seen(), aims, AFTERWARDS)
    made = orders(plan)
    assert list(made) == ["ethusdt", "ethbtc", "btcusdt"]
    assert made["btcusdt"][0] is Side.BUY and 100 < made["btcusdt"][1] < 200
    wide = orders(make_plan(seen(), narrow_cash("5", band, destination), AFTERWARDS))
    assert list(wide) == ["ethbtc"], "cash within its band is left as it is"
    after = after_legs(seen(), plan.legs)
    assert not make_plan(after, aims, AFTERWARDS).legs


def test_the_orders_of_both_rounds_are_sized_together() -> None:
    made = orders(make_plan(seen(), narrow_cash("0.1"), AFTERWARDS))
    assert made["ethusdt"] == (Side.SELL, d("110.25"))
    assert made["ethbtc"] == (Side.SELL, d("10099.75"))
    assert made["btcusdt"][1] == pytest.approx(d("107.895"), abs=d("0.001"))


def test_what_would_turn_back_what_was_chosen_is_left() -> None:
    """All the way to the targets more ETH is sold for the fees; what they then do not take would buy it again."""
    made = orders(make_plan(seen(), narrow_cash("0.1"), ALL_THE_WAY))
    assert made == {"ethusdt": (Side.SELL, d("178.75")), "ethbtc": (Side.SELL, d(12_000))}


@pytest.mark.parametrize("percent", [5, 8], ids=["half of it", "nearly all"])
def test_what_a_limit_cut_is_not_gone_on_with_in_the_same_plan(percent: int) -> None:
    """Ten percent are wished; what eight leave of it would be small enough for the same limit once more."""
    limits = replace(LOOSE, max_turnover_per_cycle=d(percent))
    made = orders(make_plan(seen(), narrow_cash("0.1", limits=limits), AFTERWARDS))
    assert "btcusdt" not in made and sum(notional for _, notional in made.values()) <= percent * 1_000


def test_after_a_perfect_fill_each_coin_has_what_the_legs_moved_and_what_is_locked_stays() -> None:
    plan = make_plan(seen(), narrow_cash("5"), AFTERWARDS)
    (leg,) = plan.legs
    before = replace(seen(), balances=dict(seen().balances) | {"ETH": Balance("ETH", d("16.8"), d(3))})
    after = after_legs(before, plan.legs)
    assert after.balances["ETH"] == Balance("ETH", d("16.8") - leg.size.value, d(3))
    assert after.balances["SOL"] == before.balances["SOL"]
    assert after.balances["BTC"].asset == "BTC" and after.balances["BTC"].free > before.balances["BTC"].free
    assert replace(after, balances=before.balances) == before


@pytest.mark.parametrize(
    ("weights", "held", "kept", "lots"),
    [
        ((24, 3, 38, 35), ("0.007858", "0.342218", "3.54795", "72.32702"), {}, ("0.0001", "0.1", "0.0001")),
        (
            (4, 23, 36, 37),
            ("0.001357", "0.023039", "1.049909", "2.622504"),
            {"ETH": d("0.0069117"), "SOL": d("0.9449181")},
            ("0.0001", "0.1", "0.0001"),
        ),
    ],
    ids=["a coin", "a coin beside others that are kept"],
)
@pytest.mark.parametrize("order_type", OrderType)
def test_a_second_round_sells_no_more_of_a_coin_than_there_is(
    weights: tuple[int, ...], held: tuple[str, ...], kept: dict[str, Any], lots: tuple[str, ...], order_type: OrderType
) -> None:
    """Whole lots had kept some of the first round back; what was chosen of it and the second were 0.4 of 0.34 ETH."""
    coins, prices = ("BTC", "ETH", "SOL", "USDT"), {"BTC": 80_000, "ETH": 2_500, "SOL": 125}
    changes = {coin: {"lot_size": d(lot)} for coin, lot in zip(prices, lots, strict=True)}
    pairs = {("ETH", "BTC"): "1", ("SOL", "BTC"): "1", ("SOL", "ETH"): "1"}
    account = snapshot(dict(zip(coins, held, strict=True)), prices, rule_changes=changes)
    account = with_crosses(account, pairs, tick_size=d("0.0000001"))
    limits = replace(LOOSE, max_slippage_bps=d(100))
    aims = replace(
        targets(dict(zip(coins, weights, strict=True)), limits=limits),
        orders=OrderPolicy(order_type, Route.DIRECT), kept=kept,
    )  # fmt: skip
    plan = make_plan(account, aims, AFTERWARDS)
    assert any(leg.direct is not None for leg in plan.legs)
    after = after_legs(account, plan.legs)
    assert all(each.free >= kept.get(asset, 0) for asset, each in after.balances.items())


@pytest.mark.parametrize(("size", "too_much"), [("4", False), ("4.1", True)], ids=str)
def test_all_that_is_free_of_a_coin_and_need_not_be_kept_may_be_sold(size: str, too_much: bool) -> None:
    account = snapshot({"AAA": "5", "BBB": "0", "USDT": "0"}, {"AAA": 10, "BBB": 10}, locked={"AAA": "9"})
    aims = replace(targets({"AAA": 30, "BBB": 30, "USDT": 40}), kept={"AAA": d(1)})
    cuts = [placed(buy("BBB", 20), "20"), placed(sell("AAA", 50), size)]
    assert sells_too_much(account, aims, cuts) is too_much
