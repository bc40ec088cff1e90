"""The page over five years of hourly cycles, as its own process: its start, each view's first answer, its memory.

python -m tests.benchmarks.page [--runs N] [--json]
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import psutil

from rebalancer.core.ids import run_id
from rebalancer.core.ledger import Books, Look, Trades, next_books, open_books
from rebalancer.core.model import Usage
from rebalancer.core.plan_json import PlanHeader, plan_document
from rebalancer.core.planner import make_plan
from rebalancer.journal import records
from rebalancer.journal.rows import Entry
from rebalancer.journal.store import Journal
from rebalancer.web.access import TOKEN_NAME
from tests.cli.test_dashboard import asked, logged_in
from tests.core.builders import NOW, snapshot, targets
from tests.e2e.processes import environment
from tests.journal.builders import BOUND
from tests.support import FakeClock
from tests.web.process import page_process
from tests.web.site import TARGETS

RUNS = 43_800  # five years of hourly cycles
BATCH = 200
FIRST_MS_MAX, MEMORY_MIB_MAX = 300.0, 60.0
START, MEMORY = "start", "memory"
VIEWS = ("/", "/runs", "/cost", "/coins/BTC", "/health", "/targets")


def long_journal(path: Path, runs: int) -> None:
    """Write a journal as a service would that found everything in order, an hour apart."""
    clock = FakeClock(NOW - timedelta(hours=runs))
    wanted = targets({"BTC": 40, "ETH": 25, "SOL": 15, "USDT": 20})
    seen = snapshot({"BTC": "0.5", "ETH": 10, "SOL": 100, "USDT": 20_000}, {"BTC": 80_000, "ETH": 2_500, "SOL": 150})
    plan = make_plan(seen, wanted, Usage())
    books: Books | None = None
    with Journal.open(path, clock) as journal:
        journal.ensure_binding(BOUND)
        batch: list[Entry] = []
        for number in range(runs):
            at = clock.now() + timedelta(hours=number)
            run = run_id("cron", at, 1)
            prices = {"BTC": Decimal(80_000 + number % 977 * 13), "ETH": Decimal(2_500 + number % 313), "SOL": Decimal(150), "USDT": Decimal(1)}  # fmt: skip
            look = Look(at, "USDT", prices, {a: b.total for a, b in seen.balances.items()}, wanted.weights)
            books = open_books(look) if books is None else next_books(books, look, Trades())
            shown = replace(plan, taken_at=at)
            document = plan_document(shown, PlanHeader(run, "live", "embedded"))
            batch += [
                records.run_started(run, schedule_id="cron", slot=at, mode="live"),
                records.ledger(run, books),
                records.plan_made(run, shown, mode="live", weights_digest="d", complete=True, document=document),
                records.run_closed(run, status="within_bands"),
            ]
            if len(batch) >= BATCH or number == runs - 1:
                journal.append(*batch)
                batch = []


def measure(state: Path) -> dict[str, float]:
    """Return milliseconds until the page listens and of the first answer of each view, and the memory it then needs."""
    environ = environment(
        REBALANCER_STATE_DIR=str(state), REBALANCER_TARGETS=str(state / "targets.toml"), REBALANCER_VENUE="embedded"
    )
    began = time.perf_counter()
    with page_process(environ) as (port, process):
        figures = {START: (time.perf_counter() - began) * 1000}
        cookie = logged_in(port, (state / TOKEN_NAME).read_text().strip())
        for view in VIEWS:
            began = time.perf_counter()
            status, text, _ = asked(port, view, Cookie=cookie)
            figures[view] = (time.perf_counter() - began) * 1000
            assert status == http.client.OK, (view, text)
        figures[MEMORY] = psutil.Process(process.pid).memory_info().rss / 2**20
    return figures


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=RUNS, help=f"cycles in the journal (default {RUNS})")
    options.add_argument("--json", action="store_true", help="one JSON document instead of text")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        (state / "targets.toml").write_text(TARGETS)
        (state / "embedded").mkdir()
        long_journal(state / "embedded" / "journal.db", chosen.runs)
        figures = measure(state)
    if chosen.json:
        print(json.dumps(figures))
        return
    limits = {START: "", MEMORY: f"limit {MEMORY_MIB_MAX:g}"}
    for name, figure in figures.items():
        unit = "MiB" if name == MEMORY else "ms"
        print(f"{name:<24} {figure:8.1f} {unit:<4} {limits.get(name, f'limit {FIRST_MS_MAX:g}')}".rstrip())


if __name__ == "__main__":
    main()
