"""An answer within its time, from its first byte on: httpx bounds the wait for each piece, and not their number.

A server that sends a header a byte at a time, or one early hint after another, would hold a request for days. So the
wait for each piece ends with the request's own time, wherever in the answer it is spent.
"""

from __future__ import annotations

from collections.abc import Iterable
from ssl import SSLContext
from typing import Any, Self

import httpcore

from rebalancer.errors import Unavailable
from rebalancer.seams import Clock


class Wait(float):
    """Seconds to wait for the next piece of an answer, and until when for the whole of it."""

    _clock: Clock
    _until_s: float
    _deadline_s: float

    def __new__(cls, piece_s: float, clock: Clock, deadline_s: float) -> Self:
        """Return the wait of a request that begins now."""
        made = super().__new__(cls, piece_s)
        made._clock, made._until_s, made._deadline_s = clock, clock.monotonic_s() + deadline_s, deadline_s
        return made

    def left_s(self) -> float:
        """Return for how long the next piece may be waited for; Unavailable when the time is over."""
        left_s = self._until_s - self._clock.monotonic_s()
        if left_s <= 0:
            raise Unavailable(f"answer not complete after {self._deadline_s:g} s")
        return min(self, left_s)


class PunctualBackend(httpcore.NetworkBackend):
    """A backend whose streams keep to a `Wait`, given to them as the time-out of a read."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect."""
        return _Stream(self._backend.connect_tcp(host, port, timeout, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        """Wait; httpcore does so between tries to connect, of which there is one."""
        self._backend.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, timeout.left_s() if isinstance(timeout, Wait) else timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
