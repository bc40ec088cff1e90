"""What the account is worth: every target asset priced, or no value at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rebalancer.core.judge import judge
from rebalancer.core.model import Book, Level, Snapshot, Usage
from rebalancer.core.valuation import Valuation, value_of
from tests.core.builders import NOW, d, snapshot, targets

TARGETS = targets({"BTC": 50, "ETH": 30, "USDT": 20})
SEEN = snapshot(
    {"BTC": "0.02", "ETH": "1", "USDT": "500", "DOGE": "7"}, {"BTC": 50_000, "ETH": 2500}, locked={"BTC": "0.01"}
)


def value(seen: Snapshot) -> Valuation | None:
    return value_of(seen, TARGETS, judge(seen, TARGETS, Usage()))


def test_values_weights_and_drifts_stand_in_the_order_of_the_file() -> None:
    made = value(SEEN)
    assert made is not None
    assert made.prices == {"USDT": 1, "BTC": 50_000, "ETH": 2500}
    assert list(made.values.items()) == [("BTC", 1500), ("ETH", 2500), ("USDT", 500)]
    assert made.nav_quote == 4500
    assert list(made.weights) == pytest.approx([1 / 3, 5 / 9, 1 / 9])
    assert list(made.targets) == [0.5, 0.3, 0.2]
    assert list(made.drift) == pytest.approx([1 / 3 - 0.5, 5 / 9 - 0.3, 1 / 9 - 0.2])
    assert list(made.bands) == pytest.approx([0.12 * (w * (1 - w)) ** (2 / 3) for w in (0.5, 0.3, 0.2)])


def without(section: str, asset: str) -> Snapshot:
    return replace(SEEN, **{section: {a: each for a, each in getattr(SEEN, section).items() if a != asset}})


@pytest.mark.parametrize(
    "seen",
    [
        without("books", "ETH"),
        without("balances", "ETH"),
        without("balances", "USDT"),
        replace(SEEN, books=dict(SEEN.books) | {"ETH": Book("ethusdt", (), (Level(d(1), d(1)),), NOW)}),
        replace(
            SEEN, books=dict(SEEN.books) | {"ETH": Book("ethusdt", (Level(d(-1), d(1)),), (Level(d(1), d(1)),), NOW)}
        ),
        snapshot({"BTC": 0, "ETH": 0, "USDT": 0}, {"BTC": 50_000, "ETH": 2500}),
    ],
)
def test_without_a_price_or_a_balance_of_one_asset_or_with_nothing_at_all_there_is_no_value(seen: Snapshot) -> None:
    assert value(seen) is None


def test_an_account_of_less_than_one_quote_unit_has_a_value() -> None:
    made = value(snapshot({"BTC": 0, "ETH": 0, "USDT": "0.5"}, {"BTC": 50_000, "ETH": 2500}))
    assert made is not None and made.nav_quote == d("0.5")


def test_a_price_below_one_is_a_price() -> None:
    made = value(snapshot({"BTC": 1, "ETH": 1, "USDT": 1}, {"BTC": "0.5", "ETH": "0.25"}))
    assert made is not None and made.nav_quote == d("1.75")
