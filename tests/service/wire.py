"""The way to the embedded exchange, where a test can watch, meddle, or end the process."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx

from rebalancer.simulator.transport import InProcessTransport
from tests.support import FakeClock


class Crash(BaseException):
    """The process ends here; nothing that catches errors sees it."""


def nothing(_request: httpx.Request) -> None:
    """Let a request pass."""


class Wire(InProcessTransport):
    """Writes down every place call. `before` acts as a request leaves, `after` when it was answered.

    A request that the exchange drops has no `after`.
    """

    def __init__(self, exchange: Any, clock: FakeClock) -> None:
        super().__init__(exchange, clock)
        self.posts: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.before: Callable[[httpx.Request], None] = nothing
        self.after: Callable[[httpx.Request], None] = nothing

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.before(request)
        self.calls.append(f"{request.method} {request.url.path}")
        if request.method == "POST":
            self.posts.append(json.loads(request.read()))
        response = super().handle_request(request)
        self.after(request)
        return response

    def before_post(self, action: Callable[[], None], *, number: int = 1) -> None:
        """Do something at the instant a place call leaves: the first, or that of a number."""

        def act(request: httpx.Request) -> None:
            if request.method == "POST" and len(self.posts) == number - 1:
                action()

        self.before = act

    def after_post(self, action: Callable[[], None], *, number: int = 1) -> None:
        """Do something when a place call was answered."""

        def act(request: httpx.Request) -> None:
            if request.method == "POST" and len(self.posts) == number:
                action()

        self.after = act


class ClientClock:
    """Our machine's clock, wrong by some seconds; the exchange keeps the true one."""

    def __init__(self, true: FakeClock, wrong_s: float) -> None:
        self._true = true
        self._wrong = timedelta(seconds=wrong_s)
        self._slept_s = 0.0

    def step(self, seconds: float) -> None:
        """Set the wall clock, as NTP or its owner does."""
        self._wrong += timedelta(seconds=seconds)

    def suspend(self, seconds: float) -> None:
        """Let the machine sleep: the time of the world goes on, and its count of seconds does not."""
        self._slept_s += seconds
        self._true.advance(seconds)

    def now(self) -> datetime:
        return self._true.now() + self._wrong

    def monotonic_s(self) -> float:
        return self._true.monotonic_s() - self._slept_s

    def sleep(self, seconds: float) -> None:
        self._true.sleep(seconds)
