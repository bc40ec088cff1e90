"""What befalls the account of the served demo, and when: money in and out, a lost answer, a closed exchange."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from rebalancer.cli.embedded import STATE_NAME, Embedded, save_exchange
from rebalancer.settings import Paths
from rebalancer.simulator.faults import Faults

OPEN, CLOSED = 1, 2  # HTX's market states
MAINTENANCE = timedelta(hours=6)


@dataclass(frozen=True)
class Event:
    """One thing that happens, once."""

    after: timedelta
    foretold: str
    happen: Callable[[Embedded], None]
    said: str


def _move(quote_amount: int) -> Callable[[Embedded], None]:
    return lambda embedded: embedded.exchange.deposit(embedded.user, "usdt", Decimal(quote_amount))


def _move_and_lose_an_answer(embedded: Embedded) -> None:
    _move(800)(embedded)
    embedded.exchange.faults = Faults.parse("lost_reply@place=1x1")


def _market(state: int) -> Callable[[Embedded], None]:
    def set_state(embedded: Embedded) -> None:
        embedded.exchange.status.state = state

    return set_state


EVENTS = (
    Event(timedelta(), "a drifted account is brought near its targets", lambda _: None, ""),
    Event(
        timedelta(days=4),
        "1,500 USDT come in: they buy what is light, nothing is sold",
        _move(1500),
        "1,500 USDT come in",
    ),
    Event(
        timedelta(days=9),
        "800 more, and an order's answer gets lost: it is found, not sent again",
        _move_and_lose_an_answer,
        "800 USDT come in, and the next order's answer will get lost",
    ),
    Event(
        timedelta(days=15),
        "1,200 USDT go out: what is heavy refills the cash",
        _move(-1200),
        "1,200 USDT go out",
    ),
    Event(
        timedelta(days=21),
        "the exchange closes for six hours: nothing is planned",
        _market(CLOSED),
        "the exchange closes",
    ),
    Event(timedelta(days=21) + MAINTENANCE, "", _market(OPEN), "the exchange opens again"),
)


def foretold() -> list[str]:
    """Return what will happen, a line an event."""
    return [f"  day {event.after.days:>2}  {event.foretold}" for event in EVENTS if event.foretold]


class Story:
    """The events of one demo, each told as it happens."""

    def __init__(self, embedded: Embedded, paths: Paths, began: datetime) -> None:
        self._embedded = embedded
        self._kept = paths.embedded / STATE_NAME
        self._began = began
        self._left = list(EVENTS)

    def go_on(self, now: datetime) -> list[str]:
        """Let everything happen that is due; return what to say of it."""
        said = []
        while self._left and now - self._began >= self._left[0].after:
            event = self._left.pop(0)
            event.happen(self._embedded)
            save_exchange(self._kept, self._embedded.exchange)
            said += [event.said] if event.said else []
        return said
