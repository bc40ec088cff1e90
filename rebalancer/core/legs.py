"""From wished amounts to orders: balance both sides, keep to caps and cash, drop what cannot be placed, again.

Each round drops at least one wish or ends, so the loop is bounded by their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from rebalancer.core.caps import Room, scale_to
from rebalancer.core.depth import Walk, walk_book
from rebalancer.core.model import Book, MarketRules, Side
from rebalancer.core.money import ONE, ZERO
from rebalancer.core.reasons import Reason, Skip
from rebalancer.core.sizing import Sized, size_buy, size_sell, smallest_trade

CASH_SHARE = Decimal("0.995")  # of confirmed cash that buys may spend
WHOLE = Decimal("0.99")  # of a wish: what lots and fees take from it is less than the rest


@dataclass(frozen=True, slots=True)
class Wish:
    """What one asset should trade before anything is cut, and all that sizing it needs."""

    asset: str
    side: Side
    quote: Decimal  # notional wished, at the mid
    drift: float
    order: int  # of the targets file
    mid: Decimal
    free: Decimal
    rules: MarketRules
    book: Book
    fee_rate: Decimal
    amount_precision: bool
    why: Reason


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
    limited: bool = False  # one of the owner's limits cut something, so that the rest is for a later cycle


@dataclass(frozen=True, slots=True)
class Setting:
    """What one call of `cut_to_size` holds fixed."""

    room: Room
    nav_quote: Decimal
    cash_free: Decimal
    max_slippage_bps: Decimal


def cut_to_size(wishes: Sequence[Wish], setting: Setting) -> Outcome:
    """Return the largest set of placeable orders that no limit, minimum, book or balance objects to."""
    outcome = Outcome()
    live = list(wishes)
    while live:
        amounts, limited = _within_caps(live, setting)
        outcome.limited = outcome.limited or limited
        tried = {w.asset: try_to_place(w, amounts[w.asset], setting) for w in live if w.side is Side.SELL}
        amounts = _within_funds(live, amounts, tried, setting)
        tried |= {w.asset: try_to_place(w, amounts[w.asset], setting) for w in live if w.side is Side.BUY}
        refused = {asset: result for asset, result in tried.items() if isinstance(result, Reason)}
        if not refused:
            kept = [result for result in tried.values() if isinstance(result, Cut)]
            outcome.cuts, surplus = _within_order_count(kept, setting.room)
            outcome.dropped.update(surplus)
            outcome.limited = outcome.limited or bool(surplus)
            return outcome
        # One at a time, the smallest first: its room may lift the others over their minimum.
        worst = min(live, key=lambda wish: (wish.asset not in refused, amounts[wish.asset], wish.order))
        outcome.dropped[worst.asset] = refused[worst.asset]
        live.remove(worst)
    return outcome


def _within_caps(live: Sequence[Wish], setting: Setting) -> tuple[dict[str, Decimal], bool]:
    """Return what each wish may trade at most, both sides matched, and whether one of the owner's limits cut it."""
    cap = setting.room.notional_order_quote
    clipped = {wish.asset: wish.quote if cap is None else min(wish.quote, cap) for wish in live}
    wished = _sums(live, {wish.asset: wish.quote for wish in live})
    sold, bought = _sums(live, clipped)
    # Cash may take up what the wishes meant it to take up, and no more: it moves toward its target, not past it.
    sells_max = bought + max(ZERO, wished[0] - wished[1])
    buys_max = sold + max(ZERO, wished[1] - wished[0])
    matched = _scaled(live, clipped, _factor(sold, sells_max), _factor(bought, buys_max))
    factor = scale_to(setting.room, *_sums(live, matched))
    limited = factor < ONE or any(clipped[wish.asset] < wish.quote for wish in live)
    return _scaled(live, matched, factor, factor), limited


