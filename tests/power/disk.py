"""A disk that may lose, tear and reorder whatever was not synced when the power went."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.power.trace import Op, Rename, Sync, Truncate, Write

SECTOR_BYTES = 512  # what a disk writes whole or not at all
KEPT_SHARES = (0.0, 0.3, 0.7, 0.95, 1.0)


@dataclass
class File:
    """What is durable of a file, and what was asked since."""

    durable: bytearray = field(default_factory=bytearray)
    waiting: list[Write | Truncate] = field(default_factory=list)

    def sync(self) -> None:
        for op in self.waiting:
            _apply(self.durable, op)
        self.waiting = []

    def after_a_cut(self, rng: random.Random) -> bytearray:
        """Return what is found later: of what waited any sectors, in any order."""
        made, share = bytearray(self.durable), rng.choice(KEPT_SHARES)
        pieces = [piece for op in self.waiting for piece in _pieces(op) if rng.random() < share]
        if rng.random() < 0.5:
            rng.shuffle(pieces)
        for piece in pieces:
            _apply(made, piece)
        return made


@dataclass
class Disk:
    """The files of one folder. Names change in the order asked, as a journaling file system keeps them, but late."""

    files: dict[str, File] = field(default_factory=dict)
    renames: list[tuple[Rename, dict[str, File]]] = field(default_factory=list)  # unsynced, with the names before each

    def do(self, op: Op) -> None:
        if isinstance(op, Write | Truncate):
            self.files.setdefault(op.name, File()).waiting.append(op)
        elif isinstance(op, Rename):
            self.renames.append((op, dict(self.files)))
            gone = self.files.pop(op.name, None)
            if op.to and gone is not None:
                self.files[op.to] = gone
        elif isinstance(op, Sync) and op.name:
            self.files.setdefault(op.name, File()).sync()
        elif isinstance(op, Sync):
            self.renames = []

    def unsynced(self) -> bool:
        return any(file.waiting for file in self.files.values())

    def after_a_cut(self, rng: random.Random, folder: Path) -> None:
        """Write the files down as they may be found when the power is back."""
        names = self.files
        if self.renames:
            names = rng.choice([names, *(before for _, before in self.renames)])
        for name, file in names.items():
            (folder / name).write_bytes(file.after_a_cut(rng))


def _pieces(op: Write | Truncate) -> Iterator[Write | Truncate]:
    """Cut a write where the disk's sectors end."""
    if isinstance(op, Truncate):
        yield op
        return
    at = 0
    while at < len(op.data):
        size = SECTOR_BYTES - (op.offset + at) % SECTOR_BYTES
        yield Write(op.name, op.offset + at, op.data[at : at + size])
        at += size


def _apply(content: bytearray, op: Write | Truncate) -> None:
    end = op.size if isinstance(op, Truncate) else op.offset + len(op.data)
    if end > len(content):
        content.extend(bytes(end - len(content)))
    if isinstance(op, Truncate):
        del content[op.size :]
    else:
        content[op.offset : end] = op.data
