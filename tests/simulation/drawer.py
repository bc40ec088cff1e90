"""The files by which an owner answers a running service, and what becomes of such files: torn, old, foreign, garbage."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from rebalancer.service import answers
from rebalancer.service.answers import Answer
from rebalancer.service.box import Box, RequestRefused
from tests.simulation.words import Given, Words
from tests.simulation.world import World

TOO_OLD = timedelta(hours=3)
COPIES_KEPT = 8
GARBAGE: tuple[bytes, ...] = (
    b"", b"{", b"null", b"[]", b'{"schema": "rebalancer.answer/1"}', b"[" * 9_000, b'{"id": NaN}', b"\xff\xfe\x00",
    b'{"text": "\\ud800"}', b"x" * 200_000, b'{"schema": "rebalancer.answer/9", "id": 7}',
    b'{"ask": "resume", "asked_at": "2026-03-02T00:00:00Z", "facts": {}}', b'{"ask": "pause", "asked_at": 1, "facts": []}',
    b'{"ask": "place", "asked_at": "2026-03-02T00:00:00Z", "facts": {"symbol": "btcusdt", "amount": "1"}}',
)  # fmt: skip


class Drawer:
    """The folder of answers of one state directory, as its owner and everything else on the machine use it."""

    def __init__(self, world: World, state: Path) -> None:
        self._world, self._state, self._folder = world, state, state / answers.FOLDER
        self._rng = world.chance["files"]
        self._copies: list[tuple[str, bytes]] = []
        self._number = 0
        self._mend: Callable[[], None] | None = None

    def leave(self, answer: Answer, given: Given, words: Words) -> None:
        """Leave an answer, now and then in a way in which it is not to count, or twice."""
        fate = "" if self._world.quiet else self._rng.choices(
            ("", "stale_answer", "foreign_answer", "torn_answer", "answered_twice"), (16, 1, 1, 1, 1)
        )[0]  # fmt: skip
        if fate:
            self._world.fired[fate] += 1
        if fate == "stale_answer":
            answer = replace(answer, asked_at=answer.asked_at - TOO_OLD)
        if fate == "foreign_answer":
            answer = replace(answer, account={**answer.account, "account_id": "20202020"})
        given = replace(given, counts=fate not in ("stale_answer", "foreign_answer"))
        with suppress(RequestRefused, OSError):  # the folder is not as it should be: the owner tries again later
            name = answers.leave(self._state, answer)
            words.by_id[name] = given
            self._keep(name)
            if fate == "torn_answer":
                path = self._folder / f"{name}.json"
                path.write_bytes(path.read_bytes()[: self._rng.randint(1, 200)])
            if fate == "answered_twice":
                self._put_again(name, given, words)
            self.settle_order()

    def _keep(self, name: str) -> None:
        content = (self._folder / f"{name}.json").read_bytes()
        self._copies = [*self._copies[1 - COPIES_KEPT :], (name, content)]

    def _put_again(self, name: str, given: Given, words: Words) -> None:
        """Give the same answer once more, under a name of its own."""
        document = json.loads((self._folder / f"{name}.json").read_bytes())
        again = f"{self._rng.getrandbits(128):032x}"
        words.by_id[again] = given
        Box(self._folder, private=True).put({**document, "id": again}, again)

    def settle_order(self) -> None:
        """Let the files be as old as they were left: by the order of the simulation, not by this machine's clock."""
        for path in sorted(
            self._folder.glob("*.json"), key=lambda path: (path.lstat().st_mtime_ns > 10**15, path.name)
        ):
            if path.lstat().st_mtime_ns > 10**15:
                self._number += 1
                os.utime(path, ns=(self._number, self._number), follow_symlinks=False)

    def go_wrong(self) -> None:
        """Put what was there before, copies, garbage and other things into the folder, or open it to others."""
        if self._mend is not None:
            self._mend()
            self._mend = None
        if self._world.quiet or self._rng.random() >= 0.06 or not self._folder.is_dir():
            return
        wrong = self._rng.choice((self._replay, self._copy, self._garbage, self._no_file, self._open_to_others))
        wrong()
        self.settle_order()

    def _replay(self) -> None:
        if self._copies:
            name, content = self._rng.choice(self._copies)
            self._write(f"{name}.json", content)
            self._world.fired["replayed_answer"] += 1

    def _copy(self) -> None:
        if self._copies:
            self._write(f"{self._rng.getrandbits(128):032x}.json", self._rng.choice(self._copies)[1])
            self._world.fired["copied_answer"] += 1

    def _garbage(self) -> None:
        name = self._rng.choice((f"{self._rng.getrandbits(128):032x}", "answer", "-rf", "ü" * 40, "a b\nc"))
        content = self._rng.choice(GARBAGE)
        if self._copies and self._rng.random() < 0.4:  # one bit of a true one is another
            changed = bytearray(self._rng.choice(self._copies)[1])
            changed[self._rng.randrange(len(changed))] ^= 1 << self._rng.randrange(7)
            content = bytes(changed)
        self._write(f"{name}.json", content)
        self._world.fired["garbage_answer"] += 1

    def _no_file(self) -> None:
        """Put something else than a file of ours in the place of one."""
        path = self._folder / f"{self._rng.getrandbits(128):032x}.json"
        kind = self._rng.choice(("folder", "full", "link", "pipe", "open"))
        if kind in ("folder", "full"):
            path.mkdir()
            if kind == "full":
                (path / "more").write_bytes(b"")
        elif kind == "link":
            path.symlink_to(self._state / "pause")
        elif kind == "pipe":
            os.mkfifo(path, 0o600)
        else:
            self._write(path.name, self._copies[-1][1] if self._copies else b"{}", 0o666)
        self._world.fired["no_plain_answer"] += 1

    def _open_to_others(self) -> None:
        self._folder.chmod(0o777)
        self._mend = lambda: self._folder.chmod(0o700)
        self._world.fired["open_folder"] += 1

    def _write(self, name: str, content: bytes, mode: int = 0o600) -> None:
        path = self._folder / name
        path.write_bytes(content)
        path.chmod(mode)
