"""Inside the victim: every boundary is counted, noted beside, and at the chosen one the process gets its signal.

What is watched does the same as before, with the same bytes; a place call's bytes only leave in more pieces.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from rebalancer.journal.rows import Entry, Row
from rebalancer.journal.store import Journal

HEAD_END = b"\r\n\r\n"
PEEK_BYTES = 65536
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_NUMBER = re.compile(r"(?<=/)\d+")


class Watch:
    """Notes lines beside the process: what was passed, what was durable. A note written outlives the process."""

    def __init__(self, notes: Path, *, at: str = "", nth: int = 0, number: signal.Signals = signal.SIGKILL) -> None:
        self._notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._at, self._nth, self._number = at, nth, number
        self._lock = threading.Lock()
        self._named: Counter[str] = Counter()
        self._passed = 0

    def name(self, what: str) -> str:
        """Return a name of its own for the next of its kind: `POST place #2`."""
        with self._lock:
            self._named[what] += 1
            return f"{what} #{self._named[what]}"

    def note(self, kind: str, value: object) -> None:
        os.write(self._notes, json.dumps({kind: value}).encode() + b"\n")

    def reach(self, boundary: str) -> None:
        """Pass a boundary, or end at it."""
        with self._lock:
            self._passed += 1
            chosen = boundary == self._at or self._passed == self._nth
            self.note("at", boundary)
            if chosen:
                self.note("fired", time.perf_counter())
        if chosen:
            os.kill(os.getpid(), self._number)


class WatchedDatabase(sqlite3.Connection):
    """Begins and commits at boundaries; the sync to disk is inside the commit."""

    watch: Watch
    under_way = ""  # the append that a transaction belongs to

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        before, after = self._boundaries(sql)
        return self._between(before, after, lambda: super(WatchedDatabase, self).execute(sql, *values))

    def executescript(self, sql: str) -> sqlite3.Cursor:
        name = self.watch.name("journal: its tables")
        return self._between(
            f"{name}: before", f"{name}: after", lambda: super(WatchedDatabase, self).executescript(sql)
        )

    def _boundaries(self, sql: str) -> tuple[str, str]:
        if sql.startswith("PRAGMA journal_mode"):
            name = self.watch.name("journal: its log")
            return f"{name}: before", f"{name}: after"
        if sql.startswith("BEGIN"):
            return f"{self.under_way}: before BEGIN", ""
        if sql == "COMMIT":
            return f"{self.under_way}: before COMMIT", f"{self.under_way}: after COMMIT"
        return "", ""

    def _between(self, before: str, after: str, work: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        if before:
            self.watch.reach(before)
        done = work()
        if after:
            self.watch.reach(after)
        return done


class WatchedSocket(socket.socket):
    """Connects, writes and reads at boundaries; what it carries names them."""

    watch: Watch

    def connect(self, address: Any) -> None:
        if self.family != socket.AF_INET:
            super().connect(address)
            return
        # Which read of a round opens a connection is a matter of chance, so these are only numbered.
        name = self.watch.name("connect for reads" if threading.current_thread().name.startswith("read") else "connect")
        self.watch.reach(f"{name}: before")
        super().connect(address)
        self.watch.reach(f"{name}: after")
        self._name, self._sent, self._cuts = "", 0, {}

    def send(self, data: Any, flags: int = 0) -> int:
        piece = bytes(data)
        if not self._cuts:
            self._begin(piece)
        ahead = min(cut for cut in self._cuts if cut > self._sent)
        count = super().send(piece[: ahead - self._sent], flags)
        self._sent += count
        if self._sent in self._cuts:
            self.watch.reach(f"{self._name}: {self._cuts[self._sent]}")
        if self._sent == max(self._cuts):
            self._cuts, self._got = {}, b""
        return count

    def _begin(self, head: bytes) -> None:
        """Name the request by its first line, and mark the places in its bytes."""
        method, target = head.split(b" ", 2)[:2]
        place = urlsplit(target.decode())
        symbols = parse_qs(place.query).get("symbol", [""])[0]
        self._name = self.watch.name(f"{method.decode()} {_NUMBER.sub('*', place.path)} {symbols}".rstrip())
        self._placing = method == b"POST"
        size, end = _sizes(head)
        self._sent = 0
        self._cuts = {end + size: "request written"}
        if self._placing:
            self._cuts |= {1: "one byte written", end: "head written", end + 1: "one byte of the body written",
                           end + size - 1: "one byte unwritten"}  # fmt: skip
        self.watch.reach(f"{self._name}: before its first byte")

    def recv(self, size: int, flags: int = 0) -> bytes:
        if flags or self._cuts:  # the far side said something, or went, before we were done
            return super().recv(size, flags)
        if not self._got:
            size = 1
            if self._placing:
                super().recv(1, socket.MSG_PEEK)
                self.watch.reach(f"{self._name}: answer there, unread")
        elif self._placing:
            whole = sum(_sizes(self._got + super().recv(PEEK_BYTES, socket.MSG_PEEK)))
            size = min(size, max(1, whole - 1 - len(self._got)))
        data = super().recv(size)
        self._got += data
        self._tell_read(len(self._got) - len(data), sum(_sizes(self._got)))
        return data

    def _tell_read(self, before: int, whole: int) -> None:
        got = len(self._got)
        if before == 0 and got:
            self.watch.reach(f"{self._name}: first byte read")
        elif self._placing and got == whole - 1:
            self.watch.reach(f"{self._name}: one byte unread")
        elif got == whole:
            self.watch.reach(f"{self._name}: answer read")


def _sizes(message: bytes) -> tuple[int, int]:
    """Return the lengths of a message's body and of its head; far away while the head is not whole."""
    end = message.find(HEAD_END)
    if end < 0:
        return 0, PEEK_BYTES**2
    found = _LENGTH.search(message, 0, end)
    return (int(found[1]) if found else 0), end + len(HEAD_END)


def put_in(watch: Watch) -> None:
    """Put the watch into this process: its database, its sockets, its journal."""
    WatchedDatabase.watch = WatchedSocket.watch = watch
    connect, append = sqlite3.connect, Journal.append
    sqlite3.connect = lambda *args, **more: connect(*args, factory=WatchedDatabase, **more)  # type: ignore[assignment]
    socket.socket = WatchedSocket  # type: ignore[misc]

    def watched(journal: Journal, *entries: Entry) -> tuple[Row, ...]:
        kinds = "+".join(dict.fromkeys(entry.kind.value for entry in entries))
        WatchedDatabase.under_way = name = watch.name(f"append {kinds}")
        rows = append(journal, *entries)
        watch.note("durable", [[row.seq, row.hash] for row in rows])
        watch.reach(f"{name}: returned")
        return rows

    Journal.append = watched  # type: ignore[method-assign]
