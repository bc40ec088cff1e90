"""Who hears of a service: the channels that the settings name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from rebalancer.cli.terminal import heading
from rebalancer.errors import JournalError
from rebalancer.logs import register_secrets
from rebalancer.service.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.alerts.channels import Courier
    from rebalancer.alerts.condition import Message, Seen
    from rebalancer.alerts.herald import Herald
    from rebalancer.journal.store import Journal
    from rebalancer.metrics import Metrics
    from rebalancer.service.cycle import CycleResult
    from rebalancer.settings import Settings

TOKEN_CHARS_MIN = 8


def make_courier(settings: Settings, complain: Any) -> Courier:
    """Return what carries messages to the channels of the settings; without any it carries nothing."""
    from rebalancer.alerts.channels import Courier, apprise_sender, http_pinger  # noqa: PLC0415

    channels, watcher = settings.channels(), settings.ping_address()
    addresses = [*channels, *([watcher] if watcher else [])]
    register_secrets([*addresses, *(part for address in addresses for part in _telling_parts(address))])
    return Courier(
        apprise_sender(channels) if channels else None,
        http_pinger(watcher) if watcher else None,
        complain,
    )


def _telling_parts(address: str) -> list[str]:
    """Return what of an address may be a token, for a library that logs it in parts: no scheme, no name of a host."""
    parts = re.split(r"[/@?&=:#]+", address.partition("://")[2])
    return [part for part in parts if len(part) >= TOKEN_CHARS_MIN and "." not in part and part != "localhost"]


@contextmanager
def open_herald(
    settings: Settings,
    clock: SystemClock,
    log: Any,
    also: Callable[[Seen, CycleResult | None], None],
    journal: Callable[[], Journal | None],
    lost: Callable[[], None] = lambda: None,
) -> Iterator[Herald]:
    """Yield what tells owner and watcher, and `also`; at the end what still waits is sent.

    `journal` is what the weekly digest is read from, once there is one; `lost` hears of each notice that was not taken.
    """
    from rebalancer.alerts.herald import Herald  # noqa: PLC0415

    def complain(text: str) -> None:
        log.warning("alert_lost", text=text)
        lost()

    courier = make_courier(settings, complain)
    try:
        wanted = settings.digest == "weekly" and settings.channels()
        digest = partial(_digest, settings, journal, log) if wanted else None
        yield Herald(settings.paths.state, courier, clock, also, digest)
    finally:
        courier.close()


def _digest(settings: Settings, journal: Callable[[], Journal | None], log: Any, monday: str) -> Message | None:
    """Return the digest of a week as a notice; None before the journal is open, and where it cannot be read."""
    from rebalancer.alerts.condition import Message  # noqa: PLC0415
    from rebalancer.journal.weeks import read_period, week_of  # noqa: PLC0415
    from rebalancer.report.digest import days, digest_lines  # noqa: PLC0415

    opened = journal()
    if opened is None:
        return None
    try:
        told = read_period(opened, *week_of(datetime.fromisoformat(monday).replace(tzinfo=UTC)))
    except JournalError as exc:
        log.warning("digest_failed", text=str(exc))
        return None
    lines = digest_lines(told, heading(told.mode or settings.mode, settings.venue_kind))
    return Message(f"the week {days(told)}", "\n".join(f"{first}{text}" for first, text in lines))


@contextmanager
def open_metrics(settings: Settings, clock: SystemClock) -> Iterator[Metrics | None]:
    """Yield the figures that Prometheus may ask for, or None when no port is set."""
    if settings.metrics_port is None:
        yield None
        return
    from rebalancer.metrics import Metrics  # noqa: PLC0415

    metrics = Metrics(clock)
    end = metrics.listen(settings.metrics_port)
    try:
        yield metrics
    finally:
        end()
