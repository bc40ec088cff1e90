"""`plan` looks and tells: in every form, without a lock, and without a byte written that nobody asked for."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from rebalancer.cli import plan as plan_verb
from rebalancer.cli.exits import Exit
from rebalancer.service.lock import hold_lock
from tests.cli.conftest import Owner
from tests.cli.exchanges import EMBEDDED, LIVE, exchange_with, key_for
from tests.cli.rehearsed import saw_the_prices


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}


def settle(owner: Owner) -> None:
    """Run live cycles until nothing is left to trade."""
    saw_the_prices(owner)
    for _ in range(4):
        if owner.say("run", "--live", **LIVE).code == Exit.DONE:
            return
    raise AssertionError("not settled")


@pytest.mark.parametrize("form", ["text", "json", "csv", "md"])
def test_no_form_of_the_report_makes_a_state_directory(owner: Owner, form: str) -> None:
    assert owner.say("plan", "--format", form).code == Exit.DONE
    assert not owner.state.exists()
    assert [each.name for each in owner.folder.iterdir()] == ["targets.toml"]


def test_a_plan_is_made_while_another_instance_holds_the_lock(owner: Owner) -> None:
    owner.say("run")
    before = bytes_of(owner.state)["embedded/journal.db"]
    with hold_lock(owner.state / "lock"):
        assert owner.say("run").code == Exit.LOCKED
        assert owner.say("plan").code == Exit.DONE
    assert bytes_of(owner.state)["embedded/journal.db"] == before


def test_a_plan_over_a_socket_writes_nothing_and_sends_nothing(owner: Owner) -> None:
    with exchange_with() as (url, exchange):
        said = owner.say("plan", "--json", **key_for(url))
        assert json.loads(said.out)["venue"] == "loopback" and json.loads(said.out)["legs"]
        assert not exchange.state.orders and not owner.state.exists()


@pytest.mark.parametrize(
    ("form", "first"),
    [
        ("text", "DRY-RUN on embedded "),
        ("md", "# DRY-RUN on embedded\n"),
        ("json", '{\n  "schema": "rebalancer.plan/1"'),
    ],
)
def test_the_report_begins_with_mode_and_venue(owner: Owner, form: str, first: str) -> None:
    said = owner.say("plan", "--format", form)
    assert said.out.startswith(first)
    assert owner.say("plan", "--format", form, **LIVE).out.startswith(first), "a plan is dry whatever the mode"


def test_the_rows_of_the_table_name_mode_and_venue(owner: Owner) -> None:
    rows = list(csv.DictReader(io.StringIO(owner.say("plan", "--format", "csv").out)))
    assert {(row["mode"], row["venue"]) for row in rows} == {("dry-run", "embedded")}


def test_the_exit_code_says_whether_there_is_something_to_trade_only_when_asked(owner: Owner) -> None:
    assert owner.say("plan").code == Exit.DONE
    assert owner.say("plan", "--exit-code").code == Exit.TRADES_TO_MAKE
    settle(owner)
    said = owner.say("plan", "--exit-code", **EMBEDDED)
    assert said.code == Exit.DONE and "nothing to do" in said.out
    forced = owner.say("plan", "--exit-code", "--force", "--json", **EMBEDDED)
    assert forced.code == Exit.TRADES_TO_MAKE and json.loads(forced.out)["trigger"] == "forced"


def test_a_plan_that_a_guard_refuses_ends_with_4_and_says_which(owner: Owner) -> None:
    with exchange_with(faults="one_sided=1") as (url, _):
        said = owner.say("plan", **key_for(url))
        table = owner.say("plan", "--format", "csv", **key_for(url))
    assert said.code == Exit.REFUSED and "Nothing would be sent" in said.out and "quote_one_sided" in said.out
    assert table.code == Exit.REFUSED and "quote_one_sided" in table.err, "a table has no place for a refusal"


def test_a_report_in_a_file_is_the_one_that_would_be_printed(owner: Owner) -> None:
    place = owner.folder / "plan.json"
    said = owner.say("plan", "--json", "--output", str(place))
    assert (said.code, said.out, said.err) == (Exit.DONE, "", "")
    assert json.loads(place.read_bytes())["schema"] == "rebalancer.plan/1"
    said = owner.say("plan", "--output", str(owner.folder / "plan.txt"))
    assert said.err.startswith("DRY-RUN on embedded: ") and "plan.txt" in said.err


def test_a_report_replaces_the_old_one_whole_and_keeps_its_mode_and_link(owner: Owner) -> None:
    place, link = owner.folder / "real.md", owner.folder / "link.md"
    place.write_text("old", encoding="utf-8")
    place.chmod(0o600)
    link.symlink_to(place)
    with place.open(encoding="utf-8") as reader:
        assert owner.say("plan", "--format", "md", "--output", str(link)).code == Exit.DONE
        assert reader.read() == "old", "who reads meanwhile sees the old report"
    assert link.is_symlink() and place.read_text(encoding="utf-8").startswith("# DRY-RUN")
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def fill() -> None:
        def no_space(_handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", no_space)

    return fill


def test_a_report_that_cannot_be_finished_leaves_the_old_one(owner: Owner, full_disk: Callable[[], None]) -> None:
    place = owner.folder / "report.txt"
    place.write_text("old", encoding="utf-8")
    full_disk()
    said = owner.say("plan", "--output", str(place))
    assert said.code == Exit.USAGE and "No space left" in said.err
    assert place.read_text(encoding="utf-8") == "old"
    assert sorted(each.name for each in owner.folder.iterdir()) == ["report.txt", "targets.toml"]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    handle = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        plan_verb.write_report(pipe, "report\n")
        assert os.read(handle, 100) == b"report\n" and pipe.is_fifo()
    finally:
        os.close(handle)
