"""The best whole lots of one set of orders.

Coin after coin, the coarsest lots first, each size is tried outward from where the coins not yet sized would like it
best; a direction ends where even sizes without steps could not mend what is lost. That floor under the distance is the
dual of `subsets.py` in exact numbers, so nothing better is ever passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from rebalancer.core.choice import CASH_SHARE, Choice, Purse, Sums
from rebalancer.core.money import ONE, ZERO

Sizes = dict[int, Decimal]

HALVINGS = 40
NEWTON_STEPS_MAX = 12  # an unfinished floor is only lower, never wrong
ROUNDING = Decimal("1e-30")  # of a distance: far more than sixty digits lose, far less than a lot makes


class Lattice:
    """A search over the whole lots of a set of coins that all trade."""

    def __init__(
        self,
        choices: Sequence[Choice],
        members: Sequence[int],
        purse: Purse,
        *,
        beaten: Callable[[Decimal], bool],
        offer: Callable[[Sizes], None],
    ) -> None:
        """`beaten` tells whether a distance is too large to matter; what may matter is offered."""
        self._choices, self._purse, self._beaten, self._offer = choices, purse, beaten, offer
        self._order = sorted(members, key=lambda i: (-choices[i].ladder.step_quote(choices[i].wish), i))
        outside = [choice for i, choice in enumerate(choices) if i not in set(members)]
        self._lost = sum((choice.wish * choice.wish for choice in outside), ZERO)
        self._cash = sum((-choice.sign * choice.wish for choice in outside), ZERO)
        self._nodes_left = 0

    def may_help(self, astray: Decimal, *, cash_strays: bool) -> bool:
        """Return whether some sizes, whole or not, could bring what strays nearer than `astray`."""
        members = [self._choices[i] for i in self._order]
        outside = (choice for i, choice in enumerate(self._choices) if i not in self._order)
        lost = sum((choice.wish * choice.wish for choice in outside if choice.strays), ZERO)
        if not cash_strays:
            return lost + sum((_off(choice, ZERO)[0] ** 2 for choice in members if choice.strays), ZERO) < astray
        return _floor_astray(members, lost, self._cash) * (ONE - ROUNDING) < astray

    def may_fit(self) -> bool:
        """Return whether the purse has room for an order of each coin at all, the smallest they may have."""
        members = [self._choices[i] for i in self._order]
        least = Sums()
        for choice in members:
            least = least.plus(choice, choice.ladder.low_quote)
        most = sum((choice.ladder.high_quote * (ONE - choice.fee_rate) for choice in members if choice.sign < 0), ZERO)
        return replace(least, proceeds=most).allowed_by(self._purse)

    def all(self, nodes_max: int) -> int:
        """Offer every answer that is not beaten, within so many sizes tried; return how many are left."""
        self._nodes_left = nodes_max
        self._descend(0, {}, self._lost, self._cash, Sums())
        return self._nodes_left

    def one(self) -> None:
        """Offer one good answer, sells first: each coin takes the size that suits what the coins before it left."""
        sizes: Sizes = {}
        cash, sums = self._cash, Sums()
        order = sorted(self._order, key=lambda i: self._choices[i].sign)
        for left, i in zip(range(len(order), 0, -1), order, strict=True):
            choice = self._choices[i]
            size = _nearest(choice, choice.wish - choice.sign * cash / (left + 1), sums.room(choice, self._purse))
            if size is None:
                return
            quote = choice.ladder.quote(size)
            sizes[i], cash, sums = size, cash + choice.sign * (quote - choice.wish), sums.plus(choice, quote)
        self._offer(sizes)

    def _descend(self, level: int, sizes: Sizes, lost: Decimal, cash: Decimal, sums: Sums) -> None:
        if level == len(self._order):
            self._offer(dict(sizes))
            return
        i, rest = self._order[level], [self._choices[j] for j in self._order[level + 1 :]]
        choice = self._choices[i]
        ladder = choice.ladder
        least, most = _window(choice, rest, sums, self._purse)
        centre = choice.wish - choice.sign * _floor([choice, *rest], lost, cash)[1]
        centre = max(least, min(centre, most))
        under = ladder.down(centre)
        over = ladder.up(centre) if under is None else ladder.above(under)
        while under is not None or over is not None:
            going_up = under is None or (
                over is not None and ladder.quote(over) - centre < centre - ladder.quote(under)
            )
            size = over if going_up else under
            assert size is not None
            if self._try(level, sizes | {i: size}, (lost, cash, sums), rest, (least, most)):
                under, over = (under, ladder.above(size)) if going_up else (ladder.below(size), over)
            elif going_up:
                over = None
            else:
                under = None

    def _try(
        self,
        level: int,
        sizes: Sizes,
        before: tuple[Decimal, Decimal, Sums],
        rest: Sequence[Choice],
        window: tuple[Decimal, Decimal],
    ) -> bool:
        """Go on with one more size; return whether sizes further out could matter, too."""
        i = self._order[level]
        choice = self._choices[i]
        quote = choice.ladder.quote(sizes[i])
        self._nodes_left -= 1
        if self._nodes_left < 0 or not window[0] <= quote <= window[1]:
            return False
        off = quote - choice.wish
        lost, cash, sums = before
        lost, cash = lost + off * off, cash + choice.sign * off
        if self._beaten(_floor(rest, lost, cash)[0] * (ONE - ROUNDING)):
            return False
        self._descend(level + 1, sizes, lost, cash, sums.plus(choice, quote))
        return True


def _nearest(choice: Choice, wanted: Decimal, room: Decimal) -> Decimal | None:
    ladder = choice.ladder
    under, over = ladder.down(min(wanted, room)), ladder.up(wanted)
    if over is None or ladder.quote(over) > room:
        return under
    if under is None or ladder.quote(over) - wanted < wanted - ladder.quote(under):
        return over
    return under


def _floor(rest: Sequence[Choice], lost: Decimal, cash: Decimal) -> tuple[Decimal, Decimal]:
    """Return a floor under every distance that the coins not yet sized can bring, and the cash's part in it."""
    z = cash / (len(rest) + 1)
    for _ in range(NEWTON_STEPS_MAX):
        offs = [_off(choice, z) for choice in rest]
        gap = cash - z + sum((choice.sign * off for choice, (off, _) in zip(rest, offs, strict=True)), ZERO)
        if not gap:
            break
        z += gap / (1 + sum(free for _, free in offs))
    value = lost + 2 * z * cash - z * z
    for choice in rest:
        off = _off(choice, z)[0]
        value += off * off + 2 * z * choice.sign * off
    return value, z


