"""One life ends at a boundary of a live cycle, the one after it at one of its own, and the third must set all right.

All is deterministic, chance included, so a life need only be lived once for each state that the one before it left
behind: the rows of the journal, the exchange, and the time. Most boundaries change none of these.
"""

from __future__ import annotations

import hashlib
import pickle
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from rebalancer.core.orders import IntentState
from rebalancer.errors import GuardTripped
from rebalancer.service.startup import recover
from rebalancer.simulator.exchange import ExchangeOptions
from rebalancer.simulator.faults import FAULT_KINDS, Faults, FaultSpecError
from tests.service.boundaries import Boundaries, crash_at
from tests.service.house import House
from tests.service.truth import must_be_settled

# The same figures on a disk in memory: what a sync to a real one takes has no part in them (`tests.kills` has one).
MEMORY = Path("/dev/shm")  # noqa: S108  # only where it is a folder; what is made in it has a name by chance
NO_FATE = "none"
BOUNDARIES_MAX = 1000  # a lost order is asked about for minutes


@dataclass(frozen=True)
class Pair:
    """What becomes of an order, and the boundaries at which the first and the second life end; zero: they do not."""

    fate: str
    first: int
    second: int

    @property
    def replay(self) -> str:
        """Return the command that does this one again."""
        return f"python -m tests.crash_pairs --replay {self.fate}/{self.first}/{self.second}"


@dataclass
class Found:
    """What came of some pairs."""

    pairs: int = 0
    ends: int = 0  # different states that they left behind, each of which was judged
    boundaries: Counter[str] = field(default_factory=Counter)  # by name
    problems: list[str] = field(default_factory=list)

    def add(self, other: Found) -> None:
        self.pairs += other.pairs
        self.ends += other.ends
        self.boundaries.update(other.boundaries)
        self.problems += other.problems


class Fate(Faults):
    """Strikes one place call of those that arrive, and nothing else."""

    def __init__(self, kind: str, number: int) -> None:
        super().__init__([], 0)
        self._kind, self._number, self._arrived = kind, number, 0

    def draw(self, endpoint: str) -> str:
        """Return the kind for the place call of that number, as the exchange counts them."""
        self._arrived += endpoint == "place"
        if endpoint != "place" or self._arrived != self._number:
            return ""
        self.fired[self._kind] += 1
        return self._kind

    @classmethod
    def named(cls, text: str) -> Faults:
        """Read `none`, or a kind of fault and a number of an order: `lost_reply@2`."""
        if text == NO_FATE:
            return Faults([], 0)
        kind, _, number = text.partition("@")
        if kind not in FAULT_KINDS or not number.isdecimal():
            raise FaultSpecError(f"{text!r} is neither {NO_FATE} nor a fault and an order's number: lost_reply@2")
        return cls(kind, int(number))


@contextmanager
def _house(fate: str) -> Iterator[House]:
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        house = House(Path(folder), chance=random.Random(0), options=ExchangeOptions(duplicates="reject"))
        house.exchange.faults = Fate.named(fate)
        try:
            yield house
        finally:
            house.close()


def boundaries_of_a_cycle(fate: str) -> int:
    """Return how many boundaries an undisturbed cycle passes."""
    with _house(fate) as house:
        watch = Boundaries(house, BOUNDARIES_MAX + 1, "")
        house.cycle()
        assert watch.passed <= BOUNDARIES_MAX, watch.passed
        return watch.passed


def first_ends(fate: str) -> list[tuple[int, int]]:
    """Return the first boundaries that leave different states behind, and how many leave each."""
    counts: Counter[bytes] = Counter()
    first: dict[bytes, int] = {}
    for number in range(1, boundaries_of_a_cycle(fate) + 1):
        with _house(fate) as house:
            crash_at(house, number)
            state = _state(house)
        counts[state] += 1
        first.setdefault(state, number)
    return [(number, counts[state]) for state, number in first.items()]


def _state(house: House) -> bytes:
    """Return all that the next life can tell from another state; only the calls that a limit counts are left out."""
    exchange, clock = house.exchange, house.clock
    parts = (exchange.state, exchange.faults, exchange.status, exchange.pending, exchange.lagging)
    rows = [row.hash for row in house.journal.rows(after_seq=house.journal.last_seq - 1)]
    return hashlib.sha256(pickle.dumps((parts, clock.now(), clock.monotonic_s(), rows))).digest()


def live(pair: Pair) -> tuple[str, str]:
    """Go through one pair; return the names of its boundaries, empty where a life did not come so far.

    AssertionError: an order was sent twice, lost, or believed to be what it was not, or not all was settled; or two
    orders that the exchange made of one did not wait for the owner.
    """
    with _house(pair.fate) as house:
        names = _two_lives(house, pair)
        _judge(house, pair)
        return names


def _two_lives(house: House, pair: Pair) -> tuple[str, str]:
    first = crash_at(house, pair.first)
    house.close()
    house.start()
    return first, crash_at(house, pair.second, life=lambda: _come_back(house))


def _come_back(house: House) -> None:
    recover(house.shell)
    _cycle(house)


def _cycle(house: House) -> None:
    """Run a cycle; a halt is no surprise where the exchange made two orders of one."""
    try:
        house.cycle()
    except GuardTripped:
        if not _twins(house):
            raise


def _twins(house: House) -> set[str]:
    """Return the ids that more than one order carries."""
    counts = Counter(order.client_order_id for order in house.exchange.state.orders.values())
    return {name for name, count in counts.items() if count > 1}


def _judge(house: House, pair: Pair) -> None:
    house.restart()
    _cycle(house)
    twins = _twins(house)
    if not twins:
        must_be_settled(house, pair)
        return
    posted = Counter(post["client-order-id"] for post in house.wire.posts)
    assert all(count == 1 for count in posted.values()), (pair, posted)
    waiting = {each.client_order_id for each in house.records if each.state is IntentState.QUARANTINED}
    assert waiting == twins, (pair, waiting, twins)
    assert {halt.code for halt in house.journal.state.halts.values()} == {"duplicate_order"}, pair
    sent = len(house.wire.posts)
    with pytest.raises(GuardTripped):
        house.cycle()
    assert len(house.wire.posts) == sent, pair


def all_seconds(fate: str, first: int, alike: int, stride: int = 1) -> Found:
    """Go through every second boundary after a first one that stands for so many alike."""
    found, judged = Found(), set[bytes]()
    for second in range(1 + first % stride, BOUNDARIES_MAX, stride):
        pair = Pair(fate, first, second)
        with _house(fate) as house:
            try:
                names = _two_lives(house, pair)
                state = _state(house)
                if names[1] and state not in judged:
                    judged.add(state)
                    _judge(house, pair)
            except Exception as exc:  # noqa: BLE001  # whatever it is, it is told
                found.problems.append(f"{type(exc).__name__}: {exc}\n    {pair.replay}")
                continue
        if not names[1]:
            found.ends = len(judged)
            return found
        found.pairs += alike
        found.boundaries.update(names)
    raise AssertionError(f"{fate}, {first}: more than {BOUNDARIES_MAX} boundaries")
