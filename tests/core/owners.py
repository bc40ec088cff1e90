"""Owners with wishes of their own about single coins, over the random accounts of the property tests."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from rebalancer.core.model import Balance, Side, Snapshot, Trade, Usage
from rebalancer.core.money import ONE, ZERO, BaseAmount
from rebalancer.core.plan import Plan
from rebalancer.core.targets import Limits, Targets
from tests.core.builders import LOOSE, NOW, d, snapshot
from tests.core.builders import targets as make_targets

COINS = ("AAA", "BBB", "CCC", "DDD", "EEE")
LEAVING = ("XXX", "YYY")


@dataclass(frozen=True)
class Case:
    """One account, what its owner wants, and what is known of its past."""

    seed: int
    seen: Snapshot
    targets: Targets
    usage: Usage


def case(seed: int, *, limits: Limits = LOOSE, exits: bool = True, cooled: bool = True) -> Case:
    """Return a random account, some coins of which are to be kept, sold, resting or held elsewhere too."""
    rng = random.Random(seed)
    coins = COINS[: rng.randint(1, len(COINS))]
    leaving = LEAVING[: rng.randint(0, 2)] if exits else ()
    weights = _weights(rng, coins)
    prices = {coin: (d(rng.randint(1, 10**6)) / 10 ** rng.randint(0, 6)).normalize() for coin in (*coins, *leaving)}
    nav = d(10 ** rng.randint(2, 6))
    assets = (*weights, *leaving)
    shares = {asset: rng.random() ** 2 * rng.choice((0, 1, 1, 1)) for asset in assets}
    shares["USDT"] += 0.01
    total = sum(shares.values())
    worth = {asset: nav * d(round(share / total, 6)) for asset, share in shares.items()}
    holdings = {asset: (worth[asset] / prices.get(asset, ONE)).quantize(d("0.00000001")) for asset in assets}
    rules = {
        coin: {
            "lot_size": ONE.scaleb(-rng.randint(2, 8)),
            "min_notional": d(rng.choice([1, 5, 10])),
            "sell_quantity_min": ZERO,
            "sell_quantity_max": d(10**15),
            "buy_notional_max": d(10**15),
        }
        for coin in prices
    }
    seen = snapshot(holdings, prices, rule_changes=rules, level_quote=10**7)
    kept = {asset: holdings[asset] * d(rng.choice(["0.1", "0.5", "1.5"])) for asset in assets if rng.random() < 0.3}
    external = {asset: holdings[asset] * d(rng.choice(["0.2", "3"])) for asset in weights if rng.random() < 0.2}
    made = replace(
        make_targets({a: str(w) for a, w in weights.items()}, limits=limits),
        leaving=leaving,
        kept={asset: amount for asset, amount in kept.items() if amount},
        external={asset: amount for asset, amount in external.items() if amount},
    )
    rest = {coin: _trade(rng) for coin in (*coins, *leaving) if cooled and rng.random() < 0.3}
    return Case(seed, seen, made, Usage(has_traded=True, trades=rest))


def _weights(rng: random.Random, coins: tuple[str, ...]) -> dict[str, Decimal]:
    cuts = [rng.randint(1, 30) for _ in coins]
    cash = rng.randint(3, 40)
    percents = [(d(cut) * 100 / (sum(cuts) + cash)).quantize(d("0.01")) for cut in cuts]
    return dict(zip(coins, percents, strict=True)) | {"USDT": 100 - sum(percents, ZERO)}


def _trade(rng: random.Random) -> Trade:
    ago = timedelta(minutes=rng.randint(0, 360))
    return Trade(NOW - ago, rng.choice([Side.BUY, Side.SELL]), rest=rng.random() < 0.3)


def filled(seen: Snapshot, plan: Plan) -> Snapshot:
    """Return the snapshot after every leg filled at the decision mid, fees charged in the coin received."""
    free = {asset: held.free for asset, held in seen.balances.items()}
    for leg in plan.legs:
        fee = ONE - seen.fees[leg.asset].taker_fee_rate
        if isinstance(leg.size, BaseAmount):
            free[leg.asset] -= leg.size.value
            free[seen.quote] += leg.size.value * leg.mid * fee
        else:
            free[seen.quote] -= leg.size.value
            free[leg.asset] += leg.size.value / leg.mid * fee
    return with_free(seen, free)


def with_free(seen: Snapshot, free: dict[str, Decimal]) -> Snapshot:
    balances = {asset: Balance(asset, free[asset], held.locked) for asset, held in seen.balances.items()}
    return replace(seen, balances=balances)


def random_account(rng: random.Random, weights: Mapping[str, Decimal]) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """Return a price of each coin and holdings of each asset, from 100 to a million in all, of sizes far apart."""
    prices = {
        coin: (d(rng.randint(1, 10**6)) / 10 ** rng.randint(0, 6)).normalize() for coin in weights if coin != "USDT"
    }
    nav = d(10 ** rng.randint(2, 6))
    shares = [rng.random() ** 2 for _ in weights]
    holdings = {
        asset: (nav * d(round(share / sum(shares), 6)) / prices.get(asset, ONE)).quantize(d("0.00000001"))
        for asset, share in zip(weights, shares, strict=True)
    }
    return prices, holdings
