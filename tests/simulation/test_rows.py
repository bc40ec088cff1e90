from __future__ import annotations

from decimal import Decimal

import pytest

from tests.simulation.rows import Listed
from tests.simulation.world import Violation, World

COINS = ("BTC", "ETH", "USDT")
PASSED = {"validated": True}
HELD, NONE = Decimal(1), Decimal(0)
FULL = {"BTC": NONE, "ETH": HELD, "USDT": HELD}
SHORT = {"ETH": HELD, "USDT": HELD}
OTHERS = {f"OLD{number}": HELD for number in range(20)}  # so that one row more or less is no short answer


def _excused(*looks: dict[str, Decimal]) -> Listed:
    """Return what a judge knows after a plan on all rows, the owner's word on BTC, and some looks."""
    listed = Listed(World(0))
    listed.see(FULL | OTHERS)
    listed.at_plan(PASSED, COINS)
    listed.said("BTC", listed.world.true_ms + 1)
    for look in looks:
        listed.see(look)
    return listed


def test_two_looks_alike_and_the_owners_word_allow_a_plan_without_a_row() -> None:
    _excused(SHORT | OTHERS, SHORT | OTHERS).at_plan(PASSED, COINS)


@pytest.mark.parametrize(
    ("looks", "text"),
    [
        ((SHORT, SHORT), "on 2 of 23 rows"),
        ((SHORT | OTHERS,), "on one look, or on two that differ"),
        ((SHORT | OTHERS | {"NEW": HELD}, SHORT | OTHERS), "on one look, or on two that differ"),
    ],
)
def test_a_plan_without_a_row_on_looks_that_do_not_carry_it_is_a_violation(
    looks: tuple[dict[str, Decimal], ...], text: str
) -> None:
    with pytest.raises(Violation, match=text):
        _excused(*looks).at_plan(PASSED, COINS)


def test_a_plan_without_a_row_that_nobody_answered_for_is_a_violation() -> None:
    listed = _excused(SHORT | OTHERS, SHORT | OTHERS)
    listed.words.clear()
    with pytest.raises(Violation, match="nobody said"):
        listed.at_plan(PASSED, COINS)


def test_no_word_excuses_the_row_of_what_a_plan_was_made_on() -> None:
    listed = _excused(FULL | OTHERS | {"BTC": HELD})
    listed.at_plan(PASSED, COINS)
    listed.said("BTC", listed.world.true_ms + 2)
    listed.see(SHORT | OTHERS)
    listed.see(SHORT | OTHERS)
    with pytest.raises(Violation, match="held before"):
        listed.at_plan(PASSED, COINS)


def test_what_only_the_second_of_two_looks_held_no_plan_knows_of() -> None:
    listed = _excused(SHORT | OTHERS, FULL | OTHERS | {"BTC": HELD})
    listed.at_plan({"validated": False}, COINS)
    assert "BTC" not in listed.held
