"""The reads of a cycle with 50 ms before each answer, over a real socket, as a ratio to their dependent floor.

The floor is what no overlapping can save, measured in the same run: the clock is read first, since requests are signed
with it; then at least one more answer must be waited for, here the largest.

python -m tests.benchmarks.reads [--runs N] [--json]
"""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from pathlib import Path

from rebalancer.core.targets import Targets
from rebalancer.service.clock import SystemClock
from rebalancer.service.gather import ThreadGather
from rebalancer.service.observe import choose_account, observe
from rebalancer.targets.file import load_targets
from rebalancer.venues.htx.client import HtxVenue
from rebalancer.venues.htx.sign import Credentials
from rebalancer.venues.htx.transport import HttpTransport
from tests.benchmarks.figures import Figure, median, parser, say
from tests.simulator.loopback import running_exchange

LATENCY_MS = 50
PAUSE_S = 0.5  # at most four rounds in the client's window of 2 s
KEY, SECRET = "bench-access-key", "bench-secret-key"
TARGETS = Path(__file__).parents[2] / "targets.toml"


def floor_s(venue: HtxVenue, account_id: str) -> float:
    """Seconds of the chain of answers that depend on each other."""
    start = time.perf_counter()
    venue.fetch_server_time()
    venue.fetch_balances(account_id)
    return time.perf_counter() - start


def cycle_s(venue: HtxVenue, gather: ThreadGather, targets: Targets, account_id: str) -> float:
    """Seconds of all reads of a cycle, from the clock to the snapshot."""
    start = time.perf_counter()
    venue.fetch_server_time()
    observe(venue, gather, targets, account_id)
    return time.perf_counter() - start


def main() -> None:
    options = parser(__doc__ or "").parse_args()
    targets, clock = load_targets(TARGETS), SystemClock()
    exchange = ("--latency-ms", str(LATENCY_MS), "--access-key", KEY, "--secret-key", SECRET)
    with ExitStack() as stack:
        url, _ = stack.enter_context(running_exchange(*exchange))
        http = stack.enter_context(HttpTransport(clock=clock))
        gather = ThreadGather()
        stack.callback(gather.close)
        venue = HtxVenue(
            http,
            base_url=url,
            credentials=Credentials(KEY, SECRET),
            clock=clock,
            gather=gather,
            rng=random.Random(0),
        )
        account_id = choose_account(venue.fetch_accounts(), None)
        floors, cycles = [], []
        for run in range(options.runs + 1):
            floor, cycle = floor_s(venue, account_id), cycle_s(venue, gather, targets, account_id)
            if run:  # the first round opens the connections
                floors.append(floor)
                cycles.append(cycle)
            # Outside of what is timed: the client keeps its own distance to the exchange's rate limits.
            time.sleep(PAUSE_S)  # noqa: TID251
    say(
        [Figure("reads of a cycle / their dependent floor", median(cycles) / median(floors), 1.5, "x")],
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
