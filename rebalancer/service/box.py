"""A folder of one-time files: what somebody leaves for the service, whole or not at all, and takes back by name.

Nothing in it is trusted before it was read; nothing that lies in it can stop whoever looks.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rebalancer.durable import sync_folder, write_durably

BYTES_MAX = 100_000
WAITING_MAX = 20
ENDING = ".json"
ASIDE = ".refused"  # what cannot be removed is renamed to this, so that it is met once
OTHERS = stat.S_IRWXG | stat.S_IRWXO
_NAME = re.compile(r"[0-9a-f]{32}\.json")


class RequestRefused(ValueError):
    """A request that is not taken; the text says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it was met: what it holds, or why that is not taken."""

    name: str
    document: Mapping[str, Any]
    problem: str = ""

    @property
    def id(self) -> str:
        """Return the name that whoever left it was given."""
        return self.name.removesuffix(ENDING)


@dataclass(frozen=True, slots=True)
class Box:
    """One folder. A `private` one holds only what its owner left, where nobody else can put or change anything."""

    folder: Path
    private: bool = False

    def put(self, document: Mapping[str, Any], name: str = "") -> str:
        """Leave a document, durably; return its id. RequestRefused while too many wait, or where it is too large."""
        self._make_folder()
        if sum(1 for _ in self.folder.glob(f"*{ENDING}")) >= WAITING_MAX:
            raise RequestRefused(f"{WAITING_MAX} requests wait already: is the service running?")
        content = json.dumps(document).encode()
        if len(content) > BYTES_MAX:
            raise RequestRefused("the request is too large")
        made = name or new_id()
        write_durably(self.folder / f"{made}{ENDING}", content, 0o600 if self.private else 0o640)
        return made

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700 if self.private else 0o770)
        except FileExistsError:
            pass
        else:
            sync_folder(self.folder.parent)
        if self.private:
            os.close(self._open())

    def _open(self) -> int:
        """Return the folder, opened. RequestRefused where it is not ours alone though it should be."""
        opened = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        if self.private and (problem := _not_ours_alone(os.fstat(opened))):
            os.close(opened)
            raise RequestRefused(f"{self.folder} {problem}: nothing in it is taken; mend it with chown and chmod 700")
        return opened

    def waiting(self) -> list[Found]:
        """Return what lies there, oldest first. RequestRefused, OSError: the folder itself is not to be trusted."""
        try:
            opened = self._open()
        except FileNotFoundError:
            return []
        try:
            names = [each for each in os.listdir(opened) if each.endswith(ENDING)]  # noqa: PTH208  # of this very folder
            return [self._found(opened, name) for name in sorted(names, key=lambda each: (_age_ns(opened, each), each))]
        finally:
            os.close(opened)

    def _found(self, folder: int, name: str) -> Found:
        if not _NAME.fullmatch(name):
            return Found(name, {}, "its name is none that we give")
        try:
            return Found(name, _document(self._content(folder, name)))
        except RequestRefused as exc:
            return Found(name, {}, str(exc))
        except OSError as exc:
            link = exc.errno == errno.ELOOP
            return Found(name, {}, "it is a link" if link else f"it cannot be read: {os.strerror(exc.errno or 0)}")

    def _content(self, folder: int, name: str) -> bytes:
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            status = os.fstat(opened)
            if not stat.S_ISREG(status.st_mode):
                raise RequestRefused("it is no plain file")
            if self.private and (problem := _not_ours_alone(status)):
                raise RequestRefused(f"it {problem}")
            if status.st_size > BYTES_MAX:
                raise RequestRefused(f"it is larger than {BYTES_MAX} bytes")
            with os.fdopen(opened, "rb", closefd=False) as file:
                return file.read(BYTES_MAX)
        finally:
            os.close(opened)

    def remove(self, name: str) -> bool:
        """Take a file out, durably; return whether it was there. What cannot be removed is put aside."""
        path = self.folder / name
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError:  # a folder, for one
            path.rename(path.with_name(f"{new_id()}{ASIDE}"))  # its own name may leave no room, or be taken
        sync_folder(self.folder)
        return True


def new_id() -> str:
    """Return a name that nobody else has."""
    return secrets.token_hex(16)


def _not_ours_alone(status: os.stat_result) -> str:
    if status.st_uid != os.geteuid():
        return f"belongs to another user (number {status.st_uid})"
    if status.st_mode & OTHERS:
        return f"is open to other users (mode {stat.S_IMODE(status.st_mode):04o})"
    return ""


def _age_ns(folder: int, name: str) -> int:
    with suppress(OSError):
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns
    return 0


def _document(content: bytes) -> Mapping[str, Any]:
    """Return the JSON object that bytes are; RequestRefused where they are none that our own files could hold."""
    try:
        document = json.loads(content)
        json.dumps(document, ensure_ascii=False).encode()  # half a character could be neither journalled nor shown
    except (ValueError, RecursionError):
        raise RequestRefused("it is cut short, or no JSON") from None
    if not isinstance(document, dict):
        raise RequestRefused("it is no JSON object")
    return document
