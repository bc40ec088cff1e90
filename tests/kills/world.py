"""One owner and one exchange: the exchange in this process, whose truth is read directly; the service in others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rebalancer.errors import JournalError
from rebalancer.journal.rows import Kind
from rebalancer.journal.store import Journal
from rebalancer.service.clock import SystemClock
from rebalancer.simulator.exchange import PLACE_PATH, Exchange, ExchangeOptions
from rebalancer.simulator.http import Request, Response
from rebalancer.simulator.market import Market
from rebalancer.simulator.server import Server, listen
from rebalancer.simulator.state import User
from tests.e2e.processes import ACCESS_KEY, SECRET_KEY, Home

ROOT = Path(__file__).parents[2]
HANG_S = 90.0
WORDS = ("run", "--live", "--json", "--settle", "0")  # what is open is asked about once; time is leapt over instead
BALANCES = {"BTC": Decimal("0.075"), "ETH": Decimal("1.5"), "SOL": Decimal(5), "USDT": Decimal(1500)}
LISTING = ("btcusdt", "ethusdt", "solusdt")
TARGETS = """version = 1
quote = "USDT"
[weights]
BTC = 40
ETH = 25
SOL = 15
USDT = 20
[limits]
max_turnover_per_cycle = 100
max_turnover_per_day = 1000
max_notional_per_day = 100000
max_order_notional = 10000
"""


class LateClock(SystemClock):
    """The real time, and however much later it has been made."""

    late_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.late_s)


class WatchingExchange(Exchange):
    """Holds every place call against the journal on disk at the moment it arrives."""

    journal_path: Path
    arrived: Counter[str]
    unwritten: list[str]

    def handle(self, request: Request, now_ms: int) -> Response:
        if request.path == PLACE_PATH and request.method == "POST":
            client_order_id = json.loads(request.body)["client-order-id"]
            self.arrived[client_order_id] += 1
            if client_order_id not in sending_ids(self.journal_path):
                self.unwritten.append(client_order_id)
        return super().handle(request, now_ms)


@contextmanager
def copied_journal(path: Path) -> Iterator[Journal | None]:
    """Open a copy of the journal as it lies there, so that looking heals nothing; None while it is not one yet."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        for name in (path.name, f"{path.name}-wal"):
            with suppress(FileNotFoundError):
                shutil.copy(path.with_name(name), copy.with_name(name))
        try:
            journal = Journal.open_to_read(copy, SystemClock())
        except JournalError:
            yield None
            return
        with journal:
            yield journal


def sending_ids(path: Path) -> set[str]:
    """Return the client order ids whose SENDING row is on disk."""
    with copied_journal(path) as journal:
        if journal is None:
            return set()
        sent = {(row.run_id, row.intent_seq or 0) for row in journal.rows(kinds=(Kind.SENDING,))}
        return {journal.state.intents[key].client_order_id for key in sent}


@dataclass
class World:
    """A fresh account, a fresh state directory, and the processes that ran in it."""

    folder: Path
    lives: int = 0
    exchange: WatchingExchange = field(init=False)
    user: User = field(init=False)
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self.home = Home(self.folder)
        self.home.targets.write_text(TARGETS, encoding="utf-8")
        self.clock = LateClock()
        anchor_ms = int(self.clock.now().timestamp() * 1000)
        market = Market(seed=7, anchor_ms=anchor_ms, still=True, listing=LISTING, dust=3)
        # Executed at once, so that an order is looked at once, and a cycle always passes the same boundaries.
        self.exchange = WatchingExchange(market, options=ExchangeOptions(execution_delay_ms=0))
        self.exchange.journal_path, self.exchange.arrived, self.exchange.unwritten = self.journal_path, Counter(), []
        self.user = self.exchange.add_user(ACCESS_KEY, SECRET_KEY, BALANCES)

    @property
    def journal_path(self) -> Path:
        return self.home.state / "journal.db"

    @contextmanager
    def open(self) -> Iterator[World]:
        """Serve the exchange on loopback meanwhile."""
        listener = listen("127.0.0.1", 0)
        with listener:
            server = Server(self.exchange, listener, self.clock)
            self.url = f"http://127.0.0.1:{server.address[1]}"
            serving = threading.Thread(target=server.serve)
            serving.start()
            try:
                yield self
            finally:
                server.stop()
                serving.join()

    def notes_path(self, life: int) -> Path:
        return self.folder / f"notes-{life}"

    def victim(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the command line, watched, until it ends by itself or at its boundary."""
        self.lives += 1
        watched = ("--notes", str(self.notes_path(self.lives)), *options, "--late", f"{self.clock.late_s}", "--")
        return self._run("tests.kills.victim", *watched, *WORDS)

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run the command line as its owner does; once time was leapt over, with the clock that shows it."""
        return self.victim() if self.clock.late_s else self._run("rebalancer", *WORDS)

    def leap(self, seconds: float) -> None:
        """Make it later for the exchange and for every process from now on, as when the machine was off."""
        self.clock.late_s += seconds

    def _run(self, module: str, *words: str) -> subprocess.CompletedProcess[str]:
        environ = self.home.environment(self.url)
        command = [sys.executable, "-m", module, *words]
        return subprocess.run(
            command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=HANG_S, check=False
        )

    def notes(self, kind: str) -> list[Any]:
        """Return what every watched life noted of a kind, in order."""
        return [line[kind] for life in range(1, self.lives + 1) for line in self._lines(life) if kind in line]

    def placed_after_the_signal(self) -> list[str]:
        """Return the place calls that the last life began after its signal."""
        lines = self._lines(self.lives)
        fired = next((number for number, line in enumerate(lines) if "fired" in line), len(lines))
        later = [line["at"] for line in lines[fired:] if "at" in line]
        return [name for name in later if name.startswith("POST") and name.endswith("before its first byte")]

    def _lines(self, life: int) -> list[dict[str, Any]]:
        path = self.notes_path(life)
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
