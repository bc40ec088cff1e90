"""An answer that is sent in ever more pieces ends with its time, in whatever part of it the pieces come."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import pytest

from rebalancer.errors import OutcomeUnknown, Unavailable
from rebalancer.venues.htx.deadline import PunctualBackend, Wait
from rebalancer.venues.htx.transport import DEADLINE_S, PLACE_DEADLINE_S, HttpTransport
from tests.support import FakeClock

HEAD = b"HTTP/1.1 200 OK\r\n"
DRIPS: dict[str, tuple[bytes, bytes]] = {
    "a header": (HEAD + b"X-Filler: ", b"a"),
    "early hints": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "the words about a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a"),
    "the body": (HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
}


@contextmanager
def server(pieces: Iterator[bytes], between: Callable[[], None]) -> Iterator[str]:
    """Serve one connection with pieces, `between` which something happens, until the other side is gone."""

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    between()
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize("part", DRIPS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_that_drips_anywhere_is_given_up_at_the_deadline(part: str, method: str) -> None:
    clock = FakeClock()
    first, then = DRIPS[part]
    sent = itertools.count()

    def tick() -> None:
        next(sent)
        clock.advance(0.5)

    with (
        server(itertools.chain([first], itertools.repeat(then)), tick) as url,
        HttpTransport(clock=clock) as http,
        pytest.raises(OutcomeUnknown if method == "POST" else Unavailable, match="not complete after"),
    ):
        http.post_once(url, b"{}") if method == "POST" else http.get(url)
    assert next(sent) * 0.5 >= (PLACE_DEADLINE_S if method == "POST" else DEADLINE_S)


def test_an_answer_in_many_pieces_within_its_time_is_read() -> None:
    clock = FakeClock()
    whole = HEAD + b"X-Filler: aaaaaaaa\r\nContent-Length: 2\r\n\r\n{}"
    pieces = (bytes([each]) for each in whole)
    with server(pieces, lambda: clock.advance(0.1)) as url, HttpTransport(clock=clock) as http:
        assert http.get(url).body == b"{}"


class Silent(httpcore.NetworkBackend, httpcore.NetworkStream):
    """A network whose reads say how long they may wait."""

    def connect_tcp(self, *_arguments: Any, **_named: Any) -> httpcore.NetworkStream:
        return self

    def start_tls(self, *_arguments: Any, **_named: Any) -> httpcore.NetworkStream:
        return Silent()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return f"{max_bytes} {timeout:g}".encode()


def test_a_wait_is_that_for_a_piece_or_what_is_left_also_behind_tls() -> None:
    clock = FakeClock()
    wait = Wait(10.0, clock, 15.0)
    plain = PunctualBackend(Silent()).connect_tcp("127.0.0.1", 1)
    for stream in (plain, plain.start_tls(ssl.create_default_context())):
        assert stream.read(7, wait) == b"7 10"
    clock.advance(12)
    assert plain.start_tls(ssl.create_default_context()).read(7, wait) == b"7 3"
    assert plain.read(7, 10.0) == b"7 10", "a plain number is kept to as it is"
    clock.advance(3)
    for stream in (plain, plain.start_tls(ssl.create_default_context())):
        with pytest.raises(Unavailable, match="not complete after 15 s"):
            stream.read(7, wait)
