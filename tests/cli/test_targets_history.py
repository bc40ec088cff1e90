"""Every change of the targets that took effect: who, when and what, in the journal, and the way back to each."""

from __future__ import annotations

import getpass
import json
import shutil
from typing import Any

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.journal.rows import Kind
from rebalancer.journal.store import Journal
from rebalancer.service import execute
from rebalancer.service.clock import SystemClock
from rebalancer.service.lock import hold_lock
from rebalancer.targets.file import load_targets
from rebalancer.targets.staging import stage
from rebalancer.targets.versions import NOTES
from tests.cli.conftest import Owner
from tests.cli.exchanges import EMBEDDED, LIVE
from tests.cli.test_targets_staged import AT, WEIGHTS


def changes(owner: Owner) -> list[dict[str, Any]]:
    said = owner.say("targets", "history", "--json", **EMBEDDED)
    assert said.code == Exit.DONE, said.err
    return list(json.loads(said.out)["changes"])


def steps(owner: Owner) -> list[tuple[str, str]]:
    return [(change["how"], change["who"]) for change in changes(owner)]


def rows(owner: Owner) -> int:
    with Journal.open_to_read(owner.state / "embedded" / "journal.db", SystemClock()) as journal:
        return journal.last_seq


def cycle(owner: Owner) -> str:
    said = owner.say("run", **EMBEDDED)
    assert said.code == Exit.DONE, said.err
    return said.err


def change(owner: Owner, *words: str) -> None:
    said = owner.say("targets", *words, "--yes", "--no-preview", **EMBEDDED)
    assert said.code == Exit.DONE, said.err


def by_hand(owner: Owner, old: str, new: str) -> None:
    text = owner.targets.read_text(encoding="utf-8")
    assert old in text
    owner.targets.write_text(text.replace(old, new), encoding="utf-8")


def test_each_way_to_change_the_targets_is_told_with_its_author_and_its_weights(owner: Owner) -> None:
    me = getpass.getuser()
    cycle(owner)
    change(owner, "set", "BTC=40", "USDT=10")
    cycle(owner)
    by_hand(owner, "ETH  = 25", "ETH  = 20")
    by_hand(owner, "SOL  = 10", "SOL  = 15")
    assert "ETH 25 -> 20, SOL 10 -> 15" in cycle(owner)
    change(owner, "undo")
    cycle(owner)
    stage(owner.state, {"weights": WEIGHTS, "based_on": load_targets(owner.targets).digest}, AT)
    change(owner, "confirm")
    cycle(owner)
    assert steps(owner) == [("confirm", me), ("undo", me), ("by hand", ""), ("set", me), ("first", "")]
    made = changes(owner)
    assert made[3]["weight_changes"] == {"BTC": {"from": "35", "to": "40"}, "USDT": {"from": "15", "to": "10"}}
    assert made[0]["weight_changes"]["LINK"] == {"from": "5", "to": None}
    assert all(each["kept"] and each["taken_over_at"] for each in made)
    shown = owner.say("targets", "history", **EMBEDDED).out
    assert f"set by {me}" in shown and "edited by hand" in shown and "BTC 35 -> 40, USDT 15 -> 10" in shown
    assert f"staged on the page, confirmed by {me}" in shown and max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("step", ["_send_leg", "_send_once", "close_plan"])
