"""The books that each look leaves in the journal: to the last digit what the exchange did, and what nothing would have."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.core.ledger import Books, worth
from tests.service.house import DRIFTED, House

COUNTED = ("BTC", "ETH", "SOL", "USDT")


def books_of(house: House) -> Books:
    assert house.journal.state.books is not None
    return house.journal.state.books


@pytest.mark.parametrize("faults", ["", "lost_reply@place=0.5", "partial@place=0.5"])
def test_opening_flows_and_orders_are_what_the_exchange_holds_to_the_last_digit(tmp_path: Path, faults: str) -> None:
    house = House(tmp_path, faults=faults)
    for came in ({}, {"BTC": "0.3"}, {"USDT": "2500.00000001"}, {}):
        for asset, amount in came.items():
            house.exchange.deposit(house.user, asset, Decimal(amount))
        house.cycle()
        house.clock.advance(3600)
    house.set_faults("")
    while house.cycle().status != "within_bands":
        pass
    books = books_of(house)
    assert books.differing() == {}
    assert {asset: books.held[asset] for asset in COUNTED} == {asset: house.held(asset) for asset in COUNTED}
    assert books.flows == {"BTC": Decimal("0.3"), "USDT": Decimal("2500.00000001")}
    assert books.opening == DRIFTED and books.orders == sum(1 for r in house.records if r.filled_quantity)
    fees: dict[str, Decimal] = {}
    for record in house.records:
        for asset, fee in record.fees.items():
            fees[asset] = fees.get(asset, Decimal(0)) + fee
    assert books.fees == fees and books.fees_quote > 0


def test_what_rebalancing_cost_is_the_way_from_the_shadow_at_prices_that_stand_still(tmp_path: Path) -> None:
    house = House(tmp_path)
    while house.cycle().status != "within_bands":
        pass
    books = books_of(house)
    cost = books.never_quote - books.nav_quote
    # Fees were valued at the look after, at the same prices; the slip is against the mids of the decision.
    assert abs(cost - books.fees_quote - books.slip_quote) < Decimal("1e-9")
    assert books.never == DRIFTED and books.never_quote == worth(DRIFTED, books.prices)
    assert books.slip_quote > 0


def test_a_restart_carries_the_books_on_and_a_dry_run_keeps_them_too(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    before = books_of(house)
    house.restart()
    house.cycle()
    assert books_of(house).opened_at == before.opened_at and books_of(house).at > before.at


def test_a_dry_run_keeps_books_whose_every_move_is_a_flow(tmp_path: Path) -> None:
    house = House(tmp_path, mode="dry-run")
    house.cycle()
    house.exchange.deposit(house.user, "ETH", Decimal(1))
    house.cycle()
    books = books_of(house)
    assert books.flows == {"ETH": 1} and books.orders == 0
    assert books.never_quote == books.nav_quote


def test_a_look_whose_data_did_not_pass_leaves_no_books(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    before = books_of(house)
    house.set_faults("one_sided=1")
    assert house.cycle().status == "refused"
    assert books_of(house) == before


def test_what_is_kept_is_not_in_the_books_and_what_is_elsewhere_is(tmp_path: Path) -> None:
    """The shadows are of the same amounts as the weights, so that their difference is what rebalancing did."""
    kept, external = {"BTC": Decimal("0.1"), "USDT": Decimal(500)}, {"ETH": Decimal(2)}
    house = House(tmp_path)
    house.targets = replace(house.targets, kept=kept, external=external)
    while house.cycle().status != "within_bands":
        pass
    books = books_of(house)
    counted = {asset: house.held(asset) - kept.get(asset, 0) + external.get(asset, 0) for asset in COUNTED}
    assert books.held == counted and books.differing() == {} and books.flows == {}
    opened = {asset: DRIFTED[asset] - kept.get(asset, 0) + external.get(asset, 0) for asset in COUNTED}
    assert books.opening == opened and books.never == opened
    assert abs(books.frictionless_quote - books.never_quote) < Decimal("1e-9"), "prices stand still"
    house.targets = replace(house.targets, kept={}, external={})
    house.cycle()
    assert books_of(house).flows == {"BTC": Decimal("0.1"), "USDT": Decimal(500), "ETH": Decimal(-2)}
    assert books_of(house).differing() == {}
