"""What a process really asked of the disk, in order, as strace saw it."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # syncs cost nothing there, and are seen
ROOT = Path(__file__).parents[2]
CALLS = "write,pwrite64,fsync,fdatasync,ftruncate,unlink,rename"
NEVER_CUT = "999999999"  # bytes of a call that strace prints
_LINE = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
_FILE = re.compile(r"^\d+<((?:\\x[0-9a-f]{2})+)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True)
class Write:
    """Bytes put somewhere in a file."""

    name: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Truncate:
    """A file cut, or grown by nothing."""

    name: str
    size: int


@dataclass(frozen=True)
class Sync:
    """All of a file must be durable before this returns; of a folder (an empty name), what its names are."""

    name: str


@dataclass(frozen=True)
class Rename:
    """A name that goes, and the one that its file has from then on; none when it is deleted."""

    name: str
    to: str


@dataclass(frozen=True)
class Answered:
    """Here the journal said that everything up to a row is kept."""

    seq: int
    digest: str


Op = Write | Truncate | Sync | Rename | Answered


def record(seed: int) -> list[Op]:
    """Trace one life of the journal; FileNotFoundError without strace, RuntimeError when it or the life fails."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        where, kept = Path(folder) / "state", Path(folder) / "trace"
        where.mkdir()
        command = ["strace", "-yy", "-xx", "-s", NEVER_CUT, "-e", f"trace={CALLS}", "-o", str(kept), sys.executable]
        command += ["-m", "tests.power.writer", str(where), str(seed)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the traced life {seed} ended with {done.returncode}: {done.stderr[-500:]}")
        return list(parse(kept.read_text(encoding="ascii"), where))


def parse(trace: str, folder: Path) -> Iterator[Op]:
    """Read the calls that went to a folder's files, or to stdout; SQLite's shared memory is no file that outlives it."""
    for line in trace.splitlines():
        match = _LINE.match(line)
        if match is None or match[3].startswith("-"):
            continue
        op = _op(match[1], match[2], folder)
        if op is not None and not getattr(op, "name", "").endswith("-shm"):
            yield op


def _op(call: str, arguments: str, folder: Path) -> Op | None:
    texts = [_bytes(text) for text in _TEXT.findall(arguments)]
    if call in ("unlink", "rename"):
        name, to = _name(texts[0], folder), _name(texts[1], folder) if call == "rename" else ""
        return None if name is None or to is None else Rename(name, to)
    if call == "write" and arguments.startswith("1<"):
        seq, digest = texts[0].decode().split()
        return Answered(int(seq), digest)
    file = _FILE.match(arguments)
    name = _name(_bytes(file[1]), folder) if file else None
    if name is None:
        return None
    if call == "pwrite64":
        return Write(name, int(arguments.rpartition(" ")[2]), texts[0])
    if call == "ftruncate":
        return Truncate(name, int(arguments.rpartition(" ")[2]))
    if call in ("fsync", "fdatasync"):
        return Sync(name)
    raise ValueError(f"{call} to {name}: a way of writing that this trace does not know")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _name(path: bytes, folder: Path) -> str | None:
    """Return a file's name inside the folder, an empty one for the folder itself, None for what lies elsewhere."""
    found = Path(path.decode())
    if found == folder:
        return ""
    return found.name if found.parent == folder else None
