from __future__ import annotations

import gc
import itertools
import logging
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import pytest

from rebalancer.errors import NotSent, OutcomeUnknown, Unavailable, VenueError
from rebalancer.venues.htx.transport import NEVER_CONNECTED, HttpTransport
from tests.support import FakeClock

URL = "https://api.huobi.pro/v1/order/orders/place?AccessKeyId=CANARYKEY&Signature=CANARYSIG"


def every_httpx_error() -> list[type[Exception]]:
    found: list[type[Exception]] = []
    for name in httpx.__all__:
        kind = getattr(httpx, name)
        if isinstance(kind, type) and issubclass(kind, Exception):
            found.append(kind)
    return found


def make(kind: type[Exception]) -> Exception:
    request = httpx.Request("POST", URL)
    if kind is httpx.HTTPStatusError:
        return httpx.HTTPStatusError(f"for url {URL}", request=request, response=httpx.Response(500, request=request))
    for arguments in ((f"failed {URL}",), ()):
        try:
            error = kind(*arguments)
        except TypeError:
            continue
        if isinstance(error, httpx.RequestError):
            error.request = request
        return error
    raise AssertionError(kind)


class Raising(httpx.BaseTransport):
    def __init__(self, error: Exception, *, after_first_byte: bool) -> None:
        self.error, self.after_first_byte, self.calls = error, after_first_byte, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self.after_first_byte:
            request.extensions["trace"]("http11.send_request_headers.started", {})
        raise self.error


@pytest.mark.parametrize("kind", every_httpx_error(), ids=lambda kind: kind.__name__)
def test_no_httpx_error_passes_a_read_or_carries_its_url(kind: type[Exception]) -> None:
    transport = Raising(make(kind), after_first_byte=True)
    with HttpTransport(clock=FakeClock(), transport=transport) as http, pytest.raises(Unavailable) as caught:
        http.get(URL)
    assert_clean(caught.value)


