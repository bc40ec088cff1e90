"""Chosen amounts on their ways, to the last lot: what may be left over, what must be payable, and what is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from rebalancer.core.caps import Room
from rebalancer.core.direct import Routed, route_directly
from rebalancer.core.ladder import buy_ladder, sell_ladder
from rebalancer.core.legs import Cut, Setting, Wish, cut_of
from rebalancer.core.model import Level, Side, Snapshot, Usage
from rebalancer.core.reasons import Deny, Reason, Why
from rebalancer.core.routes import Way
from rebalancer.core.sizing import smallest_trade
from tests.core.builders import d, snapshot, targets, with_crosses

PRICES: dict[str, str | int | Decimal] = {"BTC": 80_000, "ETH": 2_500, "SOL": 100, "DOGE": "0.1"}
ROOM = Room(d(10**9), Deny.TURNOVER_CYCLE, "", None, None, 100)
NOTHING_KEPT = targets({**dict.fromkeys(PRICES, 20), "USDT": 20})
SETTING = Setting(ROOM, d(100_000), d(100_000), d(5000), cash_strays=False)


def seen_with(*pairs: Way, lots: Mapping[str, str] | None = None) -> Snapshot:
    """Return prices with direct pairs of (base, quote), the lots of the coins as told and 0.0001 otherwise."""
    changes = {coin: {"lot_size": d(lot)} for coin, lot in (lots or {}).items()}
    holdings: dict[str, int] = dict.fromkeys(PRICES, 0)
    return with_crosses(snapshot(holdings, PRICES, rule_changes=changes), dict.fromkeys(pairs, "1"))


def pair_changed(seen: Snapshot, symbol: str, **changes: Decimal) -> Snapshot:
    pair = seen.crosses[symbol]
    return replace(seen, crosses=dict(seen.crosses) | {symbol: replace(pair, rules=replace(pair.rules, **changes))})


def routed(
    seen: Snapshot, sells: Mapping[str, str], buys: Mapping[str, str], setting: Setting = SETTING
) -> tuple[Routed, list[Cut]]:
    """Return the ways of amounts in USDT, and these as orders over USDT alone."""
    cuts = [_cut(seen, coin, Side.SELL, d(amount), setting) for coin, amount in sells.items()]
    cuts += [_cut(seen, coin, Side.BUY, d(amount), setting) for coin, amount in buys.items()]
    return route_directly(seen, NOTHING_KEPT, Usage(has_traded=True), cuts, setting), cuts


def _cut(seen: Snapshot, coin: str, side: Side, quote: Decimal, setting: Setting) -> Cut:
    rules, book, mid = seen.rules[coin], seen.books[coin], d(PRICES[coin])
    smallest = smallest_trade(rules, setting.nav_quote)
    if side is Side.SELL:
        ladder = sell_ladder(rules, mid=mid, free=quote / mid, smallest=smallest, bound_quote=quote)
    else:
        ladder = buy_ladder(rules, smallest=smallest, bound_quote=quote, amount_precision=False)
    assert ladder is not None and ladder.high_quote == quote, (coin, quote, ladder)
    wish = Wish(
        coin, side, quote, 0.1, 0, mid, rules, book, quote, d("0.002"), ladder, strays=True,
        why=Reason(Why.OVERWEIGHT, ""),
    )  # fmt: skip
    return cut_of(wish, ladder.high, setting)


def over_quote(made: Routed) -> dict[str, Decimal]:
    return {cut.wish.asset: cut.sized.notional_quote for cut in made.cuts}


def straight(made: Routed) -> dict[Way, Decimal]:
    return {each.way: each.notional_quote for each in made.straight}


@pytest.mark.parametrize(
    ("bought", "direct", "rest"), [("11997.25", "11997.25", {}), ("11997", "11889", {"ETH": 110, "BTC": 108})]
)
def test_what_is_left_of_a_coin_sold_is_dust_up_to_a_lot_of_each_of_its_two_pairs(
    bought: str, direct: str, rest: dict[str, int]
) -> None:
    """A lot is 2.50 USDT against USDT and 0.25 USDT against BTC; the step of that pair's money is no matter of sells."""
    seen = pair_changed(seen_with(("ETH", "BTC"), lots={"ETH": "0.001"}), "ethbtc", lot_size=d("0.0001"))
    made, _ = routed(pair_changed(seen, "ethbtc", quote_step=d("0.01")), {"ETH": "12000"}, {"BTC": bought})
    assert straight(made) == {("ETH", "BTC"): d(direct)}
    assert over_quote(made) == rest


