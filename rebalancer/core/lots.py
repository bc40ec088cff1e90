"""Which orders: the search for the sizes that come nearest to the destination.

Definition. Coin i, on the side that leads it toward its target, wishes to trade m_i >= 0 of quote money at the mid;
some only may (m_i = 0: they can take over what is too small elsewhere). An order's size x_i is 0 or on its ladder. Cash
ends where the orders leave it, so with s_i = +1 for a buy and -1 for a sell the squared distance to the destination,
fees left out as in the destination itself, is

    D(x) = sum (x_i - m_i)^2 + (sum s_i x_i - sum s_i m_i)^2          (the last term is the cash's)

Chosen is the x with the least D; among equals the fewest orders; then the least notional; then the larger order for the
coin that stands earlier in the targets file. x must be payable (buys <= 99.5 % of the free cash and of what the sells
bring after their fees) and within the purse's limits: turnover of a side, notional and number of orders. It must also
help: the part of D of those that stray shrinks, or else nothing is traded. Orders for the sake of a coin that itself
can do nothing would come again in every cycle.

Up to five coins this is exact: all sets, all whole lots. Beyond, sets of up to five orders are; larger sets take their
sizes one coin after the other, more than eight coins do not have all their sets looked at, and the answer is never
worse than each wish rounded down and dropped where that is too small. NODES_MAX bounds the work whatever comes: one
plan in thousands, with a coarse lot at the edge of its ladder among fine ones, is then only as good as found so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext

from rebalancer.core.choice import Choice, Purse, Sums, distances
from rebalancer.core.lattice import Lattice, Sizes
from rebalancer.core.money import EXACT, ZERO, to_float
from rebalancer.core.subsets import promising_sets

EXACT_MAX = 5  # orders in a set, up to which every whole lot is weighed
NODES_MAX = 5000  # sizes tried; the usual search needs ten, one in a hundred needs a hundred
SLACK = 1e-12  # of the largest wish squared: what float64 may be off in a set's bound

Key = tuple[Decimal, int, Decimal, tuple[Decimal, ...]]


def best_sizes(choices: Sequence[Choice], purse: Purse, *, cash_strays: bool) -> tuple[Decimal, ...]:
    """Return the best size of each coin's order, zero for none, in the order given."""
    with localcontext(EXACT):
        search = _Search(choices, purse, cash_strays)
        search.run()
        return search.best


class _Search:
    """One search: the best answer so far, and how much more work it may be."""

    def __init__(self, choices: Sequence[Choice], purse: Purse, cash_strays: bool) -> None:
        self.choices, self.purse, self.cash_strays = choices, purse, cash_strays
        self.nodes_left = NODES_MAX
        self.best: tuple[Decimal, ...] = (ZERO,) * len(choices)
        self._key, self._astray = self._key_of(self.best)
        self.offer(_rounded_down(choices, purse))

    def run(self) -> None:
        """Weigh the sets, the most promising first, until none can be better."""
        wished = {i for i, choice in enumerate(self.choices) if choice.wish}
        if not wished:
            return
        if all(self.choices[i].ladder.low_quote <= self.choices[i].wish for i in wished):
            self._weigh(tuple(sorted(wished)))
            if self._no_other_set_is_better(wished):
                return
        scale = max(self.choices[i].wish for i in wished)
        for bound, members in self._sets(scale):
            if bound - SLACK > to_float(self._key[0] / (scale * scale)):
                return
            self._weigh(members)

    def offer(self, sizes: Sizes) -> None:
        """Take an answer that is allowed and better than the best."""
        sums = Sums()
        for i, size in sizes.items():
            sums = sums.plus(self.choices[i], self.choices[i].ladder.quote(size))
        if not sums.allowed_by(self.purse):
            return
        made = tuple(sizes.get(i, ZERO) for i in range(len(self.choices)))
        key, astray = self._key_of(made)
        if key < self._key and astray < self._astray:
            self.best, self._key = made, key

    def _key_of(self, sizes: Sequence[Decimal]) -> tuple[Key, Decimal]:
        quotes = [choice.ladder.quote(size) for choice, size in zip(self.choices, sizes, strict=True)]
        orders = sum(1 for size in sizes if size)
        every, astray = distances(self.choices, quotes, cash_strays=self.cash_strays)
        return (every, orders, sum(quotes, ZERO), tuple(-quote for quote in quotes)), astray

    def _no_other_set_is_better(self, members: set[int]) -> bool:
        """Return whether what any other set leaves out, or takes in without a wish, costs more by itself."""
        costs = (
            choice.wish if i in members else choice.ladder.low_quote - choice.wish
            for i, choice in enumerate(self.choices)
        )
        return self._key[0] < min(cost * cost for cost in costs)

    def _sets(self, scale: Decimal) -> list[tuple[float, tuple[int, ...]]]:
        return promising_sets(
            [float(choice.sign) for choice in self.choices],
            [to_float(choice.wish / scale) for choice in self.choices],
            [to_float(choice.ladder.low_quote / scale) for choice in self.choices],
            [to_float(choice.ladder.high_quote / scale) for choice in self.choices],
            orders_max=len(self.choices) if self.purse.orders is None else self.purse.orders,
        )

    def _weigh(self, members: tuple[int, ...]) -> None:
        """Look for the best sizes of exactly these coins' orders."""
        lattice = Lattice(self.choices, members, self.purse, beaten=lambda lost: lost > self._key[0], offer=self.offer)
        if not (lattice.may_fit() and lattice.may_help(self._astray, cash_strays=self.cash_strays)):
            return
        lattice.one()
        if len(members) <= EXACT_MAX:
            self.nodes_left = lattice.all(self.nodes_left)


def _rounded_down(choices: Sequence[Choice], purse: Purse) -> Sizes:
    """Return each wish rounded down to a size, the largest first, dropped where there is none left; sells first."""
    sizes: Sizes = {}
    sums = Sums()
    for i in sorted(range(len(choices)), key=lambda i: (choices[i].sign, -choices[i].wish, i)):
        choice = choices[i]
        size = choice.ladder.down(min(choice.wish, sums.room(choice, purse)))
        if size is not None:
            sizes[i] = size
            sums = sums.plus(choice, choice.ladder.quote(size))
    return sizes
