"""From wishes to orders: the best whole orders for what is wished, then what limits and books leave of those.

An amount that took over what is too small elsewhere is a wish like any other; from there sizes only shrink.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from rebalancer.core import explain
from rebalancer.core.caps import Room, scale_to
from rebalancer.core.choice import CASH_SHARE, Choice, Purse
from rebalancer.core.depth import Walk, walk_book
from rebalancer.core.ladder import Ladder
from rebalancer.core.lots import best_sizes
from rebalancer.core.model import Book, MarketRules, Side
from rebalancer.core.money import ONE, ZERO
from rebalancer.core.reasons import Reason
from rebalancer.core.sizing import WHOLE, Sized

ROUNDING_BPS = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Wish:
    """What one asset should trade before anything is cut, and all that sizing it needs."""

    asset: str
    side: Side
    quote: Decimal  # notional wished, at the mid; zero: it may take over what is too small elsewhere
    drift: float
    order: int  # of the targets file
    mid: Decimal
    rules: MarketRules
    book: Book
    book_quote: Decimal  # notional that the book takes within the slippage allowed
    fee_rate: Decimal
    ladder: Ladder
    strays: bool  # the plan is made for its sake
    why: Reason
    leaves: bool = False  # sold completely: no rest may be too small to be sold later
    collar: Decimal | None = None  # the worst price allowed; None for a market order
    probes: bool = False  # nobody saw its price pass before: the smallest order, whose fill tells


@dataclass(frozen=True, slots=True)
class Cut:
    """A wish with its final size and its walk of the book."""

    wish: Wish
    sized: Sized
    walk: Walk
    capped: bool


@dataclass(slots=True)
class Outcome:
    """The orders that can be placed, and why each other wish was dropped."""

    cuts: list[Cut] = field(default_factory=list)
    dropped: dict[str, Reason] = field(default_factory=dict)
    limited: bool = False  # a limit or a book cut something, so that the rest is for a later cycle


@dataclass(frozen=True, slots=True)
class Setting:
    """What one call of `cut_to_size` holds fixed."""

    room: Room
    nav_quote: Decimal
    cash_free: Decimal
    max_slippage_bps: Decimal
    cash_strays: bool


def cut_to_size(wishes: Sequence[Wish], setting: Setting) -> Outcome:
    """Return the best orders for the wishes, within every limit, book and balance.

    What leaves is no matter of what is best for the others: it is sold whole, or in parts where limits cut it, and the
    search goes on from there.
    """
    outcome = Outcome()
    leaving, others = [w for w in wishes if w.leaves], [w for w in wishes if not w.leaves]
    amounts: Mapping[str, Decimal] = {wish.asset: wish.quote for wish in wishes}
    gone = {wish.asset: wish.ladder.high for wish in leaving}
    sizes = gone | _best(others, amounts, _purse(setting, leaving, gone, limited=False), setting)
    outcome.dropped = {
        w.asset: explain.too_small(w.quote, w.ladder, w.rules) for w in others if w.quote and w.asset not in sizes
    }
    wanted = [replace(w, quote=w.ladder.quote(sizes[w.asset])) for w in wishes if w.asset in sizes]
    amounts, outcome.limited = _within_limits(wanted, setting.room)
    if outcome.limited:
        gone = _parts([wish for wish in wanted if wish.leaves], amounts, setting.room)
        shorter = _on_shorter_ladders([wish for wish in wanted if not wish.leaves], setting.room)
        sizes = gone | _best(shorter, amounts, _purse(setting, leaving, gone, limited=True), setting)
        dropped = {
            w.asset: explain.waits(amounts[w.asset], w.quote, w.ladder, w.rules) for w in wanted if w.asset not in sizes
        }
        outcome.dropped.update(dropped)
    outcome.cuts = [cut_of(wish, sizes[wish.asset], setting) for wish in wanted if wish.asset in sizes]
    return outcome


def _purse(setting: Setting, leaving: Sequence[Wish], gone: Mapping[str, Decimal], *, limited: bool) -> Purse:
    """Return what the others may take beside the orders of what leaves, which bring cash and use up limits."""
    room, sold, proceeds = setting.room, ZERO, ZERO
    for wish in leaving:
        quote = wish.ladder.quote(gone[wish.asset]) if wish.asset in gone else ZERO
        sold, proceeds = sold + quote, proceeds + quote * (ONE - wish.fee_rate)
    cash_free = setting.cash_free + proceeds
    if not limited:
        return Purse(cash_free)
    notional = None if room.notional_day_quote is None else room.notional_day_quote - sold
    return Purse(cash_free, room.turnover_quote, notional, room.orders - len(gone), sold)


def _parts(leaving: Sequence[Wish], amounts: Mapping[str, Decimal], room: Room) -> dict[str, Decimal]:
    """Return how much of each coin that leaves is sold within the limits: its share, or else its smallest order."""
    made: dict[str, Decimal] = {}
    turnover, notional = room.turnover_quote, room.notional_day_quote
    for wish in leaving[: room.orders]:
        most = min(_clipped(wish, room), turnover, turnover if notional is None else notional)
        ladder = _in_parts(wish, amounts[wish.asset])
        size = ladder.down(min(amounts[wish.asset], most)) or (ladder.low if ladder.low_quote <= most else None)
        if size is not None:
            made[wish.asset] = size
            turnover -= wish.ladder.quote(size)
            notional = None if notional is None else notional - wish.ladder.quote(size)
    return made


def _in_parts(wish: Wish, amount: Decimal) -> Ladder:
    """Return the sizes of which the rest is an order of its own, where not the whole may be sold.

    Where the whole is too little for two orders there is no such part, and as much as may be goes.
    """
    if amount >= wish.quote:
        return wish.ladder
    return wish.ladder.cut_to(wish.quote - wish.ladder.low_quote) or wish.ladder


def _best(wishes: Sequence[Wish], amounts: Mapping[str, Decimal], purse: Purse, setting: Setting) -> dict[str, Decimal]:
    """Return the best size of each order for `amounts`, of which none exceeds its wish."""
    payable = _within_funds(wishes, amounts, purse.cash_free)
    choices = {w.asset: Choice(payable[w.asset], w.ladder, w.fee_rate, w.strays) for w in wishes}
    sizes = best_sizes(list(choices.values()), purse, cash_strays=setting.cash_strays)
    return {asset: size for asset, size in zip(choices, sizes, strict=True) if size}


def _within_limits(wanted: Sequence[Wish], room: Room) -> tuple[dict[str, Decimal], bool]:
    """Return what each wish may trade at most, both sides matched, and whether a limit or a book cut one."""
    clipped = {wish.asset: _clipped(wish, room) for wish in wanted}
    wished = _sums(wanted, {wish.asset: wish.quote for wish in wanted})
    sold, bought = _sums(wanted, clipped)
    # Cash may take up what the wishes meant it to take up, and no more: it moves toward its target, not past it.
    sells_max = bought + max(ZERO, wished[0] - wished[1])
    buys_max = sold + max(ZERO, wished[1] - wished[0])
    matched = _scaled(wanted, clipped, _factor(sold, sells_max), _factor(bought, buys_max))
    factor = scale_to(room, *_sums(wanted, matched))
    limited = factor < ONE or len(wanted) > room.orders or any(clipped[w.asset] < w.quote for w in wanted)
    return _scaled(wanted, matched, factor, factor), limited


def _on_shorter_ladders(wanted: Sequence[Wish], room: Room) -> list[Wish]:
    """Return the wishes of which something can be placed, with no size above what their limits leave."""
    ladders = {wish.asset: wish.ladder.cut_to(_clipped(wish, room)) for wish in wanted}
    return [replace(wish, ladder=ladder) for wish in wanted if (ladder := ladders[wish.asset]) is not None]


def _clipped(wish: Wish, room: Room) -> Decimal:
    cap = room.notional_order_quote
    most = wish.ladder.low_quote if wish.probes else wish.quote
    return min(wish.book_quote, most, most if cap is None else cap)


def _within_funds(wishes: Sequence[Wish], amounts: Mapping[str, Decimal], cash_free: Decimal) -> Mapping[str, Decimal]:
    """Return the amounts with the buys cut to what cash and the sells, less their fees, can pay."""
    proceeds = sum((amounts[w.asset] * (ONE - w.fee_rate) for w in wishes if w.side is Side.SELL), ZERO)
    return _scaled(wishes, amounts, ONE, _factor(_sums(wishes, amounts)[1], CASH_SHARE * (cash_free + proceeds)))


def _sums(wishes: Sequence[Wish], amounts: Mapping[str, Decimal]) -> tuple[Decimal, Decimal]:
    sold = sum((amounts[wish.asset] for wish in wishes if wish.side is Side.SELL), ZERO)
    return sold, sum((amounts[wish.asset] for wish in wishes if wish.side is Side.BUY), ZERO)


def _factor(wanted: Decimal, allowed: Decimal) -> Decimal:
    return ONE if not wanted or wanted <= allowed else max(ZERO, allowed) / wanted


def _scaled(
    wishes: Sequence[Wish], amounts: Mapping[str, Decimal], sells: Decimal, buys: Decimal
) -> dict[str, Decimal]:
    return {w.asset: amounts[w.asset] * (sells if w.side is Side.SELL else buys) for w in wishes}


def cut_of(wish: Wish, size: Decimal, setting: Setting) -> Cut:
    """Return an order of the wish; its walk of the book stays within what is allowed."""
    amount, quote = wish.ladder.amount(size), wish.ladder.quote(size)
    walk = walk_book(wish.book, wish.mid, amount)
    assert not walk.exhausted and walk.slippage_bps - setting.max_slippage_bps < ROUNDING_BPS, (wish, size, walk)
    return Cut(wish, Sized(amount, quote), walk, capped=quote < WHOLE * wish.quote)
