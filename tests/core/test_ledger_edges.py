"""One order in the books, the books at their opening, and books that do not add up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rebalancer.core.ledger import Books, Look, Trades, next_books, open_books
from tests.core.builders import NOW, d

LOOK = Look(NOW, "USDT", {"BTC": d(100), "USDT": d(1)}, {"BTC": d(2), "USDT": d(50)}, {"BTC": d(60), "USDT": d(40)})
MIDS = {"BTC": d(100), "USDT": d(1)}


def test_new_books_take_all_that_is_held_for_the_opening() -> None:
    assert open_books(LOOK) == Books(
        at=NOW, opened_at=NOW, prices=LOOK.prices, held=LOOK.held, weights=LOOK.weights, opening=LOOK.held, changes={},
        never=LOOK.held, frictionless_quote=d(250), flows={}, flows_quote=d(0), fees={}, fees_quote=d(0),
        slip_quote=d(0), notional_quote=d(0), orders=0,
    )  # fmt: skip
    assert open_books(LOOK).differing() == {}


def test_a_buy_costs_what_it_paid_over_the_mid_and_its_fee_apart() -> None:
    """One coin for 101 at a mid of 100, a hundredth of a coin as the fee."""
    first = Trades().plus("BTC", {"BTC": d("0.99"), "USDT": d(-101)}, {"BTC": d("0.01")}, MIDS)
    assert first == Trades({"BTC": d("0.99"), "USDT": d(-101)}, {"BTC": d("0.01")}, d(1), d(100), 1)
    both = first.plus("BTC", {"BTC": d(-2), "USDT": d("197.5")}, {"USDT": d("0.5")}, MIDS)
    assert both == Trades({"BTC": d("-1.01"), "USDT": d("96.5")}, {"BTC": d("0.01"), "USDT": d("0.5")}, d(3), d(300), 2)


def test_a_fee_in_a_third_coin_is_no_part_of_the_cost_against_the_mid() -> None:
    made = Trades().plus("BTC", {"BTC": d(1), "USDT": d(-100)}, {"HTX": d(7)}, MIDS)
    assert (made.fees, made.slip_quote, made.notional_quote) == ({"HTX": d(7)}, 0, 100)


@pytest.mark.parametrize("missing", ["BTC", "USDT"])
def test_an_order_whose_coins_have_no_mid_counts_and_its_cost_stays_unknown(missing: str) -> None:
    mids = {asset: mid for asset, mid in MIDS.items() if asset != missing}
    made = Trades().plus("BTC", {"BTC": d(1), "USDT": d(-101)}, {"USDT": d(1)}, mids)
    assert made == Trades({"BTC": d(1), "USDT": d(-101)}, {"USDT": d(1)}, d(0), d(0), 1)


def test_books_say_by_how_much_opening_flows_and_orders_miss_what_is_held() -> None:
    books = replace(open_books(LOOK), flows={"BTC": d(1)}, changes={"USDT": d(-20), "BTC": d("0.2")})
    sound = replace(books, held={"BTC": d("3.2"), "USDT": d(30)})
    assert sound.differing() == {}
    assert replace(sound, held={"BTC": d(3), "USDT": d(31)}).differing() == {"BTC": d("-0.2"), "USDT": d(1)}
    assert replace(sound, held=dict(sound.held) | {"ETH": d(4)}).differing() == {"ETH": d(4)}


def test_books_are_carried_on_field_by_field() -> None:
    """A coin more is counted, one that was sold for it had no row before, and the price of the first has moved."""
    later = replace(
        LOOK, at=NOW + timedelta(hours=1), prices={"BTC": d(110), "ETH": d(10), "USDT": d(1)},
        held={"BTC": d(1), "ETH": d(9), "USDT": d(60)}, weights={"BTC": d(50), "ETH": d(10), "USDT": d(40)},
    )  # fmt: skip
    trades = Trades({"BTC": d("-0.5"), "USDT": d(55), "ETH": d(9)}, {"USDT": d(1), "HTX": d(2)}, d(3), d(400), 2)
    first = replace(
        open_books(LOOK), fees={"USDT": d(1)}, fees_quote=d(1), slip_quote=d(1), notional_quote=d(7), orders=1
    )
    assert next_books(first, later, trades) == Books(
        at=later.at, opened_at=NOW, prices=later.prices, held=later.held, weights=later.weights, opening=LOOK.held,
        changes={"BTC": d("-0.5"), "USDT": d(55)}, never={"BTC": d("1.5"), "USDT": d(5), "ETH": d(9)},
        frictionless_quote=d(250) * d("1.06") - 55 - 45 + 90,
        flows={"BTC": d("-0.5"), "USDT": d(-45), "ETH": d(9)}, flows_quote=d(-55 - 45 + 90),
        fees={"USDT": d(2), "HTX": d(2)}, fees_quote=d(2), slip_quote=d(4), notional_quote=d(407), orders=3,
    )  # fmt: skip
    assert next_books(first, later, trades).differing() == {}


def test_a_weight_of_a_coin_without_a_price_stands_still_and_cash_that_was_not_counted_comes_in() -> None:
    books = replace(open_books(LOOK), prices={"BTC": d(100)}, never={"BTC": d(2)})
    made = next_books(books, replace(LOOK, prices={"BTC": d(200), "USDT": d(3)}), Trades())
    assert made.frictionless_quote == 250 * (d("0.6") * 2 + d("0.4"))
    gone = next_books(
        replace(books, held={"BTC": d(2)}), replace(LOOK, prices={"USDT": d(1)}, held={"USDT": d(0)}), Trades()
    )
    assert gone.never == {"USDT": 0}


def test_books_of_very_large_amounts_keep_their_last_digit() -> None:
    books = open_books(replace(LOOK, held={"BTC": d(10**22), "USDT": d("0.00000001")}))
    made = next_books(books, replace(LOOK, held=books.held), Trades())
    assert made.frictionless_quote == d("1000000000000000000000000.00000001")
