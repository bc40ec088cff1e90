"""Who hears of a service: the channels that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rebalancer.logs import register_secrets
from rebalancer.service.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.alerts.channels import Courier
    from rebalancer.alerts.condition import Seen
    from rebalancer.alerts.herald import Herald
    from rebalancer.metrics import Metrics
    from rebalancer.service.cycle import CycleResult
    from rebalancer.settings import Settings


def make_courier(settings: Settings, complain: Any) -> Courier:
    """Return what carries messages to the channels of the settings; without any it carries nothing."""
    from rebalancer.alerts.channels import Courier, apprise_sender, http_pinger  # noqa: PLC0415

    channels, watcher = settings.channels(), settings.ping_address()
    register_secrets([*channels, *([watcher] if watcher else [])])
    return Courier(
        apprise_sender(channels) if channels else None,
        http_pinger(watcher) if watcher else None,
        complain,
    )


@contextmanager
def open_herald(
    settings: Settings, clock: SystemClock, log: Any, also: Callable[[Seen, CycleResult | None], None]
) -> Iterator[Herald]:
    """Yield what tells owner and watcher, and `also`; at the end what still waits is sent."""
    from rebalancer.alerts.herald import Herald  # noqa: PLC0415

    courier = make_courier(settings, lambda text: log.warning("alert_lost", text=text))
    try:
        yield Herald(settings.paths.state, courier, clock, also)
    finally:
        courier.close()


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
