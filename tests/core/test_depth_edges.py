"""The walk of a book, level by level: averages, costs from the mid, and whether the side was enough."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rebalancer.core.depth import Walk, size_within, walk_book
from rebalancer.core.model import Book, Level, Side
from rebalancer.core.money import BaseAmount, QuoteAmount
from tests.core.builders import NOW, d


def levels(*rows: tuple[int, int]) -> tuple[Level, ...]:
    return tuple(Level(Decimal(price), Decimal(quantity)) for price, quantity in rows)


BOOK = Book("btcusdt", levels((100, 1), (80, 2), (50, 4)), levels((125, 2), (200, 1), (250, 4)), NOW)
MID = d(100)


@pytest.mark.parametrize(
    ("quantity", "average", "exhausted"),
    [("0.5", "100", False), ("1", "100", False), ("2", "90", False), ("5", "72", False), ("7", 460, False), ("9", 460, True)],
)  # fmt: skip
def test_a_sell_takes_the_bids_from_the_best_down(quantity: str, average: str | int, exhausted: bool) -> None:
    price = d(460) / d(7) if average == 460 else d(average)
    walk = walk_book(BOOK, MID, BaseAmount(d(quantity)))
    assert walk == Walk(price, d(0), (100 - price) / MID * 10_000, exhausted)


@pytest.mark.parametrize(
    ("spend", "quantity", "exhausted"),
    [("125", "1", False), ("250", "2", False), ("350", "2.5", False), ("450", "3", False), ("1450", "7", False), ("2000", "7", True)],
)  # fmt: skip
def test_a_buy_takes_the_asks_from_the_best_up(spend: str, quantity: str, exhausted: bool) -> None:
    spent = min(d(spend), d(1450))
    walk = walk_book(BOOK, MID, QuoteAmount(d(spend)))
    average = spent / d(quantity)
    assert walk == Walk(average, d(2500), (average - 125) / MID * 10_000, exhausted)
    assert walk.slippage_bps == d(2500) + walk.impact_bps


def test_the_way_from_the_mid_to_the_best_bid_is_a_cost_too() -> None:
    assert walk_book(BOOK, d(160), BaseAmount(d(1))).spread_bps == 3750


@pytest.mark.parametrize("size", [BaseAmount(d(1)), QuoteAmount(d(1))])
def test_a_side_that_is_not_there_is_our_mistake_by_the_symbols_name(size: BaseAmount | QuoteAmount) -> None:
    with pytest.raises(AssertionError, match=r"^btcusdt$"):
        walk_book(Book("btcusdt", (), (), NOW), MID, size)


@pytest.mark.parametrize(
    ("side", "enough", "bps", "size"),
    [
        (Side.SELL, "0.5", 10_000, "1"),  # whole levels, as soon as they are enough
        (Side.SELL, "1", 10_000, "1"),
        (Side.SELL, "1.1", 10_000, "3"),
        (Side.BUY, "250", 10_000, "250"),
        (Side.BUY, "250.1", 10_000, "450"),
        (Side.SELL, "100", 0, "1"),  # the best price is the worst allowed
        (Side.SELL, "100", 1000, "2"),  # an average of 90
        (Side.SELL, "100", 5000, "7"),
        (Side.BUY, "10000", 2500, "250"),
        (Side.BUY, "10000", 2499, "0"),
    ],
)
def test_a_side_takes_what_keeps_its_average_within_the_slippage_and_is_asked_no_further_than_enough(
    side: Side, enough: str, bps: int, size: str
) -> None:
    assert size_within(BOOK, MID, side, d(bps), d(enough)) == d(size)


def test_books_of_more_digits_than_a_default_context_holds_are_summed_exactly() -> None:
    tiny = d("1e-28")
    book = Book("btcusdt", (Level(d(1), d(1)), Level(d(1), tiny)), (Level(d(1), d(1)), Level(d(1), tiny)), NOW)
    assert size_within(book, d(1), Side.SELL, d(0), d(9)) == d(f"1.{'0' * 27}1")
    assert walk_book(book, d(1), BaseAmount(d(f"1.{'0' * 27}1"))).average_price == 1
