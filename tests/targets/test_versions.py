"""The versions that can be gone back to, and the notes of who changed what: private, bounded, never trusted blindly."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.errors import ConfigError
from rebalancer.targets import versions
from rebalancer.targets.changes import Change, How, Version, version_of
from rebalancer.targets.file import parse_targets
from rebalancer.targets.versions import (
    CONTENTS,
    CONTENTS_MAX,
    NOTES,
    NOTES_MAX,
    change_of,
    content_of,
    document_of,
    drop_notes,
    keep,
    kept,
    leave_note,
    noted,
)
from tests.targets.files import GOOD

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TARGETS = parse_targets(GOOD, "f")
OTHER = parse_targets(GOOD.replace("60", "50").replace("14.5", "24.5"), "f")
CHANGE = Change(How.SET, "anna", AT, version_of(TARGETS), version_of(OTHER))


def test_a_version_comes_back_to_the_byte_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    raw = f"# mine\r\n{GOOD}".encode()
    keep(tmp_path, TARGETS.digest, raw)
    assert kept(tmp_path) == [TARGETS.digest] and content_of(tmp_path, TARGETS.digest) == raw
    assert (tmp_path / CONTENTS).stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / CONTENTS).iterdir()} == {0o600}


def test_only_so_many_are_kept_and_the_oldest_go(tmp_path: Path) -> None:
    for number in range(CONTENTS_MAX + 5):
        keep(tmp_path, f"{number:064}", b"x")
        os.utime(tmp_path / CONTENTS / f"{number:064}.toml", (number, number))
    assert kept(tmp_path) == [f"{number:064}" for number in reversed(range(5, CONTENTS_MAX + 5))]


@pytest.mark.parametrize("harm", [GOOD.replace("60", "61"), GOOD.replace("60", "50").replace("14.5", "24.5"), ""])
def test_a_version_that_is_not_what_it_was_is_not_gone_back_to(tmp_path: Path, harm: str) -> None:
    keep(tmp_path, TARGETS.digest, GOOD.encode())
    (tmp_path / CONTENTS / f"{TARGETS.digest}.toml").write_text(harm)
    with pytest.raises(ConfigError):
        content_of(tmp_path, TARGETS.digest)


def test_a_version_that_is_not_kept_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        content_of(tmp_path, TARGETS.digest)


def test_notes_come_back_in_the_order_they_were_left_and_go_when_dropped(tmp_path: Path) -> None:
    for minute in (2, 0, 1):
        leave_note(tmp_path, Change(How.UNDO, "anna", AT + timedelta(minutes=minute), None, version_of(TARGETS)))
    found = noted(tmp_path)
    assert [change.at for change in found] == [AT + timedelta(minutes=minute) for minute in range(3)]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / NOTES).iterdir()} == {0o600}
    drop_notes(tmp_path, [found[0].note, found[1].note, "gone", ""])
    assert noted(tmp_path) == found[2:]


def test_a_change_reads_back_as_it_was_written() -> None:
    assert change_of(document_of(CHANGE) | {"before": None}).before is None
    noted_down = {
        **document_of(CHANGE),
        "after": {"digest": OTHER.digest, "weights": {"BTC": "50"}, "settings": {"quote": "USDT"}},
    }
    assert change_of(noted_down).after == Version(OTHER.digest, {"BTC": Decimal(50)}, {"quote": "USDT"})
    assert change_of(document_of(CHANGE)) == CHANGE


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"how": "stolen"}', "\0", '{"how": "set", "who": "x", "at": 1}'])
def test_what_is_no_note_is_passed_over(tmp_path: Path, content: str) -> None:
    leave_note(tmp_path, CHANGE)
    (tmp_path / NOTES / "0.json").write_text(content)
    assert [change.after for change in noted(tmp_path)] == [version_of(OTHER)]


def test_notes_that_nobody_takes_over_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "NOTES_MAX", 3)
    assert NOTES_MAX > 3
    for minute in range(6):
        leave_note(tmp_path, Change(How.SET, "anna", AT + timedelta(minutes=minute), None, version_of(TARGETS)))
    assert len(noted(tmp_path)) == 3
