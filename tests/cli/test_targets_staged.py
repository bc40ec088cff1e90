"""Weights that wait for the owner's word, and the way back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.targets.file import load_targets
from rebalancer.targets.staging import NAME, stage, staged_in
from tests.cli.conftest import Owner
from tests.cli.exchanges import EMBEDDED

WEIGHTS = {"BTC": "30", "ETH": "30", "SOL": "10", "XRP": "15", "USDT": "15"}  # LINK is left out
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def staged(owner: Owner, *, based_on: str = "") -> None:
    owner.state.mkdir(exist_ok=True)
    digest = based_on or load_targets(owner.targets).digest
    stage(owner.state, {"weights": WEIGHTS, "based_on": digest}, AT)


def test_what_was_staged_is_shown_with_its_trades_and_put_in_force_keeping_every_comment(owner: Owner) -> None:
    staged(owner)
    before = owner.targets.read_text()
    said = owner.say("targets", "confirm", "--yes", **EMBEDDED)
    assert said.code == Exit.DONE and "+BTC  = 30" in said.out and "would trade" in said.out, said.out + said.err
    assert "All the way to these targets: a turnover of" in said.out and "Price tag" in said.out
    after = owner.targets.read_text()
    assert {a: str(w) for a, w in load_targets(owner.targets).weights.items()} == WEIGHTS
    kept = [line for line in before.splitlines() if not line.startswith(("BTC", "ETH", "XRP", "LINK"))]
    assert [line for line in after.splitlines() if not line.startswith(("BTC", "ETH", "XRP"))] == kept
    assert staged_in(owner.state) is None
    assert owner.say("targets", "confirm", "--yes", **EMBEDDED).code == Exit.CONFIG


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(owner: Owner) -> None:
    staged(owner, based_on="another")
    before = owner.targets.read_text()
    said = owner.say("targets", "confirm", "--yes", **EMBEDDED)
    assert said.code == Exit.CONFIG and "was changed after this was staged" in said.err
    assert owner.targets.read_text() == before and (owner.state / NAME).exists()
    assert owner.say("targets", "confirm", "--discard", **EMBEDDED).code == Exit.DONE
    assert staged_in(owner.state) is None and owner.targets.read_text() == before


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"weights": {"BTC": "x"}, "based_on": "", "asked_at": "2026-03-01T12:00:00Z"}']
)
def test_what_cannot_be_read_as_staged_weights_is_said(owner: Owner, content: str) -> None:
    owner.state.mkdir()
    (owner.state / NAME).write_text(content)
    assert owner.say("targets", "confirm", "--yes", **EMBEDDED).code == Exit.CONFIG


def test_undo_goes_back_and_forth(owner: Owner) -> None:
    first = owner.targets.read_text()
    assert owner.say("targets", "undo", "--yes", **EMBEDDED).code == Exit.CONFIG
    owner.say("targets", "set", "BTC=40", "ETH=20", "--yes", "--no-preview", **EMBEDDED)
    second = owner.targets.read_text()
    assert first != second
    assert owner.say("targets", "undo", "--yes", "--no-preview", **EMBEDDED).code == Exit.DONE
    assert owner.targets.read_text() == first
    owner.say("targets", "undo", "--yes", "--no-preview", **EMBEDDED)
    assert owner.targets.read_text() == second
