"""What the mutation run makes of mutmut's verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import mutmut_run
from tests.mutmut_run import GROUPS, ROOT, Change, Verdict, files_of, load_accepted, make_copy, report, sampled

NAMES = {f"one.x_{number}": "one.py" for number in range(50)} | {"two.x_1": "two.py"}
KNOWN, NEW = Change("one.py", "f", "a", "b"), Change("one.py", "f", "a", "c")


def test_a_sample_is_the_same_for_a_seed_of_every_file_and_lies_within_a_larger_one() -> None:
    assert sampled(NAMES, None, 0) == NAMES
    few, more = sampled(NAMES, 5, 3), sampled(NAMES, 9, 3)
    assert (len(few), len(more)) == (6, 10)
    assert few.keys() < more.keys() and few == sampled(dict(reversed(NAMES.items())), 5, 3)
    assert few != sampled(NAMES, 5, 4)


def test_a_report_counts_by_file_and_names_each_survivor_that_nobody_answered_for() -> None:
    verdicts = [
        Verdict("one.py", "m1", "killed"),
        Verdict("one.py", "m2", "timeout"),
        Verdict("one.py", "m3", "survived", KNOWN),
        Verdict("two.py", "m4", "no tests", NEW),
    ]
    figures = report(verdicts, {KNOWN: "because"})
    assert (figures["mutants"], figures["killed"], figures["killed_percent"], figures["accepted"]) == (4, 2, 50.0, 1)
    assert figures["by_file"] == [("one.py", 3, 2), ("two.py", 1, 0)]
    assert [each["name"] for each in figures["unlisted"]] == ["m4"]


def test_the_groups_cover_core_journal_and_wire() -> None:
    found = {file for group in GROUPS.values() for file in files_of(group, ())}
    for folder in ("core", "journal"):
        assert {str(path.relative_to(ROOT)) for path in (ROOT / "rebalancer" / folder).glob("*.py")} <= found
    wire = {Path(file).stem for file in found if "htx" in file}
    assert wire == {"sign", "decode", "envelope", "codes", "budget", "wire_account", "wire_market", "wire_orders"}
    assert files_of(GROUPS["journal"], ("fold", "no such file")) == ["rebalancer/journal/fold.py"]
    assert all((ROOT / test).exists() for group in GROUPS.values() for test in group.tests)


def test_a_copy_holds_program_and_tests_and_the_settings_of_its_group(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_gone.py").touch()
    copy = make_copy(tmp_path, GROUPS["journal"])
    settings = (copy / "setup.cfg").read_text(encoding="utf-8")
    assert "only_mutate =\n    rebalancer/journal/*.py\n" in settings
    assert (copy / "rebalancer" / "journal" / "fold.py").exists()
    assert (copy / "tests" / "conftest.py").exists() and not (copy / "tests" / "test_gone.py").exists()


def test_a_change_that_is_listed_is_known_by_its_lines(tmp_path: Path) -> None:
    place = tmp_path / "survivors.toml"
    text = '[[survivor]]\nfile="one.py"\nfunction="f"\nold="a"\nnew="b"\nkind="speed"\nreason="because"\n'
    place.write_text(text, encoding="utf-8")
    assert load_accepted(place) == {KNOWN: "because"}
    assert load_accepted()


def test_a_file_that_no_group_has_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["mutmut_run", "--only", "nowhere"])
    with pytest.raises(SystemExit, match=r"no file holds 'nowhere' in its path; the groups are journal, wire, core"):
        mutmut_run.main()
