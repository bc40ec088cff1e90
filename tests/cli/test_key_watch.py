"""The key of a service that runs for months: its end is told in time, and rights that it gained stop the next cycle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rebalancer.alerts.herald import Herald
from rebalancer.cli.context import Connection
from rebalancer.cli.key_watch import KeyWatch
from rebalancer.errors import AuthFailed
from tests.alerts.test_herald import Ears
from tests.service.house import House

DAY_S = 86_400


class Watched:
    """A house whose key is looked at every hour of every day."""

    def __init__(self, folder: Path, *, live: bool = True) -> None:
        self.house, self.ears, self._folder, self._live = House(folder), Ears(), folder, live
        self.start()

    def start(self) -> None:
        venue: Any = self.house.shell.venue
        gather: Any = self.house.shell.gather
        herald = Herald(self._folder, self.ears, self.house.clock)
        connection = Connection(venue, "htx", gather)
        self.watch = KeyWatch(connection, self.house.clock, live=self._live, tell=herald.key_lasts)

    def a_day(self, days_valid: int) -> list[str]:
        """Let a day pass with a key of so many days; return what was told in it."""
        before = len(self.ears.told)
        self.house.user.days_valid = days_valid
        for _ in range(24):
            self.watch.look()
            self.house.clock.advance(3600)
        return [message.body for message in self.ears.told[before:]]

    def asked(self) -> int:
        return sum(path.endswith("/v2/user/api-key") for path in self.house.wire.calls)


@pytest.mark.parametrize("live", [True, False])
def test_the_end_of_a_key_is_told_three_weeks_a_week_and_a_day_before_and_once_each(live: bool, tmp_path: Path) -> None:
    watched = Watched(tmp_path, live=live)
    told = {days: watched.a_day(days) for days in range(30, -1, -1)}
    assert {days for days, words in told.items() if words} == {21, 7, 1}
    assert all(len(words) == 1 and f"expires in {days} day(s)" in words[0] for days, words in told.items() if words)
    assert watched.asked() == 31, "once a day"


def test_a_restart_tells_nothing_twice_and_a_new_key_begins_anew(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    assert len(watched.a_day(20)) == 1
    watched.start()
    assert watched.a_day(19) == []
    watched.start()
    assert len(watched.a_day(3)) == 1, "days on which nobody looked are made up"
    assert watched.a_day(-1) == [] and len(watched.a_day(21)) == 1


def test_a_question_that_is_not_answered_is_asked_again_before_the_next_cycle(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.house.user.days_valid = 5
    watched.house.set_faults("html_502")
    watched.watch.look()
    assert not watched.ears.told
    watched.house.set_faults("")
    watched.watch.look()
    assert [message.title for message in watched.ears.told] == ["the key expires"]


@pytest.mark.parametrize(
    ("rights", "words"), [(("readOnly", "trade", "withdraw"), "can withdraw"), (("readOnly",), "cannot trade")]
)
def test_a_key_whose_rights_changed_is_refused_before_each_cycle_until_it_is_mended(
    rights: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    watched = Watched(tmp_path)
    watched.a_day(-1)
    good, watched.house.user.permissions = watched.house.user.permissions, rights
    for _ in range(2):
        with pytest.raises(AuthFailed, match=words):
            watched.watch.look()
    watched.house.user.permissions = good
    watched.watch.look()
    dry = Watched(tmp_path, live=False)
    dry.house.user.permissions = rights
    dry.watch.look()
