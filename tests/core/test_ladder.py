"""Sizes one by one: up, down, to the next and the last, across the size from which steps are coarse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rebalancer.core.ladder import Ladder, buy_ladder, collared_buy_ladder, sell_ladder, smallest_orders
from rebalancer.core.model import Side
from rebalancer.core.money import BaseAmount, QuoteAmount
from tests.core.builders import d, rules

# Sizes 2.4, 2.6 … 5, then 6, 7 … 9; one is worth ten.
LADDER = Ladder(Side.BUY, d(10), d("0.2"), d(1), d(5), d("2.4"), d(9))


def number(text: str | None) -> Any:
    return None if text is None else d(text)


@pytest.mark.parametrize(
    ("quote", "down", "up"),
    [
        ("-1", None, "2.4"), ("0", None, "2.4"), ("23.9", None, "2.4"), ("24", "2.4", "2.4"), ("24.1", "2.4", "2.6"),
        ("26", "2.6", "2.6"), ("49.9", "4.8", "5"), ("50", "5", "5"), ("50.1", "5", "6"), ("69", "6", "7"),
        ("89.9", "8", "9"), ("90", "9", "9"), ("90.1", "9", None), ("500", "9", None),
    ],
)  # fmt: skip
def test_a_notional_lies_between_two_sizes_of_the_ladder(quote: str, down: str | None, up: str | None) -> None:
    assert (LADDER.down(d(quote)), LADDER.up(d(quote))) == (number(down), number(up))


@pytest.mark.parametrize(
    ("size", "below", "above"),
    [
        ("2.4", None, "2.6"), ("2.6", "2.4", "2.8"), ("4.8", "4.6", "5"), ("5", "4.8", "6"), ("6", "5", "7"),
        ("9", "8", None), ("8", "7", "9"),
    ],
)  # fmt: skip
def test_each_size_has_a_next_one_on_either_side(size: str, below: str | None, above: str | None) -> None:
    assert (LADDER.below(d(size)), LADDER.above(d(size))) == (number(below), number(above))


def test_where_coarse_steps_begin_between_two_fine_ones_that_size_stands_between_them() -> None:
    odd = replace(LADDER, coarse_step=d("2.5"))
    assert (odd.above(d("4.8")), odd.below(d(5)), odd.above(d(5))) == (5, d("4.8"), d("7.5"))
    odd = replace(LADDER, step=d("0.7"), low=d("2.8"))
    assert (odd.above(d("4.9")), odd.below(d(5)), odd.below(d("4.9"))) == (5, d("4.9"), d("4.2"))
    assert (odd.down(d(50)), odd.down(d("49.9")), odd.up(d(50))) == (5, d("4.9"), 5)


@pytest.mark.parametrize(("quote", "step"), [("49", 2), ("50", 2), ("50.1", 10)])
def test_a_step_is_worth_what_steps_are_near_a_notional(quote: str, step: int) -> None:
    assert LADDER.step_quote(d(quote)) == step


@pytest.mark.parametrize(("quote", "high"), [("500", "9"), ("69", "6"), ("24", "2.4"), ("23.9", None)])
def test_a_ladder_is_cut_to_a_notional_or_has_nothing_left(quote: str, high: str | None) -> None:
    cut = LADDER.cut_to(d(quote))
    assert cut == (None if high is None else replace(LADDER, high=d(high)))


def test_an_order_carries_the_size_or_what_it_costs_at_most() -> None:
    assert LADDER.amount(d(3)) == QuoteAmount(d(3)) and LADDER.size_of(d(3)) == 3
    collared = replace(LADDER, collar=d(11))
    assert collared.amount(d(3)) == QuoteAmount(d(33)) and collared.size_of(d(33)) == 3
    assert replace(LADDER, side=Side.SELL).amount(d(3)) == BaseAmount(d(3))


BASE: dict[str, Any] = {
    "lot_size": d("0.1"), "quote_step": d("0.01"), "min_notional": d(10), "sell_quantity_min": d("0.3"),
    "sell_quantity_max": d(50), "buy_notional_max": d(1000), "limit_quantity_min": d("0.4"),
    "limit_buy_quantity_max": d(5),
}  # fmt: skip


def listed(quote: str = "USDT", **changes: Any) -> Any:
    return rules("BTC", quote, **(BASE | changes))


@pytest.mark.parametrize(
    ("bound", "free", "smallest", "ends"),
    [
        ("1000", "20", "12", ("0.3", "10")),
        ("1000", "2.55", "12", ("0.3", "2.5")),
        ("99999", "999", "12", ("0.3", "50")),
        ("155", "20", "33", ("0.4", "1.5")),
        ("20", "20", "12", None),  # 30 is the least: ten past the bound, and 5.4 may be
        ("25", "20", "12", ("0.3", "0.3")),
        ("24.6", "20", "12", ("0.3", "0.3")),
        ("24.59", "20", "12", None),
        ("1000", "0.3", "12", ("0.3", "0.3")),
        ("1000", "0.29", "12", None),
    ],
)
def test_sells_are_lots_from_the_least_that_may_be_sent_to_what_is_free_and_leads_to_the_target(
    bound: str, free: str, smallest: str, ends: tuple[str, str] | None
) -> None:
    made = sell_ladder(listed(), mid=d(100), free=d(free), smallest=d(smallest), bound_quote=d(bound))
    lot = d("0.1")
    expected = None if ends is None else Ladder(Side.SELL, d(100), lot, lot, d(0), d(ends[0]), d(ends[1]))
    assert made == expected


@pytest.mark.parametrize(
    ("changes", "precise", "smallest", "bound", "steps"),
    [
        ({}, False, "12", "55.555", ("0.01", "0.1", "10", "12", "55.5")),
        ({}, True, "12", "55.555", ("0.1", "0.1", "10", "12", "55.5")),
        ({}, False, "12.03", "9999", ("0.01", "0.1", "10", "12.1", "1000")),
        ({"quote": "EUR"}, False, "12.03", "55.555", ("0.01", "0.01", "10", "12.03", "55.55")),
        ({"min_notional": d("10.05")}, False, "12", "55", ("0.01", "0.1", "10.1", "12", "55")),
        ({"min_notional": d("10.05")}, False, "10.06", "55", ("0.01", "0.1", "10.1", "10.06", "55")),
        ({"lot_size": d("0.001")}, False, "12", "55.555", ("0.01", "0.01", "10", "12", "55.55")),
        ({"lot_size": d("0.001")}, True, "12", "55.555", ("0.001", "0.001", "10", "12", "55.555")),
        ({"lot_size": d("0.001"), "min_notional": d(0)}, False, "0", "1", ("0.01", "0.01", "0", "0.01", "1")),
    ],
)
def test_buys_are_steps_of_money_that_both_precisions_of_the_exchange_can_mean(
    changes: dict[str, Any], precise: bool, smallest: str, bound: str, steps: tuple[str, ...]
) -> None:
    made = buy_ladder(listed(**changes), smallest=d(smallest), bound_quote=d(bound), amount_precision=precise)
    step, coarse, coarse_from, low, high = map(d, steps)
    assert made == Ladder(Side.BUY, d(1), step, coarse, coarse_from, low, high)


@pytest.mark.parametrize(
    ("bound", "smallest", "ends"),
    [("155", "12", ("0.4", "1.5")), ("9999", "12", ("0.4", "5")), ("155", "55", ("0.6", "1.5")), ("30", "12", None)],
)
def test_buys_with_a_collar_are_lots_worth_their_mid(bound: str, smallest: str, ends: tuple[str, str] | None) -> None:
    made = collared_buy_ladder(listed(), mid=d(100), collar=d(101), smallest=d(smallest), bound_quote=d(bound))
    lot = d("0.1")
    expected = None if ends is None else Ladder(Side.BUY, d(100), lot, lot, d(0), d(ends[0]), d(ends[1]), d(101))
    assert made == expected


@pytest.mark.parametrize(
    ("smallest", "buy", "sell"), [("12", "12", "30"), ("55.55", "55.6", "60"), ("12.01", "12.1", "30")]
)
def test_the_smallest_orders_are_whole_steps_of_either_side(smallest: str, buy: str, sell: str) -> None:
    assert smallest_orders(listed(), d(100), d(smallest)) == (d(buy), d(sell))
    assert smallest_orders(listed("EUR"), d(100), d(smallest)) == (d(smallest), d(sell))
