"""Exchanges for verbs that run in this process: a simulated one on loopback, and one that says what it likes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rebalancer.service.clock import SystemClock
from rebalancer.simulator.exchange import Exchange
from rebalancer.simulator.faults import Faults
from rebalancer.simulator.market import Market
from rebalancer.simulator.server import Server, listen
from tests.e2e.processes import ACCESS_KEY, ACCOUNT, SECRET_KEY

# Something of every shipped target: without one of them the first live cycle would be a first build, which asks first.
HOLDINGS = {
    "BTC": Decimal("0.1"), "ETH": Decimal(1), "SOL": Decimal("0.1"), "XRP": Decimal(5), "LINK": Decimal(1),
    "USDT": Decimal(3000),
}  # fmt: skip
FAST = 60.0  # seconds a second, where a verb has to wait
EMBEDDED = {"REBALANCER_VENUE": "embedded"}
LIVE = {**EMBEDDED, "REBALANCER_MODE": "live"}


@contextmanager
def exchange_with(*, faults: str = "", rate: float = 1.0, **rights: Any) -> Iterator[tuple[str, Exchange]]:
    """Serve an exchange on loopback with one user of these rights; its prices stand still."""
    clock = SystemClock(rate)
    exchange = Exchange(Market(seed=1, anchor_ms=int(clock.now().timestamp() * 1000), still=True, dust=3))
    exchange.add_user(ACCESS_KEY, SECRET_KEY, HOLDINGS, **rights)
    exchange.faults = Faults.parse(faults, 1)
    server = Server(exchange, listen("127.0.0.1", 0), clock)
    with _served(server.serve, server.stop):
        yield f"http://127.0.0.1:{server.address[1]}", exchange


@contextmanager
def exchange_that_says(code: str, words: str) -> Iterator[str]:
    """Serve an exchange that refuses every request in its own words."""
    body = json.dumps({"status": "error", "err-code": code, "err-msg": words, "data": None}).encode()

    class Refusal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
    with server, _served(lambda: server.serve_forever(0.01), server.shutdown):
        yield f"http://127.0.0.1:{server.server_address[1]}"


@contextmanager
def _served(serve: Any, stop: Any) -> Iterator[None]:
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join()


def key_for(url: str, *, live: bool = False, rate: float = 1.0, **more: str) -> dict[str, str]:
    """Return the environment of an owner with a key to that exchange."""
    return {
        "REBALANCER_HTX_URL": url,
        "REBALANCER_HTX_ACCESS_KEY": ACCESS_KEY,
        "REBALANCER_HTX_SECRET_KEY": SECRET_KEY,
        "REBALANCER_HTX_ACCOUNT_ID": ACCOUNT,
        "REBALANCER_MODE": "live" if live else "dry-run",
        "REBALANCER_CLOCK_RATE": f"{rate:g}",
    } | more
