"""A folder of one-time files: durable, whole or not at all, and private where it must be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from rebalancer.service.box import BYTES_MAX, WAITING_MAX, Box, RequestRefused, new_id

NAME = f"{'a' * 32}.json"


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path / "answers", private=True)


def problem(box: Box) -> str:
    (found,) = box.waiting()
    assert not found.document
    return found.problem


def test_what_is_put_is_found_under_its_id_and_gone_once_removed(box: Box) -> None:
    first, second = box.put({"a": "1"}), box.put({"b": "2"})
    assert [(found.id, found.document, found.problem) for found in box.waiting()] == [
        (first, {"a": "1"}, ""),
        (second, {"b": "2"}, ""),
    ]
    assert box.remove(f"{first}.json") and not box.remove(f"{first}.json")
    assert [found.id for found in box.waiting()] == [second]


def test_a_private_box_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        private, shared = Box(tmp_path / "mine", private=True), Box(tmp_path / "ours")
        paths = [each.folder / f"{each.put({})}.json" for each in (private, shared)]
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o600, 0o640]
    assert [path.parent.stat().st_mode & 0o777 for path in paths] == [0o700, 0o770]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_private_file_that_others_may_touch_is_not_taken(box: Box, mode: int) -> None:
    (box.folder / f"{box.put({})}.json").chmod(mode)
    assert problem(box) == f"it is open to other users (mode 0{mode:o})"


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o770, 0o777])
def test_a_private_folder_that_others_may_touch_holds_nothing_that_counts(box: Box, mode: int) -> None:
    box.put({})
    box.folder.chmod(mode)
    for act in (box.waiting, lambda: box.put({})):
        with pytest.raises(RequestRefused, match=rf"is open to other users \(mode 0{mode:o}\).*chmod 700"):
            act()


def test_what_belongs_to_another_user_is_not_taken(box: Box) -> None:
    box.put({})
    with mock.patch("os.geteuid", return_value=os.getuid() + 1), pytest.raises(RequestRefused, match="another user"):
        box.waiting()
    status = os.stat_result((0o100600, 0, 0, 1, os.getuid() + 1, 0, 2, 0, 0, 0))
    fstat = os.fstat
    with mock.patch(
        "os.fstat", lambda each: status if Path(f"/proc/self/fd/{each}").resolve().is_file() else fstat(each)
    ):
        assert "belongs to another user" in problem(box)


def link(path: Path) -> None:
    path.with_name("elsewhere").write_text("{}")
    path.symlink_to("elsewhere")


MADE: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "cut short"),
    "cut": (lambda path: path.write_bytes(b'{"a": "1'), "cut short"),
    "no object": (lambda path: path.write_bytes(b"[]"), "no JSON object"),
    "deep": (lambda path: path.write_bytes(b"[" * (BYTES_MAX - 1)), "no JSON"),
    "no text": (lambda path: path.write_bytes(b"\xff\xfe{"), "no JSON"),
    "half a character": (lambda path: path.write_bytes(b'{"a": "\\ud800"}'), "no JSON"),
    "large": (lambda path: path.write_bytes(b" " * BYTES_MAX + b"{}"), f"larger than {BYTES_MAX}"),
    "link": (link, "it is a link"),
    "pipe": (os.mkfifo, "no plain file"),
    "folder": (Path.mkdir, "no plain file"),
}


@pytest.mark.parametrize("kind", MADE)
def test_what_is_no_document_is_named_and_can_be_got_rid_of(box: Box, kind: str) -> None:
    box.remove(f"{box.put({})}.json")
    make, words = MADE[kind]
    path = box.folder / NAME
    make(path)
    if not path.is_symlink():
        path.chmod(0o600)
    assert words in problem(box)
    assert box.remove(NAME) and box.waiting() == []


def test_a_folder_is_put_aside_however_long_its_name_is_and_whatever_was_put_aside_before(box: Box) -> None:
    box.remove(f"{box.put({})}.json")
    for name in (NAME, NAME, f"{'b' * 250}.json"):
        (box.folder / name).mkdir()
        (box.folder / name / "inside").touch()
        assert box.remove(name)
    assert box.waiting() == [] and len(list(box.folder.iterdir())) == 3


def test_a_name_that_is_none_of_ours_is_not_read(box: Box) -> None:
    box.put({})
    box.put({}, name="../answers/other")
    assert [found.problem for found in box.waiting() if found.id == "other"] == ["its name is none that we give"]


def test_a_link_in_the_place_of_the_folder_is_not_followed(box: Box, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    box.folder.symlink_to("elsewhere")
    with pytest.raises(OSError, match="answers"):
        box.waiting()
    with pytest.raises(OSError, match="answers"):
        box.put({})


def test_what_is_put_is_whole_or_not_there_wherever_the_machine_stops(box: Box) -> None:
    class Stop(BaseException):
        pass

    steps = ("os.fchmod", "os.fsync", "pathlib.Path.replace")
    for step in steps:
        with mock.patch(step, side_effect=Stop), pytest.raises(Stop):
            box.put({"a": "1"})
        assert box.waiting() == [], step
    assert list(box.folder.iterdir()) == []


def test_no_more_wait_than_anybody_could_mean(box: Box) -> None:
    for _ in range(WAITING_MAX):
        box.put({})
    with pytest.raises(RequestRefused, match="wait already"):
        box.put({}, name=new_id())
