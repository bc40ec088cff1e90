"""Orders and the book they walk: cut to what it takes within the slippage allowed, and the rest later."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from rebalancer.core.depth import size_within, walk_book
from rebalancer.core.fit import cut_to_book
from rebalancer.core.model import Book, Level, Side, Snapshot, Usage
from rebalancer.core.money import EXACT, ONE, ZERO, BaseAmount, QuoteAmount
from rebalancer.core.plan import Plan
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Skip, Why
from rebalancer.core.targets import Targets
from tests.core.builders import LOOSE, NOW, d, snapshot, targets
from tests.core.test_planner_properties import filled

PRICES = {"BTC": "50000", "ETH": "2500", "SOL": "100"}
TARGETS = targets({"BTC": 40, "ETH": 30, "SOL": 10, "USDT": 20})
HOLDINGS = {"BTC": "0.14", "ETH": "0.8", "SOL": "5", "USDT": "500"}  # of 10,000: BTC far too much
TRADED = Usage(has_traded=True)
ROUNDING = d("1e-15")  # bps


def random_book(rng: random.Random, mid: Decimal, *, value: Decimal) -> Book:
    """Return a book of uneven levels, each holding a random part of `value`."""
    asks, bids = [], []
    up = down = mid
    for _ in range(rng.randint(1, 20)):
        up += mid * rng.randint(1, 40) / 100_000
        down -= mid * rng.randint(1, 40) / 100_000
        asks.append(Level(up, value * rng.randint(1, 100) / 100 / up))
        bids.append(Level(down, value * rng.randint(1, 100) / 100 / down))
    return Book("btcusdt", tuple(bids), tuple(asks), NOW)


@pytest.mark.parametrize("seed", range(400))
def test_the_size_within_a_slippage_is_the_largest_one(seed: int) -> None:
    rng = random.Random(seed)
    mid = d(rng.randint(1, 10**6)) / 100
    book, side = random_book(rng, mid, value=d(1000)), rng.choice(list(Side))
    allowed = d(rng.choice([1, 5, 20, 50, 200]))
    size = size_within(book, mid, side, allowed, d(10**12))
    kind = BaseAmount if side is Side.SELL else QuoteAmount
    levels = book.bids if side is Side.SELL else book.asks
    whole = sum((level.quantity * (ONE if side is Side.SELL else level.price) for level in levels), ZERO)
    if not size:
        assert walk_book(book, mid, kind(d("1e-9"))).slippage_bps > allowed, f"seed {seed}"
        return
    within = walk_book(book, mid, kind(EXACT.multiply(size, ONE - d("1e-20"))))
    assert not within.exhausted and within.slippage_bps <= allowed + ROUNDING, f"seed {seed}"
    more = walk_book(book, mid, kind(size * d("1.001")))
    assert more.exhausted or more.slippage_bps > allowed, f"seed {seed}"
    assert size <= whole * (ONE + d("1e-20")), f"seed {seed}"


def thin(seed: int) -> tuple[Snapshot, Targets]:
    """Return an account that strays while its books take a few orders' worth at most."""
    rng = random.Random(seed)
    limits = replace(LOOSE, max_slippage_bps=d(rng.choice([5, 20, 50])))
    seen = snapshot(HOLDINGS, PRICES)
    books = {
        asset: replace(
            random_book(rng, d(price), value=d(rng.choice([30, 300, 3000]))), symbol=seen.rules[asset].symbol
        )
        for asset, price in PRICES.items()
    }
    mids = {asset: book.mid for asset, book in books.items()}
    tickers = {a: replace(t, last=mids[a], open_24h=mids[a]) for a, t in seen.tickers.items()}
    return replace(seen, books=books, tickers=tickers), replace(TARGETS, limits=limits)


@pytest.mark.parametrize("seed", range(300))
def test_no_leg_slips_more_than_allowed_by_its_own_walk(seed: int) -> None:
    seen, wanted = thin(seed)
    plan = make_plan(seen, wanted, TRADED)
    assert not plan.denials, f"seed {seed}: {plan.denials}"
    for leg in plan.legs:
        walk = walk_book(seen.books[leg.asset], leg.mid, leg.size)
        assert not walk.exhausted, f"seed {seed}"
        assert walk.slippage_bps <= wanted.limits.max_slippage_bps + ROUNDING, f"seed {seed}"


