"""`serve` as systemd runs it: ready, one cycle a slot, a clean end, one instance."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.exchanges import exchange_with
from tests.e2e.processes import ACCESS_KEY, BALANCES, SECRET_KEY, Home, document, rebalancer
from tests.simulator.loopback import running_exchange

RATE = 60.0  # a minute's slot a second


def exchange_options(folder: Path, rate: float = RATE) -> tuple[str, ...]:
    options = ("--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY, "--balances", BALANCES)
    return (*options, "--state", str(folder / "exchange.json"), "--clock-rate", f"{rate:g}", "--speed", "0.000001")


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[str]:
    with running_exchange(*exchange_options(tmp_path)) as (url, _):
        yield url


@contextmanager
def serving(
    home: Home, url: str, *words: str, live: bool = False, rate: float = RATE, **more: str
) -> Iterator[subprocess.Popen[str]]:
    place = str(home.folder / f"notify-{len(list(home.folder.glob('notify*')))}")
    environ = home.environment(url, live=live, rate=rate, NOTIFY_SOCKET=place, **more)
    command = [sys.executable, "-m", "rebalancer", "serve", *words]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(place)
        supervisor.settimeout(60)
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            while not supervisor.recv(4096).startswith(b"READY=1"):
                pass
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


def line_with(process: subprocess.Popen[str], words: str) -> str:
    """Return the next log line that matches a pattern; a log that ends without one is a failure."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if re.search(words, line):
            return line
    raise AssertionError(f"no {words!r} in the log: {''.join(seen)}")


def test_serve_runs_slot_after_slot_and_ends_cleanly_on_sigterm(tmp_path: Path, exchange: str) -> None:
    home = Home(tmp_path)
    with serving(home, exchange) as process:
        first, second = line_with(process, "event='cycle'"), line_with(process, "event='cycle'")
        assert "mode='dry-run'" in first and first.split("id=")[1][:30] != second.split("id=")[1][:30]
        second_instance = rebalancer(home.environment(exchange, live=False, rate=RATE), "run")
        assert second_instance.returncode == 11, second_instance.stderr
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=40)
        assert process.returncode == 0


def test_live_serve_trades_and_what_it_did_is_in_its_history(tmp_path: Path, exchange: str) -> None:
    home = Home(tmp_path)
    with serving(home, exchange, "--live", live=True) as process:
        line_with(process, "filled=[1-9]")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=40)
        assert process.returncode == 0
    shown = rebalancer(home.environment(exchange, rate=RATE), "history")
    assert shown.returncode == 0 and "filled" in shown.stdout, shown.stdout


def test_sigterm_within_a_cycle_lets_the_leg_under_way_end_and_sends_no_other(tmp_path: Path) -> None:
    home, rate = Home(tmp_path), 20.0
    slow = (*exchange_options(tmp_path, rate), "--latency-ms", "50")
    with running_exchange(*slow) as (url, _), serving(home, url, "--live", live=True, rate=rate) as process:
        line_with(process, "event='settled'")
        process.send_signal(signal.SIGTERM)
        assert "status='stopped'" in line_with(process, "event='cycle'")
        assert process.wait(20) == 0
        known = document(rebalancer(home.environment(url, rate=rate), "history", "--json"))
        states = [order["state"] for run in known["runs"] for order in run["orders"]]
        assert "filled" in states and "abandoned" in states and set(states) == {"filled", "abandoned"}
    at_exchange = json.loads((tmp_path / "exchange.json").read_text(encoding="utf-8"))["orders"]
    assert len(at_exchange) == states.count("filled")


def test_an_exchange_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with serving(home, f"http://127.0.0.1:{port}") as process:
        line_with(process, "event='unreachable'")
        with running_exchange(*exchange_options(tmp_path), "--port", str(port)):
            line_with(process, "event='start'")
            line_with(process, "event='cycle'")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def test_the_address_that_the_key_is_bound_to_is_waited_for(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with exchange_with(ip_addresses=("203.0.113.7",), rate=RATE) as (url, exchange), serving(home, url) as process:
        assert "Incorrect IP address" in line_with(process, "event='unreachable'")
        exchange.state.users[ACCESS_KEY].ip_addresses = ()
        line_with(process, "event='start'")
        line_with(process, "event='cycle'")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_sigterm_ends_the_wait_for_an_exchange_too(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with serving(home, "http://127.0.0.1:9", rate=1) as process:  # nobody listens at "discard"
        line_with(process, "event='unreachable'")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_bad_file_is_78_at_the_start_and_the_last_good_one_later(tmp_path: Path, exchange: str) -> None:
    home = Home(tmp_path)
    good = home.targets.read_text(encoding="utf-8")
    home.targets.write_text(good.replace("BTC = 35", "BTC = 36"), encoding="utf-8")
    refused = rebalancer(home.environment(exchange, live=False, rate=RATE), "serve")
    assert refused.returncode == 78 and "targets.toml:3: weights: weights sum to 101" in refused.stderr, refused.stderr
    home.targets.write_text(good, encoding="utf-8")
    with serving(home, exchange) as process:
        line_with(process, "event='cycle'")
        home.targets.write_text(good.replace("LINK", "LIN K"), encoding="utf-8")
        assert "targets.toml" in line_with(process, "targets_bad")
        line_with(process, "event='cycle'")
        home.targets.write_text(good.replace("BTC = 35", "BTC = 36").replace("ETH = 25", "ETH = 24"), encoding="utf-8")
        assert "edited by hand" in line_with(process, "targets_recorded.*BTC 35 -> 36, ETH 25 -> 24")
        line_with(process, "event='cycle'")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=40)
        assert process.returncode == 0
