"""What of a balance counts and what of it may leave: kept amounts do neither, amounts elsewhere only count. Pure."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.core.model import Balance, Snapshot
from rebalancer.core.money import ZERO
from rebalancer.core.targets import Targets


def counted_here(targets: Targets, asset: str, total: Decimal) -> Decimal:
    """Return how much of a total at the exchange counts: all but what is to be kept."""
    return max(ZERO, total - targets.kept.get(asset, ZERO))


def counted(targets: Targets, asset: str, total: Decimal) -> Decimal:
    """Return the amount that weights are made of: what counts here and what is held elsewhere."""
    return counted_here(targets, asset, total) + targets.external.get(asset, ZERO)


def held_in(snapshot: Snapshot) -> frozenset[str]:
    """Return the assets of which the account holds anything, targets or not."""
    return frozenset(asset for asset, held in snapshot.balances.items() if held.total)


def lacks_its_keep(targets: Targets, held: Balance) -> bool:
    """Return whether less is held than is to be kept.

    Such an asset is not bought: what is bought would not count, and a figure too large would draw in all there is.
    """
    return held.total < targets.kept.get(held.asset, ZERO)


def spendable(targets: Targets, held: Balance) -> Decimal:
    """Return how much of an asset may be sold, or spent if it is the cash.

    What is to be kept is taken from the free part first: the owner's own open orders may sell the locked one.
    """
    return max(ZERO, held.free - targets.kept.get(held.asset, ZERO))


def cash_for_buys(targets: Targets, held: Balance) -> Decimal:
    """Return the cash that buys may count on beside what sells bring.

    It is below zero where the owner's own open orders lock some of what is to be kept: proceeds fill that up first.
    """
    return held.free - targets.kept.get(held.asset, ZERO)
