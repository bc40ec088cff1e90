"""Deciding until nothing is left to decide: the plan is made again on its own perfect result, and both are one.

Whole lots and minimums leave a plan short of its wish, and what they leave may be worth another order. Planning that
order now, instead of in the next cycle, makes a perfect fill the end: planned again, it yields nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from rebalancer.core.caps import Room, scale_to
from rebalancer.core.depth import walk_book
from rebalancer.core.drift import outside_band
from rebalancer.core.holdings import cash_for_buys
from rebalancer.core.legs import Cut, Outcome, Setting, cut_to_size
from rebalancer.core.model import Balance, Side, Snapshot, Usage
from rebalancer.core.money import EXACT, ONE, ZERO, BaseAmount, QuoteAmount
from rebalancer.core.reasons import Trigger
from rebalancer.core.sizing import Sized, largest_order
from rebalancer.core.targets import Targets
from rebalancer.core.valuation import Valuation, value_of
from rebalancer.core.wishes import make_wishes

ROUNDS_MAX = 8  # each later round is worth far less than the one before; two are rare


def decide_orders(
    snapshot: Snapshot, targets: Targets, usage: Usage, valuation: Valuation, trigger: Trigger, room: Room
) -> Outcome:
    """Return the orders that can be placed now, and why each other wish was dropped."""
    outcome = _one_round(snapshot, targets, usage, valuation, trigger, room)
    for _ in range(ROUNDS_MAX):
        if not outcome.cuts or outcome.limited:
            return outcome
        seen = after_perfect_fill(snapshot, outcome.cuts)
        valued = value_of(seen, targets, valuation.judged)
        assert valued is not None, "a fill cannot take the value away"
        if not valued.strays.any():
            return outcome
        more = _one_round(seen, targets, usage, valued, later_than(trigger), room)
        slippage = targets.limits.max_slippage_bps
        both = None if turns_back(trigger, outcome, more) else joined(outcome, more, slippage, room)
        if both is None:
            return outcome
        outcome = both
    return outcome


def later_than(trigger: Trigger) -> Trigger:
    """Return why a plan goes on after its first round: money that came or went stays about the cash alone."""
    return Trigger.CASH_FLOW if trigger is Trigger.CASH_FLOW else Trigger.OUTSIDE_BAND


def turns_back(trigger: Trigger, first: Outcome, more: Outcome) -> bool:
    """Return whether a later round would answer money that came or went the other way round: a coarse lot did that."""
    sides = {cut.wish.side for cut in (*first.cuts, *more.cuts)}
    return trigger is Trigger.CASH_FLOW and len(sides) > 1


def _one_round(
    snapshot: Snapshot, targets: Targets, usage: Usage, valuation: Valuation, trigger: Trigger, room: Room
) -> Outcome:
    cash = cash_for_buys(targets, snapshot.balances[targets.quote])
    cash_outside = bool(outside_band(valuation.drift, valuation.bands)[targets.assets.index(targets.quote)])
    setting = Setting(
        room,
        valuation.nav_here_quote,
        cash,
        targets.limits.max_slippage_bps,
        cash_strays=cash_outside or trigger is not Trigger.OUTSIDE_BAND,
    )
    wishes = make_wishes(snapshot, targets, usage, valuation, trigger, setting)
    outcome = cut_to_size(list(wishes.made.values()), setting)
    outcome.dropped = wishes.dropped | outcome.dropped
    return outcome


def after_perfect_fill(snapshot: Snapshot, cuts: list[Cut]) -> Snapshot:
    """Return the snapshot with every order filled at the decision mid, its fee charged in what it receives."""
    free = {asset: held.free for asset, held in snapshot.balances.items()}
    for cut in cuts:
        wish, size, kept = cut.wish, cut.sized.size, ONE - cut.wish.fee_rate
        if isinstance(size, BaseAmount):
            free[wish.asset] -= size.value
            free[snapshot.quote] += cut.sized.notional_quote * kept
        else:
            free[snapshot.quote] -= cut.sized.notional_quote
            free[wish.asset] += EXACT.divide(cut.sized.notional_quote, wish.mid) * kept
    balances = {asset: Balance(asset, free[asset], held.locked) for asset, held in snapshot.balances.items()}
    return replace(snapshot, balances=balances)


def joined(first: Outcome, more: Outcome, max_slippage_bps: Decimal, room: Room) -> Outcome | None:
    """Return both rounds as one set of orders, or None when the second adds nothing that book, limit or rules allow."""
    if not more.cuts or more.limited:
        return None
    cuts = {cut.wish.asset: cut for cut in first.cuts}
    for cut in more.cuts:
        before = cuts.get(cut.wish.asset)
        if before is not None and before.wish.side is not cut.wish.side:
            return None  # a fee so large that the trade itself would be traded back
        if before is not None and cut.wish.probes:
            return None  # until a fill shows that the coin is what it seems, it is tried with the smallest order
        cuts[cut.wish.asset] = cut if before is None else _sum(before, cut)
    if any(cut.walk.exhausted or cut.walk.slippage_bps > max_slippage_bps or _too_large(cut) for cut in cuts.values()):
        return None
    if not _within(room, list(cuts.values())):
        return None  # each round was held against all of it by itself
    dropped = {asset: reason for asset, reason in (first.dropped | more.dropped).items() if asset not in cuts}
    return Outcome(list(cuts.values()), dropped)


def _within(room: Room, cuts: Sequence[Cut]) -> bool:
    """Return whether two rounds together are no more than the limits leave."""
    quotes = [cut.sized.notional_quote for cut in cuts]
    sold = sum((cut.sized.notional_quote for cut in cuts if cut.wish.side is Side.SELL), ZERO)
    within_order = room.notional_order_quote is None or max(quotes) <= room.notional_order_quote
    return within_order and len(cuts) <= room.orders and scale_to(room, sold, sum(quotes, ZERO) - sold) == ONE


def _too_large(cut: Cut) -> bool:
    """Return whether two rounds together are more than the exchange takes in one order."""
    return cut.sized.size.value > largest_order(cut.wish.rules, cut.wish.side, cut.wish.collar)


def _sum(first: Cut, more: Cut) -> Cut:
    assert first.wish.side is more.wish.side, (first, more)
    value = first.sized.size.value + more.sized.size.value
    size = BaseAmount(value) if first.wish.side is Side.SELL else QuoteAmount(value)
    notional = first.sized.notional_quote + more.sized.notional_quote
    walk = walk_book(first.wish.book, first.wish.mid, size)
    return Cut(replace(first.wish, quote=max(first.wish.quote, notional)), Sized(size, notional), walk, capped=False)
