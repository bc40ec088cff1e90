"""The page beside a service in one process, for the demo: its own thread, its own look at the journal."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

from rebalancer.errors import ConfigError
from rebalancer.simulator.server import listen

if TYPE_CHECKING:
    from rebalancer.seams import Clock
    from rebalancer.web.access import Access
    from rebalancer.web.pages import Place

STOP_S = 5


@contextmanager
def door_on(port: int) -> Iterator[socket.socket]:
    """Yield a loopback socket that already listens, so that a link may be shown; ConfigError where it cannot."""
    try:
        door = listen("127.0.0.1", port)
    except OSError as exc:
        why = os.strerror(exc.errno or 0)  # the library's own text repeats the address
        raise ConfigError(f"cannot listen on 127.0.0.1:{port}: {why}; --port 0 picks a free one") from None
    with door:
        yield door


@contextmanager
def page_beside(
    place: Place, access: Access, clock: Clock, door: socket.socket, ended: Callable[[], None]
) -> Iterator[None]:
    """Answer at the door while the block runs; `ended` is called when the page stops, wanted or not."""
    import uvicorn  # noqa: PLC0415  # of the extra `web`

    from rebalancer.web.app import make_app  # noqa: PLC0415
    from rebalancer.web.pages import Pages  # noqa: PLC0415

    pages = Pages(place, access, clock)
    config = uvicorn.Config(
        make_app(pages, access),
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_S,
    )
    server = uvicorn.Server(config)

    def answer() -> None:  # the journal is opened by the first look, in the thread that goes on to read it
        try:
            server.run(sockets=[door])
        finally:
            pages.close()
            ended()

    thread = Thread(target=answer, name="page")
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
