"""What the mutation run makes of verdicts, and which of an earlier run still hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mutmut_run.__main__ import main
from tests.mutmut_run.copies import make_copy, state_of
from tests.mutmut_run.covering import Covering
from tests.mutmut_run.groups import GROUPS, ROOT, files_of
from tests.mutmut_run.mutants import Change, Mutant, applied, make_mutants, sampled
from tests.mutmut_run.report import is_good, load_accepted, report
from tests.mutmut_run.trials import Known
from tests.mutmut_run.verdicts import Line, Verdict, end_last_line, load_lines

KNOWN, NEW, GONE = Change("one.py", "f", "a", "b"), Change("one.py", "f", "a", "c"), Change("one.py", "f", "a", "d")
NAMES = [Mutant(f"one.x_{number}", "", Change("one.py", "f", "a", str(number))) for number in range(50)]
NAMES += [Mutant("two.x_1", "", Change("two.py", "f", "a", "b"))]


def test_a_sample_is_the_same_for_a_seed_of_every_file_and_lies_within_a_larger_one() -> None:
    assert sampled(NAMES, None, 0) == NAMES
    few, more = sampled(NAMES, 5, 3), sampled(NAMES, 9, 3)
    assert (len(few), len(more)) == (6, 10)
    assert set(few) < set(more) and few == sampled(NAMES[::-1], 5, 3)
    assert few != sampled(NAMES, 5, 4)


VERDICTS = [
    Verdict("one.py", "m1", "killed", KNOWN, "a test"),
    Verdict("one.py", "m2", "timeout", GONE),
    Verdict("one.py", "m3", "survived", KNOWN),
    Verdict("two.py", "m4", "no tests", NEW),
]


def test_a_report_counts_by_file_and_names_each_survivor_that_nobody_answered_for() -> None:
    figures = report(VERDICTS, {KNOWN: "because"}, {KNOWN, NEW, GONE})
    assert (figures["mutants"], figures["killed"], figures["killed_percent"], figures["accepted"]) == (4, 2, 50.0, 1)
    assert figures["by_file"] == [("one.py", 3, 2), ("two.py", 1, 0)]
    assert [each["name"] for each in figures["unlisted"]] == ["m4"]
    assert figures["stale"] == figures["needless"] == []
    assert json.loads(json.dumps(figures))["statuses"] == {"killed": 1, "timeout": 1, "survived": 1, "no tests": 1}


def test_what_was_lost_is_no_kill() -> None:
    figures = report([Verdict("one.py", "m1", "lost", NEW)], {}, {NEW})
    assert figures["killed"] == 0 and len(figures["unlisted"]) == 1


def test_an_entry_of_the_list_that_no_mutant_matches_is_stale_and_one_that_is_killed_needless() -> None:
    elsewhere = Change("renamed.py", "f", "a", "b")
    accepted = dict.fromkeys((KNOWN, NEW, GONE, elsewhere, Change("not asked.py", "f", "a", "b")), "because")
    figures = report(VERDICTS, accepted, {KNOWN, NEW}, {"renamed.py"})
    assert [(each["file"], each["new"]) for each in figures["stale"]] == [("one.py", "d"), ("renamed.py", "b")]
    assert [each["new"] for each in figures["needless"]] == ["d"], "one of two mutants with the known change lives"


@pytest.mark.parametrize(
    ("killed", "lists", "good"),
    [
        (90, {}, True),
        (89, {}, False),
        (100, {"unlisted": [{}]}, False),
        (100, {"stale": [{}]}, False),
        (100, {"needless": [{}]}, True),
    ],
)
def test_a_run_is_good_with_nine_tenths_killed_and_a_list_that_fits(killed: int, lists: dict, good: bool) -> None:  # type: ignore[type-arg]
    figures = {"mutants": 100, "killed": killed, "unlisted": [], "stale": [], "needless": []}
    assert is_good(figures | lists) is good


def test_what_was_killed_holds_and_what_lived_only_in_the_same_state_and_on_the_same_list() -> None:
    for status in ("killed", "timeout", "asleep", "crashed"):
        assert Line("k", status, None, listed=True, state="old").holds("new", listed=False)
    lived = Line("k", "survived", None, listed=False, state="old")
    assert lived.holds("old", listed=False) and not lived.holds("new", listed=False)
    asked_little = Line("k", "survived", None, listed=True, state="old")
    assert asked_little.holds("old", listed=True) and not asked_little.holds("old", listed=False)
    assert not Line("k", "lost", None, listed=False, state="old").holds("old", listed=False)


def test_a_mutant_is_asked_first_by_what_killed_its_like_and_then_by_the_cheapest_that_enter_its_function() -> None:
    tests = [Known(name, cpu_s, cpu_s, ("one.x_f",)) for name, cpu_s in (("dear", 3.0), ("cheap", 0.1), ("fair", 1.0))]
    covering = Covering([*tests, Known("other", 0.0, 0.0, ("one.x_g",))])
    assert covering.has("one.x_f__mutmut_1") and not covering.has("one.x_h__mutmut_1")

    def asked(budget: float | None = None) -> list[str]:
        return [test.name for test in covering.tests_for("one.x_f__mutmut_2", budget)]

    assert asked() == ["cheap", "fair", "dear"]
    assert asked(1.2) == ["cheap", "fair"] and asked(0.0) == ["cheap"]
    covering.note_kill("one.x_f__mutmut_1", "dear")
    assert asked() == ["dear", "cheap", "fair"]
    assert [test.name for test in covering.tests_for("one.x_f__mutmut_2", None, "fair")] == ["fair", "dear", "cheap"]


def test_a_line_that_was_cut_short_is_not_read_and_not_written_behind(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    assert load_lines(results) == {}
    line = {"key": "k", "status": "survived", "by": None, "listed": False, "state": "s"}
    later = json.dumps({**line, "status": "killed"})
    results.write_text(f'{json.dumps(line)}\n{later}\n{{"key": "cut', encoding="utf-8")
    end_last_line(results)
    assert results.read_text(encoding="utf-8").endswith("}\n")
    assert {key: line.status for key, line in load_lines(results).items()} == {"k": "killed"}


def test_the_groups_cover_core_journal_and_wire() -> None:
    found = {file for group in GROUPS.values() for file in files_of(group, ())}
    for folder in ("core", "journal"):
        assert {str(path.relative_to(ROOT)) for path in (ROOT / "rebalancer" / folder).glob("*.py")} <= found
    wire = {Path(file).stem for file in found if "htx" in file}
    assert wire == {"sign", "decode", "envelope", "codes", "budget", "wire_account", "wire_market", "wire_orders"}
    assert files_of(GROUPS["journal"], ("fold", "no such file")) == ["rebalancer/journal/fold.py"]
    assert all((ROOT / test).exists() for group in GROUPS.values() for test in group.tests)


def test_a_copy_holds_program_and_tests_as_they_are_now_and_its_state_tells_them_from_others(tmp_path: Path) -> None:
    root, folder = tmp_path / "root", tmp_path / "copy"
    (root / "rebalancer").mkdir(parents=True)
    (root / "rebalancer" / "one.py").write_text("X = 1\n", encoding="utf-8")
    (root / "tests").mkdir()
    (root / "tests" / "test_gone.py").touch()
    first = state_of(make_copy(root, folder))
    assert (folder / "tests" / "test_gone.py").exists() and (folder / "tests" / "mutmut_run" / "session.py").exists()
    assert state_of(make_copy(root, folder)) == first
    (root / "tests" / "test_gone.py").unlink()
    assert state_of(make_copy(root, folder)) != first
    assert not (folder / "tests" / "test_gone.py").exists()


PROGRAM = '''"""A module."""


class Owner:
    """One."""

    @staticmethod
    def share(part: int, whole: int) -> int:
        """Return percent."""
        return (
            100 * part // whole
        )

    def other(self) -> int:
        return 1
'''


def test_a_mutant_is_known_by_its_lines_and_can_be_put_in_place_of_its_function(tmp_path: Path) -> None:
    file = "rebalancer/one.py"
    (tmp_path / "rebalancer").mkdir()
    (tmp_path / file).write_text(PROGRAM, encoding="utf-8")
    made = {mutant.change: mutant for mutant in make_mutants(tmp_path, file)}
    change = Change(file, "Owner.share", "100 * part // whole", "100 / part // whole")
    assert made[change].name.startswith("rebalancer.one.xǁOwnerǁshare__mutmut_")
    assert len({mutant.key for mutant in made.values()}) == len(made) >= 4
    assert applied(PROGRAM, made[change]) == PROGRAM.replace("100 * part", "100 / part")
    again = PROGRAM.replace("return 1", "return 2")
    (tmp_path / file).write_text(again, encoding="utf-8")
    keys = {mutant.change: mutant.key for mutant in make_mutants(tmp_path, file)}
    assert keys[change] == made[change].key, "another function changed, not this one"


def test_a_change_that_is_listed_is_known_by_its_lines(tmp_path: Path) -> None:
    place = tmp_path / "survivors.toml"
    text = '[[survivor]]\nfile="one.py"\nfunction="f"\nold="a"\nnew="b"\nkind="speed"\nreason="because"\n'
    place.write_text(text, encoding="utf-8")
    assert load_accepted(place) == {KNOWN: "because"}
    assert load_accepted()


def test_a_file_that_no_group_has_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["mutmut_run", "--only", "nowhere"])
    with pytest.raises(SystemExit, match=r"no file holds 'nowhere' in its path; the groups are journal, wire, core"):
        main()
