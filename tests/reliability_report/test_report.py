"""What the page makes of the tools' documents: no figure is left out in silence, and no violated bar passes."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.reliability_report.__main__ import exit_code, main
from tests.reliability_report.branches import assertions, figures
from tests.reliability_report.measures import MEASURES, MUTATED, Source, Verdict, judge
from tests.reliability_report.page import START, WIDTH, page, readme
from tests.reliability_report.small import catalogue
from tests.reliability_report.sources import NOWHERE, SMALL, TOOLS

ROOT = Path(__file__).parents[2]
DRILLS = {
    "boundaries_enumerated": 600, "drills": 600, "boundaries_killed_at": 598, "second_kills": 0, "missed": [],
    "of_those_that_each_cycle_passes": "590 of 590", "of_those_that_come_up_by_chance": "8 of 10",
    "violations": [], "restart_to_armed_s": {"nothing_open": {"median": 1.0, "max": 2.5}},
}  # fmt: skip
PASSED = {"passed": 9, "failed": 0, "skipped": 0}
GROWTHS = {f"{name}_growth": 0.0 for name in ("resident_kib", "objects", "threads", "files")}
GOOD: dict[str, Any] = {
    "simulation": {"counted": 10_000_000, "orders": 9, "calls": 100, "fired": {"crash": 12, "leave": 50}, "violations": [],
                   "problems": [], "settle_s_max": 120.0},
    "kills": DRILLS, "pairs": DRILLS | {"second_kills": 590}, "stops": DRILLS,
    "crash_pairs": {"fates": ["none", "lost_reply@1"], "pairs": 14_000, "problems": []},
    "hostile": {"judged": 1_000_000, "problems": []},
    "mutants": {"mutants": 122, "survivors": []},
    "mutmut": {"mutants": 500, "killed_percent": 96.0, "unlisted": [],
               "by_file": [[starts[0] + "x.py" if starts[0][-1] in "/_" else starts[0], 100, 96] for starts in MUTATED.values()]},
    "branches": {"branches": 900, "missing": 0, "percent": 100.0, "asserts": 80, "functions": 40},
    "power": {"cuts": 10_000, "torn": 9000, "answers": 50, "syncs": 60, "unsynced_answers": 0, "problems": []},
    "soak": {"days": 30, "cycles": 720, "orders": 200, "missed_slots": 0, "problems": [], **GROWTHS},
    "replay": PASSED, "secrets": PASSED, "web": PASSED,
    "stack": {"soak": {"of": 7, "ran": list("abcdefg"), "not": []}},
    "catalogue": {"rows": 126, "shown": 125, "out_of_scope": 1},
    "exposure": {"rebalancer.service": 1.1},
}  # fmt: skip
# What this project does not claim: it says so on the page.
NEVER_MET = {"boundaries with a second kill", "the page's unit"}
HARM: dict[str, Callable[[dict[str, Any]], object]] = {
    "violations, liveness included": lambda d: d["simulation"]["violations"].append("I1"),
    "faults a hundred wire calls": lambda d: d["simulation"]["fired"].update(crash=9),
    "an unknown order's end (simulated)": lambda d: d["simulation"].update(settle_s_max=481),
    "a seed replays bit for bit": lambda d: d["replay"].update(failed=1),
    "parts in one seeded process": lambda d: d["stack"]["soak"]["not"].append("scheduler"),
    "kills without harm": lambda d: d["kills"]["violations"].append({}),
    "pairs of kills without harm": lambda d: d["pairs"]["missed"].append("append"),
    "pairs of crashes, in one process": lambda d: d["crash_pairs"]["problems"].append("one"),
    "stops (SIGTERM) without harm": lambda d: d["stops"]["violations"].append({}),
    "orders on one, unhandled, defaulted": lambda d: d["hostile"]["problems"].append("seed 1"),
    "deliberate defects caught": lambda d: d["mutants"]["survivors"].append("one"),
    "generated changes noticed, by part": lambda d: d["mutmut"]["by_file"][1].__setitem__(2, 94),
    "survivors without a reason": lambda d: d["mutmut"]["unlisted"].append({}),
    "rows with a named test": lambda d: d["catalogue"].update(shown=124),
    "branches taken by their tests": lambda d: d["branches"].update(missing=1),
    "assertions in production": lambda d: d["branches"].update(asserts=79),
    "answers before all was synced": lambda d: d["power"].update(unsynced_answers=1),
    "cuts that lost an answered row": lambda d: d["power"]["problems"].append("life 0"),
    "trading units": lambda d: d["exposure"].update({"rebalancer-once.service": 1.3}),
    "canary through every path": lambda d: d["secrets"].update(failed=1),
    "hosts, origins, tokens, headers": lambda d: d["web"].update(passed=0),
    "restart to armed, nothing open": lambda d: d["kills"]["restart_to_armed_s"]["nothing_open"].update(max=5.1),
    "growth, last third on middle third": lambda d: d["soak"]["problems"].append("threads grew"),
    "missed slots": lambda d: d["soak"].update(missed_slots=1),
}  # fmt: skip


def lines_of(documents: dict[str, Any]) -> dict[str, Any]:
    sources = {name: Source(f"python -m {name}", made) for name, made in documents.items()} | NOWHERE
    return {measure.name: judge(measure, sources[measure.source]) for measure in MEASURES}


def test_what_meets_every_bar_is_said_to() -> None:
    lines = lines_of(GOOD)
    assert {name for name, line in lines.items() if line.verdict is not Verdict.OK} == NEVER_MET
    assert exit_code(list(lines.values()), quick=True) == 0


@pytest.mark.parametrize("name", HARM)
def test_a_violated_bar_fails_however_short_the_run(name: str) -> None:
    documents = copy.deepcopy(GOOD)
    HARM[name](documents)
    lines = lines_of(documents)
    assert lines[name].verdict is Verdict.OVER, lines[name]
    assert exit_code(list(lines.values()), quick=True) == 1


def test_every_bar_but_those_of_depth_is_shown_to_fail() -> None:
    assert {measure.name for measure in MEASURES if not measure.depth} == HARM.keys() | {"the page's unit"}


def test_a_short_run_is_said_and_fails_only_where_depth_was_asked() -> None:
    documents = copy.deepcopy(GOOD)
    documents["simulation"]["counted"] = 199_999
    lines = lines_of(documents)
    assert lines["counted cycles, of a change"].verdict is Verdict.SHORT
    assert exit_code(list(lines.values()), quick=True) == 0
    assert exit_code(list(lines.values()), quick=False) == 1


def test_a_figure_that_is_missing_is_said_with_its_reason() -> None:
    measure = next(each for each in MEASURES if each.source == "mutmut")
    nowhere = judge(measure, Source("python -m tests.mutmut_run", reason="not measured here: an hour or two"))
    assert (nowhere.verdict, nowhere.figure) == (Verdict.MISSING, "not measured here: an hour or two")
    other = judge(measure, Source("python -m tests.mutmut_run", {"cycles": 7}))
    assert other.verdict is Verdict.MISSING and "no such figure" in other.figure and "by_file" in other.figure
    assert "MISSING" in page([nowhere]) and "1 MISSING" in page([nowhere])


def test_the_page_fits_a_terminal_and_names_every_target_bar_and_command() -> None:
    lines = list(lines_of(GOOD).values())
    shown = page(lines)
    assert max(map(len, shown.splitlines())) <= WIDTH
    words = " ".join(shown.split())
    for line in lines:
        assert all(each in words for each in (line.target, line.name, line.bar)), line
        assert line.command == "-" or line.command in words


def test_the_readmes_paragraph_is_the_one_that_the_readme_has_and_holds_what_was_measured() -> None:
    assert START in (ROOT / "README.md").read_text(encoding="utf-8")
    sources = {name: Source("", made) for name, made in GOOD.items()}
    text = " ".join(readme(sources).split())
    assert "10,000,000 simulated cycles" in text and "122 deliberate defects, each caught" in text
    assert "14,000 pairs of crashes, each settled by the next start" in text
    assert "no order on one" in text and "96 % of 500" in text and "no answered row lost" in text
    harmed = copy.deepcopy(GOOD)
    harmed["mutants"]["survivors"].append("one")
    harmed["crash_pairs"]["problems"].append("one")
    text = " ".join(readme({name: Source("", made) for name, made in harmed.items()}).split())
    assert "1 not caught" in text and "1 not settled" in text
    assert "power cuts" not in readme(sources | {"power": Source("", reason="no strace")})


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["reliability_report", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    if isinstance(code, str):  # as the interpreter does
        print(code)
        return 1
    return int(code or 0)


def test_documents_of_earlier_runs_make_the_page_without_running_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--json", "--quick"]
    for name in TOOLS:
        (tmp_path / name).write_text(json.dumps(GOOD[name]), encoding="utf-8")
        arguments += [f"--{name}", str(tmp_path / name)]
    arguments += [word for name in SMALL for word in ("--skip", name)]
    assert call(monkeypatch, *arguments) == 0
    shown = capsys.readouterr()
    made = json.loads(shown.out)
    assert len(made["lines"]) == len(MEASURES) and made["readme"].startswith(START)
    missing = {line["name"] for line in made["lines"] if line["verdict"] == "MISSING"}
    assert missing == {measure.name for measure in MEASURES if measure.source in {*SMALL, *NOWHERE}}
    assert f"[{len(SMALL) + len(TOOLS)}/{len(SMALL) + len(TOOLS)}] soak" in shown.err


@pytest.mark.parametrize("content", ["", "[1]", "Traceback"])
def test_a_file_that_holds_no_document_is_named_with_what_to_give(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kills.json"
    file.write_text(content, encoding="utf-8")
    skipped = [word for name in (*SMALL, *TOOLS) if name != "kills" for word in ("--skip", name)]
    assert call(monkeypatch, "--kills", str(file), *skipped) == 1
    shown = capsys.readouterr().out
    assert str(file) in shown and "--json" in shown


def test_branches_count_what_no_test_takes_and_assertions_by_function() -> None:
    files = {
        "a.py": {"summary": {"num_branches": 8}, "missing_branches": [[3, 5], [7, -1]]},
        "b.py": {"summary": {"num_branches": 2}, "missing_branches": []},
    }
    made = figures(files)
    assert (made["branches"], made["missing"], made["percent"]) == (10, 2, 80.0)
    assert list(made["missing_branches"]) == ["a.py"]
    counted = assertions(("rebalancer/journal",))
    assert counted["functions"] > 50 and counted["asserts"] > 0


def test_the_catalogue_is_counted_whole() -> None:
    made = catalogue()
    assert made["rows"] == 126 and 100 < made["shown"] <= 126
