"""Coins of which there are billions, or hardly any, in up to eighteen decimals: every digit is booked as it is held."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rebalancer.simulator.exchange import ExchangeOptions
from tests.service.house import DRIFTED, House
from tests.service.truth import must_hold

# Price, held, and decimals of price, of amount and of value.
COINS = {
    "hundreds of billions, whole": ("0.0000000123", "400000000000", 12, 0, 8),
    "ten quadrillion": ("0.00000000000123", "1e16", 18, 0, 8),
    "a part of one": ("98765432.1", "0.00005", 1, 10, 12),
    "all decimals": ("3.2", "900", 4, 18, 18),
}


def cheap(house: House, price: str, decimals: tuple[int, int, int]) -> None:
    """Make SOL another coin."""
    market = house.exchange.market
    for symbol in [each for each in market.specs() if "sol" in each and each != "solusdt"]:
        market.delist(symbol)
    market._coins["sol"] = replace(market._coins["sol"], price_usd=Decimal(price))
    names = ("price_precision", "amount_precision", "value_precision")
    bounds = {"sell_market_min_amount": Decimal(1).scaleb(-decimals[1]), "sell_market_max_amount": Decimal("1e18")}
    market.change_spec("solusdt", **dict(zip(names, decimals, strict=True)), **bounds)


@pytest.mark.parametrize(
    "options",
    [{}, {"fill_precision": "amount"}, {"deduct_fees_in_points": True}, {"old_shape": True}],
    ids=lambda options: next(iter(options), "as documented"),
)
@pytest.mark.parametrize("coin", COINS)
def test_every_digit_of_a_fill_is_booked(coin: str, options: dict[str, Any], tmp_path: Path) -> None:
    price, held, *decimals = COINS[coin]
    start = {**DRIFTED, "SOL": Decimal(held), "HTX": Decimal(10**12)}
    house = House(tmp_path, rehearsed=False, balances=dict(start), options=ExchangeOptions(**options))
    cheap(house, price, (decimals[0], decimals[1], decimals[2]))
    for _ in range(3):
        house.cycle()
        house.clock.advance(4 * 3600)
    assert "filled" in house.states() and not house.journal.state.unresolved
    must_hold(house)
    assert house.booked(start) == {asset: house.held(asset) for asset in start}
    books = house.journal.state.books
    assert books is not None and not books.differing()
