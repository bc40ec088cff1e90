"""The page at a door of its own, and beside a service in one process, for the demo."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from rebalancer.errors import ConfigError
from rebalancer.simulator.server import listen

if TYPE_CHECKING:
    import uvicorn

    from rebalancer.seams import Clock
    from rebalancer.web.access import Access
    from rebalancer.web.pages import Pages, Place

STOP_S = 5


@contextmanager
def door_on(host: str, port: int, otherwise: str) -> Iterator[socket.socket]:
    """Yield a socket that already listens, so that a link may be shown; ConfigError where none can be had."""
    try:
        door = listen(host, port)
    except OSError as exc:
        # The library's own text repeats the address; the name of a host that is none has no number of this system's.
        why = os.strerror(exc.errno) if exc.errno and exc.errno > 0 else exc.strerror
        raise ConfigError(f"cannot listen on {host}:{port}: {why}; {otherwise}") from None
    with door:
        yield door


def server_of(pages: Pages, access: Access, *, cert: Path | None = None, key: Path | None = None) -> uvicorn.Server:
    """Return what answers with these pages and says nothing of itself; over TLS with both files."""
    import uvicorn  # noqa: PLC0415  # of the extra `web`

    from rebalancer.service.clock import SystemClock  # noqa: PLC0415
    from rebalancer.web.app import make_app  # noqa: PLC0415

    config = uvicorn.Config(
        make_app(pages, access, SystemClock()),  # the machine's: a demo hurries only what it shows
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_S,
        ssl_certfile=cert,
        ssl_keyfile=None if key is None else str(key),
    )
    return uvicorn.Server(config)


@contextmanager
def page_beside(
    place: Place, access: Access, clock: Clock, door: socket.socket, ended: Callable[[], None]
) -> Iterator[None]:
    """Answer at the door while the block runs; `ended` is called when the page stops, wanted or not."""
    from rebalancer.web.pages import Pages  # noqa: PLC0415

    pages = Pages(place, access, clock)
    server = server_of(pages, access)

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
