"""One order's bytes against the intent that they carry out: parsed anew, and priced by other arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from rebalancer.core.targets import Route, Targets
from tests.simulation.known import Known
from tests.simulation.world import SPOT, World, must

PAIR_OFF_MAX = Fraction(1, 100)  # of the mid of a pair of two coins against the ratio of theirs


def must_equal_intent(
    body: Mapping[str, Any], known: Known, plan: Mapping[str, Any], targets: Targets, world: World
) -> None:
    """I16 and I17: what leaves is what was written down, and of a kind that may leave; `plan` is what it is part of."""
    sending = known.sending or {}
    must(body["amount"] == sending["amount"], "I17", f"wire {body['amount']}, journal {sending['amount']}")
    must(body["symbol"] == sending["symbol"] == known.symbol, "I17", f"symbol {body['symbol']}")
    wanted = targets.orders.order_type.value
    must(body["type"] == f"{sending['side']}-{wanted}", "I17", f"type {body['type']}")
    must(body.get("price") == sending.get("price"), "I17", f"price {body.get('price')}, journal {sending}")
    must(("price" in body) == (wanted == "ioc"), "I16", f"{body}")
    must(body["symbol"] in _symbols(targets), "I16", f"symbol {body['symbol']}")
    must(body["account-id"] == SPOT and body["source"] == "spot-api", "I16", f"{body}")
    must(body.get("self-match-prevent") == 1, "I16", f"{body}")
    if "price" in body:
        _within_collar(body, known, plan, targets, world)


def _within_collar(
    body: Mapping[str, Any], known: Known, plan: Mapping[str, Any], targets: Targets, world: World
) -> None:
    """Hold an IOC order's price and cost against the mid and the leg of its own plan."""
    coin, priced = known.coins()
    mids = {line["asset"]: Fraction(line["price"]) for line in plan["assets"]}
    mid = mids[coin] / mids[priced]
    leg = next(leg for leg in plan["legs"] if leg["symbol"] == body["symbol"])
    price, slip = Fraction(body["price"]), Fraction(targets.limits.max_slippage_bps) / 10_000
    if priced != targets.quote:  # whose own mid may be so far from the ratio of the two
        slip = (1 + slip) * (1 + PAIR_OFF_MAX) - 1
    tick = Fraction(1, 10 ** world.market.specs()[body["symbol"]].price_precision)
    must((price / tick).denominator == 1, "I16", f"{known.cid}: {price} is between two ticks of {tick}")
    if known.side == "buy":
        must(price <= mid * (1 + slip), "I10", f"{known.cid}: {price} is beyond {slip} over {mid}")
        must(Fraction(body["amount"]) * price <= Fraction(leg["spend_quote"]), "I10", f"{known.cid} may cost more")
    else:
        must(price >= mid * (1 - slip), "I10", f"{known.cid}: {price} is beyond {slip} under {mid}")


def _symbols(targets: Targets) -> set[str]:
    """Return what may be traded: each target against the cash, and each other where the owner wants that."""
    coins = [asset.lower() for asset in targets.assets]
    crosses = {a + b for a in coins for b in ("btc", "eth")} if targets.orders.route is Route.DIRECT else set()
    return {f"{coin}usdt" for coin in coins} | crosses
