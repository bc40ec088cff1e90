"""Whether a deposit or a withdrawal is what moved the cash beyond its band. Pure."""

from __future__ import annotations

from rebalancer.core.drift import drift_of, frozen, weights_of
from rebalancer.core.holdings import counted
from rebalancer.core.model import Snapshot, Usage
from rebalancer.core.money import ZERO, to_float
from rebalancer.core.targets import Targets
from rebalancer.core.valuation import Valuation


def moved_the_cash(snapshot: Snapshot, targets: Targets, usage: Usage, valuation: Valuation) -> bool:
    """Return whether the cash is outside its band because of what others moved.

    The flows explain it when they pushed the same way, and the cash would be inside its band without them or they
    alone are more than the band.
    """
    cash = targets.assets.index(targets.quote)
    drift, band = float(valuation.drift[cash]), float(valuation.bands[cash])
    if abs(drift) <= band or not any(usage.flows.values()):
        return False
    values = []
    for asset in targets.assets:
        before = snapshot.balances[asset].total - usage.flows.get(asset, ZERO)
        values.append(counted(targets, asset, max(ZERO, before)) * valuation.prices[asset])
    if sum(values, ZERO) <= ZERO:  # all that there is came in
        return drift > 0
    without = float(drift_of(weights_of(frozen([to_float(value) for value in values])), valuation.targets)[cash])
    push = drift - without
    return push * drift > 0 and (abs(without) <= band or abs(push) > band)
