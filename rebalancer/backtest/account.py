"""Exact balances: each leg filled at its close, the half-spread paid, the fee taken from the coin received."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from rebalancer.backtest.result import Trade
from rebalancer.core.model import LimitIoc, MarketRules, Side
from rebalancer.core.money import EXACT, ONE, ZERO, BaseAmount, floor_to_step
from rebalancer.core.plan import Leg
from rebalancer.core.targets import Targets

BALANCE_STEP = Decimal("1E-18")  # what HTX keeps of an amount


def at_targets(
    targets: Targets, rules: Mapping[str, MarketRules], prices: Mapping[str, Decimal], nav_quote: Decimal
) -> dict[str, Decimal]:
    """Return the balances of an account at its targets, in whole lots; what lots leave over is cash."""
    held: dict[str, Decimal] = {}
    left = nav_quote
    for asset in targets.assets:
        held[asset] = ZERO
        if asset != targets.quote:
            wish = EXACT.divide(nav_quote * targets.fraction(asset), prices[asset])
            held[asset] = floor_to_step(wish, rules[asset].lot_size)
            left = EXACT.subtract(left, EXACT.multiply(held[asset], prices[asset]))
    held[targets.quote] = left
    return held


def fill(
    leg: Leg, rules: MarketRules, prices: Mapping[str, Decimal], at: int, *, fee_rate: Decimal, half_spread: Decimal
) -> Trade:
    """Return what a leg does at this close. Prices are in the account's quote coin, so a cross pair is their ratio."""
    mid = EXACT.divide(prices[rules.base], prices[rules.quote])
    if isinstance(leg.size, BaseAmount):
        quantity = leg.size.value
        price = EXACT.multiply(mid, ONE - half_spread)
        paid = floor_to_step(EXACT.multiply(quantity, price), BALANCE_STEP)
        received, fee_asset = paid, rules.quote
    elif isinstance(leg.terms, LimitIoc):
        quantity = leg.terms.quantity.value
        # The planner let it pass only with the best price within its collar, and here all of the book is at that price.
        paid = floor_to_step(EXACT.multiply(quantity, EXACT.multiply(mid, ONE + half_spread)), BALANCE_STEP)
        received, fee_asset = quantity, rules.base
    else:
        paid = leg.size.value
        price = EXACT.multiply(mid, ONE + half_spread)
        quantity = floor_to_step(EXACT.divide(paid, price), BALANCE_STEP)
        received, fee_asset = quantity, rules.base
    fee = floor_to_step(EXACT.multiply(received, fee_rate), BALANCE_STEP)
    return Trade(at, rules.symbol, leg.side, rules.base, rules.quote, quantity, paid, fee, fee_asset)


def apply(trade: Trade, held: dict[str, Decimal]) -> None:
    """Book a trade on the balances, none of which may fall below zero."""
    for asset, change in trade.changes.items():
        held[asset] = EXACT.add(held[asset], change)
        assert held[asset] >= ZERO, (asset, held[asset], trade)


def fee_value(trade: Trade, prices: Mapping[str, Decimal]) -> Decimal:
    """Return the fee in the account's quote coin, at the close."""
    return EXACT.multiply(trade.fee, prices[trade.fee_asset])


def spread_value(trade: Trade, prices: Mapping[str, Decimal]) -> Decimal:
    """Return what the half-spread took, in the account's quote coin: the value given less the value received."""
    base = EXACT.multiply(trade.quantity, prices[trade.base])
    paid = EXACT.multiply(trade.paid, prices[trade.quote])
    return EXACT.subtract(paid, base) if trade.side is Side.BUY else EXACT.subtract(base, paid)
