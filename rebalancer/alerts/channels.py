"""The doors outward: notices by Apprise, pings to a watcher elsewhere. Their addresses are secrets; none is ever told.

A worker of its own sends them: a channel that hangs or fails delays no cycle and no order.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from rebalancer.alerts.condition import Message
from rebalancer.errors import ConfigError

PING_TIMEOUT_S = 10.0
WAITING_MAX = 100  # what does not fit is dropped and said: the newest matters as little as the oldest
LAST_WORDS_S = 15.0  # for what still waits at the end of the process
Say = Callable[[str], None]

for _name in ("httpx", "httpcore", "apprise", "requests", "urllib3"):  # they log addresses, which hold tokens
    _logger = logging.getLogger(_name)
    _logger.propagate = False
    _logger.addHandler(logging.NullHandler())


def apprise_sender(addresses: Sequence[str]) -> Callable[[Message], bool]:
    """Return what sends a message to every address; ConfigError where Apprise is missing or knows none of one."""
    try:
        import apprise  # noqa: PLC0415  # the extra, only where it is used
    except ImportError:
        raise ConfigError("REBALANCER_NOTIFY_URLS needs Apprise: pip install 'rebalancer[notify]'") from None
    notifier: Any = apprise.Apprise()
    for number, address in enumerate(addresses, start=1):
        if not notifier.add(address):
            raise ConfigError(f"REBALANCER_NOTIFY_URLS: address {number} is none that Apprise knows; see its list")
    return lambda message: bool(notifier.notify(title=f"rebalancer: {message.title}", body=message.body))


def http_pinger(address: str) -> Callable[[str], bool]:
    """Return what tells a watcher `start`, `fail` or (an empty word) that all is well, by a GET below its address."""

    def ping(word: str) -> bool:
        url = f"{address}/{word}" if word else address
        # Not the environment's proxies, as nowhere in this program.
        return httpx.get(url, timeout=PING_TIMEOUT_S, trust_env=False, follow_redirects=False).is_success

    return ping


class Courier:
    """Carries messages and pings out of the way of the cycles."""

    def __init__(
        self, send: Callable[[Message], bool] | None, ping: Callable[[str], bool] | None, complain: Say
    ) -> None:
        self._send = send
        self._ping = ping
        self._complain = complain
        self._work: queue.Queue[tuple[str, Callable[[], bool]] | None] = queue.Queue(WAITING_MAX)
        self._worker = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._worker.start()

    def tell(self, message: Message) -> None:
        """Hand over a message."""
        if self._send is not None:
            send = self._send
            self._put(f"the notice {message.title!r}", lambda: send(message))

    def ping(self, word: str) -> None:
        """Hand over a ping."""
        if self._ping is not None:
            ping = self._ping
            self._put(f"the ping {word or 'ok'!r}", lambda: ping(word))

    def _put(self, what: str, job: Callable[[], bool]) -> None:
        try:
            self._work.put_nowait((what, job))
        except queue.Full:
            self._complain(f"{what} was dropped: {WAITING_MAX} others wait")

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            what, job = work
            try:
                if not job():
                    self._complain(f"{what} was not taken")
            except Exception as exc:  # noqa: BLE001  # a foreign library's; its words may hold the address
                self._complain(f"{what} could not be sent: {type(exc).__name__}")

    def close(self) -> None:
        """Send what still waits, for a few seconds at most."""
        try:
            self._work.put(None, timeout=LAST_WORDS_S)
        except queue.Full:
            return
        self._worker.join(LAST_WORDS_S)
