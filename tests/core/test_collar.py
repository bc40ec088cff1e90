"""The collar: as far from the mid as the owner allows and no further, on the tick, and what a buy within it can cost."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rebalancer.core.collar import (
    Bounds,
    as_limit_sells,
    buy_bounds,
    collar_price,
    is_reached,
    takes_limit_orders,
    terms_of,
)
from rebalancer.core.ladder import collared_buy_ladder
from rebalancer.core.model import Book, Level, LimitIoc, Side, amount_of, price_of
from rebalancer.core.money import BPS, EXACT, ONE, BaseAmount, QuoteAmount
from rebalancer.core.reasons import Reason, Skip
from rebalancer.core.sizing import size_collared_buy, size_sell
from tests.core.builders import NOW, d, rules

MIDS = st.decimals(min_value="0.00000001", max_value=10**6, places=9)
SLIPS = st.decimals(min_value=1, max_value=800, places=2)
TICKS = st.integers(0, 10).map(lambda digits: ONE.scaleb(-digits))
LOTS = st.integers(0, 8).map(lambda digits: ONE.scaleb(-digits))
WISHES = st.decimals(min_value="0.01", max_value=10**7, places=8)
CENT = Decimal("0.01")


@given(st.sampled_from(Side), MIDS, SLIPS, TICKS)
def test_the_collar_is_the_outermost_tick_that_slippage_allows(
    side: Side, mid: Decimal, slip_bps: Decimal, tick: Decimal
) -> None:
    collar = collar_price(side, mid, slip_bps, tick)
    sign = 1 if side is Side.BUY else -1
    allowed = EXACT.multiply(mid, 1 + sign * slip_bps / BPS)
    assert collar % tick == 0
    assert sign * EXACT.subtract(allowed, collar) >= 0, "beyond what the owner allows"
    assert sign * EXACT.subtract(allowed, collar) < tick, "nearer than it need be: fills would be lost"


@given(st.sampled_from(Side), st.integers(1, 10**6), st.integers(1, 400), SLIPS)
def test_a_collar_is_reached_exactly_when_the_best_price_is_within_slippage(
    side: Side, bid_cents: int, spread_cents: int, slip_bps: Decimal
) -> None:
    bid, ask = bid_cents * CENT, (bid_cents + spread_cents) * CENT
    made = Book("btcusdt", (Level(bid, ONE),), (Level(ask, ONE),), NOW)
    mid = made.mid
    assert mid is not None
    within = (ask - bid) / 2 <= mid * slip_bps / BPS
    assert is_reached(collar_price(side, mid, slip_bps, CENT), made, side) == within


@given(WISHES, MIDS, SLIPS, TICKS, LOTS)
def test_a_collared_buy_is_worth_no_more_than_the_wish_and_costs_no_more_than_its_size(
    wish: Decimal, mid: Decimal, slip_bps: Decimal, tick: Decimal, lot: Decimal
) -> None:
    collar = collar_price(Side.BUY, mid, slip_bps, tick)
    assume(collar > 0)
    made, most = rules("BTC", lot_size=lot, tick_size=tick, min_notional=d(1), limit_quantity_min=lot), d(1_000_000)
    sized = size_collared_buy(made, wish_quote=wish, mid=mid, collar=collar, smallest=d(1))
    if isinstance(sized, Reason):
        return
    ladder = collared_buy_ladder(made, mid=mid, collar=collar, smallest=d("1.2"), bound_quote=wish)
    assert ladder is not None and ladder.amount(ladder.high) == sized.size
    terms = terms_of(sized.size, collar)
    assert isinstance(terms, LimitIoc) and (terms.side, terms.price) == (Side.BUY, collar)
    quantity = terms.quantity.value
    assert quantity % lot == 0 and lot <= quantity <= most
    assert EXACT.multiply(quantity, collar) == sized.size.value, "the most that it can cost"
    assert EXACT.multiply(quantity + lot, mid) > wish or quantity + lot > most, "a lot was lost"
    assert wish >= sized.notional_quote == EXACT.multiply(quantity, mid) >= d("1.2")


def test_limit_orders_have_bounds_of_their_own_and_none_are_sent_where_none_are_named() -> None:
    market = {"sell_quantity_min": d("0.5"), "sell_quantity_max": d(1)}
    made = rules(
        "BTC", **market, limit_quantity_min=d("0.1"), limit_sell_quantity_max=d(3), limit_buy_quantity_max=d(2)
    )
    sell = size_sell(as_limit_sells(made), wish_quote=d(500), mid=d(100), free=d(10), smallest=d(10))
    buy = size_collared_buy(made, wish_quote=d(500), mid=d(100), collar=d(101), smallest=d(10))
    assert not isinstance(sell, Reason) and not isinstance(buy, Reason)
    assert (sell.size, buy.size) == (BaseAmount(d(3)), QuoteAmount(d(202)))
    small = size_collared_buy(made, wish_quote=d("10.1"), mid=d(200), collar=d(202), smallest=d(5))
    assert isinstance(small, Reason) and small.code is Skip.BELOW_MIN_QUANTITY
    for name in ("limit_quantity_min", "limit_buy_quantity_max", "limit_sell_quantity_max"):
        assert takes_limit_orders(made) and not takes_limit_orders(replace(made, **{name: None}))


def test_without_a_collar_a_size_is_a_market_order() -> None:
    for size in (BaseAmount(d(1)), QuoteAmount(d(1))):
        assert terms_of(size, None) == size
        assert (amount_of(size), price_of(size)) == (1, None)


def test_bounds_of_limit_orders_are_those_that_the_exchange_names_and_none_without_them() -> None:
    listed = rules("BTC", limit_quantity_min=d(2), limit_sell_quantity_max=d(5), limit_buy_quantity_max=d(7))
    sells = as_limit_sells(listed)
    assert (sells.sell_quantity_min, sells.sell_quantity_max) == (2, 5)
    assert (
        replace(sells, sell_quantity_min=listed.sell_quantity_min, sell_quantity_max=listed.sell_quantity_max) == listed
    )
    assert buy_bounds(listed) == Bounds(d(2), d(7))
    for name in ("limit_quantity_min", "limit_sell_quantity_max"):
        with pytest.raises(AssertionError, match="btcusdt"):
            as_limit_sells(rules("BTC", **{name: None}))
    for name in ("limit_quantity_min", "limit_buy_quantity_max"):
        with pytest.raises(AssertionError, match="btcusdt"):
            buy_bounds(rules("BTC", **{name: None}))
