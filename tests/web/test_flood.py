"""A flood of the page while a plan is carried out: no order comes later, none is another, and nothing is locked."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from threading import Condition, Thread

import httpx
import pytest

from rebalancer.journal.rows import Row
from tests.service.house import House
from tests.web.site import ORIGIN, TARGETS, TOKEN, Browser, make_browser, make_place, make_site
from tests.web.test_views import VIEWS

VISITORS = 4
CYCLES = 3
ANSWERS_BETWEEN = 6  # that the flood gets while an order is on its way
PATIENCE_S = 60


class Flood:
    """Visitors who ask for every view again and again, each over a connection to the journal of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told = Condition()
        self._stop = False
        self.answers: Counter[int] = Counter()
        self.faults: list[BaseException | str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Flood the page while the block runs, from before its first line on."""
        visitors = [Thread(target=self._visit, args=(number,), daemon=True) for number in range(VISITORS)]
        for visitor in visitors:
            visitor.start()
        try:
            self.wait_for_answers(VISITORS)
            yield
        finally:
            self._stop = True
            for visitor in visitors:
                visitor.join(PATIENCE_S)

    def _visit(self, number: int) -> None:
        try:
            browser: Browser = make_browser(make_place(self._folder))
            browser.post("/login", data={"token": TOKEN}, headers={"origin": ORIGIN})
            while not self._stop:
                for path in VIEWS[number % len(VIEWS) :] + VIEWS[: number % len(VIEWS)]:
                    answer = browser.get(path)
                    with self._told:
                        self.answers[answer.status_code] += 1
                        if answer.status_code != 200:
                            self.faults.append(answer.text)
                        self._told.notify_all()
        except BaseException as exc:  # noqa: BLE001  # a thread's own error would be lost
            self.faults.append(exc)

    def wait_for_answers(self, more: int) -> None:
        """Hold whoever calls until so many more views were answered: the flood is in full swing meanwhile."""
        with self._told:
            wanted = self.answers.total() + more
            met = self._told.wait_for(lambda: self.faults or self.answers.total() >= wanted, PATIENCE_S)
        assert met and not self.faults, self.faults


def live(house: House) -> list[Row]:
    """Carry out a few plans, with money coming in between; return all rows."""
    for _ in range(CYCLES):
        house.cycle()
        house.exchange.deposit(house.user, "usdt", Decimal(4000))
        house.clock.advance(3600 * 5)
    return list(house.journal.rows())


@contextmanager
def reading_all_the_time(path: Path) -> Iterator[None]:
    """Keep one read of the journal open for as long as the block runs, as a page that hangs within an answer."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)) as database:
        database.execute("BEGIN")
        assert database.execute("SELECT count(*) FROM journal").fetchone()[0] > 0
        yield


@pytest.fixture
def same_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both lives draw the same number for their ids, so that their journals can be held against each other."""
    monkeypatch.setattr("rebalancer.journal.store.random.SystemRandom", lambda: random.Random(7))


@pytest.mark.usefixtures("same_chance")
def test_orders_and_journal_are_the_same_with_the_flood_and_without(tmp_path: Path) -> None:
    (tmp_path / "quiet").mkdir()
    quiet = House(tmp_path / "quiet")
    quiet.cycle()
    expected = live(quiet)
    assert len(quiet.wire.posts) >= 4

    folder = tmp_path / "flooded"
    folder.mkdir()
    (folder / "targets.toml").write_text(TARGETS)
    house, flood = House(folder), Flood(folder)

    def amid_the_flood(request: httpx.Request) -> None:
        if request.method == "POST":
            flood.wait_for_answers(ANSWERS_BETWEEN)

    house.cycle()  # the page has something to show
    house.wire.before = house.wire.after = amid_the_flood
    with flood.running(), reading_all_the_time(folder / "journal.db"):
        found = live(house)
    assert not flood.faults and set(flood.answers) == {200}
    assert house.wire.posts == quiet.wire.posts
    assert found == expected
    assert house.journal.verify() == len(expected)


def test_the_page_holds_the_journal_read_only(tmp_path: Path) -> None:
    site = make_site(tmp_path, cycles=1)
    site.pages.overview()
    journal = site.pages._reader._journal
    assert journal is not None
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        journal._database.execute("DELETE FROM journal")
    site.pages.close()
