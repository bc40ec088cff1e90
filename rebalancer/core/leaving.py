"""Coins that the owner wants sold completely: how much of one is left to sell. Pure."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.core.holdings import counted_here, spendable
from rebalancer.core.model import MarketRules, Snapshot
from rebalancer.core.money import EXACT, ZERO, floor_to_step
from rebalancer.core.sizing import smallest_trade
from rebalancer.core.targets import Targets


def placeable(rules: MarketRules, quantity: Decimal, price: Decimal) -> bool:
    """Return whether HTX would take a sell of so much, whatever little part of NAV it is."""
    lots = floor_to_step(quantity, rules.lot_size)
    notional = EXACT.multiply(lots, price)
    return lots > ZERO and lots >= rules.sell_quantity_min and notional >= smallest_trade(rules, ZERO)


def can_be_sold_now(snapshot: Snapshot, targets: Targets, asset: str, price: Decimal) -> bool:
    """Return whether an order for what is free of a coin that leaves could be placed."""
    rules = snapshot.rules.get(asset)
    free = spendable(targets, snapshot.balances[asset])
    return rules is not None and rules.tradable and placeable(rules, free, price)


def is_gone(snapshot: Snapshot, targets: Targets, asset: str, price: Decimal) -> bool:
    """Return whether all that is left of a coin that leaves is too little for an order, locked coins included."""
    left = counted_here(targets, asset, snapshot.balances[asset].total)
    rules = snapshot.rules.get(asset)
    return left <= ZERO or (rules is not None and not placeable(rules, left, price))


def still_held(snapshot: Snapshot, targets: Targets) -> tuple[str, ...]:
    """Return the leaving coins of which anything may still count; of the others no price need be known any more.

    A missing row is not a zero one: such a coin stays, for the guards to name.
    """
    balances = snapshot.balances
    return tuple(
        asset
        for asset in targets.leaving
        if asset not in balances or counted_here(targets, asset, balances[asset].total) > ZERO
    )
