"""One life of the process: the real journal, client, planner and cycle, from start to crash."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar, cast
from unittest.mock import patch

from rebalancer import logs
from rebalancer.cli import target_journal
from rebalancer.cli.answering import Answering
from rebalancer.cli.context import Connection
from rebalancer.cli.house import House
from rebalancer.cli.obey import obey
from rebalancer.core.targets import Targets
from rebalancer.journal.records import Binding
from rebalancer.journal.store import Journal
from rebalancer.service import box
from rebalancer.service.cycle import CycleResult, run_cycle
from rebalancer.service.gather import gather_serially
from rebalancer.service.pause import PauseSwitch
from rebalancer.service.reconcile import resolve_once
from rebalancer.service.shell import LIVE, Progress, Shell
from rebalancer.service.startup import recover
from rebalancer.settings import Paths
from rebalancer.venues.htx.client import HtxVenue
from rebalancer.venues.htx.sign import Credentials
from rebalancer.venues.htx.transport import HttpTransport
from tests.simulation.disk import Disk
from tests.simulation.network import Wire
from tests.simulation.world import ACCESS_KEY, HOST, SECRET_KEY, SPOT, SimClock, World

T = TypeVar("T")
SCHEDULE = "cron"
CHECKPOINT_ROWS = 100  # some in every life


def shuffling_gather(rng: random.Random) -> Callable[[Sequence[Callable[[], T]]], list[T]]:
    """Return a gather that runs overlapping reads in a seeded order, as threads would in some order."""

    def gather(calls: Sequence[Callable[[], T]]) -> list[T]:
        order = list(range(len(calls)))
        rng.shuffle(order)
        done = gather_serially([calls[place] for place in order])
        back = dict(zip(order, done, strict=True))
        return [back[place] for place in range(len(calls))]

    return gather


class Silent:
    """A log that nobody reads."""

    def info(self, *_words: object, **_facts: object) -> None:
        pass

    warning = info


class Seeded:
    """Stands in for `secrets` where files get their names."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def token_hex(self, size: int) -> str:
        return f"{self._rng.getrandbits(8 * size):0{2 * size}x}"


@contextmanager
def in_place_of_the_machine(world: World) -> Iterator[None]:
    """Let names come from the seed, syncs of files cost nothing and crash, and logs go nowhere."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(box, "secrets", Seeded(world.chance["files"])))
        stack.enter_context(patch("os.fsync", lambda _handle: world.sync()))
        for module in (logs, target_journal):
            stack.enter_context(patch.object(module, "logger", Silent))
        yield


class Life:
    """Built as `cli/house.py` builds it, with the simulated seams in place of the real ones."""

    def __init__(self, world: World, disk: Disk, wire: Wire, state: Path, targets: Targets) -> None:
        self.world, self.wire = world, wire
        self.paths = Paths(state, state / "targets.toml")
        clock = SimClock(world)
        self.http = HttpTransport(clock=clock, transport=wire)
        gather = shuffling_gather(world.chance["gather"])
        venue = HtxVenue(
            self.http,
            base_url=f"http://{HOST}",
            credentials=Credentials(ACCESS_KEY, SECRET_KEY),
            clock=clock,
            gather=gather,
            rng=world.chance["client"],
        )
        venue.fetch_server_time()
        rng = world.chance["client"]
        self.journal = Journal.open("simulated", clock, connect=disk.connect, rng=rng, checkpoint_rows=CHECKPOINT_ROWS)
        self.journal.ensure_binding(Binding("loopback", "127.0.0.1", SPOT, targets.quote))
        self.shell = Shell(
            venue=venue,
            venue_name="loopback",
            mode=LIVE,
            account_id=SPOT,
            journal=self.journal,
            clock=clock,
            gather=gather,
            pause=PauseSwitch(self.paths.pause),
            stop_requested=lambda: world.stopping,
            say=self._say,
            free_bytes=lambda: world.free_bytes,
        )
        # What keeps the list of coins and connects anew is outside this world.
        self.house = House(self.shell, cast("Connection", None), self.paths, Answering(self.journal, state))

    def _say(self, progress: Progress) -> None:
        self.wire.leaks.must_not_be_in(repr(progress), "what is said")

    def start(self) -> None:
        recover(self.shell)

    def cycle(self, targets: Targets, slot: datetime, *, settle_s: float = 0, forced: bool = False) -> CycleResult:
        """Run a slot as the service does: what changed is written down, what was answered is taken, then a cycle."""
        self.house.take_over(targets)
        self.house.take_answers(targets)
        return run_cycle(self.shell, targets, schedule_id=SCHEDULE, slot=slot, settle_s=settle_s, forced=forced)

    def obey(self, targets: Targets) -> None:
        """Take what was answered and asked for, as each turn of the scheduler does."""
        obey(self.paths, self.house, lambda: targets, Silent())

    def turn(self) -> int:
        """Ask about open orders once, as each turn of the scheduler does."""
        return resolve_once(self.shell) if self.journal.state.unresolved else 0

    def end(self) -> None:
        self.http.close()
