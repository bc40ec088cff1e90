"""The weekly digest among the notices: of each whole week once, whatever is restarted, slept through or broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.alerts import herald as heralds
from rebalancer.alerts.condition import Condition, Memory, Message, Seen, digest_due
from rebalancer.alerts.herald import Herald
from rebalancer.alerts.memory import NAME, load_memory
from rebalancer.cli.alerting import open_herald
from rebalancer.errors import JournalError
from rebalancer.service.clock import SystemClock
from rebalancer.settings import Settings
from tests.alerts.listening import listening
from tests.alerts.test_herald import Ears
from tests.service.house import House
from tests.support import FakeClock

FINE = Seen(Condition.FINE)
WEDNESDAY = datetime(2026, 3, 4, 12, tzinfo=UTC)


@dataclass
class Weeks:
    """A herald that is asked for digests, through many lives."""

    state: Path
    clock: FakeClock = field(default_factory=lambda: FakeClock(WEDNESDAY))
    ears: Ears = field(default_factory=Ears)
    ready: bool = True

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.herald = Herald(self.state, self.ears, self.clock, digest=self._digest)

    def _digest(self, monday: str) -> Message | None:
        return Message(f"the week {monday}", "text") if self.ready else None

    def days(self, count: float) -> None:
        """Live so many days, with a cycle each hour."""
        for _ in range(int(count * 24)):
            self.clock.advance(3600)
            self.herald.saw(FINE)


def test_each_whole_week_is_told_once_from_the_first_on_that_was_lived(tmp_path: Path) -> None:
    weeks = Weeks(tmp_path)
    weeks.days(4)
    assert weeks.ears.titles() == [], "the week before was not ours to tell"
    weeks.days(15)
    assert weeks.ears.titles() == ["the week 2026-03-02", "the week 2026-03-09", "the week 2026-03-16"]


@given(st.lists(st.sampled_from(["day", "restart", "sleep", "not ready", "ready", "refused"]), max_size=60))
def test_no_week_is_ever_told_twice(tmp_path_factory: pytest.TempPathFactory, happens: list[str]) -> None:
    weeks = Weeks(tmp_path_factory.mktemp("state"))
    for event in happens:
        match event:
            case "day":
                weeks.days(1)
            case "restart":
                weeks.restart()
            case "sleep":
                weeks.clock.advance(10 * 86400)
            case "refused":
                weeks.herald.saw(Seen(Condition.DENIED, "no"))
            case _:
                weeks.ready = event == "ready"
    told = [title for title in weeks.ears.titles() if title.startswith("the week")]
    assert told == sorted(set(told))


def test_a_digest_that_cannot_be_made_yet_is_made_by_a_later_cycle(tmp_path: Path) -> None:
    weeks = Weeks(tmp_path)
    weeks.days(1)
    weeks.ready = False
    weeks.days(6)
    assert weeks.ears.titles() == []
    weeks.ready = True
    weeks.days(1)
    assert weeks.ears.titles() == ["the week 2026-03-02"]


def test_what_cannot_be_written_down_as_told_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weeks = Weeks(tmp_path)
    weeks.days(1)
    with monkeypatch.context() as full:
        full.setattr(heralds, "keep_memory", lambda *_: False)
        weeks.days(6)
        weeks.restart()
        weeks.days(1)
    assert weeks.ears.titles() == []
    weeks.days(1)
    assert weeks.ears.titles() == ["the week 2026-03-02"]


def test_a_memory_of_before_there_were_digests_is_read_and_tells_no_past_week(tmp_path: Path) -> None:
    weeks = Weeks(tmp_path)
    weeks.days(0.1)
    path = tmp_path / NAME
    path.write_text(path.read_text().replace(', "digest_week": "2026-02-23"', ""))
    assert load_memory(tmp_path) == replace(weeks.herald._memory, digest_week="")
    weeks.restart()
    weeks.days(1)
    assert weeks.ears.titles() == []


@given(st.integers(0, 10_000_000).map(lambda minutes: WEDNESDAY + timedelta(minutes=minutes)))
def test_the_week_that_is_due_ended_within_the_last_seven_days(moment: datetime) -> None:
    monday = datetime.fromisoformat(digest_due(Memory(), moment)).replace(tzinfo=UTC)
    assert monday.weekday() == 0 and timedelta(0) <= moment - (monday + timedelta(days=7)) < timedelta(days=7)
    assert digest_due(Memory(digest_week=f"{monday:%Y-%m-%d}"), moment) == ""


@dataclass
class Log:
    """A log that keeps what it was told."""

    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def warning(self, event: str, **more: Any) -> None:
        self.said.append((event, more))


def settings(state: Path, board: str, **more: Any) -> Settings:
    return Settings(notify_urls=board, state_dir=state, **more)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, clock=FakeClock(WEDNESDAY))
    yield house
    house.close()


def lived(house: House, board: str, log: Log, **more: Any) -> None:
    """Live from Wednesday to Monday under a herald as `serve` opens it, in two lives."""
    for _ in range(2):
        with open_herald(
            settings(house.folder, board, **more), house.clock, log, lambda _seen, _result: None, lambda: house.journal
        ) as herald:  # type: ignore[arg-type]
            for _ in range(3):
                with herald.watching() as left:
                    left.append(house.cycle())
                house.clock.advance(86400)


def test_a_service_sends_the_week_as_the_report_shows_it(house: House) -> None:
    with listening() as heard:
        lived(house, heard.board, Log())
        heard.wait_for(lambda: any("the week" in notice["title"] for notice in heard.notices))
    (digest,) = [notice for notice in heard.notices if "the week" in notice["title"]]
    assert digest["title"] == "rebalancer: the week 2026-03-02 to 2026-03-08 UTC"
    for text in ("LIVE on embedded", "order(s) of", "worth", "shadow", "runs"):
        assert text in digest["body"]


def test_the_owner_can_do_without(house: House) -> None:
    with listening() as heard:
        lived(house, heard.board, Log(), digest="off")
    assert not [notice for notice in heard.notices if "the week" in notice["title"]]


def test_a_journal_that_cannot_be_read_costs_no_cycle_and_is_logged(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise JournalError("row 3 was changed")

    monkeypatch.setattr("rebalancer.journal.weeks.read_period", refuse)
    log = Log()
    with listening() as heard:
        lived(house, heard.board, log)
    assert ("digest_failed", {"text": "row 3 was changed"}) in log.said
    assert [notice for notice in heard.notices if "the week" in notice["title"]] == []


def test_the_clock_of_the_service_is_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)
