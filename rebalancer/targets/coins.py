"""What the owner decides about single coins: bands of their own, coins to sell, amounts to keep or held elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal

from rebalancer.core.money import ZERO, plain
from rebalancer.targets.check import Check, as_decimal, near, too_fine
from rebalancer.targets.keys import ASSET, COIN_BAND, KEPT
from rebalancer.targets.toml_text import show


def is_leaving(check: Check, asset: str) -> bool:
    """Return whether a coin is named in [exit]: then its weight may be 0."""
    table = check.data.get("exit")
    return isinstance(table, dict) and asset in table


def coins_to_leave(check: Check) -> tuple[str, ...]:
    """Return the coins to sell completely, in the file's order."""
    made = []
    for asset, value in check.table("exit").items():
        path = ("exit", asset)
        weights = check.data.get("weights")
        weight = as_decimal(weights.get(asset)) if isinstance(weights, dict) else None
        if not ASSET.fullmatch(asset):
            check.wrong(path, "an asset is capital letters and digits, such as DOGE = true")
        elif value is not True:
            check.wrong(
                path, f"{show(value)} should be true, which sells the coin; take the line out to leave it alone"
            )
        elif asset == check.data.get("quote"):
            check.wrong(path, f"{asset} is the cash, into which the others are sold")
        elif weight:
            check.wrong(path, f"has a weight of {plain(weight)} too; take one of the two lines out")
        else:
            made.append(asset)
    return tuple(made)


def amounts_of(check: Check, section: str, known: Collection[str]) -> dict[str, Decimal]:
    """Return amounts of coins, each above zero."""
    made = {}
    listed = "[weights] or [exit]" if section == "keep" else "[weights]"
    for asset in check.table(section):
        if asset not in known:
            more = ": a coin that is not listed is never touched" if section == "keep" else ""
            check.wrong((section, asset), f"is not in {listed}{near(asset, known)}{more}; take it out")
            continue
        amount = check.number(section, asset, replace(KEPT, unit=f"of {asset}"))
        if amount == ZERO:
            check.wrong((section, asset), "0 says nothing; take the line out")
        elif amount is not None:
            made[asset] = amount
    return made


def per_coin_bands(check: Check, table: object) -> dict[str, Decimal]:
    """Return the bands that stand above the rule, in points."""
    weights = check.data.get("weights")
    known = weights if isinstance(weights, dict) else {}
    if not isinstance(table, dict):
        check.wrong(("bands", "per_coin"), "should be a section [bands.per_coin]")
        return {}
    made = {}
    for asset, raw in table.items():
        path, value = ("bands", "per_coin", asset), as_decimal(raw)
        if not known.get(asset):
            check.wrong(path, f"is not in [weights]{near(asset, known)}")
        elif value is None or not COIN_BAND.low <= value <= COIN_BAND.high:
            text = f"{show(raw)} should be a bare number, {COIN_BAND.low} to {COIN_BAND.high} {COIN_BAND.unit}"
            check.wrong(path, text)
        elif fine := too_fine(value):
            check.wrong(path, fine)
        else:
            made[asset] = value
    return made