@pytest.mark.parametrize(("bought", "is_dust"), [("11999.12", True), ("11999.04", False)])
def test_what_is_left_of_a_coin_that_pays_in_its_pair_is_dust_up_to_a_lot_and_a_step(
    bought: str, is_dust: bool
) -> None:
    """A lot is 0.80 USDT against USDT; the pair with ETH counts bitcoin in steps of 0.08 USDT."""
    seen = pair_changed(seen_with(("ETH", "BTC"), lots={"BTC": "0.00001"}), "ethbtc", lot_size=d("0.000001"))
    made, _ = routed(seen, {"BTC": "12000"}, {"ETH": bought})
    assert (list(over_quote(made)) == []) is is_dust
    assert list(straight(made)) == [("BTC", "ETH")]


@pytest.mark.parametrize(("bought", "direct"), [("5958.06", True), ("5958.07", False)])
def test_what_direct_orders_leave_must_pay_for_itself_or_everything_goes_over_the_quote_coin(
    bought: str, direct: bool
) -> None:
    """Of 12,000 of ETH half goes to BTC; the other half brings 5,988 after its fee, of which buys may spend 99.5 %."""
    seen = seen_with(("ETH", "BTC"), ("SOL", "BTC"), lots={"SOL": "0.01"})
    setting = replace(SETTING, cash_free=d(0))
    made, _ = routed(seen, {"ETH": "12000"}, {"BTC": "6000", "SOL": bought}, setting)
    assert straight(made) == ({("ETH", "BTC"): d(6000)} if direct else {})
    assert over_quote(made) == {"ETH": d(6000 if direct else 12_000), "SOL": d(bought)} | (
        {} if direct else {"BTC": d(6000)}
    )


def test_a_doubt_about_a_pair_is_told_also_where_everything_goes_over_the_quote_coin_in_the_end() -> None:
    seen = seen_with(("ETH", "BTC"), ("SOL", "ETH"))
    pair = seen.crosses["soleth"]
    seen = replace(seen, crosses=dict(seen.crosses) | {"soleth": replace(pair, book=None)})
    unpayable = replace(SETTING, cash_free=d(0))
    made, cuts = routed(seen, {"ETH": "12000"}, {"BTC": "6000", "SOL": "6000"}, unpayable)
    assert made.cuts == cuts and not made.straight
    assert made.notes == ("soleth is not used: the exchange's answer has no order book for it",)


def test_a_flow_too_small_for_its_pair_does_not_keep_the_others_from_going_direct() -> None:
    seen = pair_changed(seen_with(("ETH", "BTC"), ("SOL", "BTC")), "solbtc", min_notional=d("0.01"))  # 800 USDT
    made, _ = routed(seen, {"SOL": "400", "ETH": "12000"}, {"BTC": "12400"})
    assert straight(made) == {("ETH", "BTC"): d(12_000)}
    assert over_quote(made) == {"SOL": d(400), "BTC": d(400)}


def test_the_larger_of_two_flows_gives_up_what_makes_a_remainder_an_order() -> None:
    """50 USDT of BTC are in want of an order of 100, and so is what ETH then sells over USDT."""
    made, _ = routed(seen_with(("ETH", "BTC"), ("SOL", "BTC")), {"SOL": "4000", "ETH": "8000"}, {"BTC": "12050"})
    assert straight(made)["SOL", "BTC"] == 4000
    assert over_quote(made) == {"ETH": d("100.25"), "BTC": d("150.25")}


