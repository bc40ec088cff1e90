"""What the supervisor hears, over real datagram sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from rebalancer.sdnotify import Notifier


@contextmanager
def supervisor(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(5)
        yield listening


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_ready_status_watchdog_and_stopping_reach_the_supervisor(tmp_path: Path, kind: str) -> None:
    name = f"rebalancer-test-{os.getpid()}-{tmp_path.name}"
    bound, told = (str(tmp_path / "notify"),) * 2 if kind == "path" else (f"\0{name}", f"@{name}")
    with supervisor(bound) as listening:
        notifier = Notifier({"NOTIFY_SOCKET": told, "WATCHDOG_USEC": "900000000"}, pid=7)
        notifier.ready("next cycle\nat noon")
        notifier.alive()
        notifier.stopping()
        heard = [listening.recv(1000).decode() for _ in range(3)]
    assert heard == ["READY=1\nSTATUS=next cycle at noon", "WATCHDOG=1", "STOPPING=1"]
    assert notifier.watchdog_s == 900


def test_without_a_watchdog_or_for_another_process_nothing_is_fed(tmp_path: Path) -> None:
    place = str(tmp_path / "notify")
    with supervisor(place) as listening:
        for environment in ({}, {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "8"}, {"WATCHDOG_USEC": "soon"}):
            notifier = Notifier({"NOTIFY_SOCKET": place, **environment}, pid=7)
            notifier.alive()
            assert notifier.watchdog_s == 0
        notifier.status("alive")
        assert listening.recv(1000) == b"STATUS=alive"


def test_a_supervisor_that_is_gone_or_was_never_there_stops_nothing(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "nobody")}):
        notifier = Notifier({**environment, "WATCHDOG_USEC": "1000000"}, pid=7)
        notifier.ready("up")
        notifier.alive()
        notifier.stopping()


def test_a_supervisor_that_listens_and_never_reads_holds_nothing_up(tmp_path: Path) -> None:
    place = str(tmp_path / "notify")
    with supervisor(place) as listening, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filling:
        filling.setblocking(False)
        waiting = 0
        with suppress(BlockingIOError):
            while True:
                filling.sendto(b"STATUS=waiting", place)
                waiting += 1
        notifier = Notifier({"NOTIFY_SOCKET": place, "WATCHDOG_USEC": "1000000"}, pid=7)
        notifier.alive()
        for _ in range(waiting):
            assert listening.recv(1000) == b"STATUS=waiting"
        notifier.status("read again")
        assert listening.recv(1000) == b"STATUS=read again"


def test_a_name_that_no_socket_can_have_stops_nothing() -> None:
    for place in ("/" + "x" * 200, "/", "relative", "@" + "x" * 200):
        Notifier({"NOTIFY_SOCKET": place}, pid=7).ready("up")
