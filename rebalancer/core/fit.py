"""One leg against the moment it is sent: never larger than planned, within cash, balance and limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from rebalancer.core.caps import nav_known, room_left
from rebalancer.core.choice import CASH_SHARE
from rebalancer.core.depth import size_within
from rebalancer.core.model import Book, MarketRules, Side, Usage
from rebalancer.core.money import EXACT, HUNDRED, ONE, ZERO, BaseAmount, QuoteAmount, floor_to_step
from rebalancer.core.plan import Denial, Leg
from rebalancer.core.reasons import Deny, Reason, Skip
from rebalancer.core.sizing import buy_step
from rebalancer.core.targets import Limits


def fit_leg(leg: Leg, *, free: Decimal, rules: MarketRules, amount_precision: bool) -> Leg | Reason:
    """Re-clip a leg to the confirmed free balance: of the base for a sell, of the pair's quote for a buy.

    The minimum here is HTX's own: a leg that was worth placing stays so when the cash came in a little short. Cash
    keeps a reserve; a coin that is spent directly is being sold, if need be to the last of it.
    """
    if isinstance(leg.size, BaseAmount):
        quantity = floor_to_step(min(leg.size.value, free), rules.lot_size)
        if quantity <= ZERO or quantity < rules.sell_quantity_min or quantity * leg.mid < rules.min_notional:
            return Reason(Skip.NO_FREE_BALANCE, f"only {free} {rules.base} are free now: too little to sell")
        return _resized(leg, BaseAmount(quantity))
    wish = min(leg.size.value, free * CASH_SHARE if leg.direct is None else free)
    spend = ZERO
    if wish > ZERO:
        spend = floor_to_step(wish, buy_step(rules, wish, amount_precision=amount_precision))
    if spend < rules.min_notional or spend <= ZERO:
        return Reason(Skip.NO_CASH, f"only {free} {rules.quote} are free now: too little to buy with")
    return _resized(leg, QuoteAmount(spend))


def clip_to_limits(
    leg: Leg, limits: Limits, usage: Usage, nav_quote: Decimal, rules: MarketRules, *, spent_quote: Decimal
) -> Leg | Denial:
    """Return the leg within what the limits still leave at this moment, or the denial.

    `spent_quote` is what this cycle already sent on the leg's side, or on the fuller of both for a direct leg, which
    sells and buys at once; the day's sums are in `usage`.
    """
    room = room_left(limits, usage, nav_quote)
    known = nav_known(usage, nav_quote)
    used = usage.sold_quote if leg.side is Side.SELL else usage.bought_quote
    if leg.direct is not None:
        used = usage.turnover_quote
    bounds = [
        (Deny.NOTIONAL_ORDER, limits.max_order_notional),
        (Deny.NOTIONAL_DAY, room.notional_day_quote),
        (Deny.TURNOVER_CYCLE, limits.max_turnover_per_cycle / HUNDRED * known - spent_quote),
        (Deny.TURNOVER_DAY, limits.max_turnover_per_day / HUNDRED * known - used),
    ]
    if room.orders <= 0:
        return _denied(Deny.ORDERS_DAY, leg, str(limits.max_orders_per_day), str(usage.orders))
    code, bound = min(((c, b) for c, b in bounds if b is not None), key=lambda each: each[1])
    if leg.notional_quote <= bound:
        return leg
    precision = rules.symbol in usage.amount_precision_symbols
    fitted = fit_leg_to_notional(leg, max(bound, ZERO), rules, amount_precision=precision)
    return fitted or _denied(code, leg, f"{bound:.2f}", f"{leg.notional_quote:.2f}")


def fit_leg_to_notional(leg: Leg, notional_quote: Decimal, rules: MarketRules, *, amount_precision: bool) -> Leg | None:
    """Return the leg cut to a notional, or None when what is left is below HTX's minimum."""
    wish = EXACT.divide(notional_quote, _unit_worth(leg))
    if isinstance(leg.size, BaseAmount):
        quantity = floor_to_step(wish, rules.lot_size)
        if quantity <= ZERO or quantity < rules.sell_quantity_min or quantity * leg.mid < rules.min_notional:
            return None
        return _resized(leg, BaseAmount(quantity))
    spend = floor_to_step(wish, buy_step(rules, wish, amount_precision=amount_precision)) if wish > ZERO else ZERO
    if spend < rules.min_notional or spend <= ZERO:
        return None
    return _resized(leg, QuoteAmount(spend))


def cut_to_book(
    leg: Leg, book: Book, rules: MarketRules, max_slippage_bps: Decimal, *, amount_precision: bool
) -> Leg | None:
    """Return the leg cut to what its book takes now within the slippage allowed from the decision mid, or None."""
    most = size_within(book, leg.mid, leg.side, max_slippage_bps, leg.size.value)
    if most >= leg.size.value:
        return leg
    return fit_leg_to_notional(leg, most * _unit_worth(leg), rules, amount_precision=amount_precision)


def first_leg_alone(legs: Sequence[Leg]) -> tuple[Leg, tuple[Leg, ...]]:
    """Return the smallest leg that needs no cash, else the smallest buy, and the others in their order."""
    assert legs
    first = min(legs, key=lambda leg: (_needs_cash(leg), leg.notional_quote, leg.intent_seq))
    return first, tuple(leg for leg in legs if leg is not first)


def _needs_cash(leg: Leg) -> bool:
    return leg.side is Side.BUY and leg.direct is None


def _unit_worth(leg: Leg) -> Decimal:
    """Return what one unit of the leg's size is worth in the account's quote coin, at the decision."""
    if leg.direct is not None:
        return leg.direct.spent_mid
    return leg.mid if leg.side is Side.SELL else ONE


def _resized(leg: Leg, size: BaseAmount | QuoteAmount) -> Leg:
    assert type(size) is type(leg.size), (size, leg.size)
    assert size.value <= leg.size.value, (size, leg.size)
    notional_quote = size.value * _unit_worth(leg)
    share = notional_quote / leg.notional_quote
    direct = None if leg.direct is None else replace(leg.direct, saves_quote=leg.direct.saves_quote * share)
    return replace(leg, size=size, notional_quote=notional_quote, fee_quote=leg.fee_quote * share, direct=direct)


def _denied(code: Deny, leg: Leg, limit: str, value: str) -> Denial:
    text = f"{leg.symbol}: {value} is more than the limit leaves ({limit})"
    return Denial(code, text, leg.asset, limit, value)
