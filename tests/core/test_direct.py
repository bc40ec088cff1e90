"""Direct pairs one by one: when they are used, when they are doubted, and what stays for the quote coin."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.fit import clip_to_limits, first_leg_alone, fit_leg
from rebalancer.core.model import Book, CrossPair, Level, Side, Snapshot, Usage
from rebalancer.core.money import QuoteAmount
from rebalancer.core.plan import Denial, Leg, Plan
from rebalancer.core.planner import make_plan
from rebalancer.core.targets import Limits, OrderPolicy, Route, Targets
from tests.core.builders import LOOSE, d, snapshot, targets, with_crosses

WEIGHTS = {"BTC": 40, "ETH": 30, "SOL": 15, "USDT": 15}
PRICES: dict[str, str | int | Decimal] = {"BTC": 80_000, "ETH": 2_500, "SOL": 125}
AFTERWARDS = Usage(has_traded=True)
# NAV 100,000: ETH 12 points too heavy, BTC as much too light, the others at their targets.
HOLDINGS: dict[str, str | int | Decimal] = {"BTC": "0.35", "ETH": "16.8", "SOL": 120, "USDT": 15_000}


def seen_with(
    factor: str = "1", *, holdings: dict[str, str | int | Decimal] | None = None, fee: str = "0.002", **more: Any
) -> Snapshot:
    return with_crosses(snapshot(holdings or HOLDINGS, PRICES), {("ETH", "BTC"): factor}, fee=fee, **more)


def wanted(limits: Limits = LOOSE) -> Targets:
    return replace(targets(WEIGHTS, limits=limits), orders=OrderPolicy(route=Route.DIRECT))


def planned(seen: Snapshot, limits: Limits = LOOSE, usage: Usage = AFTERWARDS) -> Plan:
    plan = make_plan(seen, wanted(limits), usage)
    assert not plan.denials, plan.denials
    return plan


def symbols(plan: Plan) -> list[str]:
    return [leg.symbol for leg in plan.legs]


def changed(seen: Snapshot, **changes: Any) -> Snapshot:
    pair = seen.crosses["ethbtc"]
    return replace(seen, crosses={"ethbtc": replace(pair, **changes)})


def book_changed(seen: Snapshot, **changes: Any) -> Snapshot:
    book = seen.crosses["ethbtc"].book
    assert book is not None
    return changed(seen, book=replace(book, **changes))


def test_one_order_takes_the_place_of_two_and_says_what_it_saves() -> None:
    plan = planned(seen_with())
    (leg,) = plan.legs
    assert (leg.symbol, leg.side, leg.spent, leg.received, leg.quote) == ("ethbtc", Side.SELL, "ETH", "BTC", "BTC")
    assert leg.direct is not None and leg.intent_seq == 1
    assert (leg.direct.spent_mid, leg.direct.received_mid) == (2_500, 80_000)
    # Two fees of 20 bps and two half-spreads of 2, against one fee of 20 and a half-spread of 3.
    assert leg.direct.saves_quote / leg.notional_quote == pytest.approx(Decimal("0.0021"))
    assert leg.reason.text.startswith(f"ETH sold directly for BTC saves about {leg.direct.saves_quote:.2f} USDT")
    assert [line.decision.value for line in plan.assets] == ["buy", "sell", "hold", "hold"]
    assert plan.totals is not None and plan.totals.turnover == (leg.notional_quote / d(100_000)).quantize(d("0.000001"))


def test_a_coin_that_is_the_quote_of_the_pair_is_spent_by_a_buy() -> None:
    plan = planned(seen_with(holdings={"BTC": "0.65", "ETH": "7.2", "SOL": 120, "USDT": 15_000}))
    (leg,) = plan.legs
    assert (leg.symbol, leg.side, leg.spent, leg.received) == ("ethbtc", Side.BUY, "BTC", "ETH")
    assert leg.size.value * 80_000 == leg.notional_quote, "it counts bitcoin"
    assert leg.size.value % d("0.00000001") == 0


def test_without_the_word_every_order_is_against_the_quote_coin() -> None:
    plan = make_plan(seen_with(), targets(WEIGHTS), AFTERWARDS)
    assert symbols(plan) == ["ethusdt", "btcusdt"] and not plan.notes and plan.saves_quote == 0


@pytest.mark.parametrize(
    ("seen", "doubt"),
    [
        (changed(seen_with(), book=None), "the exchange's answer has no order book for it"),
        (changed(seen_with(), fee=None), "the exchange's answer has no fee rate for it"),
        (book_changed(seen_with(), bids=()), "its book has no bids"),
        (book_changed(seen_with(), asks=()), "its book has no asks"),
        (book_changed(seen_with(), bids=(Level(d(1), d(1)),)), "its book is crossed or without a price"),
        (book_changed(seen_with(), quoted_at=seen_with().taken_at - timedelta(seconds=31)), "its book is 31 s old"),
        (book_changed(seen_with(), quoted_at=seen_with().taken_at + timedelta(seconds=31)), "its book is -31 s old"),
        (seen_with(half_bps=51), "its spread is 1.02 %, over 1 %"),
        (seen_with("1.011"), "its mid is 1.10 % from the ratio of ETH and BTC in USDT, over 1 %"),
        (seen_with("0.989"), "its mid is 1.10 % from the ratio of ETH and BTC in USDT, over 1 %"),
    ],
)
def test_a_doubtful_pair_is_noted_and_not_used_and_refuses_nothing(seen: Snapshot, doubt: str) -> None:
    plan = planned(seen)
    assert symbols(plan) == ["ethusdt", "btcusdt"]
    (note,) = plan.notes
    assert note.startswith(f"ethbtc is not used: {doubt}")


@pytest.mark.parametrize(
    ("least", "lot", "sold"), [("0.0001", "0.0001", "0.4"), ("0.805", "0.01", "0.81"), ("1.1", "0.1", "1.2")]
)
def test_what_a_direct_order_leaves_of_a_coin_is_an_order_of_its_own(least: str, lot: str, sold: str) -> None:
    """12,000 of ETH are to go and 11,000 of BTC to come; the 1,000 between may be less than HTX lets one sell."""
    holdings: dict[str, str | int | Decimal] = {"BTC": "0.3625", "ETH": "16.8", "SOL": 120, "USDT": 14_000}
    changes = {"ETH": {"sell_quantity_min": d(least), "lot_size": d(lot)}}
    seen = with_crosses(snapshot(holdings, PRICES, rule_changes=changes), {("ETH", "BTC"): "1"}, fee="0.002")
    pair = seen.crosses["ethbtc"]
    plan = planned(
        changed(seen, rules=replace(pair.rules, lot_size=d("0.0001"))), usage=replace(AFTERWARDS, targets_changed=True)
    )
    first, direct, *rest = plan.legs
    assert (first.symbol, first.size.value) == ("ethusdt", d(sold))
    assert direct.symbol == "ethbtc" and direct.size.value > 3, "the rest of it goes direct all the same"
    assert [leg.symbol for leg in rest] == (["btcusdt"] if least != "0.0001" else [])


MORE_TO_SELL: dict[str, str | int | Decimal] = {"BTC": "0.3625", "ETH": "16.8", "SOL": 120, "USDT": 14_000}
ALL_THE_WAY = replace(AFTERWARDS, targets_changed=True)


@pytest.mark.parametrize(("orders", "sent"), [(1, ["ethusdt"]), (2, ["ethusdt", "ethbtc"]), (3, ["ethusdt", "ethbtc"])])
def test_direct_orders_and_what_they_leave_are_as_many_as_are_left_of_the_day(orders: int, sent: list[str]) -> None:
    plan = planned(seen_with(holdings=MORE_TO_SELL), replace(LOOSE, max_orders_per_day=orders), ALL_THE_WAY)
    assert symbols(plan) == sent


def test_what_a_limit_cut_is_told_of_a_direct_order_and_of_what_it_leaves() -> None:
    seen = seen_with(holdings=MORE_TO_SELL)
    assert [leg.capped for leg in planned(seen, usage=ALL_THE_WAY).legs] == [False, False]
    cut = planned(seen, replace(LOOSE, max_turnover_per_cycle=d(5)), ALL_THE_WAY)
    assert [(leg.symbol, leg.capped) for leg in cut.legs] == [("ethusdt", True), ("ethbtc", True)]


def test_a_pair_that_refused_a_fine_amount_is_bought_in_its_lots() -> None:
    seen = seen_with(holdings={"BTC": "0.650034", "ETH": "7.2", "SOL": 120, "USDT": 15_000})
    (fine,) = planned(seen, usage=ALL_THE_WAY).legs
    (coarse,) = planned(seen, usage=replace(ALL_THE_WAY, amount_precision_symbols=frozenset({"ethbtc"}))).legs
    assert fine.symbol == coarse.symbol == "ethbtc" and coarse.size.value < fine.size.value
    assert coarse.size.value % d("0.0001") == 0 and fine.size.value % d("0.0001") != 0


def test_a_doubt_about_a_pair_that_this_plan_has_no_use_for_is_not_told() -> None:
    seen = book_changed(seen_with(holdings={"BTC": "0.5", "ETH": 12, "SOL": 200, "USDT": 5_000}), bids=())
    plan = planned(seen)
    assert plan.legs and not plan.notes


@pytest.mark.parametrize(
    ("changes", "used"),
    [
        ({"fee": "0.004"}, False),  # as dear as the two fees
        ({"fee": "0.0035"}, True),  # 40 + 4 against 35 + 3 leaves 6 bps, more than a tenth of 5
        ({"half_bps": 22}, True),  # 44 against 42 leaves the 2 bps that are a tenth of the fee saved
        ({"half_bps": 23}, False),
        ({"factor": "0.998"}, False),  # a fifth of a percent worse than the two mids eats the fee saved
        ({"factor": "1.009"}, True),  # better than they are is no reason, and no saving either
    ],
)
def test_a_pair_is_used_only_where_it_beats_two_orders_by_a_tenth_of_the_fee(
    changes: dict[str, Any], used: bool
) -> None:
    plan = planned(seen_with(**changes))
    assert (symbols(plan) == ["ethbtc"]) is used and not plan.notes
    assert used or symbols(plan) == ["ethusdt", "btcusdt"]


def test_what_looks_better_than_the_two_mids_is_not_counted_as_saved() -> None:
    fair, cheap = planned(seen_with()), planned(seen_with("1.009"))
    assert cheap.saves_quote <= fair.saves_quote


def test_a_level_beyond_max_slippage_is_not_taken() -> None:
    seen = seen_with(half_bps=10)
    plan = planned(seen, replace(LOOSE, max_slippage_bps=d(9)))
    assert symbols(plan) == ["ethusdt", "btcusdt"]


def test_the_least_order_of_the_pair_is_counted_in_its_own_quote_coin() -> None:
    plan = planned(seen_with(min_notional=d("0.2")))  # 16,000 USDT
    assert symbols(plan) == ["ethusdt", "btcusdt"]
    assert symbols(planned(seen_with(min_notional=d("0.05")))) == ["ethbtc"]


def test_a_remainder_too_small_for_an_order_is_made_large_enough_for_one() -> None:
    """BTC takes all of ETH but some USDT, which no order could carry alone, and they are far more than a lot."""
    holdings = {"BTC": "0.36", "ETH": "16.695", "SOL": 64, "USDT": 22_336}
    seen, over_quote = seen_with(holdings=holdings), targets(WEIGHTS)
    chosen = {leg.asset: leg.notional_quote for leg in make_plan(seen, over_quote, AFTERWARDS).legs}
    assert 1 < abs(chosen["ETH"] - chosen["BTC"]) < 12
    plan = planned(seen)
    assert symbols(plan) == ["ethusdt", "ethbtc", "btcusdt", "solusdt"]
    legs = {leg.symbol: leg.notional_quote for leg in plan.legs}
    assert min(legs.values()) >= 100, "a tenth of a percent of NAV"
    lot = d("0.0001")
    assert 0 <= chosen["ETH"] - legs["ethusdt"] - legs["ethbtc"] <= 2 * lot * 2_500
    assert 0 <= chosen["BTC"] - legs["btcusdt"] - legs["ethbtc"] <= lot


def with_a_thin_book() -> Snapshot:
    """Return two levels that pay and one that costs a percent."""
    seen = seen_with()
    book = seen.crosses["ethbtc"].book
    assert book is not None
    best = book.bids[0].price
    bids = (Level(best, d(1)), Level(best * d("0.9999"), d(1)), Level(best * d("0.99"), d(1000)))
    return book_changed(seen, bids=bids)


def test_only_the_levels_that_pay_are_taken_and_the_rest_goes_over_the_quote_coin() -> None:
    plan = planned(with_a_thin_book())
    sizes = {leg.symbol: leg.size.value for leg in plan.legs}
    assert list(sizes) == ["ethusdt", "ethbtc", "btcusdt"]
    assert sizes["ethbtc"] == 2
    chosen = make_plan(with_a_thin_book(), targets(WEIGHTS), AFTERWARDS).legs[0]
    assert sizes["ethusdt"] + sizes["ethbtc"] == chosen.size.value


def test_a_way_that_needs_more_orders_than_the_day_allows_is_not_taken() -> None:
    plan = planned(with_a_thin_book(), replace(LOOSE, max_orders_per_day=2))
    assert symbols(plan) == ["ethusdt", "btcusdt"]


def test_a_symbol_that_once_refused_for_precision_keeps_to_its_lot() -> None:
    seen = seen_with(holdings={"BTC": "0.65", "ETH": "7.2", "SOL": 120, "USDT": 15_000})
    usage = replace(AFTERWARDS, amount_precision_symbols=frozenset({"ethbtc"}))
    (leg,) = (leg for leg in planned(seen, usage=usage).legs if leg.direct)
    assert leg.size.value % seen.crosses["ethbtc"].rules.lot_size == 0


def direct_leg() -> tuple[Leg, CrossPair]:
    seen = seen_with(holdings={"BTC": "0.65", "ETH": "7.2", "SOL": 120, "USDT": 15_000})
    (leg,) = planned(seen).legs
    return leg, seen.crosses["ethbtc"]


def test_a_direct_buy_may_spend_the_last_of_its_coin_and_never_more() -> None:
    leg, pair = direct_leg()
    whole = fit_leg(leg, free=leg.size.value, rules=pair.rules, amount_precision=False)
    assert whole == leg
    half = fit_leg(leg, free=leg.size.value / 2, rules=pair.rules, amount_precision=False)
    assert isinstance(half, Leg) and half.direct is not None and leg.direct is not None
    assert half.size.value <= leg.size.value / 2
    assert half.notional_quote == half.size.value * 80_000
    assert half.direct.saves_quote == pytest.approx(leg.direct.saves_quote / 2)
    assert half.fee_quote == pytest.approx(leg.fee_quote / 2)


def test_a_direct_leg_is_cut_to_what_either_side_of_the_turnover_leaves() -> None:
    leg, pair = direct_leg()
    nav, limits = d(100_000), replace(LOOSE, max_turnover_per_day=d(10))
    for usage in (Usage(sold_quote=d(8_000)), Usage(bought_quote=d(8_000))):
        cut = clip_to_limits(leg, limits, usage, nav, pair.rules, spent_quote=d(0))
        assert isinstance(cut, Leg) and d(1_999) < cut.notional_quote <= 2_000
    full = clip_to_limits(leg, limits, Usage(bought_quote=d(10_000)), nav, pair.rules, spent_quote=d(0))
    assert isinstance(full, Denial)


def test_the_first_leg_ever_needs_no_cash() -> None:
    leg, _ = direct_leg()
    buy = replace(leg, intent_seq=2, symbol="solusdt", quote="USDT", size=QuoteAmount(d(20)), notional_quote=d(20))
    cash_buy = replace(buy, direct=None)
    first, rest = first_leg_alone((leg, cash_buy))
    assert first is leg and rest == (cash_buy,)


def test_a_book_of_the_pair_is_never_mistaken_for_one_of_the_quote_coin() -> None:
    seen = seen_with()
    book = seen.crosses["ethbtc"].book
    assert isinstance(book, Book) and book.mid == d(2_500) / d(80_000)
    assert planned(seen).legs[0].mid == book.mid
