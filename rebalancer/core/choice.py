"""What the search for the best orders is given, and what it measures its answers by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from rebalancer.core.ladder import Ladder
from rebalancer.core.model import Side
from rebalancer.core.money import ONE, ZERO

CASH_SHARE = Decimal("0.995")  # of confirmed cash that buys may spend


def is_payable(bought: Decimal, cash_free: Decimal, proceeds: Decimal) -> bool:
    """Return whether cash and what sells bring pay for the buys; where nothing is bought, cash may lack anything."""
    return not bought or bought <= CASH_SHARE * (cash_free + proceeds)


@dataclass(frozen=True, slots=True)
class Choice:
    """One coin: what it wishes to trade, in quote money at the mid, and the sizes that its order may have.

    `strays` is whether the plan is made for its sake, and not only at its cost.
    """

    wish: Decimal
    ladder: Ladder
    fee_rate: Decimal
    strays: bool

    @property
    def sign(self) -> int:
        """Return +1 for a buy and -1 for a sell."""
        return 1 if self.ladder.side is Side.BUY else -1


@dataclass(frozen=True, slots=True)
class Purse:
    """What all orders together may take; None is no limit. `sold_quote` of the turnover is already used by sells.

    `cash_free` is below zero where what sells bring must fill up kept cash first.
    """

    cash_free: Decimal
    turnover_quote: Decimal | None = None
    notional_quote: Decimal | None = None
    orders: int | None = None
    sold_quote: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Sums:
    """What some orders amount to, in quote money at the mid; `proceeds` is what the sells bring after their fees."""

    sold: Decimal = ZERO
    bought: Decimal = ZERO
    proceeds: Decimal = ZERO
    orders: int = 0

    def plus(self, choice: Choice, quote: Decimal) -> Sums:
        """Return the sums with one order more."""
        if choice.sign > 0:
            return Sums(self.sold, self.bought + quote, self.proceeds, self.orders + 1)
        return Sums(self.sold + quote, self.bought, self.proceeds + quote * (ONE - choice.fee_rate), self.orders + 1)

    def allowed_by(self, purse: Purse) -> bool:
        """Return whether a purse lets all these orders pass."""
        return (
            is_payable(self.bought, purse.cash_free, self.proceeds)
            and (purse.turnover_quote is None or max(purse.sold_quote + self.sold, self.bought) <= purse.turnover_quote)
            and (purse.notional_quote is None or self.sold + self.bought <= purse.notional_quote)
            and (purse.orders is None or self.orders <= purse.orders)
        )

    def room(self, choice: Choice, purse: Purse) -> Decimal:
        """Return how much notional a purse leaves to one order more, below zero included."""
        rooms = [choice.ladder.high_quote]
        if purse.orders is not None and self.orders >= purse.orders:
            rooms.append(ZERO)
        if purse.turnover_quote is not None:
            rooms.append(purse.turnover_quote - (self.bought if choice.sign > 0 else purse.sold_quote + self.sold))
        if purse.notional_quote is not None:
            rooms.append(purse.notional_quote - self.sold - self.bought)
        if choice.sign > 0:
            rooms.append(CASH_SHARE * (purse.cash_free + self.proceeds) - self.bought)
        return min(rooms)


def distances(choices: Sequence[Choice], quotes: Sequence[Decimal], *, cash_strays: bool) -> tuple[Decimal, Decimal]:
    """Return the squared distances to the destination that orders worth `quotes` leave: of all, and of what strays."""
    cash = strays = every = ZERO
    for choice, quote in zip(choices, quotes, strict=True):
        off = quote - choice.wish
        cash += choice.sign * off
        every += off * off
        strays += off * off if choice.strays else ZERO
    return every + cash * cash, strays + (cash * cash if cash_strays else ZERO)
