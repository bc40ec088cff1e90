"""A whole house for tests: the real client, journal and cycle over the embedded exchange, on a still clock."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.core.orders import Event
from rebalancer.core.targets import Limits, Targets
from rebalancer.errors import RebalancerError
from rebalancer.journal.fold import IntentRecord, balance_changes
from rebalancer.journal.records import Binding
from rebalancer.journal.rows import Kind, Row
from rebalancer.journal.store import Journal
from rebalancer.service.cycle import CycleResult, run_cycle
from rebalancer.service.gather import gather_serially
from rebalancer.service.pause import PauseSwitch
from rebalancer.service.shell import Progress, Shell
from rebalancer.service.startup import recover
from rebalancer.simulator.exchange import Exchange, ExchangeOptions
from rebalancer.simulator.faults import Faults
from rebalancer.simulator.market import Market
from rebalancer.simulator.state import SimOrder, User
from rebalancer.venues.htx.client import HtxVenue
from rebalancer.venues.htx.sign import Credentials
from rebalancer.venues.htx.transport import HttpTransport
from tests.core.builders import targets as make_targets
from tests.service.rehearsal import RUN, rehearse
from tests.service.wire import ClientClock, Wire
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
    on_progress: Callable[[Progress], None] = lambda _progress: None
    stop: bool = False
    wrong_s: float = 0.0  # our clock minus the exchange's, from the next start on
    rehearsed: bool = True  # a dry run saw the prices before
    chance: random.Random | None = None  # of what makes each life of the journal another; None is the machine's own

    def __post_init__(self) -> None:
        anchor_ms = int(self.clock.now().timestamp() * 1000)
        self.exchange = Exchange(Market(seed=7, anchor_ms=anchor_ms, still=True, dust=5), options=self.options)
        self.user: User = self.exchange.add_user("access", "secret", self.balances)
        self.set_faults(self.faults)
        self.pause = PauseSwitch(self.folder / "pause")
        self.wire = Wire(self.exchange, self.clock)
        self.start()

    def set_faults(self, spec: str) -> None:
        self.exchange.faults = Faults.parse(spec, seed=1)

    def start(self) -> None:
        """Begin a new process life: the journal is opened again, the client is new."""
        clock = self.machine = ClientClock(self.clock, self.wrong_s)
        self.journal = Journal.open(self.folder / "journal.db", clock, rng=self.chance)
        self.journal.ensure_binding(Binding("embedded", "127.0.0.1", ACCOUNT, "USDT"))
        if self.rehearsed and not self.journal.state.coins:
            market, symbols = self.exchange.market, {asset: f"{asset.lower()}usdt" for asset in self.targets.assets}
            prices = {a: market.last_price(s, self.now_ms()) for a, s in symbols.items() if s in market.specs()}
            rehearse(self.journal, prices, self.clock.now())
        self.http = HttpTransport(clock=clock, transport=self.wire)
        venue = HtxVenue(
            self.http,
            base_url="http://127.0.0.1:1",
            credentials=Credentials("access", "secret"),
            clock=clock,
            gather=gather_serially,
            rng=random.Random(0),
        )
        self.shell = Shell(
            venue=venue,
            venue_name="embedded",
            mode=self.mode,
            account_id=ACCOUNT,
            journal=self.journal,
            clock=clock,
            gather=gather_serially,
            pause=self.pause,
            stop_requested=lambda: self.stop,
            say=self._hear,
        )

    def _hear(self, progress: Progress) -> None:
        self.said.append(progress)
        self.on_progress(progress)

    def close(self) -> None:
        self.journal.close()
        self.http.close()

    def restart(self) -> int:
        self.close()
        self.start()
        return recover(self.shell)

    def restart_if_it_can(self) -> None:
        """Restart; a start that fails is tried again by the next."""
        with suppress(RebalancerError):
            self.restart()

    def cycle(self, *, settle_s: float = 480, **more: Any) -> CycleResult:
        self.clock.advance(60)
        return run_cycle(self.shell, self.targets, schedule_id="test", slot=self.clock.now(), settle_s=settle_s, **more)

    def limits(self, **changes: Any) -> None:
        self.targets = replace(self.targets, limits=replace(self.targets.limits, **changes))

    @property
    def records(self) -> tuple[IntentRecord, ...]:
        """Return every intent that the journal knows, oldest first."""
        return tuple(self.journal.state.intents.values())

    def states(self) -> list[str]:
        return [record.state.value for record in self.records]

    def kinds(self, run_id: str = "") -> list[str]:
        return [row.kind.value for row in self.journal.rows(run_id=run_id) if row.run_id != RUN]

    def payloads(self, kind: Kind) -> list[dict[str, Any]]:
        return [json.loads(row.payload_text) for row in self.journal.rows(kinds=(kind,)) if row.run_id != RUN]

    def outcomes(self, event: Event) -> list[Row]:
        rows = self.journal.rows(kinds=(Kind.OUTCOME,))
        return [row for row in rows if json.loads(row.payload_text)["event"] == event]

    def orders_of(self, client_order_id: str) -> list[SimOrder]:
        """Return what the exchange really holds under one of our ids."""
        return [order for order in self.exchange.state.orders.values() if order.client_order_id == client_order_id]

    def now_ms(self) -> int:
        return int(self.clock.now().timestamp() * 1000)

    def held(self, asset: str) -> Decimal:
        wallet = self.user.wallet(asset.lower())
        return wallet.trade + wallet.frozen

    def booked(self, start: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Return what the journal says is held by now of what was held at the start."""
        sums = dict(start)
        for record in self.records:
            for asset, change in balance_changes(record).items():
                sums[asset] = sums.get(asset, Decimal(0)) + change
        return sums
