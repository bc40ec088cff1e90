"""One drill: a process ends at a boundary, the next ones settle, and everything is held against the truth."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rebalancer.core.canonical import parse_moment
from rebalancer.journal.rows import Kind
from rebalancer.service.clock import SystemClock
from tests.kills.judge import complaints_after_a_stop, complaints_at_the_end, unresolved
from tests.kills.world import World, copied_journal

RUNS_MAX = 8
TRIES, TRIES_BY_CHANCE = 4, 8
LEGS = 3
# A round of reads opens as many connections as it happens to need, and a busy machine asks for an order again.
BY_CHANCE = re.compile(rf"connect for reads|GET /v1/order/\S+ #(?!([1-{LEGS}]): )")
LOOKS_APART_S = 600.0  # from when on a price that was told twice is trusted, and more than the smallest orders are sent
ABSENCE_S, APART_S = 425.0, 35.0  # until absence can be proven, and between the two answers that it needs
UNKNOWN = "outcome_unknown"
SETTLED = {"done", "within_bands"}
STOP_CODES = {0, 3, 4, 5, 75}  # done; work left; stopped; an outcome unknown; unreachable
PAIR_SPAN = 180  # boundaries of a run that finds an unknown order and trades the rest


@dataclass(frozen=True)
class Plan:
    """What a drill does: where the first process gets which signal, and where the one after it dies, if it does."""

    boundary: str
    signal: str = "SIGKILL"
    second: int = 0

    @property
    def by_chance(self) -> bool:
        """Return whether a cycle may pass without this boundary: only some have so many connections, or ask so often."""
        return BY_CHANCE.match(self.boundary) is not None


@dataclass
class Outcome:
    """What came of a drill."""

    plan: Plan
    reached: bool = False
    reached_second: bool = False
    was_open: bool = False  # an intent was unresolved when the process had ended
    stop_s: float | None = None  # from the signal to the end of the process
    armed_s: float | None = None  # from the restart to its cycle
    settled_s: float = 0.0  # from the restart until everything had its end
    leapt_s: float = 0.0  # of the exchange's time, which passed in between
    runs: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def missed(self) -> bool:
        """Return whether the boundary should have come up and did not; some are a matter of chance."""
        return not self.reached and not self.plan.by_chance

    @property
    def replay(self) -> str:
        """Return the command that does this drill again."""
        more = " --term" if self.plan.signal == "SIGTERM" else ""
        more += f" --second {self.plan.second}" if self.plan.second else ""
        return f"python -m tests.kills --at '{self.plan.boundary}'{more}"


def enumerate_boundaries() -> list[str]:
    """Return every boundary of an undisturbed live cycle, in the order in which it passed them.

    It is the first of all, whose orders are the smallest ones; the next trades the rest of them.
    """
    for _ in range(TRIES):
        with TemporaryDirectory() as folder, World(Path(folder)).open() as world:
            done = world.victim()
            passed = [str(name) for name in world.notes("at")]
            world.leap(LOOKS_APART_S)
            if _status(done) == "work_left" and _status(world.run()) == "done":  # a busy machine may be too slow for it
                wrong = complaints_at_the_end(world)
                assert not wrong, wrong
                assert len(set(passed)) == len(passed), "two boundaries of one name: a signal would come at both"
                return passed
    raise AssertionError((done.returncode, done.stdout, done.stderr))


def second_of(boundary: str, seed: int) -> int:
    """Return the boundary of the recovery at which it dies too, drawn by chance."""
    return random.Random(f"{seed} {boundary}").randint(1, PAIR_SPAN)


def drill(plan: Plan) -> Outcome:
    """Do one drill; a boundary that never comes up leaves `reached` false and nothing to complain of."""
    for _ in range(TRIES_BY_CHANCE if plan.by_chance else TRIES):
        with TemporaryDirectory() as folder, World(Path(folder)).open() as world:
            outcome = _drill_in(world, plan)
        if outcome.reached:
            break
    return outcome


def _drill_in(world: World, plan: Plan) -> Outcome:
    outcome = Outcome(plan)
    try:
        ended = world.victim("--at", plan.boundary, "--signal", plan.signal)
        fired = world.notes("fired")
        outcome.reached = bool(fired)
        if not fired:
            return outcome
        if plan.signal == "SIGKILL":
            assert ended.returncode == -signal.SIGKILL, ended.returncode
        else:
            outcome.stop_s = time.perf_counter() - fired[0]
            outcome.complaints += _after_a_stop(world, ended)
        if plan.second:
            outcome.reached_second = world.victim("--nth", str(plan.second)).returncode == -signal.SIGKILL
        outcome.was_open = bool(unresolved(world))
        _settle(world, outcome)
        outcome.complaints += complaints_at_the_end(world)
    except subprocess.TimeoutExpired as exc:
        outcome.complaints.append(f"a process did not end within {exc.timeout:.0f} s")
    return outcome


def _after_a_stop(world: World, ended: subprocess.CompletedProcess[str]) -> list[str]:
    if ended.returncode not in STOP_CODES:
        return [f"asked to stop, it ended with {ended.returncode}: {ended.stderr[-500:]}"]
    return complaints_after_a_stop(world)


def _settle(world: World, outcome: Outcome) -> None:
    """Run the command line as its owner would until a run ends settled; what needs time is given it."""
    began = time.perf_counter()
    for number in range(RUNS_MAX):
        started_at, seq = SystemClock().now(), _last_seq(world)
        done = world.run()
        if number == 0:
            outcome.armed_s = _armed_s(world, seq, started_at)
        outcome.runs.append(f"{done.returncode} {_status(done)}".rstrip())
        if _status(done) in SETTLED:
            break
        if _status(done) == UNKNOWN:
            world.leap(APART_S if world.clock.late_s else ABSENCE_S)
        elif _status(done) == "work_left":
            world.leap(LOOKS_APART_S)
    else:
        outcome.complaints.append(f"not settled: {outcome.runs}; {done.stderr[-500:]}")
    outcome.settled_s, outcome.leapt_s = time.perf_counter() - began, world.clock.late_s


def _status(done: subprocess.CompletedProcess[str]) -> str:
    return str(json.loads(done.stdout)["status"]) if done.stdout else ""


def _last_seq(world: World) -> int:
    with copied_journal(world.journal_path) as journal:
        return 0 if journal is None else journal.last_seq


def _armed_s(world: World, seq: int, started_at: datetime) -> float | None:
    """Return how long after its start a process had gone through the start-up sequence: its RUN row says when."""
    with copied_journal(world.journal_path) as journal:
        row = None if journal is None else next(iter(journal.rows(after_seq=seq, kinds=(Kind.RUN,))), None)
    if row is None:
        return None
    return (parse_moment(row.t_wall) - started_at).total_seconds()