def _within_funds(
    live: Sequence[Wish], amounts: dict[str, Decimal], sells: Mapping[str, Cut | Reason], setting: Setting
) -> dict[str, Decimal]:
    """Return the amounts with the buys cut to what the sells, in whole lots and less their fees, really bring."""
    cuts = [cut for cut in sells.values() if isinstance(cut, Cut)]
    wished_sold, wished_bought = _sums(live, amounts)
    sold = sum((cut.sized.notional_quote for cut in cuts), ZERO)
    proceeds = sum((cut.sized.notional_quote * (ONE - cut.wish.fee_rate) for cut in cuts), ZERO)
    from_cash = max(ZERO, wished_bought - wished_sold)
    allowed = min(sold + from_cash, CASH_SHARE * (setting.cash_free + proceeds))
    return _scaled(live, amounts, ONE, _factor(wished_bought, allowed))


def _sums(live: Sequence[Wish], amounts: dict[str, Decimal]) -> tuple[Decimal, Decimal]:
    sold = sum((amounts[wish.asset] for wish in live if wish.side is Side.SELL), ZERO)
    return sold, sum((amounts[wish.asset] for wish in live if wish.side is Side.BUY), ZERO)


def _factor(wanted: Decimal, allowed: Decimal) -> Decimal:
    return ONE if wanted <= allowed else max(ZERO, allowed) / wanted


def _scaled(live: Sequence[Wish], amounts: dict[str, Decimal], sells: Decimal, buys: Decimal) -> dict[str, Decimal]:
    return {w.asset: amounts[w.asset] * (sells if w.side is Side.SELL else buys) for w in live}


def try_to_place(wish: Wish, amount: Decimal, setting: Setting) -> Cut | Reason:
    """Return the wish's order at no more than `amount`, or why it cannot be placed."""
    sized = _sized(wish, amount, smallest_trade(wish.rules, setting.nav_quote))
    if isinstance(sized, Reason):
        return sized if amount >= wish.quote else _blame_the_cut(sized, wish, amount)
    walk = walk_book(wish.book, wish.mid, sized.size)
    if walk.exhausted:
        text = f"the visible book of {wish.rules.symbol} is too thin for {sized.notional_quote:.2f} {wish.rules.quote}"
        return Reason(Skip.BOOK_TOO_THIN, text)
    if walk.slippage_bps > setting.max_slippage_bps:
        text = f"would slip {walk.slippage_bps:.1f} bps, over max_slippage_bps = {setting.max_slippage_bps}"
        return Reason(Skip.SLIPPAGE, text)
    return Cut(wish, sized, walk, capped=amount < WHOLE * wish.quote)


def _sized(wish: Wish, amount: Decimal, smallest: Decimal) -> Sized | Reason:
    if wish.side is Side.SELL:
        return size_sell(wish.rules, wish_quote=amount, mid=wish.mid, free=wish.free, smallest=smallest)
    return size_buy(wish.rules, wish_quote=amount, smallest=smallest, amount_precision=wish.amount_precision)


def _blame_the_cut(reason: Reason, wish: Wish, amount: Decimal) -> Reason:
    """Say that limits, cash or a missing counterpart made the wish too small, if it was large enough before."""
    if reason.code in {Skip.NO_FREE_BALANCE, Skip.BELOW_MIN_QUANTITY}:
        return reason
    quote = wish.rules.quote
    text = f"limits, cash or missing counter-trades leave {amount:.2f} of {wish.quote:.2f} {quote}; {reason.text}"
    return Reason(reason.code, text)


def _within_order_count(cuts: list[Cut], room: Room) -> tuple[list[Cut], dict[str, Reason]]:
    """Keep as many orders as the day still allows, sells first; a sell without its buy only waits in cash."""
    ordered = sorted(cuts, key=lambda cut: (cut.wish.side is Side.BUY, -abs(cut.wish.drift), cut.wish.order))
    reason = Reason(Skip.CAP_REACHED, "max_orders_per_day leaves no room; waits for a later cycle")
    return ordered[: room.orders], {cut.wish.asset: reason for cut in ordered[room.orders :]}
