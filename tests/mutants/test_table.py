"""The list of mutants fits the code it is about; `python -m tests.mutants` proves that each is caught."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.__main__ import chosen_mutants
from tests.mutants.table import MUTANTS, SIMULATION, Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_stands_on_one_place_of_the_code_and_names_who_sees_it(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1, f"{mutant.file}: its text stands {text.count(mutant.old)} times"
    assert mutant.old != mutant.new
    assert mutant.seen_by
    assert all(catcher == SIMULATION or (ROOT / catcher).exists() for catcher in mutant.seen_by)


def test_there_are_enough_mutants_with_names_of_their_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 40


def test_a_single_catcher_can_be_asked_about_those_mutants_that_it_is_said_to_see() -> None:
    asked = chosen_mutants("", SIMULATION)
    assert {mutant.name for mutant in asked} == {mutant.name for mutant in MUTANTS if SIMULATION in mutant.seen_by}
    assert all(mutant.seen_by == (SIMULATION,) for mutant in asked)
    assert {mutant.name for mutant in chosen_mutants("stranger", "")} == {"strangers not looked for"}
