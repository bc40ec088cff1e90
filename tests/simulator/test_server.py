from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from rebalancer.cli.main import main
from rebalancer.service.clock import SystemClock
from rebalancer.simulator.exchange import Exchange
from rebalancer.simulator.faults import Faults
from rebalancer.simulator.market import Market
from rebalancer.simulator.server import Server
from tests.simulator.loopback import running_exchange


@contextmanager
def serving(faults: str = "", latency_s: float = 0.0) -> Iterator[str]:
    clock = SystemClock()
    exchange = Exchange(Market(seed=1, anchor_ms=int(clock.now().timestamp() * 1000)), faults=Faults.parse(faults))
    server = Server(exchange, socket.create_server(("127.0.0.1", 0)), clock, latency_s=latency_s)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.address[1]}"
    finally:
        server.stop()
        thread.join(5)
        assert not thread.is_alive()


def test_one_connection_serves_many_requests() -> None:
    with serving() as url, httpx.Client(trust_env=False) as client:
        for _ in range(5):
            response = client.get(url + "/v1/common/timestamp")
            assert response.json()["status"] == "ok"
            assert "connection" not in response.headers


def test_waiting_answers_overlap() -> None:
    with serving(latency_s=0.3) as url, httpx.Client(trust_env=False, limits=httpx.Limits(max_connections=8)) as client:
        threads = [threading.Thread(target=client.get, args=(url + "/v1/common/timestamp",)) for _ in range(8)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.perf_counter() - start < 8 * 0.3, "eight answers waited for each other"


def test_a_dropped_answer_closes_the_connection() -> None:
    with (
        serving("lost_reply@timestamp") as url,
        httpx.Client(trust_env=False) as client,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        client.get(url + "/v1/common/timestamp")


def test_garbage_on_the_wire_ends_only_its_own_connection() -> None:
    with serving() as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(b"\x00\xff\r\n\r\n")
            raw.settimeout(5)
            assert raw.recv(100) == b""
        assert httpx.get(url + "/v1/common/timestamp", trust_env=False).status_code == 200


def test_the_command_prints_one_line_and_stops_cleanly_on_sigterm() -> None:
    with running_exchange("--seed", "3", "--balances", "BTC=1,USDT=5") as (url, process):
        assert httpx.get(url + "/v1/common/timestamp", trust_env=False).json()["status"] == "ok"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "not a loopback address"),  # noqa: S104
        (["--balances", "BTC"], "BTC=0.5,USDT=1000"),
        (["--balances", "BTC=1,BTC=2"], "each asset once"),
        (["--faults", "nonsense"], "known: lost_request"),
        (["--prices", "/nonexistent.csv"], "No such file"),
        (["--port", "99999"], "65535"),
        (["--speed", "0"], "x>0"),
    ],
)
def test_bad_options_are_refused_with_what_would_be_good(options: list[str], words: str) -> None:
    result = CliRunner().invoke(main, ["exchange", *options])
    assert result.exit_code == 2
    assert words in result.output


def test_help_lists_every_fault_kind() -> None:
    shown = CliRunner().invoke(main, ["exchange", "--help"]).output
    assert "lost_reply" in shown and "balance_lag" in shown


def test_a_bad_line_of_prices_is_named(tmp_path: Path) -> None:
    path = tmp_path / "closes.csv"
    path.write_text("date,BTC\n2021-01-01,abc\n", encoding="utf-8")
    assert (
        f"{path}:2: BTC: 'abc' is not a price" in CliRunner().invoke(main, ["exchange", "--prices", str(path)]).output
    )
