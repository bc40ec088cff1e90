"""What is asked for from outside is looked at each turn: trouble with it is told, and ends nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from structlog.testing import capture_logs

from rebalancer.cli.answering import Answering
from rebalancer.cli.house import House
from rebalancer.cli.obey import obey
from rebalancer.journal import records
from rebalancer.logs import logger
from rebalancer.service import answers, requests
from rebalancer.service.box import Box
from rebalancer.service.questions import Word, find
from rebalancer.settings import Paths
from rebalancer.targets.staging import staged_in
from tests.service.house import House as Whole


class Serving:
    """A house whose turns a test takes; each returns what was logged."""

    def __init__(self, folder: Path) -> None:
        self.whole = Whole(folder)
        self.paths = Paths(folder, folder / "targets.toml")
        connection: Any = None  # nothing here looks at the exchange
        self.house = House(self.whole.shell, connection, self.paths, Answering(self.whole.journal, folder))

    def turn(self) -> list[str]:
        with capture_logs() as logged:
            obey(self.paths, self.house, lambda: self.whole.targets, logger())
        return [each["event"] for each in logged]

    def halt(self) -> answers.Answer:
        """Halt the account; return the answer to it."""
        journal = self.whole.journal
        number = str(journal.append(records.halt("foreign_order", "order 7 is not ours"))[0].seq)
        asked = find(journal, number, lambda: "")
        return answers.Answer(asked, Word(), "owner", self.whole.clock.now(), answers.account_of(journal))


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    return Serving(tmp_path)


def test_an_answer_is_taken_at_a_turn_and_before_a_request_of_the_page(serving: Serving) -> None:
    requests.leave(serving.paths.state, requests.Request(requests.Ask.PAUSE, serving.whole.clock.now(), {}))
    answers.leave(serving.paths.state, serving.halt())
    assert serving.turn() == ["answered", "asked"] and serving.turn() == []
    assert not serving.whole.journal.state.halts and serving.paths.pause.exists()


@pytest.mark.parametrize("ask", requests.Ask)
def test_a_button_that_is_pressed_twice_does_what_it_does_once(serving: Serving, ask: requests.Ask) -> None:
    facts = {"reason": "holiday", "weights": {"BTC": "60", "USDT": "40"}, "based_on": "x"}
    for _ in range(2):
        requests.leave(serving.paths.state, requests.Request(ask, serving.whole.clock.now(), facts))
    kept = []
    for events in (["asked", "asked"], []):
        assert [event for event in serving.turn() if event != "cycle"] == events
        kept.append([serving.whole.pause.active(), staged_in(serving.paths.state)])
    assert kept[0] == kept[1] == [ask is requests.Ask.PAUSE, kept[0][1]]
    assert bool(kept[0][1]) is (ask is requests.Ask.STAGE_TARGETS)
    assert not serving.whole.wire.posts and not serving.whole.records


def test_an_answer_is_taken_while_paused_and_nothing_is_sent(serving: Serving) -> None:
    serving.whole.pause.pause("by hand")
    answers.leave(serving.paths.state, serving.halt())
    assert serving.turn() == ["answered"]
    assert not serving.whole.wire.posts and serving.whole.pause.active()


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_of_answers_that_is_open_to_others_is_told_once_until_it_is_mended(
    serving: Serving, mode: int
) -> None:
    answers.leave(serving.paths.state, serving.halt())
    folder = serving.paths.state / answers.FOLDER
    folder.chmod(mode)
    assert [serving.turn() for _ in range(3)] == [["answers_not_taken"], [], []]
    folder.chmod(0o700)
    assert serving.turn() == ["answered"]


def test_files_in_the_place_of_the_folders_end_nothing(serving: Serving) -> None:
    for name in (answers.FOLDER, requests.FOLDER):
        (serving.paths.state / name).write_text("{}")
    assert serving.turn() == ["answers_not_taken", "not_done"]
    assert serving.turn() == ["not_done"]


def test_a_pause_is_not_lost_when_what_lies_behind_it_cannot_be_removed(serving: Serving) -> None:
    now, state = serving.whole.clock.now(), serving.paths.state
    pause = requests.leave(state, requests.Request(requests.Ask.PAUSE, now, {}))
    stuck = requests.leave(state, requests.Request(requests.Ask.STAGE_TARGETS, now, {}))
    for number, path in enumerate((pause, stuck)):
        os.utime(path, (number, number))
    remove = Box.remove

    def removing(box: Box, name: str) -> bool:
        if name == stuck.name:
            raise PermissionError(1, "not permitted")
        return remove(box, name)

    with mock.patch.object(Box, "remove", removing):
        assert serving.turn() == ["asked", "not_done"] and serving.paths.pause.exists()
