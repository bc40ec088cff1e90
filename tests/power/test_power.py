"""Power cuts by the hundred on every change; `python -m tests.power` makes them by the ten thousand."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from rebalancer.journal.store import Journal
from tests.power.cuts import cut
from tests.power.disk import SECTOR_BYTES, Disk, File
from tests.power.trace import ROOT, Answered, Op, Rename, Sync, Truncate, Write, parse, record
from tests.support import FakeClock

LIFE = 1


@pytest.fixture(scope="module")
def ops() -> Sequence[Op]:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt install strace")
    if subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace may trace nothing here")
    return record(LIFE)


def test_no_power_cut_takes_a_row_that_was_answered_for(ops: Sequence[Op]) -> None:
    found = cut(LIFE, ops, range(120))
    assert not found.problems, found.problems
    assert found.cuts == 120 and found.torn > 50, found


def test_nothing_waits_for_a_sync_when_the_journal_answers(ops: Sequence[Op]) -> None:
    found = cut(LIFE, ops, [])
    assert found.answers > 30 and found.syncs >= found.answers
    assert not found.unsynced_answers


def test_a_journal_that_does_not_sync_is_found_out(ops: Sequence[Op]) -> None:
    careless = [op for op in ops if not (isinstance(op, Sync) and op.name.endswith("-wal"))]
    found = cut(LIFE, careless, range(60))
    assert any("lost" in text for text in found.problems), found
    assert found.unsynced_answers > 30


@pytest.mark.usefixtures("ops")  # they need what this needs
@pytest.mark.parametrize("number", [20, 33])
def test_a_sync_that_fails_ends_the_writer_and_what_it_answered_for_before_is_kept(tmp_path: Path, number: int) -> None:
    """The kernel says no to one sync alone; whoever goes on writing after it is not told what was lost."""
    failing = ["strace", "-o", os.devnull, "-e", f"inject=fsync,fdatasync:error=EIO:when={number}"]
    writer = [sys.executable, "-m", "tests.power.writer", str(tmp_path), str(LIFE)]
    done = subprocess.run([*failing, *writer], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode and "JournalError" in done.stderr and "disk I/O error" in done.stderr, done.stderr
    answered = [line.split() for line in done.stdout.splitlines()]
    with Journal.open(tmp_path / "journal.db", FakeClock()) as journal:
        kept = {str(row.seq): row.hash for row in journal.rows()}
    assert answered and all(kept[seq] == digest for seq, digest in answered)


def test_calls_on_the_journals_files_are_read_and_others_are_not(tmp_path: Path) -> None:
    file, other = _hex(f"{tmp_path}/j"), _hex(f"{tmp_path}-not/j")
    lines = [
        f'pwrite64(4<{file}>, "{_hex("ab")}", 2, 7) = 2',
        f'pwrite64(4<{other}>, "{_hex("ab")}", 2, 7) = 2',
        f'pwrite64(4<{file}>, "{_hex("ab")}", 2, 7) = -1 ENOSPC (No space left on device)',
        f"ftruncate(4<{file}>, 5) = 0",
        f"fdatasync(4<{file}>) = 0",
        f"fsync(5<{_hex(str(tmp_path))}>) = 0",
        f'rename("{_hex(f"{tmp_path}/a")}", "{file}") = 0',
        f'write(1<{_hex("pipe:[1]")}>, "{_hex("12 cafe")}", 7) = 7',
        f"fdatasync(4<{_hex(f'{tmp_path}/j-shm')}>) = 0",
    ]
    expected = [Write("j", 7, b"ab"), Truncate("j", 5), Sync("j"), Sync(""), Rename("a", "j"), Answered(12, "cafe")]
    assert list(parse("\n".join(lines), tmp_path)) == expected


def test_what_is_synced_stays_and_the_rest_is_torn_by_sectors(tmp_path: Path) -> None:
    file = File()
    file.waiting.append(Write("j", 0, b"a" * 2 * SECTOR_BYTES))
    file.sync()
    file.waiting.append(Write("j", 0, b"b" * 2 * SECTOR_BYTES))
    seen = {bytes(file.after_a_cut(random.Random(seed))) for seed in range(60)}
    assert seen == {one * SECTOR_BYTES + two * SECTOR_BYTES for one in (b"a", b"b") for two in (b"a", b"b")}


def test_a_name_may_change_late_until_its_folder_is_synced(tmp_path: Path) -> None:
    disk = Disk()
    for op in (Write("new", 0, b"x"), Sync("new"), Rename("new", "j")):
        disk.do(op)
    assert _names_after_cuts(disk, tmp_path) == {("j",), ("new",)}
    disk.do(Sync(""))
    assert _names_after_cuts(disk, tmp_path) == {("j",)}


def _names_after_cuts(disk: Disk, folder: Path) -> set[tuple[str, ...]]:
    seen = set()
    for seed in range(30):
        place = folder / f"{len(disk.renames)}-{seed}"
        place.mkdir()
        disk.after_a_cut(random.Random(seed), place)
        seen.add(tuple(sorted(path.name for path in place.iterdir())))
    return seen


def _hex(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode())
