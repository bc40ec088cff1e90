"""Figures for Prometheus: how the service is, what it holds, what it did. The only importer of prometheus_client."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from rebalancer.alerts.condition import GOOD, Condition, Seen
from rebalancer.core.plan import Plan
from rebalancer.errors import ConfigError
from rebalancer.journal.state import JournalState
from rebalancer.seams import Clock
from rebalancer.service.cycle import CycleResult

if TYPE_CHECKING:
    from rebalancer.core.ledger import Books

LOOPBACK = "127.0.0.1"
PER_ASSET = ("weight", "target", "band_low", "band_high")


class Metrics:
    """The figures, updated after each cycle."""

    def __init__(self, clock: Clock) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        self._info = self._gauge("info", "Which program runs, and how", ("mode", "venue", "version"))
        self._condition = self._gauge("condition", "1 for how the service is, 0 for how it is not", ("condition",))
        self._cycles = self._counter("cycles", "Cycles by how they left things", ("condition",))
        self._orders = self._counter("orders", "Orders by their side and end", ("side", "state"))
        self._lost = Counter("rebalancer_alerts_lost", "Notices and pings that did not go out", registry=self.registry)
        self._last = self._gauge("last_cycle_timestamp_seconds", "When the last cycle ended")
        self._last_good = self._gauge("last_good_cycle_timestamp_seconds", "When the last cycle ended in order")
        self._seconds = self._gauge("cycle_seconds", "How long the last cycle took")
        self._unresolved = self._gauge("unresolved_orders", "Orders whose outcome is not known")
        self._halts = self._gauge("halts", "Halts that wait for the owner")
        self._nav = self._gauge("nav_quote", "What the counted assets are worth, in the quote coin")
        self._never = self._gauge("never_rebalanced_quote", "What they would be worth had nothing been traded")
        self._frictionless = self._gauge("frictionless_quote", "What the targets would have made without any cost")
        self._fees = self._gauge("fees_quote", "Fees since the books were opened, in the quote coin")
        self._slip = self._gauge("slip_quote", "Slippage since the books were opened, in the quote coin")
        self._per_asset = {
            name: self._gauge(name, f"{name.replace('_', ' ').capitalize()} of an asset, of 1", ("asset",))
            for name in PER_ASSET
        }

    def _gauge(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"rebalancer_{name}", text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(f"rebalancer_{name}", text, labels, registry=self.registry)

    def started(self, *, mode: str, venue: str, version: str) -> None:
        """Say which program runs."""
        self._info.labels(mode, venue, version).set(1)

    def lost_alert(self) -> None:
        """Count a notice or a ping that did not go out."""
        self._lost.inc()

    def saw(self, seen: Seen, result: CycleResult | None, state: JournalState | None) -> None:
        """Take in how a cycle, or a try to reach the exchange, left things."""
        now_s = self._clock.now().timestamp()
        self._last.set(now_s)
        if seen.condition in GOOD:
            self._last_good.set(now_s)
        self._cycles.labels(seen.condition.value).inc()
        for condition in Condition:
            self._condition.labels(condition.value).set(condition is seen.condition)
        if result is not None:
            self._seconds.set(result.seconds)
            for record in result.orders:
                self._orders.labels(record.side.value, record.state.value).inc()
            if result.plan is not None:
                self._allocation(result.plan)
        if state is not None:
            self._unresolved.set(len(state.unresolved))
            self._halts.set(len(state.halts))
            if state.books is not None:
                self._account(state.books)

    def _allocation(self, plan: Plan) -> None:
        for name, gauge in self._per_asset.items():
            gauge.clear()  # an asset that left the targets leaves the figures
            for line in plan.assets:
                gauge.labels(line.asset).set(float(getattr(line, name)))

    def _account(self, books: Books) -> None:
        self._nav.set(float(books.nav_quote))
        self._never.set(float(books.never_quote))
        self._frictionless.set(float(books.frictionless_quote))
        self._fees.set(float(books.fees_quote))
        self._slip.set(float(books.slip_quote))

    def listen(self, port: int) -> Callable[[], None]:
        """Answer Prometheus on loopback; return what ends that. ConfigError when the port is taken."""
        try:
            server, thread = start_http_server(port, LOOPBACK, self.registry)
        except OSError as exc:
            raise ConfigError(
                f"REBALANCER_METRICS_PORT={port}: cannot be listened on: {exc.strerror}; choose another"
            ) from None

        def end() -> None:
            server.shutdown()
            thread.join()
            server.server_close()

        return end
