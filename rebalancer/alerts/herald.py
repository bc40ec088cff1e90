"""From a cycle's end to what the owner and the watcher hear."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from rebalancer.alerts.condition import (
    FAILING,
    Condition,
    Memory,
    Message,
    Seen,
    at_cycle,
    at_key,
    at_missed,
    at_start,
    digest_due,
)
from rebalancer.alerts.memory import keep_memory, load_memory
from rebalancer.core.money import ZERO
from rebalancer.core.orders import IntentState
from rebalancer.core.reasons import Deny
from rebalancer.core.trust import CoinState
from rebalancer.errors import AuthCause, AuthFailed, GuardTripped, LockHeld, RebalancerError, VenueError
from rebalancer.logs import redact
from rebalancer.report.words import amount, in_doubt_text, money
from rebalancer.seams import Clock
from rebalancer.service.cycle import CycleResult, CycleStatus

_GUARDS = {
    Deny.HALTED: Condition.HALTED,
    Deny.PAUSED: Condition.PAUSED,
    Deny.UNRESOLVED_INTENT: Condition.UNRESOLVED,
    "targets_bad": Condition.BAD_TARGETS,
}
FILLED = (IntentState.FILLED, IntentState.PARTIAL)


class Carrier(Protocol):
    """Who carries messages and pings out."""

    def tell(self, message: Message) -> None:
        """Take a message."""
        ...

    def ping(self, word: str) -> None:
        """Take a ping: start, fail, or an empty word."""
        ...


# The digest of the week that begins on a day such as 2026-03-02; None while it cannot be made.
Digest = Callable[[str], Message | None]
Listener = Callable[[Seen, CycleResult | None], None]


def _deaf(_seen: Seen, _result: CycleResult | None) -> None:
    return


class Herald:
    """Knows what was told before, and tells what is new."""

    def __init__(
        self, state: Path, carrier: Carrier, clock: Clock, also: Listener = _deaf, digest: Digest | None = None
    ) -> None:
        self._state = state
        self._carrier = carrier
        self._clock = clock
        self._also = also
        self._digest = digest
        self._memory = load_memory(state)

    def started(self, *, mode: str, venue: str) -> None:
        """Tell that the service runs."""
        self._take(*at_start(self._memory, self._clock.now(), mode=mode, venue=venue))

    def targets_changed(self, text: str) -> None:
        """Tell of other targets that a cycle has taken over."""
        self._carrier.tell(Message("targets changed", redact(text)))

    def missed(self, text: str) -> None:
        """Tell of slots that had no cycle: the machine was off or asleep, or a cycle took too long."""
        self._take(*at_missed(self._memory, text, self._clock.now()))

    def key_lasts(self, days_valid: int | None, text: str) -> None:
        """Tell of a key that will soon end: at three weeks, a week, and a day before."""
        self._take(*at_key(self._memory, days_valid, text))

    @contextmanager
    def attending(self) -> Iterator[None]:
        """Put around a whole life of the service: the error that ends it is told. That another one runs is no news."""
        try:
            yield
        except LockHeld:
            raise
        except Exception as exc:
            self.saw(seen_of_error(exc))
            raise

    @contextmanager
    def watching(self, bad_targets: Callable[[], str] = str) -> Iterator[list[CycleResult]]:
        """Put around a cycle, whose result the caller leaves in the list; an error is told and passed on.

        `bad_targets` is what is wrong with the file, when the cycle was a dry one on its last good version.
        """
        self._carrier.ping("start")
        left: list[CycleResult] = []
        try:
            yield left
        except Exception as exc:
            self.saw(seen_of_error(exc))
            raise
        assert left, "the caller leaves the result"
        seen, problem = seen_of(left[0]), bad_targets()
        if problem and seen.condition is Condition.FINE:
            seen = Seen(Condition.BAD_TARGETS, problem, seen.trades)
        self.saw(seen, left[0])

    def saw(self, seen: Seen, result: CycleResult | None = None) -> None:
        """Tell what is new about how things are."""
        self._also(seen, result)
        self._take(*at_cycle(self._memory, seen, self._clock.now()))
        self._carrier.ping("fail" if seen.condition in FAILING else "")
        self._weekly()

    def _weekly(self) -> None:
        """Tell of the last whole week once; the week in which this was first asked for is the first that is told."""
        monday = digest_due(self._memory, self._clock.now())
        if self._digest is None or not monday:
            return
        message = self._digest(monday) if self._memory.digest_week else None
        if message is None and self._memory.digest_week:
            return  # the next cycle tries again
        memory = replace(self._memory, digest_week=monday)
        # Written down before it is handed over: a digest is rather missed than sent twice.
        if keep_memory(self._state, memory):
            self._memory = memory
            if message is not None:
                self._carrier.tell(Message(redact(message.title), redact(message.body)))

    def _take(self, memory: Memory, messages: list[Message]) -> None:
        for message in messages:
            self._carrier.tell(Message(redact(message.title), redact(message.body)))
        if memory != self._memory:
            self._memory = memory
            keep_memory(self._state, memory)


def seen_of(result: CycleResult) -> Seen:
    """Return how a cycle that came to its end left things."""
    trades = _trades(result)
    if result.halted:
        return Seen(Condition.HALTED, result.halted, trades)
    if result.status is CycleStatus.OUTCOME_UNKNOWN:
        return Seen(Condition.UNRESOLVED, result.text or "an order's outcome is unknown", trades)
    if result.status is CycleStatus.REFUSED and result.plan is not None:
        return Seen(Condition.DENIED, "; ".join(denial.text for denial in result.plan.denials), trades)
    coins = result.plan.trust if result.plan is not None else {}
    for state, condition in ((CoinState.FROZEN, Condition.FROZEN), (CoinState.SUSPECT, Condition.DOUBTED)):
        told = [in_doubt_text(asset, coin) for asset, coin in coins.items() if coin.state is state]
        if told:
            return Seen(condition, "; ".join(told), trades)
    return Seen(Condition.FINE, trades=trades)


def seen_of_error(error: Exception) -> Seen:
    """Return how a cycle that ended in an error left things; a defect's own words stay inside."""
    if isinstance(error, GuardTripped):
        return Seen(_GUARDS.get(error.code, Condition.DENIED), str(error))
    if isinstance(error, AuthFailed) and error.cause is not AuthCause.CLOCK:
        return Seen(Condition.KEY_REFUSED, str(error))
    if isinstance(error, VenueError):
        return Seen(Condition.UNREACHABLE, str(error))
    return Seen(Condition.FAILED, str(error) if isinstance(error, RebalancerError) else type(error).__name__)


def _trades(result: CycleResult) -> str:
    done = [record for record in result.orders if record.state in FILLED]
    if not done or result.plan is None:
        return ""
    quote, prices = result.plan.quote, {line.asset: line.price for line in result.plan.assets}
    part = {IntentState.PARTIAL: " (in part)"}
    paid = {r.key: money(r.filled_quote) if r.quote == quote else amount(r.filled_quote) for r in done}
    lines = [
        f"{record.side} {record.asset} for {paid[record.key]} {record.quote}{part.get(record.state, '')}"
        for record in done
    ]
    total = sum((record.filled_quote * prices[record.quote] for record in done), ZERO)
    return f"{len(done)} order(s) of {money(total)} {quote}: {', '.join(lines)}."