def test_a_file_that_is_edited_while_a_plan_is_carried_out_counts_from_the_next_run_on(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    cycle(owner)
    original = getattr(execute, step)

    def edited_first(*given: Any, **more: Any) -> Any:
        if "BTC  = 35" in owner.targets.read_text(encoding="utf-8"):
            by_hand(owner, "BTC  = 35", "BTC  = 15")
            by_hand(owner, "ETH  = 25", "ETH  = 45")
        return original(*given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(execute, step, edited_first)
        assert owner.say("run", "--live", **LIVE).code in {Exit.DONE, Exit.WORK_LEFT}
    with Journal.open_to_read(owner.state / "embedded" / "journal.db", SystemClock()) as journal:
        told = {kind: journal.newest(kind, 1)[0] for kind in (Kind.CONFIG, Kind.PLAN)}
        sent = list(journal.rows(kinds=[Kind.SENDING], run_id=told[Kind.PLAN].run_id))
    assert json.loads(told[Kind.CONFIG].payload_text)["weights"]["BTC"] == "35"
    plan = json.loads(told[Kind.PLAN].payload_text)["plan"]
    assert sent and {line["asset"]: line["target"] for line in plan["assets"]}["BTC"] == "0.35"
    assert steps(owner) == [("first", "")]
    assert "BTC 35 -> 15, ETH 25 -> 45" in cycle(owner)
    assert steps(owner) == [("by hand", ""), ("first", "")]


def test_a_limit_that_was_raised_by_hand_is_told_with_both_values(owner: Owner) -> None:
    cycle(owner)
    by_hand(owner, "max_order_notional     = 1000", "max_order_notional     = 100000")
    assert "limits.max_order_notional 1000 -> 100000" in cycle(owner)
    (made, _) = changes(owner)
    assert made["setting_changes"] == {"limits.max_order_notional": {"from": "1000", "to": "100000"}}
    assert made["weight_changes"] == {} and made["how"] == "by hand"


def test_a_cycle_that_finds_nothing_new_writes_nothing_of_it(owner: Owner) -> None:
    for _ in range(3):
        cycle(owner)
    assert steps(owner) == [("first", "")]


def test_whoever_called_sudo_is_named(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "anna")
    change(owner, "set", "BTC=40", "USDT=10")
    assert steps(owner) == [("set", "anna")]


def test_while_a_service_holds_the_lock_its_journal_is_left_to_it_and_the_change_waits(owner: Owner) -> None:
    cycle(owner)
    before = rows(owner)
    with hold_lock(owner.state / "lock"):
        change(owner, "set", "BTC=40", "USDT=10")
        assert rows(owner) == before
        waiting = changes(owner)[0]
        assert waiting["how"] == "set" and waiting["taken_over_at"] is None and waiting["kept"]
        assert "the next cycle takes it over" in " ".join(owner.say("targets", "history", **EMBEDDED).out.split())
    cycle(owner)
    assert [each["taken_over_at"] is None for each in changes(owner)] == [False, False]


def test_looking_and_refusing_leave_no_trace(owner: Owner) -> None:
    owner.say("targets", "history", **EMBEDDED)
    owner.say("targets", "set", "BTC=41", "--yes", "--no-preview", **EMBEDDED)  # sums to 106
    owner.say("targets", "undo", "--yes", "--no-preview", **EMBEDDED)  # nothing to go back to
    assert not owner.state.exists() or not list(owner.state.rglob("*.json"))


def test_every_kept_version_can_be_gone_back_to_by_its_name(owner: Owner) -> None:
    first = owner.targets.read_bytes()
    cycle(owner)
    by_hand(owner, "BTC  = 35", "BTC  = 36 # more")
    by_hand(owner, "USDT = 15", "USDT = 14")
    cycle(owner)
    change(owner, "set", "BTC=40", "USDT=10")
    cycle(owner)
    oldest, second = changes(owner)[-1]["version"], changes(owner)[-2]["version"]
    change(owner, "undo", second[:8])
    assert "BTC  = 36 # more" in owner.targets.read_text(encoding="utf-8")
    change(owner, "undo", oldest[:8].upper())
    assert owner.targets.read_bytes() == first


def test_any_kept_version_can_be_compared_with_the_file_as_it_is(owner: Owner) -> None:
    cycle(owner)
    change(owner, "set", "BTC=40", "USDT=10")
    change(owner, "set", "BTC=41", "USDT=9")
    oldest = changes(owner)[-1]["version"][:8]
    shown = owner.say("targets", "diff", oldest, **EMBEDDED).out
    assert "-BTC  = 35" in shown and "+BTC  = 41" in shown and f"version {oldest}" in shown
    assert owner.say("targets", "diff", "nothing", **EMBEDDED).code == Exit.CONFIG
    both = owner.say("targets", "diff", oldest, "--against", str(owner.targets), **EMBEDDED)
    assert both.code == Exit.USAGE and "choose one" in both.err


def test_a_version_that_is_not_there_or_not_one_is_named(owner: Owner) -> None:
    cycle(owner)
    said = owner.say("targets", "undo", "nothing", "--yes", **EMBEDDED)
    assert said.code == Exit.CONFIG and "no version of that name is kept" in said.err
    change(owner, "set", "BTC=40", "USDT=10")
    said = owner.say("targets", "undo", "", "--yes", **EMBEDDED)
    assert said.code == Exit.CONFIG and "more than one version begins so" in said.err


def test_a_crash_between_the_journal_and_its_note_tells_a_change_once(owner: Owner) -> None:
    cycle(owner)
    change(owner, "set", "BTC=40", "USDT=10")
    shutil.copytree(owner.state / NOTES, owner.folder / "notes")
    cycle(owner)
    shutil.copytree(owner.folder / "notes", owner.state / NOTES, dirs_exist_ok=True)
    cycle(owner)
    assert [how for how, _ in steps(owner)] == ["set", "first"]
    assert not list((owner.state / NOTES).iterdir())


def test_a_state_directory_that_takes_no_note_does_not_stop_a_change_and_it_is_said(owner: Owner) -> None:
    owner.state.write_text("in the way")
    said = owner.say("targets", "set", "BTC=40", "USDT=10", "--yes", "--no-preview", **EMBEDDED)
    assert said.code == Exit.DONE and "will call this change one by hand" in said.err
    assert load_targets(owner.targets).weights["BTC"] == 40


def test_a_file_that_was_broken_by_hand_is_mended_by_undo_and_told_so(owner: Owner) -> None:
    change(owner, "set", "BTC=40", "USDT=10")
    cycle(owner)
    by_hand(owner, "BTC  = 40", "BTC  = 41")
    change(owner, "undo")
    cycle(owner)
    assert [how for how, _ in steps(owner)] == ["undo", "set", "first"]
    assert changes(owner)[0]["before"] is None, "what was no targets file has no weights"


def test_the_journal_with_the_history_still_proves_itself(owner: Owner) -> None:
    cycle(owner)
    change(owner, "set", "BTC=40", "USDT=10")
    cycle(owner)
    with Journal.open_to_read(owner.state / "embedded" / "journal.db", SystemClock()) as journal:
        assert journal.verify() and len(list(journal.rows(kinds=[Kind.TARGETS]))) == 2


def test_only_as_many_as_asked_for_are_shown(owner: Owner) -> None:
    cycle(owner)
    change(owner, "set", "BTC=40", "USDT=10")
    assert len(json.loads(owner.say("targets", "history", "1", "--json", **EMBEDDED).out)["changes"]) == 1
    assert "no version is recorded yet" in owner.say(
        "targets", "history", **EMBEDDED, REBALANCER_STATE_DIR=str(owner.folder / "other")
    ).out  # fmt: skip
