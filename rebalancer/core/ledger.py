"""The account's books: value, flows, fees, shortfall and two shadows, each cycle from the one before. Pure and exact.

What the service cost and brought is the difference of three lines that are recorded with the prices known then: what
the account is worth, what it would be worth had nothing ever been traded, and what its targets alone would have made
without any cost. All three are fed by the same flows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from rebalancer.core.money import EXACT, HUNDRED, ONE, ZERO

Amounts = Mapping[str, Decimal]
DIGIT = Decimal("1e-18")  # of the frictionless shadow, whose quotients have no last digit


@dataclass(frozen=True, slots=True)
class Look:
    """One validated look at the account: quote per unit, amounts held and percent wanted, of every counted asset."""

    at: datetime
    quote: str
    prices: Amounts
    held: Amounts
    weights: Amounts


@dataclass(frozen=True, slots=True)
class Trades:
    """What settled orders did since the last look, by asset; amounts bought or received are above zero.

    `changes` include the fees, which are also in `fees`, in the currency in which they were paid.
    """

    changes: Amounts = field(default_factory=dict)
    fees: Amounts = field(default_factory=dict)
    slip_quote: Decimal = ZERO  # against the decision mids, without fees; above zero is a cost
    notional_quote: Decimal = ZERO
    orders: int = 0

    def plus(self, base: str, moved: Amounts, fees: Amounts, mids: Amounts) -> Trades:
        """Return these and one more settled order: what it moved with its fees, and the decision mids of both coins.

        An order whose coins have no mid any more is counted, and its cost left unknown.
        """
        without_fees = _sum(moved, fees)
        traded = {asset: without_fees[asset] for asset in moved}
        known = all(asset in mids for asset in traded)
        slip = EXACT.minus(worth(traded, mids)) if known else ZERO
        notional = EXACT.abs(EXACT.multiply(traded[base], mids[base])) if known else ZERO
        return Trades(
            changes=_sum(self.changes, moved),
            fees=_sum(self.fees, fees),
            slip_quote=EXACT.add(self.slip_quote, slip),
            notional_quote=EXACT.add(self.notional_quote, notional),
            orders=self.orders + 1,
        )


@dataclass(frozen=True, slots=True)
class Books:
    """The books as they stand at a look. All but `at`, `prices`, `held` and `weights` add up since the opening."""

    at: datetime
    opened_at: datetime
    prices: Amounts
    held: Amounts
    weights: Amounts
    opening: Amounts
    changes: Amounts  # by our own orders, fees included
    never: Amounts  # amounts of the shadow that never trades
    frictionless_quote: Decimal  # value of the shadow that is always at its targets and pays nothing
    flows: Amounts  # amounts that came (or went: below zero) by other hands than ours
    flows_quote: Decimal  # the same at the prices of their time
    fees: Amounts
    fees_quote: Decimal  # at the prices of their time; a currency that has no price here is in `fees` only
    slip_quote: Decimal
    notional_quote: Decimal
    orders: int

    @property
    def nav_quote(self) -> Decimal:
        """Return what the counted assets are worth."""
        return worth(self.held, self.prices)

    @property
    def never_quote(self) -> Decimal:
        """Return what they would be worth had nothing ever been traded."""
        return worth(self.never, self.prices)

    def differing(self) -> dict[str, Decimal]:
        """Return by how much opening, flows and our orders do not add up to what is held; empty in sound books."""
        summed = _sum(_sum(self.opening, self.flows), self.changes)
        return {a: left for a, held in self.held.items() if (left := EXACT.subtract(held, summed.get(a, ZERO)))}


def worth(amounts: Amounts, prices: Amounts) -> Decimal:
    """Return the sum of amounts times prices; what has no price must not be there."""
    total = ZERO
    for asset, amount in amounts.items():
        total = EXACT.add(total, EXACT.multiply(amount, prices[asset]))
    return total


def open_books(look: Look) -> Books:
    """Return new books: all that is held is the opening, no flow."""
    return Books(
        at=look.at,
        opened_at=look.at,
        prices=look.prices,
        held=look.held,
        weights=look.weights,
        opening=look.held,
        changes={},
        never=look.held,
        frictionless_quote=worth(look.held, look.prices),
        flows={},
        flows_quote=ZERO,
        fees={},
        fees_quote=ZERO,
        slip_quote=ZERO,
        notional_quote=ZERO,
        orders=0,
    )


def next_books(books: Books, look: Look, trades: Trades) -> Books:
    """Carry the books on to a look. Whatever our trades do not explain came or went by other hands.

    An asset that is counted from now on comes in as a flow, one that no longer is goes out as one, at its last price.
    """
    prices = {**books.prices, **look.prices}
    came = flows_between(books.held, look.held, trades.changes)
    came_quote = worth(came, prices)
    return Books(
        at=look.at,
        opened_at=books.opened_at,
        prices=look.prices,
        held=look.held,
        weights=look.weights,
        opening=books.opening,
        changes=_sum(books.changes, {a: change for a, change in trades.changes.items() if a in books.held}),
        never=_never(books, look, came),
        frictionless_quote=EXACT.add(_grown(books, prices), came_quote),
        flows=_sum(books.flows, came),
        flows_quote=EXACT.add(books.flows_quote, came_quote),
        fees=_sum(books.fees, trades.fees),
        fees_quote=EXACT.add(books.fees_quote, worth({a: f for a, f in trades.fees.items() if a in prices}, prices)),
        slip_quote=EXACT.add(books.slip_quote, trades.slip_quote),
        notional_quote=EXACT.add(books.notional_quote, trades.notional_quote),
        orders=books.orders + trades.orders,
    )


def flows_between(before: Amounts, now: Amounts, changes: Amounts) -> dict[str, Decimal]:
    """Return by how much each counted amount moved beyond our own trades, to the last digit; zeros are left out."""
    moved = {}
    for asset in (*before, *(a for a in now if a not in before)):
        explained = EXACT.add(before.get(asset, ZERO), changes.get(asset, ZERO) if asset in before else ZERO)
        difference = EXACT.subtract(now.get(asset, ZERO), explained)
        if difference:
            moved[asset] = difference
    return moved


def _never(books: Books, look: Look, came: Amounts) -> dict[str, Decimal]:
    """Carry on the shadow that never trades; what is no longer counted becomes cash at its last price."""
    amounts = _sum(books.never, {asset: amount for asset, amount in came.items() if asset in look.prices})
    gone = [asset for asset in amounts if asset not in look.prices]
    cash = ZERO
    for asset in gone:
        left = EXACT.add(amounts.pop(asset), came.get(asset, ZERO))
        cash = EXACT.add(cash, EXACT.multiply(left, books.prices[asset]))
    amounts[look.quote] = EXACT.add(amounts.get(look.quote, ZERO), cash)
    return amounts


def _grown(books: Books, prices: Amounts) -> Decimal:
    """Return what the frictionless shadow became by the prices' moves at the weights of the look before."""
    factor = ZERO
    for asset, weight in books.weights.items():
        moved = EXACT.divide(prices[asset], books.prices[asset]) if asset in books.prices else ONE
        factor = EXACT.add(factor, EXACT.multiply(EXACT.divide(weight, HUNDRED), moved))
    return EXACT.multiply(books.frictionless_quote, factor).quantize(DIGIT, context=EXACT)


def _sum(first: Amounts, second: Amounts) -> dict[str, Decimal]:
    made = dict(first)
    for asset, amount in second.items():
        made[asset] = EXACT.add(made.get(asset, ZERO), amount)
    return made
