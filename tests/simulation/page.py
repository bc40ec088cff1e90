"""The page: asks by files for a pause, a dry run, or a change of targets; what it asks for counts for ten minutes."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.core.targets import Targets
from rebalancer.errors import ConfigError
from rebalancer.service import requests
from rebalancer.service.requests import Ask, Request
from rebalancer.targets.staging import staged_in, unstage
from tests.simulation.checks import Checker
from tests.simulation.drawer import GARBAGE
from tests.simulation.world import SimClock, World, must

LIFE = timedelta(minutes=10)
LATER = timedelta(minutes=30)


class Page:
    """Asks by chance, and is asked for nothing that it may not have; judges what became of it."""

    def __init__(self, world: World, checker: Checker, state: Path) -> None:
        self._world, self._checker, self._state = world, checker, state
        self._pause, self._folder = state / "pause", state / requests.FOLDER
        self._rng = world.chance["page"]
        self._clock = SimClock(world)
        self._pauses: list[tuple[datetime, Path]] = []  # each that was asked for of late, and its file
        self._staged: list[dict[str, Any]] = []  # the facts of all that was ever staged
        self._number = 0

    def ask(self, targets: Targets) -> None:
        """Ask for something now and then; sometimes what is asked for is old, or is nothing of the kind."""
        if self._world.quiet or self._rng.random() >= 0.03:
            return
        what = self._rng.choice((Ask.PAUSE, Ask.DRY_RUN, Ask.STAGE_TARGETS, "garbage_request"))
        self._world.fired[f"asked_{what}" if isinstance(what, Ask) else what] += 1
        if not isinstance(what, Ask):
            self._garbage()
            return
        asked_at = self._clock.now()
        if self._rng.random() < 0.2:
            self._world.fired["stale_request"] += 1
            asked_at -= self._rng.choice((LIFE + timedelta(seconds=1), timedelta(hours=2)))
        facts: dict[str, Any] = {"reason": "simulated"} if what is Ask.PAUSE else {}
        if what is Ask.STAGE_TARGETS:
            facts = self._weights(targets)
        path = requests.leave(self._state, Request(what, asked_at, facts))
        self._settled(path)
        if what is Ask.PAUSE and asked_at == self._clock.now():
            self._pauses.append((asked_at, path))

    def _weights(self, targets: Targets) -> dict[str, Any]:
        """Return weights that somebody staged: five points from one asset to another."""
        less, more = self._rng.sample(sorted(targets.weights), 2)
        five = min(Decimal(5), targets.weights[less] - 1)
        changed = {**targets.weights, less: targets.weights[less] - five, more: targets.weights[more] + five}
        facts = {"weights": {asset: str(weight) for asset, weight in changed.items()}, "based_on": targets.digest}
        self._staged.append(facts)
        return facts

    def _garbage(self) -> None:
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{self._rng.getrandbits(128):032x}.json"
        path.write_bytes(self._rng.choice(GARBAGE))
        self._settled(path)

    def _settled(self, path: Path) -> None:
        self._number += 1
        os.utime(path, ns=(self._number, self._number))

    def asks(self) -> bool:
        """Return whether a pause waits that counts at this moment."""
        now = self._clock.now()
        return any(abs(now - asked_at) <= LIFE and path.exists() for asked_at, path in self._pauses)

    def was_obeyed(self, *, before: bool, asked: bool) -> None:
        """O8: a pause that was asked for is there, none is there that nobody asked for, and nothing lifts one.

        `before` tells whether there was one before; `asked` whether one waited, unless the service died over it.
        """
        paused, now = self._pause.exists(), self._clock.now()
        before = before or self._checker.paused  # or somebody paused by hand meanwhile
        must(paused or not (before or asked), "O8", "a pause that was there, or asked for, is none")
        must(not paused or before or self._pauses, "O8", "a pause that nobody asked for")
        self._checker.paused = paused
        self._pauses = [each for each in self._pauses if abs(now - each[0]) <= LATER and not asked]

    def confirm(self, targets: Targets) -> Targets:
        """Return the targets with what was staged, as its owner confirms it in the terminal, sooner or later."""
        if self._rng.random() < 0.5:
            return targets
        try:
            staged = staged_in(self._state)
        except ConfigError:
            return targets
        if staged is None:
            return targets
        facts = {"weights": {a: str(w) for a, w in staged.weights.items()}, "based_on": staged.based_on}
        must(facts in self._staged, "O8", f"what is staged was asked for by nobody: {facts}")
        unstage(self._state)
        if staged.based_on != targets.digest:
            return targets
        self._world.fired["staged_confirmed"] += 1
        return replace(targets, weights=dict(staged.weights), digest=f"{self._rng.getrandbits(256):064x}")
