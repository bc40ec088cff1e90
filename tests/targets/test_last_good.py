"""The last good version of `targets.toml`: in force while the file is not in order, and never anything unchecked."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from rebalancer.errors import ConfigError
from rebalancer.targets import last_good
from rebalancer.targets.file import load_targets, parse_bytes, parse_targets
from rebalancer.targets.last_good import LastGood
from tests.targets.files import GOOD

NEW = GOOD.replace("60", "50").replace("14.5", "24.5")
BAD = GOOD.replace("60", "61")


class Kept:
    """A targets file and its last good version."""

    def __init__(self, folder: Path) -> None:
        self.path, self.state = folder / "targets.toml", folder / "state"
        self.copy = self.state / "targets.last-good.toml"
        self.store = LastGood(self.path, self.state)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path)
    made.path.write_text(GOOD)
    return made


def test_a_good_file_is_in_force_and_kept_to_the_byte(kept: Kept) -> None:
    assert kept.store.load() == (load_targets(kept.path), "")
    assert kept.copy.read_bytes() == kept.path.read_bytes()
    kept.path.write_text(NEW)
    assert kept.store.load() == (load_targets(kept.path), "")
    assert kept.copy.read_text() == NEW


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("damage", [BAD, "half = ", "", None])
def test_a_bad_or_missing_file_leaves_the_last_good_one_in_force_and_says_why(
    kept: Kept, damage: str | None, restarted: bool
) -> None:
    good, _ = kept.store.load()
    kept.path.unlink() if damage is None else kept.path.write_text(damage)
    targets, problem = (LastGood(kept.path, kept.state) if restarted else kept.store).load()
    assert targets == good
    with pytest.raises(ConfigError) as caught:
        load_targets(kept.path)
    assert problem == str(caught.value)
    assert kept.copy.read_text() == GOOD


@pytest.mark.parametrize("copy", [None, BAD, "\0"])
def test_without_a_good_version_the_problem_told_is_the_files_own(kept: Kept, copy: str | None) -> None:
    kept.path.write_text(BAD)
    if copy is not None:
        kept.state.mkdir()
        kept.copy.write_text(copy)
    with pytest.raises(ConfigError, match=r"/targets\.toml:4: weights: weights sum to 101"):
        kept.store.load()


def test_what_is_kept_is_what_was_checked_even_when_the_file_changes_meanwhile(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse_while_edited(raw: bytes, source: str) -> object:
        kept.path.write_text(BAD)
        return parse_bytes(raw, source)

    monkeypatch.setattr(last_good, "parse_bytes", parse_while_edited)
    targets, problem = kept.store.load()
    assert (targets.weights["BTC"], problem, kept.copy.read_text()) == (60, "", GOOD)


def test_a_state_directory_that_takes_no_copy_does_not_stop_the_service(kept: Kept) -> None:
    kept.state.write_text("in the way")
    good, problem = kept.store.load()
    kept.path.write_text(BAD)
    assert problem == ""
    assert kept.store.load()[0] == good


@pytest.mark.parametrize("seed", range(20))
def test_through_any_history_the_last_good_version_is_kept_and_in_force(tmp_path: Path, seed: int) -> None:
    rng, kept, last = random.Random(seed), Kept(tmp_path), ""
    for _ in range(15):
        text = rng.choice([GOOD, NEW, BAD, "x", GOOD[: rng.randrange(60)]])
        kept.path.write_text(text)
        good = text in (GOOD, NEW)
        last = text if good else last
        if rng.random() < 0.3:
            kept.store = LastGood(kept.path, kept.state)
        if not last:
            with pytest.raises(ConfigError):
                kept.store.load()
            continue
        targets, problem = kept.store.load()
        assert (targets, bool(problem)) == (parse_targets(last, "f"), not good), f"seed {seed}"
        assert kept.copy.read_text() == last, f"seed {seed}"
