"""A key that opens nothing, the places it is driven through, and a look for it in whatever form it may have escaped."""

from __future__ import annotations

import base64
import io
import logging
import threading
import traceback
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote, quote_plus

import structlog

from rebalancer import logs
from rebalancer.service.clock import SystemClock
from rebalancer.simulator.exchange import Exchange
from rebalancer.simulator.market import Market
from rebalancer.simulator.server import Server, listen
from rebalancer.venues.htx.sign import Credentials
from tests.service.house import ACCOUNT, DRIFTED, House

# With the signs that each encoding changes; no part of them is a word that occurs elsewhere.
ACCESS_KEY = "c4n4ry-4cc355+k3y/0f=n0b0dy"
SECRET_KEY = "c4n4ry-53cr37+k3y/0f=n0b0dy'\"\\"
KEYS = (ACCESS_KEY, SECRET_KEY)


def credentials() -> Credentials:
    return Credentials(*KEYS)


def forms(secret: str) -> Iterator[tuple[str, str]]:
    """Yield each form in which a secret could be read back, with its name."""
    raw = secret.encode()
    yield "raw", secret
    yield "escaped", repr(secret)[1:-1]
    yield "URL-encoded", quote(secret, safe="")
    yield "URL-encoded, slashes kept", quote(secret)
    yield "URL-encoded form", quote_plus(secret)
    yield "base64", base64.b64encode(raw).decode().rstrip("=")
    yield "base64 for URLs", base64.urlsafe_b64encode(raw).decode().rstrip("=")
    yield "hex", raw.hex()
    yield "reversed", secret[::-1]


def hits(*where: str | bytes | Path) -> list[str]:
    """Return every form of the key found in texts, bytes and files; upper and lower case count alike."""
    found = []
    for place in where:
        content = place.read_bytes() if isinstance(place, Path) else place
        text = content.decode("latin-1") if isinstance(content, bytes) else content
        for secret in KEYS:
            found += [f"{secret[:14]} {name}" for name, form in forms(secret) if form.lower() in text.lower()]
    return found


def contents(*bundles: Path) -> list[str]:
    """Return what stands in zips, each part unpacked: packed, a key would not be seen."""
    found = []
    for path in bundles:
        with zipfile.ZipFile(path) as bundle:
            found += [bundle.read(name).decode() for name in bundle.namelist()]
    return found


@contextmanager
def own_logging() -> Iterator[None]:
    """Begin without a secret to mask, and put the process's logging back afterwards."""
    known, root = set(logs._known), logging.getLogger()
    named = [logging.getLogger(name) for name in logs.QUIET]
    handlers, before = root.handlers[:], [(each, each.level, each.propagate) for each in (root, *named)]
    logs._known.clear()
    try:
        yield
    finally:
        logs._known.clear()
        logs._known.update(known)
        root.handlers[:] = handlers
        for each, level, propagate in before:
            each.setLevel(level)
            each.propagate = propagate
        structlog.reset_defaults()


@contextmanager
def listening(level: str, *chatty: str) -> Iterator[io.StringIO]:
    """Log into a text as the service does; the libraries named speak at DEBUG, whatever the service told them.

    Entered in the test itself, after pytest has put its own handlers.
    """
    stream = io.StringIO()
    with own_logging():
        logs.register_secrets(KEYS if chatty else ())
        logs.configure(level, stream=stream)
        for each in map(logging.getLogger, chatty):
            each.setLevel(logging.DEBUG)
            each.propagate = True
        yield stream


@dataclass
class CanaryHouse(House):
    """The house of other tests, its key exchanged for the canary; what was raised and shown is kept."""

    heard: list[str] = field(default_factory=list)

    def start(self) -> None:
        super().start()
        self.user.access_key, self.user.secret_key = KEYS
        self.exchange.state.users = {ACCESS_KEY: self.user}
        self.shell.venue._credentials = credentials()  # type: ignore[attr-defined]

    def try_all(self, *calls: Callable[[], object]) -> None:
        for call in calls:
            try:
                self.heard.append(repr(call()))
            except Exception as exc:  # noqa: BLE001  # whatever it is, its text is what is looked at
                self.heard += [repr(exc), str(exc), logs.describe_crash(exc), *traceback.format_exception(exc)]
                self.heard.append(repr(vars(exc)))

    def _reads(self) -> list[Callable[[], object]]:
        venue = self.shell.venue  # a restart brings a new one
        return [venue.fetch_accounts, lambda: venue.fetch_balances(ACCOUNT), venue.fetch_server_time]

    def live(self) -> list[str]:
        """Lead a life of reads, cycles and a restart; return everything that came to light in it."""
        self.try_all(*self._reads(), self.cycle, self.restart, self.cycle)
        self.try_all(*self._reads())
        self.close()
        self.heard += [repr(self.said), repr(self.wire.posts), repr(self.shell), repr(vars(self.shell.venue))]
        return self.heard


@contextmanager
def served() -> Iterator[str]:
    """Serve an exchange that knows the canary on a real socket, and yield its address."""
    clock = SystemClock()
    exchange = Exchange(Market(seed=3, anchor_ms=int(clock.now().timestamp() * 1000)))
    exchange.add_user(*KEYS, {**DRIFTED, "XRP": Decimal(100), "LINK": Decimal(10)})
    server = Server(exchange, listen("127.0.0.1", 0), clock, latency_s=0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.address[1]}"
    finally:
        server.stop()
        thread.join()
