"""What led from one version of the targets to another: verbs tell of theirs, the rest was done by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.targets.changes import (
    IN_FLIGHT,
    Change,
    How,
    Version,
    changes_since,
    setting_changes,
    version_of,
    weight_changes,
    words_of_author,
    words_of_change,
)
from rebalancer.targets.file import parse_targets
from rebalancer.targets.keys import SETTINGS
from tests.targets.files import GOOD, UNTIMED

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
A, B, C = (Version(name * 64, {"BTC": Decimal(share), "USDT": Decimal(100 - share)}) for name, share in (("a", 10), ("b", 20), ("c", 30)))  # fmt: skip


def told(before: Version | None, after: Version, note: str = "n", *, ago: timedelta = timedelta(minutes=1)) -> Change:
    return Change(How.SET, "anna", NOW - ago, before, after, note)


def steps(changes: list[Change]) -> list[tuple[How, str]]:
    return [(change.how, change.after.digest[0]) for change in changes]


def test_the_first_look_begins_the_history_and_the_next_finds_nothing_new() -> None:
    changes, done = changes_since(None, [], A, NOW)
    assert steps(changes) == [(How.FIRST, "a")] and changes[0].before is None and done == []
    assert changes_since(A, [], A, NOW) == ([], [])


def test_an_edit_that_nobody_told_of_was_made_by_hand() -> None:
    changes, _ = changes_since(A, [], B, NOW)
    assert changes == [Change(How.BY_HAND, "", None, A, B)]


def test_what_verbs_told_of_is_theirs_and_what_lies_between_was_done_by_hand() -> None:
    notes = [told(A, B, "1"), told(C, A, "2")]
    changes, done = changes_since(A, notes, B, NOW)
    assert steps(changes) == [(How.SET, "b"), (How.BY_HAND, "c"), (How.SET, "a"), (How.BY_HAND, "b")]
    assert done == ["1", "2"]


def test_a_change_and_its_undo_are_both_told_though_the_file_is_as_before() -> None:
    changes, done = changes_since(A, [told(A, B, "1"), told(B, A, "2")], A, NOW)
    assert steps(changes) == [(How.SET, "b"), (How.SET, "a")] and done == ["1", "2"]


def test_a_change_that_is_about_to_be_made_waits_and_one_that_never_was_is_dropped() -> None:
    assert changes_since(A, [told(A, B)], A, NOW) == ([], [])
    assert changes_since(A, [told(A, B)], B, NOW)[0] == [told(A, B)]
    old = told(A, B, ago=IN_FLIGHT * 2)
    assert changes_since(A, [old], A, NOW) == ([], ["n"])


def test_a_file_that_was_broken_before_is_mended_by_whoever_told_so() -> None:
    assert steps(changes_since(A, [told(None, B)], B, NOW)[0]) == [(How.SET, "b")]


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[tuple[How, Version]], list[Change], Version, Version]:
    """Return what was done to a file between two looks, the notes of it, and the file at both looks."""
    first = at = draw(st.sampled_from([A, B, C]))
    made, notes = [], []
    for number in range(draw(st.integers(0, 8))):
        after = draw(st.sampled_from([each for each in (A, B, C) if each != at]))
        how = draw(st.sampled_from([How.SET, How.UNDO, How.CONFIRM, How.BY_HAND]))
        made.append((how, after))
        if how is not How.BY_HAND:
            notes.append(Change(how, "anna", NOW - timedelta(minutes=30 - number), at, after, str(number)))
        at = after
    return made, notes, first, at


@given(lives())
@UNTIMED
def test_through_any_life_the_history_is_one_chain_that_ends_with_the_file(
    life: tuple[list[tuple[How, Version]], list[Change], Version, Version],
) -> None:
    made, notes, first, at = life
    changes, done = changes_since(first, notes, at, NOW)
    where = first
    for change in changes:
        assert change.before == where != change.after
        where = change.after
    assert where == at
    left = [note for note in notes if note.note not in done]
    # What waits is only what leads away from the file as it is: it cannot be told from a change not yet made.
    assert all(at in (note.before, note.after) for note in left)
    assert [change for change in changes if change.how is not How.BY_HAND] == [n for n in notes if n.note in done]
    if all(how is not How.BY_HAND for how, _ in made):
        assert not left and [(change.how, change.after) for change in changes] == made


def test_a_change_in_words_names_every_weight_that_differs_and_nothing_else() -> None:
    after = Version("d", {"BTC": Decimal(10), "DOGE": Decimal("2.5"), "USDT": Decimal("87.5")})
    assert words_of_change(A, after) == "DOGE - -> 2.5, USDT 90 -> 87.5"
    assert words_of_change(after, A) == "USDT 87.5 -> 90, DOGE 2.5 -> -"
    assert weight_changes(A.weights, A.weights) == {}
    assert words_of_change(A, Version("x", A.weights)) == "the weights stay; other settings changed"
    assert words_of_change(None, A) == "BTC 10, USDT 90"


def test_other_settings_that_differ_are_named_with_both_values() -> None:
    before = version_of(parse_targets(GOOD, "f"))
    text = GOOD + "[limits]\nmax_order_notional = 1000\ncooldown_h = 6\n[bands.per_coin]\nBTC = 4\n[keep]\nETH = 0.5\n"
    after = version_of(parse_targets(text, "f"))
    assert words_of_change(before, after) == (
        "bands.per_coin.BTC - -> 4, limits.max_order_notional - -> 1000, limits.cooldown_h 4 -> 6, keep.ETH - -> 0.5"
    )
    assert setting_changes(after, after) == {} == setting_changes(Version("x", before.weights), after)
    leaving = version_of(parse_targets(GOOD + "[exit]\nDOGE = true\n", "f"))
    assert words_of_change(before, leaving) == "exit.DOGE - -> true"


@pytest.mark.parametrize("section", SETTINGS)
def test_every_setting_of_the_file_is_told_when_it_changes(section: str) -> None:
    known = version_of(
        parse_targets(f"{GOOD}[limits]\nmax_order_notional = 9\nmax_notional_per_day = 9\n", "f")
    ).settings
    assert {f"{section}.{key}" for key in SETTINGS[section]} - {"bands.per_coin"} <= set(known)


def test_every_way_has_words_for_who_and_how() -> None:
    words = {how: words_of_author(Change(how, "anna", NOW, A, B)) for how in How}
    assert words[How.SET] == "set by anna" and words[How.UNDO] == "undo by anna"
    assert words[How.CONFIRM] == "staged on the page, confirmed by anna"
    assert words_of_author(Change(How.BY_HAND, "", None, A, B)) == "edited by hand"
    assert all(words.values())
