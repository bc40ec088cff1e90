"""A house whose cycles the real scheduler starts: real journal, cycle and client, over the embedded exchange."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rebalancer.core.targets import Schedule
from rebalancer.journal.rows import Kind
from rebalancer.service.cycle import CycleResult, run_cycle
from rebalancer.service.reconcile import resolve_once
from tests.scheduling import CRON, Rig, machine_frozen_at
from tests.service.house import House


class Served:
    """A house whose cycles are run by the scheduler, through as many process lives as a test wants."""

    def __init__(self, folder: Path, clock: Any, schedule: Schedule) -> None:
        self.house = House(folder, clock=clock)
        self.schedule = schedule
        self.results: list[CycleResult] = []
        self.rigs: list[Rig] = []

    def life(self, hours: float) -> Rig:
        """Live once: recover, serve, end."""
        self.house.restart()
        return self.serve(hours)

    def serve(self, hours: float) -> Rig:
        house = self.house
        rig = Rig(house.clock, house.journal, self._run, self.schedule, resolve=lambda: resolve_once(house.shell))
        self.rigs.append(rig)
        rig.serve(hours)
        return rig

    def _run(self, slot: datetime) -> None:
        house = self.house
        self.results.append(run_cycle(house.shell, house.targets, schedule_id=CRON, slot=slot, settle_s=0))

    def run_keys(self) -> list[str]:
        return [row.run_id for row in self.house.journal.rows(kinds=(Kind.RUN,))]

    def slots(self) -> list[datetime]:
        rows = self.house.payloads(Kind.RUN)
        return [datetime.fromisoformat(row["slot"]).astimezone(UTC) for row in rows]


@contextmanager
def frozen_at(text: str, folder: Path, schedule: Schedule) -> Iterator[Served]:
    with machine_frozen_at(text) as clock:
        served = Served(folder, clock, schedule)
        yield served
        served.house.close()
