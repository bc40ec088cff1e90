"""The demo in its owner's place: what it confirms, and what it drops with a word."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rebalancer.cli.demo import TARGETS
from rebalancer.cli.demo_owner import confirm_staged
from rebalancer.cli.demo_served import SCHEDULE
from rebalancer.settings import Settings
from rebalancer.targets.file import load_targets
from rebalancer.targets.staging import stage, staged_in

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OTHERS = {"BTC": "30", "ETH": "30", "SOL": "10", "XRP": "10", "LINK": "5", "USDT": "15"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    targets = tmp_path / "targets.toml"
    targets.write_text(TARGETS + SCHEDULE, encoding="utf-8")
    return Settings.model_construct(mode="live", venue="embedded", state_dir=tmp_path, targets=targets, clock_rate=1.0)


def staged(settings: Settings, weights: dict[str, str], based_on: str | None = None) -> None:
    digest = load_targets(settings.paths.targets).digest if based_on is None else based_on
    stage(settings.paths.state, {"weights": weights, "based_on": digest}, NOW)


def test_staged_weights_come_into_force_and_wait_no_more(settings: Settings) -> None:
    assert confirm_staged(settings) == ""
    staged(settings, OTHERS)
    assert "BTC 30, ETH 30" in confirm_staged(settings)
    assert load_targets(settings.paths.targets).weights["ETH"] == 30
    assert staged_in(settings.paths.state) is None and confirm_staged(settings) == ""


@pytest.mark.parametrize(
    ("weights", "based_on", "words"),
    [
        (OTHERS, "0" * 64, "other targets than those in force: dropped"),
        ({**OTHERS, "BTC": "40"}, None, "cannot be put in force: "),
        ({"BTC": "50", "ETH": "50"}, None, "cannot be put in force: "),
    ],
    ids=["stale", "sum", "no cash"],
)
def test_what_cannot_be_put_in_force_is_dropped_with_a_word(
    settings: Settings, weights: dict[str, str], based_on: str | None, words: str
) -> None:
    before = settings.paths.targets.read_bytes()
    staged(settings, weights, based_on)
    assert words in confirm_staged(settings)
    assert settings.paths.targets.read_bytes() == before and staged_in(settings.paths.state) is None
