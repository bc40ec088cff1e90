"""Pairs of two coins: whether their quotes can be trusted, and what a direct order would save against two. Pure.

A doubt about such a pair refuses nothing: the two orders over the quote coin are always there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from rebalancer.core import explain
from rebalancer.core.collar import collar_price
from rebalancer.core.guards import BOOK_AGE_MAX_S, SPREAD_MAX
from rebalancer.core.legs import Wish
from rebalancer.core.model import Book, CrossPair, MarketRules, Side, Snapshot
from rebalancer.core.money import BPS, ONE, ZERO
from rebalancer.core.reasons import Reason
from rebalancer.core.routes import HUBS, Link, Way

AGREEMENT_MAX = Decimal("0.01")  # between the pair's mid and the ratio of the two mids in the quote coin
# Of the fee saved, what must be left after spreads and depth: books move while the leg waits for its turn, and a
# direct leg that only just pays is not worth a second book to watch.
MARGIN = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Crossing:
    """One direct way over its pair; `mid` is in the pair's quote coin, costs are shares of the value moved."""

    sell: Wish
    buy: Wish
    rules: MarketRules
    book: Book
    fee_rate: Decimal
    mid: Decimal
    two_legs_cost: Decimal  # fees and half-spreads of the two orders that it replaces
    collar: Decimal | None = None  # the worst price allowed, in the pair's quote coin; None for a market order

    @property
    def side(self) -> Side:
        """Return what is done in the pair: its base is sold, or bought with the coin that is given up."""
        return _side_of(self.rules, self.sell)

    @property
    def fair(self) -> Decimal:
        """Return the price from which costs count: the pair's mid or the ratio of the two mids, the worse for us.

        A pair that looks cheap against the two others may only be late, so that is never counted as a saving.
        """
        if self.side is Side.SELL:
            return max(self.mid, self.sell.mid / self.buy.mid)
        return min(self.mid, self.buy.mid / self.sell.mid)

    def saving_at(self, price: Decimal) -> Decimal:
        """Return the share of the value that an order filled at `price` saves against the two."""
        lost = ONE - price / self.fair if self.side is Side.SELL else ONE - self.fair / price
        return self.two_legs_cost - self.fee_rate - lost

    def link(self, max_slippage_bps: Decimal) -> Link:
        """Return what the way saves at its best price, and how much value the levels worth taking carry."""
        levels = self.book.bids if self.side is Side.SELL else self.book.asks
        least = MARGIN * (self.sell.fee_rate + self.buy.fee_rate - self.fee_rate)
        slip = max_slippage_bps / BPS
        carried = ZERO
        for level in levels:
            if self.saving_at(level.price) < max(least, ZERO) or abs(level.price - self.mid) > slip * self.mid:
                break
            spent = level.quantity if self.side is Side.SELL else level.quantity * level.price
            carried += spent * self.sell.mid
        return Link(self.saving_at(levels[0].price), carried)


def crossings(
    snapshot: Snapshot, sells: Iterable[Wish], buys: Iterable[Wish], max_slippage_bps: Decimal
) -> tuple[dict[Way, Crossing], tuple[str, ...]]:
    """Return the direct ways whose pairs can be trusted and whose fee is lower, and a note on each doubtful pair.

    Where the orders of the two coins have collars, that of the pair has one too.
    """
    pairs = {(pair.rules.base, pair.rules.quote): pair for pair in snapshot.crosses.values() if pair.rules.tradable}
    buyers = tuple(buys)
    made: dict[Way, Crossing] = {}
    notes: list[str] = []
    for sell in sells:
        for buy in buyers:
            pair = pairs.get((sell.asset, buy.asset)) or pairs.get((buy.asset, sell.asset))
            if pair is None or not {sell.asset, buy.asset} & set(HUBS):
                continue
            doubt = doubt_of(pair, snapshot, {wish.asset: wish.mid for wish in (sell, buy)})
            collar = None if doubt or sell.collar is None else _collar(pair, sell, max_slippage_bps)
            if isinstance(collar, Reason):
                doubt = collar.text
            if doubt:
                notes.append(f"{pair.rules.symbol} is not used: {doubt}")
                continue
            assert pair.book is not None and pair.fee is not None and pair.book.mid is not None
            rate = pair.fee.taker_fee_rate
            if rate < sell.fee_rate + buy.fee_rate:
                cost = _one_leg_cost(sell) + _one_leg_cost(buy)
                assert not isinstance(collar, Reason)
                crossing = Crossing(sell, buy, pair.rules, pair.book, rate, pair.book.mid, cost, collar)
                made[sell.asset, buy.asset] = crossing
    return made, tuple(notes)


def _side_of(rules: MarketRules, sell: Wish) -> Side:
    return Side.SELL if rules.base == sell.asset else Side.BUY


def _collar(pair: CrossPair, sell: Wish, max_slippage_bps: Decimal) -> Decimal | Reason:
    """Return the worst price allowed in a pair that can be trusted, or why no such order can be sent or filled."""
    assert pair.book is not None and pair.book.mid is not None
    side = _side_of(pair.rules, sell)
    collar = collar_price(side, pair.book.mid, max_slippage_bps, pair.rules.tick_size)
    return explain.no_collar(pair.rules, pair.book, side, collar, max_slippage_bps) or collar


def doubt_of(pair: CrossPair, snapshot: Snapshot, mids: Mapping[str, Decimal]) -> str:
    """Return why a pair's quotes cannot be trusted beside the mids of its two coins, or an empty text."""
    book = pair.book
    if book is None or pair.fee is None:
        return f"the exchange's answer has no {'order book' if book is None else 'fee rate'} for it"
    mid = book.mid
    if mid is None:
        return f"its book has no {'asks' if book.bids else 'bids'}"
    bid, ask = book.bids[0].price, book.asks[0].price
    if not ZERO < bid < ask:
        return f"its book is crossed or without a price: bid {bid}, ask {ask}"
    age = snapshot.taken_at - book.quoted_at
    if abs(age) > timedelta(seconds=BOOK_AGE_MAX_S):
        return f"its book is {age.total_seconds():.0f} s old, over {BOOK_AGE_MAX_S} s"
    if (ask - bid) / mid > SPREAD_MAX:
        return f"its spread is {(ask - bid) / mid * 100:.2f} %, over {SPREAD_MAX * 100:.0f} %"
    off = abs(mid * mids[pair.rules.quote] / mids[pair.rules.base] - ONE)
    if off > AGREEMENT_MAX:
        where = f"the ratio of {pair.rules.base} and {pair.rules.quote} in {snapshot.quote}"
        return f"its mid is {off * 100:.2f} % from {where}, over {AGREEMENT_MAX * 100:.0f} %"
    return ""


def _one_leg_cost(wish: Wish) -> Decimal:
    """Return fee and half-spread of an order against the quote coin; its depth is left out, which favours it."""
    best = wish.book.bids[0].price if wish.side is Side.SELL else wish.book.asks[0].price
    return wish.fee_rate + abs(best - wish.mid) / wish.mid
