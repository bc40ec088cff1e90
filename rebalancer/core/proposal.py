"""First targets for an account: what is held, in whole percent. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from rebalancer.core.money import HUNDRED, ONE, ZERO, floor_to_step

SHARE_MIN = Decimal("0.01")  # of the account's worth: what is less is left alone
CASH_MIN = Decimal(2)  # percent
COINS_MAX = 20


def propose_weights(values_quote: Mapping[str, Decimal], quote: str) -> dict[str, Decimal]:
    """Return percent by asset, the largest first and cash last, whole numbers that sum to 100.

    Empty when nothing but cash is held, or when all of it is worth nothing.
    """
    total = sum(values_quote.values(), ZERO)
    coins = {a: v for a, v in values_quote.items() if a != quote and total and v / total >= SHARE_MIN}
    kept = sorted(coins, key=lambda asset: (-coins[asset], asset))[:COINS_MAX]
    if not kept:
        return {}
    cash = values_quote.get(quote, ZERO)
    counted = sum((coins[asset] for asset in kept), cash)
    cash_percent = max(CASH_MIN, floor_to_step(cash / counted * HUNDRED, ONE))
    shared = _whole_percents({asset: coins[asset] for asset in kept}, HUNDRED - cash_percent)
    return {**shared, quote: cash_percent}


def _whole_percents(values: Mapping[str, Decimal], percents: Decimal) -> dict[str, Decimal]:
    """Share out whole percents by value, at least one each; what rounding leaves goes to the largest remainders."""
    total = sum(values.values(), ZERO)
    free = percents - len(values)
    exact = {asset: value / total * free for asset, value in values.items()}
    made = {asset: ONE + floor_to_step(share, ONE) for asset, share in exact.items()}
    left = int(percents - sum(made.values(), ZERO))
    by_remainder = sorted(exact, key=lambda asset: (-(exact[asset] % 1), asset))
    for asset in by_remainder[:left]:
        made[asset] += ONE
    return made


def round_limit(quote_amount: Decimal) -> Decimal:
    """Return an amount rounded down to its first digit: a limit that an owner can remember."""
    step = ONE.scaleb(quote_amount.adjusted())
    return max(ONE, floor_to_step(quote_amount, step))
