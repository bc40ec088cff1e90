"""A coin comes into the targets only if the exchange lists it; an exchange that cannot be asked is said."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.cli.listing import renew_listed
from rebalancer.errors import Unavailable
from rebalancer.service.clock import SystemClock
from rebalancer.targets.file import load_targets
from rebalancer.targets.listed import Listed, keep_listed, listed_in
from rebalancer.targets.staging import stage
from tests.cli.conftest import Owner
from tests.cli.exchanges import EMBEDDED, key_for
from tests.cli.test_targets_staged import AT, WEIGHTS

OLD = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOBODY = key_for("http://127.0.0.1:9", rate=1000)  # the pauses between attempts are not waited for
ADD = ("targets", "set", "DOGGE=5", "USDT=10", "--yes")


def keep(owner: Owner, venue: str = "embedded", coins: tuple[str, ...] = ("BTC", "DOGE")) -> None:
    owner.state.mkdir(exist_ok=True)
    keep_listed(owner.state, Listed(venue, "USDT", frozenset(coins), OLD))


def test_a_coin_that_is_not_listed_is_refused_with_the_nearest_and_nothing_changes(owner: Owner) -> None:
    before = owner.targets.read_bytes()
    said = owner.say(*ADD, **EMBEDDED)
    assert said.code == Exit.CONFIG and "lists no pair DOGGE/USDT" in said.err and "did you mean DOGE?" in said.err
    assert owner.targets.read_bytes() == before and not owner.state.exists()


def test_a_coin_that_is_listed_comes_in_with_its_trades_shown(owner: Owner) -> None:
    said = owner.say("targets", "set", "DOGE=5", "USDT=10", "--yes", **EMBEDDED)
    assert said.code == Exit.DONE and "DOGE" in load_targets(owner.targets).weights and "would trade" in said.out


def test_only_coins_that_are_new_are_asked_about(owner: Owner) -> None:
    keep(owner, coins=("BTC",))
    said = owner.say("targets", "set", "BTC=40", "USDT=10", "--yes", "--no-preview", **EMBEDDED)
    assert said.code == Exit.DONE and "lists" not in said.err + said.out


def test_an_exchange_that_does_not_answer_is_said_and_the_owner_may_go_on(owner: Owner) -> None:
    said = owner.say(*ADD, **NOBODY)
    assert said.code == Exit.DONE and "could not be asked whether it lists DOGGE" in said.err
    assert "DOGGE" in load_targets(owner.targets).weights


def test_what_was_listed_before_is_said_of_an_exchange_that_does_not_answer(owner: Owner) -> None:
    keep(owner, "loopback")
    said = owner.say(*ADD, **NOBODY)
    assert (
        said.code == Exit.DONE and "by its list of 2026-03-01: DOGGE" in said.err and "did you mean DOGE?" in said.err
    )


def test_without_leave_to_ask_the_kept_list_serves_and_without_one_that_is_said(owner: Owner) -> None:
    said = owner.say(*ADD, "--no-preview", **EMBEDDED)
    assert said.code == Exit.DONE and "not checked whether embedded lists DOGGE" in said.err
    keep(owner)
    refused = owner.say("targets", "set", "DOGGY=5", "USDT=5", "--yes", "--no-preview", **EMBEDDED)
    assert refused.code == Exit.CONFIG and "DOGGY" in refused.err


def test_what_was_staged_is_held_against_the_list_too(owner: Owner) -> None:
    owner.state.mkdir()
    weights = {**WEIGHTS, "XRP": "10", "DOGGE": "5"}
    stage(owner.state, {"weights": weights, "based_on": load_targets(owner.targets).digest}, AT)
    said = owner.say("targets", "confirm", "--yes", **EMBEDDED)
    assert said.code == Exit.CONFIG and "lists no pair DOGGE/USDT" in said.err


@pytest.mark.parametrize("verb", [("run",), ("run", "--json")])
def test_a_cycle_keeps_the_list_for_the_page_and_renews_it_after_a_day(owner: Owner, verb: tuple[str, ...]) -> None:
    owner.say(*verb, **EMBEDDED)
    made = listed_in(owner.state, "embedded", "USDT")
    assert made is not None and {"BTC", "DOGE"} <= made.coins
    owner.say(*verb, **EMBEDDED)
    assert listed_in(owner.state, "embedded", "USDT") == made, "not asked for again on the same day"
    keep(owner)
    owner.say(*verb, **EMBEDDED)
    renewed = listed_in(owner.state, "embedded", "USDT")
    assert renewed is not None and renewed.coins == made.coins and SystemClock().now().date() <= renewed.at.date()


def test_a_list_that_cannot_be_had_or_kept_ends_no_cycle(owner: Owner) -> None:
    def silent() -> object:
        raise Unavailable("nobody there")

    keep(owner)
    kept = listed_in(owner.state, "embedded", "USDT")
    connection: Any = SimpleNamespace(kind="embedded", venue=SimpleNamespace(fetch_rules=silent))
    renew_listed(connection, owner.state, load_targets(owner.targets), SystemClock())
    assert listed_in(owner.state, "embedded", "USDT") == kept
    connection.venue.fetch_rules = dict
    renew_listed(connection, owner.folder / "nowhere", load_targets(owner.targets), SystemClock())
