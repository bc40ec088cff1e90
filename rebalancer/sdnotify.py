"""Telling systemd that we are ready, alive and what we do: datagrams to NOTIFY_SOCKET, silence without it."""

from __future__ import annotations

import socket
from collections.abc import Mapping

SEND_TIMEOUT_S = 1.0  # a supervisor that listens and does not read fills its queue; it must not hold us up


class Notifier:
    """systemd's notification protocol (sd_notify). A supervisor that cannot be reached never stops the service."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        self.watchdog_s = _watchdog_s(environ, pid)

    def ready(self, status: str) -> None:
        """Say that the start is over."""
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def status(self, status: str) -> None:
        """Say what is going on."""
        self._send(f"STATUS={_line(status)}")

    def alive(self) -> None:
        """Feed the watchdog; to be called after a completed turn of the scheduler, and only then."""
        if self.watchdog_s:
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.settimeout(SEND_TIMEOUT_S)
                out.sendto(text.encode(errors="replace"), self._address)
        except OSError:  # nobody listens any more, or not now; there is no one to tell that to
            return


def _line(text: str) -> str:
    return " ".join(text.split())


def _watchdog_s(environ: Mapping[str, str], pid: int) -> float:
    """Return the supervisor's time-out in seconds, 0 when it set none for this process."""
    usec = environ.get("WATCHDOG_USEC", "")
    if not usec.isdecimal() or environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    return int(usec) / 1_000_000