@pytest.mark.parametrize("carried", ["999.5", "999.85"])
def test_a_flow_that_cannot_leave_an_order_is_not_sent_at_all(carried: str) -> None:
    """A coin bought in steps of a whole USDT needs 101 USDT for an order here, and this pair's book leaves it less."""
    seen = seen_with(("DOGE", "ETH"), lots={"DOGE": "1"})
    pair = seen.crosses["dogeeth"]
    assert pair.book is not None
    thin = replace(pair.book, asks=(Level(d("0.00004"), d(carried) / 2500 / d("0.00004")),))
    seen = replace(seen, crosses={"dogeeth": replace(pair, book=thin)})
    made, cuts = routed(seen, {"ETH": "2000"}, {"DOGE": "1100"}, replace(SETTING, nav_quote=d(100_050)))
    assert not made.straight and made.cuts == cuts


def collared(seen: Snapshot, sells: Mapping[str, str], buys: Mapping[str, str]) -> Routed:
    """Return the ways of amounts as limit orders, whose worst price is one percent off each mid."""
    setting = replace(SETTING, max_slippage_bps=d(100))
    cuts = [_cut(seen, coin, Side.SELL, d(amount), setting) for coin, amount in sells.items()]
    cuts += [_cut(seen, coin, Side.BUY, d(amount), setting) for coin, amount in buys.items()]
    collars = [d(PRICES[cut.wish.asset]) * d("0.99" if cut.wish.side is Side.SELL else "1.01") for cut in cuts]
    cuts = [replace(cut, wish=replace(cut.wish, collar=collar)) for cut, collar in zip(cuts, collars, strict=True)]
    return route_directly(seen, NOTHING_KEPT, Usage(has_traded=True), cuts, setting)


def test_a_direct_limit_sell_keeps_to_the_bounds_of_limit_orders_and_a_market_one_to_its_own() -> None:
    most = {"limit_sell_quantity_max": d(2), "sell_quantity_max": d(3)}
    seen = pair_changed(seen_with(("ETH", "BTC")), "ethbtc", tick_size=d("1e-8"), **most)
    assert straight(collared(seen, {"ETH": "10000"}, {"BTC": "10000"})) == {("ETH", "BTC"): d(5_000)}
    assert straight(routed(seen, {"ETH": "10000"}, {"BTC": "10000"})[0]) == {("ETH", "BTC"): d(7_500)}


def held(seen: Snapshot, coin: str, free: str) -> Snapshot:
    return replace(seen, balances=dict(seen.balances) | {coin: replace(seen.balances[coin], free=d(free))})


@pytest.mark.parametrize(("sold", "is_dust"), [("12003.2", True), ("12004", False)])
def test_what_is_left_of_a_coin_that_pays_under_a_collar_is_dust_up_to_a_lot_of_each_pair(
    sold: str, is_dust: bool
) -> None:
    """A lot of bitcoin is 0.80 USDT, and one of the ether that the collared order counts is 2.50."""
    seen = pair_changed(seen_with(("ETH", "BTC"), lots={"BTC": "0.00001"}), "ethbtc", lot_size=d("0.001"))
    seen = pair_changed(seen, "ethbtc", tick_size=d("1e-8"), quote_step=d("0.01"))
    made = collared(held(seen, "BTC", "1"), {"BTC": sold}, {"ETH": "12000"})
    assert (list(over_quote(made)) == []) is is_dust
    assert list(straight(made)) == [("BTC", "ETH")]


@pytest.mark.parametrize(("free", "direct"), [("0.15", "5900"), ("0.16", "6000")])
def test_a_collared_order_commits_what_the_other_orders_of_its_coin_leave_of_it(free: str, direct: str) -> None:
    """Half of the bitcoin goes to SOL over USDT; an order for the other half commits a hundredth more than that."""
    seen = pair_changed(seen_with(("ETH", "BTC")), "ethbtc", tick_size=d("1e-8"), lot_size=d("0.005"))
    made = collared(held(seen, "BTC", free), {"BTC": "12000"}, {"ETH": "6000", "SOL": "6000"})
    assert straight(made) == {("BTC", "ETH"): d(direct)}
    assert made.straight[0].size.value <= d(free) - d(6000) / 80_000
