"""Direct legs with a collar: what they commit, what it is worth, and what is cut from either."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rebalancer.core.effects import filled_at_mid
from rebalancer.core.fit import clip_to_limits, fit_leg
from rebalancer.core.model import CrossPair, LimitIoc, Side, Usage
from rebalancer.core.money import QuoteAmount
from rebalancer.core.plan import Leg
from rebalancer.core.planner import make_plan
from rebalancer.core.targets import OrderPolicy, OrderType, Route
from rebalancer.report.text import leg_words
from tests.core.builders import LOOSE, d, snapshot, targets, with_crosses

WEIGHTS = {"BTC": 40, "ETH": 30, "SOL": 15, "USDT": 15}
PRICES = {"BTC": 80_000, "ETH": 2_500, "SOL": 125}
LIMITS = replace(LOOSE, max_slippage_bps=d(200))
TARGETS = replace(targets(WEIGHTS, limits=LIMITS), orders=OrderPolicy(OrderType.IOC, Route.DIRECT))


def planned(btc: str, eth: str) -> tuple[Leg, CrossPair]:
    holdings = {"BTC": btc, "ETH": eth, "SOL": 120, "USDT": 15_000}
    seen = with_crosses(snapshot(holdings, PRICES), {("ETH", "BTC"): "1"}, tick_size=d("0.000001"))
    (leg,) = make_plan(seen, TARGETS, Usage(has_traded=True)).legs
    assert leg.direct is not None
    return leg, seen.crosses["ethbtc"]


def buy() -> tuple[Leg, CrossPair]:
    return planned("0.65", "7.2")  # BTC 12 points too heavy: it is spent on ETH


def test_a_sell_and_a_buy_stand_at_the_worst_price_of_their_side() -> None:
    sold, _ = planned("0.35", "16.8")
    assert isinstance(sold.terms, LimitIoc) and sold.terms.price == d("0.030625") and sold.side is Side.SELL
    bought, _ = buy()
    assert isinstance(bought.terms, LimitIoc) and bought.terms.price == d("0.031875") and bought.side is Side.BUY


def test_a_buy_is_worth_its_quantity_at_the_mid_and_commits_it_at_the_collar() -> None:
    leg, _ = buy()
    assert isinstance(leg.terms, LimitIoc) and isinstance(leg.size, QuoteAmount)
    quantity = leg.terms.quantity.value
    assert leg.notional_quote == quantity * 2_500
    assert leg.size.value == quantity * d("0.031875")
    assert leg.committed_quote == leg.size.value * 80_000 == leg.notional_quote * d("1.02")
    changes = filled_at_mid(leg)
    assert changes["BTC"] == -quantity / 32 and changes["ETH"] == quantity * d("0.998")
    assert "at most" in leg_words(leg, "USDT") and "BTC directly for ETH" in leg_words(leg, "USDT")


def test_a_limit_is_held_against_what_a_buy_commits() -> None:
    leg, pair = buy()
    between = (leg.notional_quote + leg.committed_quote) / 2
    cut = clip_to_limits(
        leg, replace(LIMITS, max_order_notional=between), Usage(), d(100_000), pair.rules, spent_quote=d(0)
    )
    assert isinstance(cut, Leg) and between * d("0.99") < cut.committed_quote <= between


@pytest.mark.parametrize("part", ["1", "0.7", "0.31"])
def test_a_buy_cut_to_what_is_free_keeps_whole_lots_its_price_and_its_measures(part: str) -> None:
    leg, pair = buy()
    free = leg.size.value * d(part)
    cut = fit_leg(leg, free=free, rules=pair.rules, amount_precision=False)
    assert isinstance(cut, Leg) and isinstance(cut.terms, LimitIoc) and cut.direct is not None
    assert cut.size.value <= free < cut.size.value + pair.rules.lot_size * d("0.031875")
    assert cut.terms.quantity.value % pair.rules.lot_size == 0 and cut.collar == leg.collar
    assert cut.notional_quote == cut.terms.quantity.value * 2_500


def test_a_coin_that_leaves_whole_commits_no_more_than_there_is() -> None:
    holdings = {"BTC": "0.1", "ETH": "20", "SOL": 120, "USDT": 15_000}
    seen = with_crosses(snapshot(holdings, PRICES), {("ETH", "BTC"): "1"}, tick_size=d("0.000001"))
    wanted = replace(TARGETS, weights={"ETH": d(70), "SOL": d(15), "USDT": d(15)}, leaving=("BTC",))
    legs = make_plan(seen, wanted, Usage(has_traded=True)).legs
    straight = next(leg for leg in legs if leg.direct is not None)
    assert d("0.099") < straight.size.value <= d("0.1")
    assert d("0.098") < -sum(filled_at_mid(leg)["BTC"] for leg in legs if leg.spent == "BTC") <= d("0.1")


def test_of_one_coin_the_direct_order_goes_first_and_leaves_what_is_then_sold_for_cash() -> None:
    limits = replace(LIMITS, max_slippage_bps=d(100))
    seen = with_crosses(
        snapshot({"BTC": "0.15", "ETH": "9.6", "SOL": 48, "USDT": 0}, PRICES), {("ETH", "BTC"): "1"},
        tick_size=d("0.000001"),
    )  # fmt: skip
    wanted = replace(
        targets({"SOL": 25, "ETH": 65, "USDT": 10}, limits=limits), orders=TARGETS.orders, leaving=("BTC",)
    )
    legs = [leg for leg in make_plan(seen, wanted, Usage(has_traded=True)).legs if leg.spent == "BTC"]
    assert [leg.direct is not None for leg in legs] == [True, False]
    free = d("0.15")
    for leg in legs:
        assert leg.size.value <= free, "each finds all that it commits"
        free += filled_at_mid(leg)["BTC"]
    assert sum(leg.size.value for leg in legs) > d("0.15") > free >= 0


def test_what_is_kept_of_a_coin_is_not_committed_either() -> None:
    holdings = {"BTC": "0.6", "ETH": "20", "SOL": 120, "USDT": 15_000}
    seen = with_crosses(snapshot(holdings, PRICES), {("ETH", "BTC"): "1"}, tick_size=d("0.000001"))
    wanted = replace(
        TARGETS, weights={"ETH": d(70), "SOL": d(15), "USDT": d(15)}, leaving=("BTC",), kept={"BTC": d("0.5")}
    )
    legs = make_plan(seen, wanted, Usage(has_traded=True)).legs
    straight = next(leg for leg in legs if leg.direct is not None)
    assert d("0.099") < straight.size.value <= d("0.1")
