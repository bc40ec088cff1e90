"""The in-process door: the real client's requests reach the exchange without a network."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import httpx

from rebalancer.seams import Clock
from rebalancer.simulator.exchange import Exchange
from rebalancer.simulator.http import Request

READ_TIMEOUT_S = 10.0


class InProcessTransport(httpx.BaseTransport):
    """Puts an exchange where httpx expects a network. Requests are handled one at a time, at the clock's instant."""

    def __init__(
        self, exchange: Exchange, clock: Clock, *, latency_s: float = 0.0, client_ip: str = "127.0.0.1"
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._latency_s = latency_s
        self._client_ip = client_ip
        self._lock = Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, or fail the way a network does."""
        url = request.url
        received = Request(
            request.method,
            request.headers.get("host", url.netloc.decode()),
            url.raw_path.partition(b"?")[0].decode(),
            url.query.decode(),
            {name.lower(): value for name, value in request.headers.items()},
            request.read(),
            self._client_ip,
        )
        self._announce(request)
        if self._latency_s:
            self._clock.sleep(self._latency_s)
        with self._lock:
            now_ms = int(self._clock.now().timestamp() * 1000)
            answered = self._exchange.handle(received, now_ms)
        if answered.delay_s > READ_TIMEOUT_S:
            self._clock.sleep(READ_TIMEOUT_S)
            raise httpx.ReadTimeout("timed out", request=request)
        if answered.delay_s:
            self._clock.sleep(answered.delay_s)
        if answered.dropped:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        return httpx.Response(answered.status, headers=dict(answered.headers), content=answered.body)

    @staticmethod
    def _announce(request: httpx.Request) -> None:
        """Say that the request's bytes are on their way, as a real connection does."""
        trace = request.extensions.get("trace")
        if trace is not None:
            trace("http11.send_request_headers.started", {})


class SavingTransport(InProcessTransport):
    """Saves the exchange before the answer to a change is seen: what was acknowledged is kept."""

    def __init__(self, exchange: Exchange, clock: Clock, *, save: Callable[[], None]) -> None:
        super().__init__(exchange, clock)
        self._save = save

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer; save after a POST, also one whose answer is lost."""
        try:
            return super().handle_request(request)
        finally:
            if request.method == "POST":
                self._save()
