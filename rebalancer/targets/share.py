"""The weights that nobody named, shared out so that all sum to exactly 100."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import ROUND_FLOOR, Decimal

from rebalancer.core.money import HUNDRED, ZERO, plain
from rebalancer.errors import ConfigError
from rebalancer.targets.check import near

PLACES = 2  # decimals of a share, unless a figure beside it has more


def share_rest(
    weights: Mapping[str, Decimal], changes: Mapping[str, Decimal], out: Collection[str], locked: Collection[str]
) -> dict[str, Decimal]:
    """Return the changes with every other weight that is neither locked nor out, in proportion as before.

    Raises ConfigError for a locked coin that has no weight or is changed too, and when nothing is left to share.
    """
    for asset in locked:
        if asset not in weights:
            raise ConfigError(f"{asset}: has no weight that could be locked{near(asset, weights)}")
        if asset in changes or asset in out:
            raise ConfigError(f"{asset}: is locked and changed in the same command; choose one")
    others = [asset for asset in weights if asset not in {*changes, *out, *locked}]
    rest = HUNDRED - sum(changes.values(), ZERO) - sum((weights[asset] for asset in locked), ZERO)
    if not others:
        if rest == ZERO:
            return dict(changes)
        raise ConfigError("no coin is left to take the rest; lock fewer coins")
    shares = _shares({asset: weights[asset] for asset in others}, rest)
    if any(share <= ZERO for share in shares.values()):
        raise ConfigError(
            f"{plain(rest)} percent would be left for {', '.join(others)}; lock or raise less, or take one of them out"
        )
    return {**changes, **{asset: share for asset, share in shares.items() if share != weights[asset]}}


def _shares(weights: Mapping[str, Decimal], rest: Decimal) -> dict[str, Decimal]:
    """Return parts of the rest in proportion, rounded so that they sum to it: the largest remainders go up."""
    exponent = rest.normalize().as_tuple().exponent
    assert isinstance(exponent, int), rest
    step = Decimal(1).scaleb(min(-PLACES, exponent))
    whole = sum(weights.values(), ZERO)
    exact = {asset: rest * weight / whole for asset, weight in weights.items()}
    made = {asset: share.quantize(step, ROUND_FLOOR) for asset, share in exact.items()}
    missing = int((rest - sum(made.values(), ZERO)) / step)
    for asset in sorted(exact, key=lambda each: made[each] - exact[each])[:missing]:
        made[asset] += step
    return made
