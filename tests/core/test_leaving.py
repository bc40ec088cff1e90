"""How much of a coin that leaves is still to be sold, on the exchange's own bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rebalancer.core.leaving import is_gone, placeable, still_held
from tests.core.builders import d, rules, snapshot, targets

WANTED = replace(targets({"BTC": 50, "USDT": 50}), leaving=("DOGE",))


@pytest.mark.parametrize(
    ("quantity", "least", "sent"),
    [("120", "100", True), ("119.9", "100", False), ("150", "150", True), ("149.9", "150", False), ("0", "0", False)],
)
def test_a_sell_is_taken_from_the_minimums_themselves_on(quantity: str, least: str, sent: bool) -> None:
    listed = rules("DOGE", lot_size=d("0.1"), min_notional=d(10), sell_quantity_min=d(least))
    assert placeable(listed, d(quantity), d("0.1")) is sent


def test_less_than_a_lot_is_no_order_whatever_it_is_worth() -> None:
    dear = rules("DOGE", lot_size=d(1), min_notional=d(0), sell_quantity_min=d(0))
    assert not placeable(dear, d("0.9"), d(10**6))


def test_of_what_is_all_kept_nothing_is_left_to_sell() -> None:
    seen = snapshot({"BTC": 0, "USDT": 0, "DOGE": 500}, {"BTC": 1, "DOGE": 1})
    assert not is_gone(seen, WANTED, "DOGE", d(1)) and still_held(seen, WANTED) == ("DOGE",)
    kept = replace(WANTED, kept={"DOGE": d(500)})
    assert is_gone(seen, kept, "DOGE", d(1)) and still_held(seen, kept) == ()
    unlisted = replace(seen, rules={})
    assert is_gone(unlisted, kept, "DOGE", d(1)), "though nothing says what an order is"
    assert not is_gone(unlisted, WANTED, "DOGE", d(1))