@pytest.mark.parametrize("kind", every_httpx_error(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("after_first_byte", [True, False])
def test_every_httpx_error_of_a_place_call_is_unknown_or_proven_unsent(
    kind: type[Exception], *, after_first_byte: bool
) -> None:
    transport = Raising(make(kind), after_first_byte=after_first_byte)
    with HttpTransport(clock=FakeClock(), transport=transport) as http, pytest.raises(VenueError) as caught:
        http.post_once(URL, b"{}")
    proven = issubclass(kind, NEVER_CONNECTED) and not after_first_byte
    assert type(caught.value) is (NotSent if proven else OutcomeUnknown)
    assert transport.calls == 1, "a place call was repeated"
    assert_clean(caught.value)


def assert_clean(error: BaseException) -> None:
    assert "CANARY" not in str(error) + repr(error)
    assert error.__cause__ is None and error.__suppress_context__


def test_debug_logging_shows_neither_key_nor_signature(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answering = httpx.MockTransport(lambda _request: httpx.Response(200, json={}))
    with HttpTransport(clock=FakeClock(), transport=answering) as http:
        http.get(URL)
        http.post_once(URL, b"{}")
    assert "CANARY" not in caplog.text


@pytest.mark.parametrize("location", ["https://elsewhere.invalid/", "http://[", "https://:99999999/", "\x7f"])
def test_redirects_are_not_followed_nor_their_addresses_read(location: str) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(301, headers={"location": location})

    with HttpTransport(clock=FakeClock(), transport=httpx.MockTransport(answer)) as http:
        assert http.get(URL).status == 301
        assert http.post_once(URL, b"{}").status == 301
    assert seen == ["api.huobi.pro", "api.huobi.pro"]


def test_an_answer_that_drips_past_the_deadline_is_given_up() -> None:
    clock = FakeClock()

    def drip() -> Iterator[bytes]:
        for _ in range(100):
            clock.advance(5)
            yield b" "

    answering = httpx.MockTransport(lambda _request: httpx.Response(200, content=drip()))
    with HttpTransport(clock=clock, transport=answering) as http:
        with pytest.raises(Unavailable, match="not complete"):
            http.get(URL)
        with pytest.raises(OutcomeUnknown, match="not complete"):
            http.post_once(URL, b"{}")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_connection_closed_after_the_request_leaves_a_place_call_unknown(listener: socket.socket) -> None:
    def close_after_reading() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)

    thread = threading.Thread(target=close_after_reading)
    thread.start()
    with HttpTransport(clock=FakeClock()) as http, pytest.raises(OutcomeUnknown):
        http.post_once(f"http://127.0.0.1:{listener.getsockname()[1]}/", b"{}")
    thread.join(5)


class KeptOpen:
    """A server that keeps its connections open, or closes each after its answer without a word; by whom it was asked."""

    def __init__(self, *, closing: bool = False) -> None:
        self.asked: list[tuple[int, str]] = []  # number of the connection, method
        self._connections = itertools.count(1)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                self.number = next(outer._connections)

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.asked.append((self.number, self.command))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")
                self.close_connection = closing

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_arguments: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_each_place_call_leaves_over_the_connection_that_was_just_opened_for_it() -> None:
    with KeptOpen() as server, HttpTransport(clock=FakeClock()) as http:
        http.get(server.url)
        for _ in range(2):
            http.get(server.url, fresh=True)
            http.post_once(server.url, b"{}")
        http.get(server.url)
    assert server.asked == [(1, "GET"), (2, "GET"), (2, "POST"), (3, "GET"), (3, "POST"), (1, "GET")]


def test_connections_that_died_idle_cost_a_read_nothing_and_are_no_reason_to_send_twice() -> None:
    with KeptOpen(closing=True) as server, HttpTransport(clock=FakeClock()) as http:
        for _ in range(20):
            with suppress(Unavailable):  # closed as it is written to: the client repeats a read
                http.get(server.url)
            http.get(server.url, fresh=True)
            with suppress(OutcomeUnknown, NotSent):
                http.post_once(server.url, b"{}")
    methods = [method for _, method in server.asked]
    assert methods.count("GET") >= 30 and 1 <= methods.count("POST") <= 20
    assert all(pair != ("POST", "POST") for pair in itertools.pairwise(methods))


@pytest.mark.parametrize("closing", [False, True])
def test_many_calls_leave_no_socket_behind_however_their_connections_end(closing: bool) -> None:
    process = psutil.Process()
    with KeptOpen(closing=closing) as server, HttpTransport(clock=FakeClock()) as http:
        held = []
        for round_ in range(48):
            for call in (
                lambda: http.get(server.url),
                lambda: http.get(server.url, fresh=True),
                lambda: http.post_once(server.url, b"{}"),
                lambda: http.get("http://127.0.0.1:9/"),  # where nobody listens
            ):
                with suppress(VenueError):
                    call()
            if round_ % 8 == 7:
                gc.collect()
                held.append(sum(each.raddr != () for each in process.net_connections() if each.status == "ESTABLISHED"))
    # Two of ours and as many of the server's, and one or the other that it is about to close.
    assert max(held) <= 10 and held[-1] <= held[0] + 2, held


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[tuple[str, Path, list[bytes]]]:
    """Serve TLS with a certificate that this machine made itself; yield address, certificate and what was heard."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate with")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    make += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", str(cert), "-keyout", str(key)]
    subprocess.run(make, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    heard: list[bytes] = []

    def serve(server: socket.socket) -> None:
        while True:
            with suppress(OSError):  # a handshake that is broken off
                connection, _ = server.accept()
                with context.wrap_socket(connection, server_side=True) as secured:
                    heard.append(secured.recv(65536))
                continue
            if server.fileno() < 0:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}/?Signature=CANARYSIG", cert, heard


def test_a_host_whose_certificate_nobody_vouches_for_hears_nothing_whatever_the_environment_says(
    impostor: tuple[str, Path, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, cert, heard = impostor
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    monkeypatch.setenv("SSL_CERT_DIR", str(cert.parent))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cert))
    with HttpTransport(clock=FakeClock()) as http:
        with pytest.raises(Unavailable, match="ConnectError"):
            http.get(url)
        with pytest.raises(NotSent, match="ConnectError"):
            http.post_once(url, b"{}")
    assert not any(heard), "not a byte of a request"
    trusting = ssl.create_default_context(cafile=str(cert))
    with httpx.Client(verify=trusting, trust_env=False) as client, suppress(httpx.HTTPError):
        client.get(url)
    assert any(b"CANARYSIG" in each for each in heard), "it would have listened"


def test_no_version_of_tls_older_than_1_2_is_spoken() -> None:
    with HttpTransport(clock=FakeClock()) as http:
        reads: Any = http._reads
        for pool in (reads, http._fresh_orders_pool()):
            context = pool._pool._ssl_context
            assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
            assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname


def test_a_refused_connection_proves_that_nothing_was_sent(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with HttpTransport(clock=FakeClock()) as http, pytest.raises(NotSent):
        http.post_once(f"http://127.0.0.1:{port}/", b"{}")


def test_proxy_and_certificate_variables_are_ignored(monkeypatch: pytest.MonkeyPatch, listener: socket.socket) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    monkeypatch.setitem(os.environ, "SSL_CERT_FILE", "/nonexistent")

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    thread = threading.Thread(target=answer, daemon=True)  # nobody may call
    thread.start()
    with HttpTransport(clock=FakeClock()) as http:
        assert http.get(f"http://127.0.0.1:{listener.getsockname()[1]}/").body == b"{}"
    thread.join(5)
