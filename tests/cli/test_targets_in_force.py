"""The targets a running service goes by, while its owner edits, breaks and mends the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rebalancer.cli.serve import TargetsInForce
from rebalancer.errors import ConfigError
from rebalancer.settings import Settings
from rebalancer.targets.last_good import LastGood
from tests.targets.files import GOOD

LIVE = GOOD + "[limits]\nmax_notional_per_day = 5000\nmax_order_notional = 1000\n"
NEW = LIVE.replace("60", "50").replace("14.5", "24.5")
BAD = LIVE.replace("60", "61")


class Watched:
    """A file, a service that reads it, and what the service said."""

    def __init__(self, folder: Path, *, live: bool) -> None:
        self.settings = Settings(targets=folder / "targets.toml", state_dir=folder / "state")
        self.file = self.settings.paths.targets
        self.copy = self.settings.paths.state / "targets.last-good.toml"
        self.said: list[str] = []
        self.words: list[str] = []
        self.live = live

    def start(self) -> TargetsInForce:
        store = LastGood(self.file, self.settings.paths.state)
        return TargetsInForce(store, self.settings, live=self.live, say=self._say)

    def _say(self, event: str, **more: Any) -> None:
        self.said.append(event)
        self.words.append(more.get("text", ""))


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    made = Watched(tmp_path, live=True)
    made.file.write_text(LIVE)
    return made


def test_a_change_is_taken_at_once_and_said_once(watched: Watched) -> None:
    force = watched.start()
    before = force.targets
    watched.file.write_text(NEW)
    assert [force.refresh().weights["BTC"] for _ in range(3)] == [50] * 3 != [before.weights["BTC"]] * 3
    assert watched.said == ["targets_changed"] and watched.words == ["BTC 60 -> 50, USDT 14.5 -> 24.5"]


def test_a_bad_file_leaves_the_last_good_targets_in_force_until_it_is_mended(watched: Watched) -> None:
    force = watched.start()
    good = force.targets
    watched.file.write_text(BAD)
    for _ in range(3):
        assert force.refresh().digest == good.digest and "sum to 101" in force.problem
    watched.file.write_text(LIVE)
    for _ in range(3):
        assert force.refresh().digest == good.digest and not force.problem
    assert watched.said == ["targets_bad", "targets_good"]


def test_limits_that_live_needs_cannot_be_taken_out_while_it_runs(watched: Watched) -> None:
    force = watched.start()
    watched.file.write_text(GOOD)
    assert force.refresh().limits.max_order_notional == 1000
    assert "live trading needs" in force.problem and watched.said == ["targets_bad"]
    watched.live = False
    assert watched.start().targets.limits.max_order_notional is None, "a dry run does not need them"


@pytest.mark.parametrize(
    "harm", [Path.unlink, lambda copy: copy.write_bytes(b"\xff"), lambda copy: copy.write_text("")]
)
def test_a_running_service_needs_its_copy_of_the_good_version_no_more(
    watched: Watched, harm: Callable[[Path], object]
) -> None:
    force = watched.start()
    good = force.targets
    watched.file.write_text(BAD)
    harm(watched.copy)
    assert force.refresh().digest == good.digest and force.problem
    watched.file.unlink()
    assert force.refresh().digest == good.digest and force.problem


@pytest.mark.parametrize("had_a_good_one", [False, True])
def test_a_bad_file_at_the_start_is_an_error_whatever_was_good_before(watched: Watched, had_a_good_one: bool) -> None:
    if had_a_good_one:
        watched.start()
    for text in (BAD, GOOD, "nonsense"):
        watched.file.write_text(text)
        with pytest.raises(ConfigError):
            watched.start()
