"""Requests: taken once, while they are fresh, and nothing but what may be asked for."""

from __future__ import annotations

import errno
import json
import os
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest

from rebalancer.service.box import ASIDE, BYTES_MAX, WAITING_MAX, Box
from rebalancer.service.requests import FOLDER, LIFE, Ask, Request, RequestRefused, leave, take
from tests.core.builders import NOW


def asked(ask: Ask = Ask.PAUSE, **facts: str) -> Request:
    return Request(ask, NOW, facts)


@pytest.mark.parametrize("ask", Ask)
def test_what_is_left_is_taken_once_as_it_was(tmp_path: Path, ask: Ask) -> None:
    leave(tmp_path, asked(ask, reason="holiday"))
    assert list(take(tmp_path, NOW + timedelta(seconds=15))) == [asked(ask, reason="holiday")]
    assert list(take(tmp_path, NOW)) == [] and list((tmp_path / FOLDER).iterdir()) == []


def test_an_old_request_and_one_of_the_future_are_thrown_away(tmp_path: Path) -> None:
    for now in (NOW + LIFE + timedelta(seconds=1), NOW - LIFE - timedelta(seconds=1)):
        leave(tmp_path, asked())
        assert list(take(tmp_path, now)) == []
        assert list((tmp_path / FOLDER).iterdir()) == []


def test_what_is_asked_by_a_hurried_clock_counts_for_as_long_as_that_is_said_to(tmp_path: Path) -> None:
    request = Request(Ask.PAUSE, NOW, {})
    for late, taken in ((timedelta(days=600), [request]), (timedelta(days=601), [])):
        leave(tmp_path, request)
        assert [*take(tmp_path, NOW + late, timedelta(days=600))] == taken


def test_without_a_folder_nothing_was_asked(tmp_path: Path) -> None:
    assert list(take(tmp_path, NOW)) == []


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"\xff", b"x" * (BYTES_MAX + 1),
        json.dumps({"ask": "trade", "asked_at": NOW.isoformat(), "facts": {}}).encode(),
        json.dumps({"ask": "resume", "asked_at": NOW.isoformat(), "facts": {}}).encode(),
        json.dumps({"ask": "pause", "asked_at": "yesterday", "facts": {}}).encode(),
        json.dumps({"ask": "pause", "asked_at": NOW.isoformat(), "facts": []}).encode(),
        json.dumps({"ask": "pause", "facts": {}}).encode(),
        json.dumps({"ask": "pause", "asked_at": "0001-01-01T00:00:00+23:00", "facts": {}}).encode(),
        json.dumps({"ask": "pause", "asked_at": NOW.isoformat(), "facts": {"reason": "\ud800"}}).encode(),
        b'{"ask":' + b"[" * (BYTES_MAX - 10),
    ],
)  # fmt: skip
def test_what_is_no_request_is_used_up_and_does_nothing(tmp_path: Path, content: bytes) -> None:
    path = leave(tmp_path, asked())
    path.write_bytes(content)
    assert list(take(tmp_path, NOW)) == []
    assert not path.exists()


def test_a_link_a_pipe_and_a_strange_name_are_not_followed(tmp_path: Path) -> None:
    folder = leave(tmp_path, asked()).parent
    list(take(tmp_path, NOW))
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"ask": "pause", "asked_at": NOW.isoformat(), "facts": {}}))
    (folder / f"{'a' * 32}.json").symlink_to(secret)
    os.mkfifo(folder / f"{'b' * 32}.json")
    (folder / "other.json").write_text(secret.read_text())
    assert list(take(tmp_path, NOW)) == []
    assert secret.exists() and list(folder.iterdir()) == []


def test_a_folder_of_that_name_is_put_aside_and_met_once(tmp_path: Path) -> None:
    folder = leave(tmp_path, asked()).parent
    (folder / f"{'a' * 32}.json").mkdir()
    assert list(take(tmp_path, NOW)) == [asked()] and list(take(tmp_path, NOW)) == []
    assert [path.suffix for path in folder.iterdir()] == [ASIDE]


def test_what_was_taken_before_trouble_is_not_lost_and_what_comes_after_waits_on(tmp_path: Path) -> None:
    paths = [leave(tmp_path, asked(reason=each)) for each in ("first", "stuck", "last")]
    for number, path in enumerate(paths):
        os.utime(path, (number, number))
    remove = Box.remove

    def stuck(box: Box, name: str) -> bool:
        if name == paths[1].name:
            raise PermissionError(errno.EPERM, "not permitted")
        return remove(box, name)

    with mock.patch.object(Box, "remove", stuck):
        taking = take(tmp_path, NOW)
        assert next(taking) == asked(reason="first")
        with pytest.raises(PermissionError):
            next(taking)
    assert list(take(tmp_path, NOW)) == [asked(reason="stuck"), asked(reason="last")]


def test_too_many_or_too_large_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestRefused, match="too large"):
        leave(tmp_path, asked(reason="x" * BYTES_MAX))
    for _ in range(WAITING_MAX):
        leave(tmp_path, asked())
    with pytest.raises(RequestRefused, match="wait already: is the service running"):
        leave(tmp_path, asked())
