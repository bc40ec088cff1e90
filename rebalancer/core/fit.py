"""One leg against the moment it is sent: never larger than planned, within cash, balance and limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from rebalancer.core.caps import nav_known, room_left
from rebalancer.core.choice import CASH_SHARE
from rebalancer.core.collar import as_limit_sells, bought_within, buy_bounds
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
        if not _sellable(leg, quantity, rules):
            return Reason(Skip.NO_FREE_BALANCE, f"only {free} {rules.base} are free now: too little to sell")
        return _resized(leg, BaseAmount(quantity))
    wish = min(leg.size.value, free * CASH_SHARE if leg.direct is None else free)
    step = buy_step(rules, wish, amount_precision=amount_precision, collar=leg.collar)
    spend = floor_to_step(wish, step)
    if not _payable(leg, spend, rules):
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
    most_quote = max(leg.notional_quote, leg.committed_quote)
    if most_quote <= bound:
        return leg
    precision = rules.symbol in usage.amount_precision_symbols
    fitted = fit_leg_to_notional(leg, max(bound, ZERO), rules, amount_precision=precision)
    return fitted or _denied(code, leg, f"{bound:.2f}", f"{most_quote:.2f}")


def clip_to_leave(
    leg: Leg, left_quote: Decimal, mid_now: Decimal, rules: MarketRules, *, amount_precision: bool
) -> Leg | Denial:
    """Return the leg within what is left of the owner's leave on its side, or the denial.

    A sell counts with what it brings, so it is worth the dearer of its price at the decision and now. What the price
    does while it is on its way is in the fill, and so off what is left for the legs after it.
    """
    dearer = max(ONE, EXACT.divide(mid_now, leg.mid)) if leg.side is Side.SELL and leg.direct is None else ONE
    most_quote = max(leg.notional_quote, leg.committed_quote) * dearer
    if most_quote <= left_quote:
        return leg
    bound = EXACT.divide(max(left_quote, ZERO), dearer)
    fitted = fit_leg_to_notional(leg, bound, rules, amount_precision=amount_precision)
    return fitted or _denied(Deny.ACK_NEEDED, leg, f"{left_quote:.2f}", f"{most_quote:.2f}")


def fit_leg_to_notional(leg: Leg, notional_quote: Decimal, rules: MarketRules, *, amount_precision: bool) -> Leg | None:
    """Return the leg cut to a notional, or None when what is left is below HTX's minimum."""
    wish = EXACT.divide(notional_quote, _unit_worth(leg))
    if isinstance(leg.size, BaseAmount):
        quantity = floor_to_step(wish, rules.lot_size)
        if not _sellable(leg, quantity, rules):
            return None
        return _resized(leg, BaseAmount(quantity))
    step = buy_step(rules, wish, amount_precision=amount_precision, collar=leg.collar)
    spend = floor_to_step(wish, step)
    if not _payable(leg, spend, rules):
        return None
    return _resized(leg, QuoteAmount(spend))


def fit_to_proceeds(
    leg: Leg,
    legs: Sequence[Leg],
    rules: MarketRules,
    *,
    sold_quote: Decimal,
    paid_quote: Decimal,
    amount_precision: bool,
) -> Leg | Reason:
    """Return a buy for cash cut to what the plan's sells for cash really brought, or why nothing is left.

    `sold_quote` is what they sold, at their decision mids, and `paid_quote` what this plan's buys took already. Cash
    gives only what the plan meant it to give: a sell that was denied, refused or filled in part takes its buys with it.
    """
    if not needs_cash(leg):
        return leg
    bought = sum((each.notional_quote for each in legs if needs_cash(each)), ZERO)
    sold = sum((each.notional_quote for each in legs if brings_cash(each)), ZERO)
    left = sold_quote + max(ZERO, bought - sold) - paid_quote
    if leg.notional_quote <= left:
        return leg
    shown = f"{max(left, ZERO):.2f} of {leg.notional_quote:.2f} {rules.quote}"
    text = f"the sells that were to pay for {leg.asset} left {shown}"
    cut = fit_leg_to_notional(leg, max(left, ZERO), rules, amount_precision=amount_precision)
    return cut or Reason(Skip.NO_CASH, text)


def needs_cash(leg: Leg) -> bool:
    """Return whether a leg spends the account's quote coin."""
    return leg.side is Side.BUY and leg.direct is None


def brings_cash(leg: Leg) -> bool:
    """Return whether a leg brings the account's quote coin."""
    return leg.side is Side.SELL and leg.direct is None


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
    first = min(legs, key=lambda leg: (needs_cash(leg), leg.notional_quote, leg.intent_seq))
    return first, tuple(leg for leg in legs if leg is not first)


def _sellable(leg: Leg, quantity: Decimal, rules: MarketRules) -> bool:
    """Return whether the exchange takes a sell of a quantity, also if it fills at its collar."""
    if leg.collar is not None:
        rules = as_limit_sells(rules)
    worst = leg.mid if leg.collar is None else min(leg.mid, leg.collar)
    return quantity > ZERO and quantity >= rules.sell_quantity_min and quantity * worst >= rules.min_notional


def _payable(leg: Leg, spend: Decimal, rules: MarketRules) -> bool:
    """Return whether the exchange takes a buy that spends, or with a collar commits, an amount."""
    if spend <= ZERO or spend < rules.min_notional:
        return False
    return leg.collar is None or bought_within(spend, leg.collar) >= buy_bounds(rules).low


def _unit_worth(leg: Leg) -> Decimal:
    """Return what one unit of the leg's size is worth in the account's quote coin, at the decision."""
    if leg.direct is not None:
        return leg.direct.spent_mid
    return leg.mid if leg.side is Side.SELL else ONE


def _resized(leg: Leg, size: BaseAmount | QuoteAmount) -> Leg:
    assert type(size) is type(leg.size), (size, leg.size)
    assert size.value <= leg.size.value, (size, leg.size)
    notional_quote = size.value * _unit_worth(leg)
    if isinstance(size, QuoteAmount) and leg.collar is not None:
        at_mid = EXACT.multiply(bought_within(size.value, leg.collar), leg.mid)
        notional_quote = EXACT.multiply(at_mid, _unit_worth(leg))
    share = notional_quote / leg.notional_quote
    direct = None if leg.direct is None else replace(leg.direct, saves_quote=leg.direct.saves_quote * share)
    return replace(leg, size=size, notional_quote=notional_quote, fee_quote=leg.fee_quote * share, direct=direct)


def _denied(code: Deny, leg: Leg, limit: str, value: str) -> Denial:
    text = f"{leg.symbol}: {value} is more than the limit leaves ({limit})"
    return Denial(code, text, leg.asset, limit, value)
