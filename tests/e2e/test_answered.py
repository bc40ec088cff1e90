"""An owner answers while the service runs: no stop, no start, and the next cycle goes by it."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from rebalancer.journal import records
from rebalancer.journal.rows import Kind
from rebalancer.journal.store import Journal
from rebalancer.service.clock import SystemClock
from tests.e2e.processes import Home, document, rebalancer
from tests.e2e.test_serve import RATE, exchange_options, line_with, serving
from tests.simulator.loopback import running_exchange

NEVER = "0 0 29 2 *"  # a schedule that has no slot while this runs


def halted(home: Home, url: str, rate: float) -> str:
    """Make an account that is halted; return the number of its halt."""
    first = rebalancer(home.environment(url, live=False, rate=rate), "run")
    assert first.returncode == 0, first.stderr
    with Journal.open(home.state / "journal.db", SystemClock(rate)) as journal:
        return str(journal.append(records.halt("foreign_order", "order 7 carries our prefix"))[0].seq)


def answered(home: Home) -> list[dict[str, Any]]:
    with Journal.open_to_read(home.state / "journal.db", SystemClock()) as journal:
        return [json.loads(row.payload_text) for row in journal.rows(kinds=(Kind.ACK,))]


def test_a_halt_is_answered_while_the_service_runs_and_its_next_cycle_trades(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with running_exchange(*exchange_options(tmp_path)) as (url, _):
        environ = home.environment(url, rate=RATE)
        number = halted(home, url, RATE)
        with serving(home, url, "--live", live=True) as process:
            line_with(process, f"rebalancer ack {number}")
            done = rebalancer(environ, "ack", number, "--yes", "--wait", "--timeout", "1800", "--json")
            assert done.returncode == 0, done.stderr
            told = document(done)
            assert (told["status"], told["what"], told["mode"]) == ("taken", number, "live")
            line_with(process, "event='answered'")
            line_with(process, "filled=[1-9]")
            again = rebalancer(environ, "ack", number, "--yes")
            assert again.returncode == 78 and "open: none" in again.stderr
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=40)
            assert process.returncode == 0
    (row,) = answered(home)
    assert row["answer"] == told["id"] and row["halt"] == int(number)


@pytest.mark.parametrize("ended", [signal.SIGTERM, signal.SIGKILL], ids=lambda each: each.name)
def test_an_answer_that_the_service_did_not_live_to_take_is_taken_by_its_next_start(
    tmp_path: Path, ended: signal.Signals
) -> None:
    home = Home(tmp_path, cron=NEVER)
    with running_exchange(*exchange_options(tmp_path, 1)) as (url, _):
        environ = home.environment(url, live=False)
        number = halted(home, url, 1)
        with serving(home, url, rate=1) as process:
            process.send_signal(signal.SIGSTOP)  # it holds the lock, and does nothing
            given = rebalancer(environ, "ack", number, "--yes")
            assert given.returncode == 0 and re.search(r"next\s+run\s+at\s+\d{4}-02-29", given.stdout), given
            process.send_signal(ended)
            process.send_signal(signal.SIGCONT)
            process.communicate(timeout=40)
        waiting = document(rebalancer(environ, "status", "--json"))["answers"]["waiting"]
        assert len(waiting) == 1 or ended is signal.SIGTERM
        with serving(home, url, rate=1) as process:
            if waiting:
                line_with(process, "event='answered'")
            after = document(rebalancer(environ, "status", "--json"))
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=40)
    assert after["halts"] == [] and after["answers"] == {"waiting": [], "refused": [], "problem": None}
    assert len(answered(home)) == 1
