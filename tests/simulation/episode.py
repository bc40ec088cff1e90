"""One seed from first start to a settled end: slots with faults and crashes, then slots without, checked throughout."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from rebalancer.errors import GuardTripped, JournalError, RebalancerError, Unavailable
from rebalancer.journal import records
from rebalancer.service.cycle import CycleResult, CycleStatus
from tests.simulation.calm import Calm
from tests.simulation.checks import Checker
from tests.simulation.disk import Disk
from tests.simulation.hands import Hands, random_limits, random_orders, random_targets
from tests.simulation.life import Life, in_place_of_the_machine
from tests.simulation.network import Wire
from tests.simulation.owner import Owner
from tests.simulation.page import Page
from tests.simulation.reached import ALL
from tests.simulation.rows import Unlisted
from tests.simulation.world import CROSSES, EPOCH, Crash, Violation, World, must

FAULTY = (24, 48, 84)  # slots with faults; the longest outlive what the journal keeps of settled orders
SETTLE_S = (0.0, 0.0, 480.0)  # how `serve` and `run` wait for open orders
QUIET, STILL = 6, 3  # slots without faults, and without moving prices
HOUR_MS = 3_600_000
NAMED = ("clock-skew", "market-halted")  # guards that are said as "try later"
CALLS_MAX, ROWS_MAX = 200, 500
AGAIN_ODDS = 0.3
HARM_MAX = Decimal("0.005")
LEAST_ORDER = Decimal(13)  # one of it may pass its target by a half, and stand alone when the plan ends there
# Slots in which somebody else moved coins say nothing about harm done by a plan, nor does one that ends on an older
# disk: which prices the plan went by is lost with the other.
OTHERS = (
    "hand_trade", "deposit", "withdrawal", "twin", "duplicate", "duplicate_unanswered", "restored_backup", "price_ran",
    "redelivered", "look_alike",
)  # fmt: skip
LATE = ("delayed_request", "late_fill", "invisible", "limbo")


@dataclass
class Tally:
    """What one or many episodes did."""

    episodes: int = 0
    cycles: int = 0
    counted: int = 0  # sent an order, or were refused by a named guard
    orders: int = 0
    direct: int = 0  # of the orders, from coin to coin
    calls: int = 0
    lives: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)  # that plans, legs, stops and halts gave
    settle_s_max: float = 0.0

    def add(self, other: Tally) -> None:
        for name in ("episodes", "cycles", "counted", "orders", "direct", "calls", "lives"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("fired", "crashes", "states", "refusals", "reasons"):
            getattr(self, name).update(getattr(other, name))
        self.settle_s_max = max(self.settle_s_max, other.settle_s_max)


class Episode:
    """Drives one world; `run` returns its tally or raises a Violation that names seed and step."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.world = World(seed)
        self.disk = Disk(self.world)
        setup = self.world.chance["setup"]
        orders = random_orders(self.world.chance["orders"])
        self.wanted = random_targets(self.world, random_limits(setup), orders, setup)
        self.unlisted = Unlisted(self.world)
        self.targets = self.unlisted.in_force(self.wanted, 0)
        self.faulty = setup.choice(FAULTY)
        self.settle_s = setup.choice(SETTLE_S)
        self.checker = Checker(self.world, self.disk, self.targets)
        self.state = folder / "state"
        self.state.mkdir(mode=0o700)
        self.hands = Hands(self.world, self.checker, self.state / "pause")
        self.owner = Owner(self.world, self.checker, self.state, self.unlisted)
        self.page = Page(self.world, self.checker, self.state)
        self.world.meanwhile, self.world.at_the_brink = self.hands.meanwhile, self.hands.at_the_brink
        self.calm = Calm(self.world, self.checker, self.unlisted)
        self.tally = Tally(episodes=1)
        self.life: Life | None = None
        self.last: CycleResult | None = None
        self.last_refusal = ""
        self.restored = False  # and the journal is to say so

    def run(self) -> Tally:
        try:
            with in_place_of_the_machine(self.world):
                self._live()
        except Exception as exc:
            place = f"seed {self.world.seed}, step {self.world.step}"
            raise Violation(f"{place}: {type(exc).__name__}: {exc}") from exc
        finally:
            self.disk.close()
        self.tally.calls, self.tally.fired = self.world.calls, self.world.fired
        self.tally.crashes, self.tally.states = self.world.crashes, self.checker.states
        named = {f"deny {code}": count for code, count in self.tally.refusals.items() if f"deny {code}" in ALL}
        self.tally.reasons = self.checker.reasons | Counter(named)
        self.tally.orders = len(self.checker.posts)
        self.tally.direct = sum(post.body["symbol"] in CROSSES for post in self.checker.posts)
        return self.tally

    def _live(self) -> None:
        for number in range(self.faulty + QUIET + STILL):
            self.world.quiet = number >= self.faulty
            self._slot(number)
        self.calm.at_end(self.last, self.last_refusal)

    def digest(self) -> str:
        """Return a hash of every row and every place call: the same seed gives the same one."""
        text = json.dumps([[post.at_ms, post.body] for post in self.checker.posts], sort_keys=True)
        return hashlib.sha256(f"{self.world.step} {self.world.true_ms} {self.world.fired} {text}".encode()).hexdigest()

    def _slot(self, number: int) -> None:
        world, checker = self.world, self.checker
        hour = (world.true_ms // HOUR_MS + 1) * HOUR_MS
        world.pass_ms(hour + world.chance["hands"].randint(0, 60_000) - world.true_ms)
        world.let_late_requests_arrive()
        checker.after_step(None)  # before the service can notice by itself what it wrongly believed
        self.unlisted.before_slot(number)
        if number < self.faulty + QUIET:
            self.wanted = self.page.confirm(self.hands.before_slot(self.wanted))
        self.targets = checker.targets = self.unlisted.in_force(self.wanted, number)
        self._maybe_twin()
        if world.quiet:
            self.calm.at_slot()
        checker.strangers.look()
        checker.caps.look(self.targets.assets, checker.value())
        posts, calls, rows, ran_before = len(checker.posts), world.calls, checker.seen_seq, self.tally.cycles
        doubted = sum(checker.doubts.doubted.values())
        before, others, unsettled = checker.holdings(), self._others(), checker.open_count
        named = self._cycle(EPOCH + timedelta(milliseconds=hour))
        self.tally.cycles += 1
        if self._runs_again():
            named |= self._cycle(EPOCH + timedelta(milliseconds=hour))
            self.tally.cycles += 1
        stopped = sum(checker.doubts.doubted.values()) > doubted  # a coin, by a guard that has a name
        self.tally.counted += len(checker.posts) > posts or named or stopped
        checker.after_step(self.life.journal if self.life else None)
        sent = len(checker.posts) > posts  # a clone's orders may come late
        if sent and others == self._others() and not unsettled and not self.unlisted.hides:
            worse = checker.distance(checker.holdings()) - checker.distance(before)
            most = HARM_MAX + checker.share_of(LEAST_ORDER, before)
            must(worse <= most, "I9", f"the portfolio is {worse:.4f} further from its targets")
        if self.last is not None and self.last.plan is not None:
            self.unlisted.put_aside("; ".join(denial.text for denial in self.last.plan.denials), number)
        if world.quiet:
            self.calm.after_slot(self.last, self.last_refusal)
        self._between_slots()
        cycles = self.tally.cycles - ran_before
        must(world.calls - calls <= CALLS_MAX * cycles, "L5", f"{world.calls - calls} requests from slot to slot")
        must(checker.seen_seq - rows <= ROWS_MAX, "L5", f"{checker.seen_seq - rows} rows from slot to slot")

    def _runs_again(self) -> bool:
        """Whether somebody runs a slot again in which the service died."""
        again = not self.world.quiet and self.life is None and self.world.chance["slots"].random() < AGAIN_ODDS
        self.world.fired["slot_again"] += again
        return again

    def _others(self) -> tuple[int, ...]:
        return tuple(self.world.fired[kind] for kind in (*OTHERS, *LATE))

    def _cycle(self, slot: datetime) -> bool:
        """Run one slot as the service would; return whether a named guard refused it."""
        rng = self.world.chance["hands"]
        self.last, self.last_refusal = None, ""
        try:
            life = self._alive()
            if life is None:
                return False
            if not self.world.quiet and rng.random() < 0.02:
                self.disk.fill()
                self.world.fired["disk_full"] += 1
            forced = not self.world.quiet and rng.random() < 0.02
            self.world.fired["forced"] += forced
            self.last = life.cycle(self.targets, slot, settle_s=self.settle_s, forced=forced)
            self.owner.saw(self.last)
        except Crash:
            self._die(maybe_restore=True)
        except JournalError:
            self._die(maybe_restore=False)
        except RebalancerError as exc:
            code = getattr(exc, "code", "")
            self.last_refusal = f"{type(exc).__name__} {code}: {exc}"
            self.checker.leaks.must_not_be_in(f"{exc} {exc!r}", "a refusal")
            named = isinstance(exc, GuardTripped) or (isinstance(exc, Unavailable) and code in NAMED)
            self.tally.refusals[code if named else type(exc).__name__] += 1
            return named
        else:
            return self._refused(self.last)
        finally:
            self.disk.free()
            self._end_if_told()
        return False

    def _end_if_told(self) -> None:
        """End a life that was told to; the next starts when it is needed."""
        if self.world.stopping and self.life is not None:
            self._die(maybe_restore=False)
        self.world.stopping = False

    def _refused(self, result: CycleResult) -> bool:
        if result.status is CycleStatus.OUTCOME_UNKNOWN and result.plan is None:
            self.tally.refusals["unresolved_intent"] += 1
            return True
        if result.plan is not None and result.plan.refused:
            for denial in result.plan.denials:
                self.tally.refusals[denial.code] += 1
            return True
        return False

    def _alive(self) -> Life | None:
        """Return the process, started if it is not running; None when it could not start."""
        if self.life is None:
            wire = Wire(self.world, self.checker)
            self.tally.lives += 1
            try:
                self.life = Life(self.world, self.disk, wire, self.state, self.targets)
                if self.restored:
                    self.restored = False
                    self.life.journal.append(records.halt(records.RESTORED, "restored: look at the orders since then"))
                self.life.start()
            except RebalancerError as exc:
                self.last_refusal = f"start: {exc}"
                self._die(maybe_restore=False)
        return self.life

    def _die(self, *, maybe_restore: bool) -> None:
        if self.life is not None:
            self.life.end()
        self.life = None
        self.disk.crash()
        self.checker.read_rows()
        self.checker.lives.ended += 1
        rng = self.world.chance["hands"]
        if maybe_restore and self.disk.has_copies and rng.random() < 0.06:
            listed = self.disk.restore(rng.randint(0, 3))
            self.world.fired["restored_backup"] += 1
            self.checker.disk_was_replaced(listed)
            self.restored = rng.random() < 0.5  # by the verb that says so, or by a hand that copies files
            self.world.fired["restore_told"] += self.restored

    def _between_slots(self) -> None:
        """Let the scheduler's turns ask about open orders, the owner answer, and a backup be made."""
        world = self.world
        rng = world.chance["hands"]
        began_ms = world.true_ms
        for _ in range(12 if world.quiet else rng.randint(0, 8)):
            world.pass_ms(60_000)
            try:
                life = self._alive()
                if life is None:
                    continue
                self.owner.turn(life.journal, self.targets)
                self.page.ask(self.targets)
                self._obey(life)
                if not life.turn():
                    break
            except Crash:
                self._die(maybe_restore=True)
            except JournalError:
                self._die(maybe_restore=False)
            except RebalancerError:
                continue
            finally:
                self._end_if_told()
        self.checker.after_step(self.life.journal if self.life else None)
        if world.quiet and not self.checker.open_count:
            self.tally.settle_s_max = max(self.tally.settle_s_max, (world.true_ms - began_ms) / 1000)
        if self.disk.exists() and rng.random() < 0.15:
            self.disk.copy(self.checker.listed.memory())

    def _obey(self, life: Life) -> None:
        """Let the service take what the owner and the page left; no file may end it."""
        before, asked = self.checker.paused, self.page.asks()
        self.world.obeying = True
        try:
            life.obey(self.targets)
        except (Crash, JournalError):
            asked = False  # it may have been swallowed: whoever asked sees that and asks again
            raise
        finally:
            self.world.obeying = False
            self.page.was_obeyed(before=before, asked=asked)

    def _maybe_twin(self) -> None:
        """Now and then a clone of the whole machine runs one cycle beside the original."""
        if self.world.quiet or self.life is None or self.world.chance["hands"].random() >= 0.008:
            return
        self.world.fired["twin"] += 1
        disk = self.disk.twin(self.world)
        checker = self.checker.clone(disk)
        wire = Wire(self.world, checker, faulty=False)
        own = self.life
        try:
            twin = Life(self.world, disk, wire, self._copied_state(), self.targets)
            twin.start()
            twin.cycle(self.targets, self.world.now.replace(minute=0, second=0, microsecond=0) + timedelta(minutes=1))
            twin.end()
        except (Crash, RebalancerError):
            pass
        finally:
            disk.close()
            self.world.stopping = False  # whoever told it told the clone
        self.life = own
        known = {cid.cid for cid in self.checker.intents.values()}
        self.checker.forgiven |= {order.client_order_id for order in self.checker.ours()} - known

    def _copied_state(self) -> Path:
        """Return the clone's state directory; of what lies in it only the pause matters to one cycle."""
        copied = self.state.with_name(f"clone-{self.world.fired['twin']}")
        copied.mkdir(mode=0o700)
        if self.checker.paused:
            (copied / "pause").write_text("simulated\n", encoding="utf-8")
        return copied


def run_episode(seed: int) -> tuple[Tally, str]:
    """Run one seed; return its tally and its digest."""
    with tempfile.TemporaryDirectory() as folder:
        episode = Episode(seed, Path(folder))
        return episode.run(), episode.digest()
