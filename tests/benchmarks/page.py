"""The page over five years of hourly cycles: its start, each view's first answer, and memory of its process.

python -m tests.benchmarks.page [--runs N] [--json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
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
from tests.core.builders import NOW, snapshot, targets
from tests.journal.builders import BOUND
from tests.support import FakeClock
from tests.web.site import TARGETS, TOKEN, make_browser, make_place

RUNS = 43_800  # five years of hourly cycles
BATCH = 200
FIRST_MS_MAX, MEMORY_MIB_MAX = 300.0, 60.0
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


def measure(folder: Path) -> dict[str, float]:
    """Return milliseconds of the first answer of each view, in this process, and of opening the journal."""
    began = time.perf_counter()
    browser = make_browser(make_place(folder))
    browser.post("/login", data={"token": TOKEN}, headers={"origin": "http://127.0.0.1:8765"}, follow_redirects=False)
    figures = {"opening": (time.perf_counter() - began) * 1000}
    for view in VIEWS:
        began = time.perf_counter()
        answer = browser.get(view)
        figures[view] = (time.perf_counter() - began) * 1000
        assert answer.status_code == 200, (view, answer.text)
    return figures


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=RUNS, help=f"cycles in the journal (default {RUNS})")
    options.add_argument("--json", action="store_true", help="one JSON document instead of text")
    options.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.child:
        figures = measure(chosen.child)
        figures["memory_mib"] = psutil.Process().memory_info().rss / 2**20
        print(json.dumps(figures))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "targets.toml").write_text(TARGETS)
        long_journal(folder / "journal.db", chosen.runs)
        command = [sys.executable, "-m", "tests.benchmarks.page", "--child", str(folder)]
        figures = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    if chosen.json:
        print(json.dumps(figures))
        return
    for view, spent in figures.items():
        if view == "memory_mib":
            print(f"memory, with the client that asks  {spent:8.1f} MiB  limit {MEMORY_MIB_MAX:g}")
        else:
            print(f"{view:<34} {spent:8.1f} ms   limit {FIRST_MS_MAX:g}")


if __name__ == "__main__":
    main()
