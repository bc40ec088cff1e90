from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator

import httpx
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
