"""Weeks of service in one process, in simulated time: memory, threads and open files must stay as they are.

python -m tests.soak [--days N] [--seed S] [--json]

The real scheduler, cycle, client and journal serve an hourly schedule over the embedded exchange on a clock that only
moves when somebody sleeps. Somebody moves coins every few hours, so that orders follow, and each day has hours in which
the exchange fails. Thirty days of it say nothing of what only real time brings: a kernel, a network, a leap second.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from rebalancer.errors import RebalancerError
from rebalancer.journal import records
from tests.scheduling import HOURLY, NOON
from tests.served import Served
from tests.support import FakeClock

DAYS = 30
KIB = 1024
GROWTH_MAX = 0.01  # of memory, from the middle third of the days to the last one
EXCHANGE_KEEPS = timedelta(hours=60)  # of orders: it is the exchange that would grow here, and it is not what is tested
MOVED_MAX = 8000  # USDT that come or go at a time
BAD_HOURS = range(9, 13)
CHAOS = (
    "html_502=0.3", "http_429=0.2", "lost_reply@place=0.5,lost_request=0.1", "delayed_reply=0.1", "truncated=0.1",
    "system_error_executed@place=0.5,balance_lag=0.2", "partial=0.5,missing_row=0.1", "halted=0.5", "nan=0.1",
)  # fmt: skip


@dataclass(frozen=True)
class Day:
    """What the process held at the end of a day."""

    resident_kib: int
    objects: int
    threads: int
    files: int


class Soaked(Served):
    """A served house that lives through good and bad hours; what only its tests keep is dropped every day."""

    def __init__(self, folder: Path, seed: int, days_to_say: int) -> None:
        super().__init__(folder, FakeClock(NOON), HOURLY)
        self.rng, self.days_to_say = random.Random(seed), days_to_say
        self.days: list[Day] = []
        self.orders = self.refused = 0

    def _run(self, slot: datetime) -> None:
        bad = slot.hour in BAD_HOURS
        self.house.set_faults(self.rng.choice(CHAOS) if bad else "")
        self._move_coins()
        self._answer()
        try:
            super()._run(slot)
            self.orders += len(self.results.pop().orders)
        except RebalancerError:
            self.refused += 1
            raise
        finally:
            if slot.hour == 0:
                self._end_day(slot)

    def _move_coins(self) -> None:
        if self.rng.random() < 0.3:
            wallet = self.house.user.wallet("usdt")
            wallet.trade = max(Decimal(1000), wallet.trade + self.rng.randint(-MOVED_MAX, MOVED_MAX))

    def _answer(self) -> None:
        """Answer halts as an owner does who looks once an hour."""
        journal = self.house.journal
        for halt in tuple(journal.state.halts):
            journal.append(records.ack_halt(halt, "owner"))

    def _end_day(self, slot: datetime) -> None:
        oldest_ms = int((slot - EXCHANGE_KEEPS).timestamp() * 1000)
        orders = self.house.exchange.state.orders
        for number in [number for number, order in orders.items() if order.created_ms < oldest_ms]:
            del orders[number]
        wire, rig = self.house.wire, self.rigs[-1]
        for kept in (
            self.house.said,
            self.house.clock.slept_s,
            wire.calls,
            wire.posts,
            rig.notes,
            rig.supervised.heard,
        ):
            kept.clear()
        gc.collect()
        process = psutil.Process()
        resident_kib = process.memory_info().rss // KIB
        self.days.append(Day(resident_kib, len(gc.get_objects()), threading.active_count(), process.num_fds()))
        if self.days_to_say:
            print(f"\r{len(self.days):>4} of {self.days_to_say} days", end="", file=sys.stderr, flush=True)


def soak(days: int, seed: int, *, say: bool = False) -> dict[str, Any]:
    """Serve for so many days; return what was held, what was done, and what is wrong with it."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        served = Soaked(Path(folder), seed, days if say else 0)
        served.life(hours=24 * days)
        slots, unresolved = served.slots(), len(served.house.journal.state.unresolved)
        served.house.close()
    if say:
        print(file=sys.stderr)
    wanted = {NOON + timedelta(minutes=7, hours=hour) for hour in range(24 * days)}
    made = {
        "days": days,
        "cycles": len(slots),
        "orders": served.orders,
        "refused": served.refused,
        "unresolved": unresolved,
        "missed_slots": len(wanted - set(slots)),
        "first": asdict(served.days[0]),
        "last": asdict(served.days[-1]),
        **growth(served.days),
        "seconds": round(time.perf_counter() - began, 1),
    }
    return made | {"problems": complaints(made)}


def growth(days: Sequence[Day]) -> dict[str, float]:
    """Return by how much each figure grew from the middle third of the days to the last one, as a fraction."""
    third = len(days) // 3
    made = {}
    for name in asdict(days[0]):
        values = [getattr(day, name) for day in days]
        middle, last = median(values[third : 2 * third] or values), median(values[-third:])
        made[f"{name}_growth"] = round(last / middle - 1, 4)
    return made


def complaints(made: dict[str, Any]) -> list[str]:
    """Return what keeps a soak from being good."""
    found = [
        f"{name} grew by {made[f'{name}_growth']:.1%}"
        for name in ("resident_kib", "objects")
        if made[f"{name}_growth"] > GROWTH_MAX
    ]
    found += [f"{name} grew" for name in ("threads", "files") if made[f"{name}_growth"] > 0]
    if made["missed_slots"]:
        found.append(f"{made['missed_slots']} slot(s) have no run in the journal")
    if not made["orders"]:
        found.append("no order was sent, so nothing was shown")
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--days", type=int, default=DAYS, help="days of simulated time (default 30)")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", action="store_true", help="one JSON document instead of text")
    chosen = options.parse_args()
    if chosen.days < 3:
        options.error("--days: at least 3, for growth is between thirds of the days")
    made = soak(chosen.days, chosen.seed, say=sys.stderr.isatty())
    print(json.dumps(made) if chosen.json else "\n".join(f"{name.replace('_', ' '):<24}{made[name]}" for name in made))
    sys.exit(1 if made["problems"] else 0)


if __name__ == "__main__":
    main()
