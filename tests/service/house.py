"""A whole house for tests: the real client, journal and cycle over the embedded exchange, on a still clock."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.core.targets import Limits, Targets
from rebalancer.journal.records import Binding
from rebalancer.journal.store import Journal
from rebalancer.service.cycle import CycleResult, run_cycle
from rebalancer.service.gather import gather_serially
from rebalancer.service.pause import PauseSwitch
from rebalancer.service.shell import Progress, Shell
from rebalancer.service.startup import recover
from rebalancer.simulator.exchange import Exchange, ExchangeOptions
from rebalancer.simulator.faults import Faults
from rebalancer.simulator.market import Market
from rebalancer.simulator.state import User
from rebalancer.simulator.transport import InProcessTransport
from rebalancer.venues.htx.client import HtxVenue
from rebalancer.venues.htx.sign import Credentials
from rebalancer.venues.htx.transport import HttpTransport
from tests.core.builders import targets as make_targets
from tests.support import FakeClock

ACCOUNT = "10101010"
DRIFTED = {"BTC": Decimal("0.5"), "ETH": Decimal(3), "SOL": Decimal(40), "USDT": Decimal(9000)}
WEIGHTS = {"BTC": 40, "ETH": 25, "SOL": 15, "USDT": 20}
LIVE_LIMITS = Limits(
    max_turnover_per_cycle=Decimal(100),
    max_turnover_per_day=Decimal(1000),
    max_notional_per_day=Decimal(1_000_000),
    max_order_notional=Decimal(100_000),
)


@dataclass
class House:
    """Everything between a temporary folder and the exchange's truth."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    balances: dict[str, Decimal] = field(default_factory=lambda: dict(DRIFTED))
    faults: str = ""
    options: ExchangeOptions = field(default_factory=ExchangeOptions)
    mode: str = "live"
    targets: Targets = field(default_factory=lambda: make_targets(WEIGHTS, limits=LIVE_LIMITS))
    said: list[Progress] = field(default_factory=list)
    stop: bool = False

    def __post_init__(self) -> None:
        anchor_ms = int(self.clock.now().timestamp() * 1000)
        self.exchange = Exchange(Market(seed=7, anchor_ms=anchor_ms, still=True), options=self.options)
        self.user: User = self.exchange.add_user("access", "secret", self.balances)
        self.set_faults(self.faults)
        self.pause = PauseSwitch(self.folder / "pause")
        self.start()

    def set_faults(self, spec: str) -> None:
        self.exchange.faults = Faults.parse(spec, seed=1)

    def start(self) -> None:
        """Begin a new process life: the journal is opened again, the client is new."""
        self.journal = Journal.open(self.folder / "journal.db", self.clock)
        self.journal.ensure_binding(Binding("embedded", "127.0.0.1", ACCOUNT, "USDT"))
        self.http = HttpTransport(clock=self.clock, transport=InProcessTransport(self.exchange, self.clock))
        venue = HtxVenue(
            self.http,
            base_url="http://127.0.0.1:1",
            credentials=Credentials("access", "secret"),
            clock=self.clock,
            gather=gather_serially,
            rng=random.Random(0),
        )
        self.shell = Shell(
            venue=venue,
            venue_name="embedded",
            mode=self.mode,
            account_id=ACCOUNT,
            journal=self.journal,
            clock=self.clock,
            gather=gather_serially,
            pause=self.pause,
            stop_requested=lambda: self.stop,
            say=self.said.append,
        )

    def restart(self) -> int:
        self.journal.close()
        self.http.close()
        self.start()
        return recover(self.shell, self.targets)

    def cycle(self, *, settle_s: float = 480, **more: Any) -> CycleResult:
        self.clock.advance(60)
        return run_cycle(self.shell, self.targets, schedule_id="test", slot=self.clock.now(), settle_s=settle_s, **more)

    def limits(self, **changes: Any) -> None:
        self.targets = replace(self.targets, limits=replace(self.targets.limits, **changes))

    def orders_per_intent(self) -> dict[str, int]:
        """Return how many orders the exchange really holds for each of our client ids."""
        counts: dict[str, int] = {}
        for order in self.exchange.state.orders.values():
            counts[order.client_order_id] = counts.get(order.client_order_id, 0) + 1
        return counts

    def held(self, asset: str) -> Decimal:
        wallet = self.user.wallet(asset.lower())
        return wallet.trade + wallet.frozen