def _off(choice: Choice, z: Decimal) -> tuple[Decimal, bool]:
    """Return how far from its wish a coin would trade to meet the others half-way, and whether it is free to."""
    least, most = choice.ladder.low_quote - choice.wish, choice.ladder.high_quote - choice.wish
    off = -choice.sign * z
    return (least, False) if off < least else (most, False) if off > most else (off, True)


def _floor_astray(members: Sequence[Choice], lost: Decimal, cash: Decimal) -> Decimal:
    """Return a floor under the squared distance of what strays, the cash being among it."""

    def off(choice: Choice, z: Decimal) -> Decimal:
        if choice.strays:
            return _off(choice, z)[0]
        upward = choice.sign * z < 0  # what does not stray costs nothing and goes all the way to mend the cash
        return (choice.ladder.high_quote if upward else choice.ladder.low_quote) - choice.wish

    reach = abs(cash) + sum((choice.ladder.high_quote + choice.wish for choice in members), ZERO)
    under, over = -reach, reach
    for _ in range(HALVINGS):
        z = (under + over) / 2
        too_low = cash + sum((choice.sign * off(choice, z) for choice in members), ZERO) > z
        under, over = (z, over) if too_low else (under, z)
    value = lost + 2 * under * cash - under * under
    for choice in members:
        moved = off(choice, under)
        value += (moved * moved if choice.strays else ZERO) + 2 * under * choice.sign * moved
    return value


def _window(choice: Choice, rest: Sequence[Choice], sums: Sums, purse: Purse) -> tuple[Decimal, Decimal]:
    """Return between which notionals a coin's order leaves the others a chance to stay within the purse."""
    least, rooms = choice.ladder.low_quote, [choice.ladder.high_quote]
    to_sell = sum((other.ladder.low_quote for other in rest if other.sign < 0), ZERO)
    to_buy = sum((other.ladder.low_quote for other in rest if other.sign > 0), ZERO)
    to_come = sum((other.ladder.high_quote * (ONE - other.fee_rate) for other in rest if other.sign < 0), ZERO)
    funds = purse.cash_free + sums.proceeds + to_come
    spent = sums.bought + to_buy
    if choice.sign > 0:
        rooms.append(CASH_SHARE * funds - spent)
    elif spent:
        least = max(least, (spent / CASH_SHARE - funds) / (ONE - choice.fee_rate))
    if purse.turnover_quote is not None:
        rooms.append(purse.turnover_quote - (spent if choice.sign > 0 else purse.sold_quote + sums.sold + to_sell))
    if purse.notional_quote is not None:
        rooms.append(purse.notional_quote - sums.sold - to_sell - spent)
    return least, min(rooms)
