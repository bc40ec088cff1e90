"""The only door to httpx: bytes out, bytes in, and every foreign exception turned into one of ours.

httpx logs each URL at INFO, and HTX's URLs carry the key and the signature; its exceptions can carry the request.
So its loggers are cut here, and its exceptions never become the cause of ours.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

import httpx

from rebalancer.errors import NotSent, OutcomeUnknown, Unavailable
from rebalancer.seams import Clock
from rebalancer.venues.htx.decode import BODY_BYTES_MAX
from rebalancer.venues.htx.envelope import RawReply

CONNECT_S, READ_S, WRITE_S, POOL_S = 5.0, 10.0, 10.0, 5.0
DEADLINE_S = 20.0  # of a whole read, however slowly it drips
PLACE_DEADLINE_S = 10.0
CONNECTIONS = 16
PIECE_BYTES = 1024 * 1024
COUNT_DIGITS_MAX = 9
REMAIN_HEADER = "X-HB-RateLimit-Requests-Remain"

# Before the first byte, proof that none left: there was no connection, or nowhere to connect to. Everything else,
# and each of these after it (a redirect to nowhere), may have been delivered.
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


def _forget_location(response: httpx.Response) -> None:
    """Keep httpx from reading where a redirect leads: what fails there looks like a request that never left."""
    response.headers.pop("location", None)


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


class HttpTransport:
    """Pooled connections for reads, and one of its own for each place call.

    `transport` puts an in-process exchange in the network's place. Redirects are not followed, nothing is repeated,
    and the environment's proxies and certificates are not looked at.
    """

    def __init__(self, *, clock: Clock, transport: httpx.BaseTransport | None = None) -> None:
        self._clock = clock
        self._transport = transport
        self._reads = self._client(CONNECTIONS)
        self._orders: httpx.Client | None = None

    def _client(self, connections: int) -> httpx.Client:
        return httpx.Client(
            transport=self._transport,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(connect=CONNECT_S, read=READ_S, write=WRITE_S, pool=POOL_S),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            headers={"User-Agent": "rebalancer", "Accept": "application/json", "Accept-Encoding": "gzip"},
            event_hooks={"response": [_forget_location]},
        )

    def get(self, url: str, *, fresh: bool = False) -> RawReply:
        """Read one URL; with `fresh`, over the new connection that the next place call will use.

        Raises Unavailable, without the URL, for whatever went wrong on the way.
        """
        client = self._fresh_orders_client() if fresh else self._reads
        try:
            return self._exchange(client, httpx.Request("GET", url, headers=client.headers), DEADLINE_S, _Tracer())
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict, ValueError) as exc:
            raise Unavailable(f"network: {type(exc).__name__}") from None

    def post_once(self, url: str, body: bytes) -> RawReply:
        """Send one body, once. Raises NotSent with proof that nothing left, else OutcomeUnknown."""
        client = self._orders or self._fresh_orders_client()
        tracer = _Tracer()
        headers = {**client.headers, "Content-Type": "application/json"}
        try:
            request = httpx.Request("POST", url, content=body, headers=headers)
            return self._exchange(client, request, PLACE_DEADLINE_S, tracer)
        except NEVER_CONNECTED as exc:
            if not tracer.writing:
                raise NotSent(f"no connection: {type(exc).__name__}") from None
            raise OutcomeUnknown(f"network: {type(exc).__name__}") from None
        except (httpx.HTTPError, httpx.StreamError, httpx.CookieConflict, ValueError) as exc:
            raise OutcomeUnknown(f"network: {type(exc).__name__}") from None
        except Unavailable as exc:  # deadline or size, raised below while reading an answer
            raise OutcomeUnknown(str(exc)) from None

    def _exchange(self, client: httpx.Client, request: httpx.Request, deadline_s: float, tracer: _Tracer) -> RawReply:
        request.extensions = {
            "trace": tracer,
            "timeout": httpx.Timeout(connect=CONNECT_S, read=READ_S, write=WRITE_S, pool=POOL_S).as_dict(),
        }
        until = self._clock.monotonic_s() + deadline_s
        response = client.send(request, stream=True)
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

    def _fresh_orders_client(self) -> httpx.Client:
        if self._orders is not None:
            self._orders.close()
        self._orders = self._client(1)
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
