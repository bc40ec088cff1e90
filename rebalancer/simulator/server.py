"""The loopback door: a thin HTTP/1.1 server around `handle`, a thread a connection, no framework."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import h11

from rebalancer.seams import Clock
from rebalancer.simulator.exchange import Exchange
from rebalancer.simulator.http import Request, Response

BODY_BYTES_MAX = 1024 * 1024
READ_BYTES = 65536
IDLE_S = 60.0


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 picks a free one. OSError when the address cannot be had."""
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


class Server:
    """Serves an exchange on a listening socket until stopped. The exchange sees one request at a time."""

    def __init__(
        self,
        exchange: Exchange,
        listener: socket.socket,
        clock: Clock,
        *,
        latency_s: float = 0.0,
        after_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._exchange = exchange
        self._listener = listener
        self._clock = clock
        self._latency_s = latency_s
        self._after_change = after_change
        self._lock = threading.RLock()  # `stop` may interrupt the thread that accepts
        self._open: set[socket.socket] = set()
        self._stopping = threading.Event()

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port."""
        name = self._listener.getsockname()
        return str(name[0]), int(name[1])

    def serve(self) -> None:
        """Accept connections until `stop`."""
        while not self._stopping.is_set():
            try:
                connection, peer = self._listener.accept()
            except OSError:
                break
            connection.settimeout(IDLE_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open.add(connection)
            threading.Thread(target=self._talk, args=(connection, str(peer[0])), daemon=True).start()

    def stop(self) -> None:
        """Close the listener and every connection; `serve` then returns."""
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _talk(self, connection: socket.socket, client_ip: str) -> None:
        """Answer one connection's requests until it ends; a broken peer is its own problem."""
        protocol = h11.Connection(h11.SERVER)
        try:
            with connection:
                while not self._stopping.is_set() and self._one(connection, protocol, client_ip):
                    protocol.start_next_cycle()
        except (OSError, h11.ProtocolError):
            return
        finally:
            with self._lock:
                self._open.discard(connection)

    def _one(self, connection: socket.socket, protocol: h11.Connection, client_ip: str) -> bool:
        """Read one request and answer it; return whether the connection goes on."""
        request = _read(connection, protocol, client_ip)
        if request is None:
            return False
        if self._latency_s:
            self._clock.sleep(self._latency_s)
        with self._lock:
            answered = self._exchange.handle(request, int(self._clock.now().timestamp() * 1000))
            if request.method == "POST":
                self._after_change()
        if answered.delay_s:
            self._clock.sleep(answered.delay_s)
        if answered.dropped:
            return False
        _write(connection, protocol, answered)
        return protocol.our_state is h11.DONE and protocol.their_state is h11.DONE


def _read(connection: socket.socket, protocol: h11.Connection, client_ip: str) -> Request | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(connection.recv(READ_BYTES))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > BODY_BYTES_MAX:
                return None
        elif isinstance(event, h11.EndOfMessage):
            assert head is not None
            return _request(head, bytes(body), client_ip)
        else:  # the peer closed, or paused for an upgrade that we do not offer
            return None


def _request(head: h11.Request, body: bytes, client_ip: str) -> Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head.headers}
    path, _, query = head.target.decode("latin-1").partition("?")
    return Request(head.method.decode("ascii"), headers.get("host", ""), path, query, headers, body, client_ip)


def _write(connection: socket.socket, protocol: h11.Connection, answered: Response) -> None:
    headers = [(name, value) for name, value in answered.headers.items() if name != "content-length"]
    headers.append(("content-length", str(len(answered.body))))
    out = protocol.send(h11.Response(status_code=answered.status, headers=headers, reason=b"")) or b""
    out += protocol.send(h11.Data(data=answered.body)) or b""
    out += protocol.send(h11.EndOfMessage()) or b""
    connection.sendall(out)