@pytest.mark.parametrize("seed", range(300))
def test_a_sell_that_its_book_cuts_also_cuts_the_buys_it_funds(seed: int) -> None:
    """Cash gives the buys no more than it would have given them if the books were deep."""
    seen, wanted = thin(seed)
    deep = replace(seen, books={a: replace(b, **_ten_thousand_fold(b)) for a, b in seen.books.items()})
    whole, cut = make_plan(deep, wanted, TRADED), make_plan(seen, wanted, TRADED)
    by_deep, by_thin = (_sum(plan, Side.BUY) - _sum(plan, Side.SELL) for plan in (whole, cut))
    smallest = 12
    assert by_thin <= max(by_deep, ZERO) + smallest, f"seed {seed}: {cut.legs} for {whole.legs}"


def _ten_thousand_fold(book: Book) -> dict[str, tuple[Level, ...]]:
    return {
        side: tuple(replace(level, quantity=level.quantity * 10_000) for level in getattr(book, side))
        for side in ("bids", "asks")
    }


def _sum(plan: Plan, side: Side) -> Decimal:
    return sum((leg.notional_quote for leg in plan.legs if leg.side is side), ZERO)


def test_what_a_book_does_not_take_now_comes_in_the_next_cycles() -> None:
    """300 USDT within 50 bps a look, and 3,000 BTC-USDT too much: ten slices, then rest."""
    seen = snapshot(HOLDINGS, PRICES)
    book = Book("btcusdt", (Level(d(49_990), d("0.006")), Level(d(40_000), d(1))), (Level(d(50_010), d(1)),), NOW)
    seen = replace(seen, books=seen.books | {"BTC": book})
    wanted = replace(TARGETS, limits=replace(LOOSE, max_slippage_bps=d(50)))
    slices = []
    for _ in range(40):
        plan = make_plan(seen, wanted, TRADED)
        slices += [leg for leg in plan.legs if leg.asset == "BTC"]
        if not plan.legs:
            break
        seen = filled(seen, plan)
    assert len(slices) > 5
    assert all(leg.capped for leg in slices[:-1])
    assert "leave" in slices[0].reason.text
    assert plan.trigger.value == "none"


def test_a_book_that_takes_not_even_the_smallest_order_is_said() -> None:
    seen = snapshot(HOLDINGS, PRICES)
    far = Book("btcusdt", (Level(d(49_700), d(1)),), (Level(d(50_100), d(1)),), NOW)
    seen = replace(seen, books=seen.books | {"BTC": far})
    plan = make_plan(seen, replace(TARGETS, limits=replace(LOOSE, max_slippage_bps=d(20))), TRADED)
    reason = next(line.reason for line in plan.assets if line.asset == "BTC")
    assert reason.code is Skip.SLIPPAGE
    assert "max_slippage_bps = 20" in reason.text
    assert Why.OVERWEIGHT not in {leg.reason.code for leg in plan.legs}


def test_a_leg_is_cut_again_to_the_book_at_its_turn() -> None:
    seen = snapshot(HOLDINGS, PRICES)
    leg = next(leg for leg in make_plan(seen, TARGETS, TRADED).legs if leg.asset == "BTC")
    shallow = Book("btcusdt", (Level(d(49_990), d("0.0061")), Level(d(40_000), d(1))), (Level(d(50_010), d(1)),), NOW)
    cut = cut_to_book(leg, shallow, seen.rules["BTC"], d(50), amount_precision=False)
    assert cut is not None and ZERO < cut.size.value < leg.size.value
    assert walk_book(shallow, leg.mid, cut.size).slippage_bps <= 50
    assert cut_to_book(leg, seen.books["BTC"], seen.rules["BTC"], d(50), amount_precision=False) is leg
    gone = replace(shallow, bids=shallow.bids[1:])
    assert cut_to_book(leg, gone, seen.rules["BTC"], d(50), amount_precision=False) is None
