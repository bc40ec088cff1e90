"""The only door to httpx: bytes out, bytes in, and every foreign exception turned into one of ours.

httpx's client logs each URL at INFO, and HTX's URLs carry the key and the signature; its exceptions can carry the
request. So its transports are used without it, its loggers are cut, and its exceptions never become the cause of ours.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from rebalancer.errors import NotSent, OutcomeUnknown, Unavailable
from rebalancer.seams import Clock
from rebalancer.venues.htx.deadline import PunctualBackend, Wait
from rebalancer.venues.htx.decode import BODY_BYTES_MAX
from rebalancer.venues.htx.envelope import RawReply

CONNECT_S, READ_S, WRITE_S, POOL_S = 5.0, 10.0, 10.0, 5.0
DEADLINE_S = 20.0  # of a whole read, however slowly it drips
PLACE_DEADLINE_S = 10.0
CONNECTIONS = 16
PIECE_BYTES = 1024 * 1024
COUNT_DIGITS_MAX = 9
REMAIN_HEADER = "X-HB-RateLimit-Requests-Remain"
_COMMON = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "Connection": "keep-alive",
    "User-Agent": "rebalancer",
}
HEADERS = httpx.Headers(_COMMON)
JSON_HEADERS = httpx.Headers({**_COMMON, "Content-Type": "application/json"})

# Before the first byte, proof that none left: there was no connection, or nowhere to connect to. Everything else,
# and each of these after it, may have been delivered.
NEVER_CONNECTED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)

for _name in ("httpx", "httpcore"):
    _logger = logging.getLogger(_name)
    _logger.setLevel(logging.WARNING)
    _logger.propagate = False
    _logger.addHandler(logging.NullHandler())


class _Tracer:
    """Notes whether the first byte of a request may have been written."""

    def __init__(self) -> None:
        self.writing = False

    def __call__(self, name: str, _info: Mapping[str, object]) -> None:
        if name.endswith("send_request_headers.started"):
            self.writing = True


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= COUNT_DIGITS_MAX else None


def _unpacked(response: httpx.Response) -> Iterator[bytes]:
    """Yield a body as it comes; a compressed one in bounded pieces, for a few bytes can unpack to gigabytes."""
    if response.is_stream_consumed:  # the in-process exchange answers at once
        yield response.content
        return
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        yield from response.iter_raw()
        return
    if encoding != "gzip":
        raise Unavailable("answer in an encoding that was not asked for")
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # with the header of gzip
    try:
        for packed in response.iter_raw():
            yield unpacker.decompress(packed, PIECE_BYTES)
            while unpacker.unconsumed_tail:
                yield unpacker.decompress(unpacker.unconsumed_tail, PIECE_BYTES)
    except zlib.error:
        raise Unavailable("answer that cannot be unpacked") from None
    if not unpacker.eof or unpacker.unused_data:
        raise Unavailable("answer that does not end where its packing does")


class _Punctual(httpx.HTTPTransport):
    """httpx's transport over streams that keep to a request's deadline; it has no public place for a backend."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._pool._network_backend = PunctualBackend(self._pool._network_backend)  # noqa: SLF001


class HttpTransport:
    """Pooled connections for reads, and one of its own for each place call.

    `transport` puts an in-process exchange in the network's place. httpx's transports know nothing of redirects,
    cookies, the environment's proxies and certificates, or repetition: that is its client's part, which is left out.
    """

    def __init__(self, *, clock: Clock, transport: httpx.BaseTransport | None = None) -> None:
        self._clock = clock
        self._transport = transport
        self._reads = self._pool(CONNECTIONS)
        self._orders: httpx.BaseTransport | None = None

    def _pool(self, connections: int) -> httpx.BaseTransport:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        return self._transport or _Punctual(trust_env=False, limits=limits)

    def get(self, url: str, *, fresh: bool = False) -> RawReply:
        """Read one URL; with `fresh`, over the new connection that the next place call will use.

        Raises Unavailable, without the URL, for whatever went wrong on the way.
        """
        pool = self._fresh_orders_pool() if fresh else self._reads
        try:
            return self._exchange(pool, httpx.Request("GET", url, headers=HEADERS), DEADLINE_S, _Tracer())
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict, ValueError) as exc:
            raise Unavailable(f"network: {type(exc).__name__}") from None

    def post_once(self, url: str, body: bytes) -> RawReply:
        """Send one body, once. Raises NotSent with proof that nothing left, else OutcomeUnknown."""
        pool = self._orders or self._fresh_orders_pool()
        tracer = _Tracer()
        try:
            request = httpx.Request("POST", url, content=body, headers=JSON_HEADERS)
            return self._exchange(pool, request, PLACE_DEADLINE_S, tracer)
        except NEVER_CONNECTED as exc:
            if not tracer.writing:
                raise NotSent(f"no connection: {type(exc).__name__}") from None
            raise OutcomeUnknown(f"network: {type(exc).__name__}") from None
        except (httpx.HTTPError, httpx.StreamError, httpx.CookieConflict, ValueError) as exc:
            raise OutcomeUnknown(f"network: {type(exc).__name__}") from None
        except Unavailable as exc:  # deadline or size, raised below while reading an answer
            raise OutcomeUnknown(str(exc)) from None

    def _exchange(
        self, pool: httpx.BaseTransport, request: httpx.Request, deadline_s: float, tracer: _Tracer
    ) -> RawReply:
        wait = Wait(READ_S, self._clock, deadline_s)
        request.extensions = {
            "trace": tracer,
            "timeout": {"connect": CONNECT_S, "read": wait, "write": WRITE_S, "pool": POOL_S},
        }
        until = self._clock.monotonic_s() + deadline_s
        response = pool.handle_request(request)
        try:
            body = bytearray()
            for chunk in _unpacked(response):
                if len(body) + len(chunk) > BODY_BYTES_MAX:
                    raise Unavailable(f"answer larger than {BODY_BYTES_MAX} bytes")
                body += chunk
                if self._clock.monotonic_s() > until:
                    raise Unavailable(f"answer not complete after {deadline_s:g} s")
        finally:
            response.close()
        return RawReply(response.status_code, bytes(body), _count(response.headers.get(REMAIN_HEADER, "")))

    def _fresh_orders_pool(self) -> httpx.BaseTransport:
        if self._orders is not None:
            self._orders.close()
        self._orders = self._pool(1)
        return self._orders

    def close(self) -> None:
        """Close every connection."""
        self._reads.close()
        if self._orders is not None:
            self._orders.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()
