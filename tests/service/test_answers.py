"""The owner's answers while the service runs: to the very question that was shown, once, and told when refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.orders import IntentState
from rebalancer.core.trust import CoinState
from rebalancer.errors import ConfigError, JournalError
from rebalancer.journal import records
from rebalancer.journal.rows import Entry
from rebalancer.service import answers, refusals
from rebalancer.service.answers import LIFE, Word, is_recorded, record, waiting, waits
from rebalancer.service.box import Box, RequestRefused, new_id
from rebalancer.service.questions import OUTCOMES, About, Question, row_for
from rebalancer.service.refusals import KEPT_MAX, Refusal, refused_in, remember
from tests.core.builders import NOW, d
from tests.journal.builders import PLAN, RUN, planned
from tests.service.asking import ASKING, BIG, CHANGES, WORDS, Desk
from tests.service.wire import Crash

EVERY = pytest.mark.parametrize("about", About)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.journal.close()


def effect(desk: Desk, about: About) -> bool:
    """Return whether the question was answered, by what decisions go by."""
    state = desk.journal.state
    return {
        About.HALT: not state.halts,
        About.COIN: state.coins["SOL"].state is CoinState.NORMAL,
        About.ROW: state.coins["ADA"].excused,
        About.ORDER: state.intents[RUN, 1].state is IntentState.FILLED,
        About.PLAN: state.approval is not None,
    }[about]


@EVERY
def test_an_answer_becomes_the_row_that_a_direct_one_is_and_carries_its_id(desk: Desk, about: About) -> None:
    made = desk.leave(about)
    assert not effect(desk, about) and waits(desk.state, made)
    (taken,) = desk.take()
    assert (taken.id, taken.what, taken.refused) == (made, desk.names()[about], "")
    assert effect(desk, about) and not waits(desk.state, made) and desk.left() == []
    (row,) = desk.acks()
    assert row.pop("answer") == made
    entry = row_for(Question(about, desk.names()[about], "", {"weights_digest": "weights"}), WORDS[about], "owner")
    assert row == json.loads(answers.json.dumps(answers.jsonable(entry.payload)))
    assert refused_in(desk.state) == [] and desk.journal.verify() > 0


@EVERY
def test_a_question_that_became_another_is_refused_by_name_and_nothing_is_written(desk: Desk, about: About) -> None:
    made = desk.leave(about)
    CHANGES[about](desk)
    before = desk.acks()
    (taken,) = desk.take()
    assert desk.names()[about] in taken.refused
    assert desk.acks() == before and desk.left() == []
    (refusal,) = refused_in(desk.state)
    assert (refusal.id, refusal.what, refusal.why) == (made, desk.names()[about], taken.refused)


@pytest.mark.parametrize("change", [{"why": "off its peg"}, {"price": "151"}], ids=str)
def test_the_same_coin_frozen_for_another_reason_or_at_another_price_is_another_question(
    desk: Desk, change: dict[str, str]
) -> None:
    desk.leave(About.COIN)
    desk.freeze("SOL", **change)
    (taken,) = desk.take()
    assert "SOL is another question by now" in taken.refused and not effect(desk, About.COIN)


def test_a_coin_that_lacks_its_row_and_was_frozen_since_is_another_question(desk: Desk) -> None:
    desk.leave(About.ROW)
    both = {"ADA": replace(desk.coins["SOL"], rowless_since=NOW)}
    desk.journal.append(planned("later", plan=replace(PLAN, legs=(), trust=both), document=ASKING))
    (taken,) = desk.take()
    assert "It is frozen besides: the exchange halted it" in taken.refused and not effect(desk, About.ROW)


def test_a_leave_given_after_another_one_rests_on_that_one(desk: Desk) -> None:
    desk.leave(About.PLAN)
    row = records.ack_plan(BIG, "owner", weights_digest="weights", up_to_quote=d(8000))
    desk.journal.append(row)
    (taken,) = desk.take()
    assert taken.refused and desk.journal.state.approval is not None
    assert desk.journal.state.approval.up_to_quote == 8000
    desk.leave(About.PLAN)
    assert [each.refused for each in desk.take()] == [""] and desk.journal.state.approval.up_to_quote == 50


def test_a_second_answer_to_a_question_takes_the_place_of_the_first(desk: Desk) -> None:
    first = desk.leave(About.PLAN)
    other = desk.leave(About.HALT)
    second = desk.leave(About.PLAN, word=Word(up_to_quote=d(40)))
    assert desk.left() == [other, second] and not waits(desk.state, first)
    desk.take()
    assert desk.journal.state.approval is not None and desk.journal.state.approval.up_to_quote == 40


def test_an_answer_counts_for_two_hours_by_either_clock(desk: Desk) -> None:
    for late in (LIFE, -LIFE):
        desk.leave(About.HALT, asked_at=desk.clock.now() - late - timedelta(seconds=1) * (1 if late > LIFE * 0 else -1))
        (taken,) = desk.take()
        assert "counts for 2 hours" in taken.refused and not effect(desk, About.HALT)
    desk.leave(About.HALT)
    desk.later(hours=2)
    assert [each.refused for each in desk.take()] == [""]


def test_an_answer_about_another_account_is_refused(desk: Desk) -> None:
    desk.leave(About.HALT, account={"venue": "htx", "host": "api.huobi.pro", "account_id": "1", "quote": "USDT"})
    (taken,) = desk.take()
    assert "another account" in taken.refused and not effect(desk, About.HALT)


def test_a_copy_under_another_name_is_no_answer(desk: Desk) -> None:
    made = desk.leave(About.PLAN)
    shutil.copy(desk.file(made), desk.file(new_id()))
    assert sorted(bool(each.refused) for each in desk.take()) == [False, True]
    assert len(desk.acks()) == 1


def test_what_was_refused_is_forgotten_once_the_question_is_answered_and_only_the_newest_are_kept(desk: Desk) -> None:
    desk.leave(About.HALT, who="early", asked_at=desk.clock.now() - 2 * LIFE)
    desk.leave(About.COIN, asked_at=desk.clock.now() - 2 * LIFE)
    desk.take()
    assert {each.what for each in refused_in(desk.state)} == {desk.halt, "SOL"}
    desk.leave(About.COIN)
    desk.take()
    assert [each.what for each in refused_in(desk.state)] == [desk.halt]
    for number in range(2 * KEPT_MAX):
        remember(desk.state, Refusal(str(number), "x", "y", desk.clock.now()))
    assert [each.id for each in refused_in(desk.state)] == [str(number) for number in range(KEPT_MAX, 2 * KEPT_MAX)]


@pytest.mark.parametrize("content", ["{", "[" * 100_000])
def test_refusals_that_cannot_be_read_are_said_and_do_not_stop_the_next(desk: Desk, content: str) -> None:
    (desk.state / refusals.NAME).write_text(content)
    with pytest.raises(ConfigError, match="delete it"):
        refused_in(desk.state)
    desk.leave(About.HALT, asked_at=desk.clock.now() - 2 * LIFE)
    desk.take()
    assert len(refused_in(desk.state)) == 1


class Edges:
    """Counts the edges of what a process does with the journal and its files, and ends it at one of them."""

    def __init__(self, fatal: int) -> None:
        self.left = fatal
        self.crashed_at = ""

    def around(self, name: str, act: Any) -> Any:
        def watched(*given: Any, **named: Any) -> Any:
            self._edge(f"before {name}")
            made = act(*given, **named)
            self._edge(f"after {name}")
            return made

        return watched

    def _edge(self, name: str) -> None:
        self.left -= 1
        if not self.left and not self.crashed_at:
            self.crashed_at = name
            raise Crash(name)


@contextmanager
def dying(desk: Desk, edges: Edges) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk.journal, "append", edges.around("append", desk.journal.append))
        patch.setattr(Box, "remove", edges.around("remove", Box.remove))
        patch.setattr(refusals, "write_durably", edges.around("write", refusals.write_durably))
        with suppress(Crash):
            yield


@pytest.mark.parametrize("stands", [True, False], ids=["stands", "refused"])
@EVERY
def test_a_crash_at_any_boundary_leads_to_one_effect_or_to_one_refusal(
    tmp_path: Path, about: About, stands: bool
) -> None:
    seen = set()
    for number in range(1, 50):
        place = tmp_path / str(number)
        place.mkdir()
        desk = Desk(place)
        remember(place, Refusal("earlier", desk.names()[about], "why", desk.clock.now()))
        made = desk.leave(about)
        if not stands:
            CHANGES[about](desk)
        rows = len(desk.acks())
        edges = Edges(number)
        with dying(desk, edges):
            desk.take()
        for _ in range(3):  # whoever takes it up again, and again
            desk.restart()
            desk.take()
        assert len(desk.acks()) == rows + stands, (number, edges.crashed_at)
        assert is_recorded(desk.journal, made, desk.clock.now()) == stands
        refused = [each.id for each in refused_in(place)]
        assert refused == ([] if stands else ["earlier", made]), (number, edges.crashed_at)
        assert desk.left() == [] and effect(desk, about) in {stands, about is About.HALT}
        desk.journal.close()
        if not edges.crashed_at:
            break
        seen.add(edges.crashed_at)
    assert {"before remove", "after remove"} <= seen
    assert ({"before append", "after append"} if stands else {"before write", "after write"}) <= seen


def test_a_leave_that_was_used_since_is_not_given_again_after_a_crash_however_late(desk: Desk) -> None:
    desk.leave(About.PLAN)
    with dying(desk, Edges(3)):  # after the row, before the file is gone
        desk.take()
    assert len(desk.acks()) == 1 and len(desk.left()) == 1
    desk.journal.append(records.ack_intent(RUN, 1, OUTCOMES["filled"], who="o", text="", filled=(d("0.1"), d(30))))
    desk.later(days=3)
    desk.restart()
    (taken,) = desk.take()
    assert not taken.refused and desk.left() == []
    assert desk.journal.state.approval is not None and desk.journal.state.approval.left_quote == 20


def test_an_answer_cut_short_anywhere_is_refused_with_why_and_changes_nothing(desk: Desk) -> None:
    made = desk.leave(About.PLAN)
    whole = desk.file(made).read_bytes()
    for length in range(0, len(whole), 7):
        desk.file(made).write_bytes(whole[:length])
        (taken,) = desk.take()
        assert "cut short" in taken.refused and desk.acks() == []
        desk.file(made).touch(mode=0o600)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["halt", "1e999", "-1", "9" * 5000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(document, dict):
        for name, each in document.items():
            yield from places(each, (*path, name))
    elif isinstance(document, list):
        for number, each in enumerate(document):
            yield from places(each, (*path, number))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_stands_in_an_answer_it_is_carried_out_as_a_word_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    about = data.draw(st.sampled_from(About))
    made = desk.leave(about)
    document = json.loads(desk.file(made).read_text())
    place = data.draw(st.sampled_from(list(places(document))))
    value = data.draw(VALUES)
    if place:
        inner = document
        for name in place[:-1]:
            inner = inner[name]
        inner[place[-1]] = value
    else:
        document = value
    desk.file(made).write_text(json.dumps(document))
    (taken,) = desk.take()
    assert len(desk.acks()) == (not taken.refused) and desk.left() == []
    untouched = place[:1] in {("word",), ("who",), ("asked_at",)}
    assert taken.refused or untouched or effect(desk, about)
    if not taken.refused:
        assert desk.question is not None and desk.acks()[0]["answer"] == made
    desk.journal.close()


@pytest.mark.parametrize("what", ["9" * 5000, "\u0661", f"{RUN}/{'9' * 5000}", "/", "SOL/1", ""])
def test_a_name_that_nothing_has_is_refused_by_name(desk: Desk, what: str) -> None:
    made = desk.leave(About.HALT)
    document = json.loads(desk.file(made).read_text())
    document["question"]["what"] = what
    desk.file(made).write_text(json.dumps(document))
    (taken,) = desk.take()
    assert taken.what == what and taken.refused and desk.acks() == []


def test_a_file_whose_name_is_no_text_is_refused_like_any_other(desk: Desk) -> None:
    desk.leave(About.HALT)
    os.close(os.open(os.fsencode(desk.state / answers.FOLDER) + b"/\xff.json", os.O_CREAT, 0o600))
    assert sorted(bool(each.refused) for each in desk.take()) == [False, True]
    assert desk.left() == [] and [each.id for each in refused_in(desk.state)] == ["\udcff"]


@pytest.mark.parametrize("moment", ["1999-12-31T23:59:59Z", "9999-12-31T23:30:00Z"])
def test_a_moment_that_no_clock_of_ours_showed_makes_no_answer(desk: Desk, moment: str) -> None:
    made = desk.leave(About.HALT)
    document = json.loads(desk.file(made).read_text())
    desk.file(made).write_text(json.dumps({**document, "asked_at": moment}))
    (found,) = waiting(desk.state)
    assert found.answer is None and "no answer" in found.problem


def test_trouble_with_the_journal_is_trouble_and_the_answer_waits_on(desk: Desk) -> None:
    made = desk.leave(About.HALT)

    def full(*_entries: Entry) -> None:
        raise JournalError("the disk is full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk.journal, "append", full)
        with pytest.raises(JournalError):
            desk.take()
    assert desk.left() == [made] and refused_in(desk.state) == []
    assert [each.refused for each in desk.take()] == [""]


def test_a_folder_that_others_may_write_to_gives_no_answer_and_takes_none(desk: Desk) -> None:
    desk.leave(About.HALT)
    (desk.state / answers.FOLDER).chmod(0o770)
    for act in (desk.take, lambda: desk.leave(About.COIN)):
        with pytest.raises(RequestRefused, match="chmod 700"):
            act()
    assert desk.acks() == []


def test_a_word_fits_only_the_question_that_it_can_answer() -> None:
    bare = {About.HALT, About.COIN, About.ROW}
    for about in About:
        asked = Question(about, "x", "")
        fitting = {each for each, word in WORDS.items() if word.fits(asked)}
        assert fitting == (bare if about in bare else {about})
    order = Question(About.ORDER, "x", "")
    for word in (Word("absent", (d(1), d(1))), Word("filled"), Word("lost"), Word("filled", (d(0), d(1)))):
        assert not word.fits(order)
    assert Word("absent").fits(order)
    assert not Word(up_to_quote=d(0)).fits(Question(About.PLAN, "x", ""))


def test_a_direct_answer_is_held_to_the_same_question(desk: Desk) -> None:
    answer = desk.answer(About.COIN)
    desk.freeze("SOL", "four times away")
    with pytest.raises(ConfigError, match="another question by now"):
        record(desk.journal, answer, lambda: desk.digest)
    record(desk.journal, desk.answer(About.COIN), lambda: desk.digest)
    assert effect(desk, About.COIN) and "answer" not in desk.acks()[0]
