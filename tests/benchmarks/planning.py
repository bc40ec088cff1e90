"""A plan for 50 assets, with books, guards and reasons, and its drift and bands alone.

python -m tests.benchmarks.planning [--runs N] [--json]
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from decimal import Decimal

from rebalancer.core.bands import band_widths
from rebalancer.core.drift import drift_of, frozen, outside_band, weights_of
from rebalancer.core.model import Snapshot, Usage
from rebalancer.core.money import to_float
from rebalancer.core.planner import make_plan
from rebalancer.core.targets import Targets
from tests.benchmarks.figures import Figure, median, parser, say
from tests.core.builders import snapshot, targets

COINS = 49  # and the cash
NAV = 1_000_000
SEED = 1
CALLS = 20  # of each side in one run


def a_case() -> tuple[Snapshot, Targets]:
    """Return a drifted portfolio with equal targets: about half of the coins are outside their bands."""
    rng = random.Random(SEED)
    coins = [f"C{number:02d}" for number in range(COINS)]
    prices = {coin: Decimal(rng.randint(1, 10**6)) / 10 ** rng.randint(0, 4) for coin in coins}
    held = {coin: round(NAV / prices[coin] / 50 * Decimal(str(rng.uniform(0.1, 1.9))), 6) for coin in coins}
    return snapshot(held | {"USDT": Decimal(NAV // 50)}, prices), targets(dict.fromkeys([*coins, "USDT"], 2))


def milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - start) / CALLS * 1000


def main() -> None:
    options = parser(__doc__ or "").parse_args()
    seen, wanted = a_case()
    prices = {asset: book.mid or Decimal(0) for asset, book in seen.books.items()} | {wanted.quote: Decimal(1)}
    values = [to_float(seen.balances[asset].total * prices[asset]) for asset in wanted.assets]
    fractions = [to_float(wanted.fraction(asset)) for asset in wanted.assets]

    def plan() -> object:
        return make_plan(seen, wanted, Usage(has_traded=True))

    def drift_and_bands() -> object:
        weights, goals = weights_of(frozen(values)), frozen(fractions)
        return outside_band(drift_of(weights, goals), band_widths(goals, wanted.bands))

    made = make_plan(seen, wanted, Usage(has_traded=True))
    assert len(made.assets) == COINS + 1 and len(made.legs) > COINS // 3 and not made.denials, made.denials
    taken: dict[str, list[float]] = {"plan": [], "arrays": []}
    for run in range(options.runs + 1):
        for name, call in (("plan", plan), ("arrays", drift_and_bands)):
            value = milliseconds(call)
            if run:  # the first round fills the caches
                taken[name].append(value)
    say(
        [
            Figure("plan of 50 assets", median(taken["plan"]), 10.0, "ms"),
            Figure("drift and bands of 50 assets", median(taken["arrays"]), 0.2, "ms"),
        ],
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
