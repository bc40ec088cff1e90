"""The judge over a program of a few lines: what is killed, what lives, and what must not count as either."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.mutmut_run.groups import Group, files_of
from tests.mutmut_run.judging import Place, judge, prepare
from tests.mutmut_run.mutants import Change
from tests.mutmut_run.verdicts import Verdict

FILE = "rebalancer/toy.py"
GROUP = Group((FILE,), ("tests/test_toy.py",))
SETTINGS = '[tool.pytest.ini_options]\naddopts = "--import-mode=importlib"\ntimeout = 60\n'
PROGRAM = """
import os
import threading


def total(numbers):
    return sum(numbers, 0)


def half(number):
    steps = 0
    while number > 1:
        number -= 2
        steps += 1
    return steps


def aborts(wanted):
    if not wanted:
        return 5
    os.abort()


def waits(event):
    return event.wait(timeout=0.1)


def doubled(numbers):
    found = []
    worker = threading.Thread(target=lambda: found.extend(2 * number for number in numbers))
    worker.start()
    worker.join()
    return found


def never():
    return 7
"""
TESTS = """
import threading
from hypothesis import given, strategies as st
from rebalancer.toy import aborts, doubled, half, total, waits

@given(st.lists(st.integers(0, 9)))
def test_total(numbers):
    assert total(numbers) == total(numbers[::-1])

def test_half(tmp_path):
    assert half(6) == 3

def test_aborts():
    assert aborts(False) == 5

def test_waits():
    assert not waits(threading.Event())

def test_doubled():
    assert doubled([1, 2]) == [2, 4]
"""


def place_of(tmp_path: Path, program: str, tests: str) -> Place:
    root = tmp_path / "root"
    for name, text in {"__init__.py": "", "toy.py": program}.items():
        put(root / "rebalancer" / name, text)
    put(root / "tests" / "test_toy.py", tests)
    put(root / "pyproject.toml", SETTINGS)
    return Place("toy", GROUP, root, tmp_path / "work", listed_s=0.1, asleep_s=1.0)


def put(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")


def judged(place: Place, listed: Collection[Change] = (), *, keep: bool = False) -> dict[Change, Verdict]:
    mutants, state = prepare(place, files_of(place.group, (), place.root), keep=keep)
    return {verdict.change: verdict for verdict in judge(place, mutants, state, listed, jobs=2)}


def change(function: str, old: str, new: str) -> Change:
    return Change(FILE, function, old, new)


def test_mutants_are_killed_live_hang_and_crash_each_for_itself(tmp_path: Path) -> None:
    found = judged(place_of(tmp_path, PROGRAM, TESTS))
    name = "tests/test_toy.py::test_"
    expected = {
        change("total", "return sum(numbers, 0)", "return sum(numbers, 1)"): ("survived", None),
        change("total", "return sum(numbers, 0)", "return sum(None, 0)"): ("killed", name + "total"),
        change("half", "number -= 2", "number += 2"): ("timeout", name + "half"),
        change("half", "steps += 1", "steps -= 1"): ("killed", name + "half"),
        change("aborts", "if not wanted:", "if wanted:"): ("crashed", name + "aborts"),
        change("aborts", "return 5", "return 6"): ("killed", name + "aborts"),
        change("waits", "return event.wait(timeout=0.1)", "return event.wait(timeout=None)"): (
            "asleep",
            name + "waits",
        ),
        change("never", "return 7", "return 8"): ("no tests", None),
    }
    assert {each: (found[each].status, found[each].by) for each in expected} == expected
    threads = [each for each in found if each.function == "doubled" and "2 * number" in each.old]
    assert threads and all(found[each].by == name + "doubled" for each in threads)


GUARD = """
import os
import signal


def leaves(wanted):
    if not wanted:
        return 5
    os._exit(0)


def shot(wanted):
    if not wanted:
        return 5
    os.kill(os.getpid(), signal.SIGKILL)


def never():
    return 7
"""
GUARD_TESTS = """
from rebalancer.toy import leaves, shot

def test_leaves():
    assert leaves(False) == 5

def test_shot():
    assert shot(False) == 5
"""


def test_a_child_that_leaves_without_a_word_has_crashed_and_one_shot_from_outside_is_no_kill(tmp_path: Path) -> None:
    found = judged(place_of(tmp_path, GUARD, GUARD_TESTS))
    assert found[change("leaves", "if not wanted:", "if wanted:")].status == "crashed"
    lost = found[change("shot", "if not wanted:", "if wanted:")]
    assert lost.status == "lost" and not lost.is_killed


def test_a_later_run_asks_only_what_no_longer_holds(tmp_path: Path) -> None:
    place = place_of(tmp_path, GUARD, GUARD_TESTS)
    first = judged(place)
    lines = place.results.read_text(encoding="utf-8").splitlines()
    place.results.write_text("\n".join(lines[:-2]) + "\n" + lines[-2][:20], encoding="utf-8")
    assert judged(place, keep=True) == first, "broken off, and gone on with"
    put(place.root / FILE, GUARD.replace("return 7", "return 70"))
    before = len(place.results.read_text(encoding="utf-8").splitlines())
    found = judged(place, keep=True)
    assert change("never", "return 70", "return 71") in found
    again = [json.loads(line) for line in place.results.read_text(encoding="utf-8").splitlines()[before:]]
    assert {line["status"] for line in again} == {"lost", "no tests", "survived"}, "what was killed stays so"
    assert [first[each] for each in found if each in first] == [found[each] for each in found if each in first]


def stopped(place: Place, capfd: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit, match="toy was not judged to the end"):
        judged(place)
    return capfd.readouterr().err


def test_a_test_that_fails_without_a_mutant_stops_the_run_with_its_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    failing = GUARD_TESTS + "\ndef test_of_another_fault():\n    assert shot(False) == 6\n"
    said = stopped(place_of(tmp_path, GUARD, failing), capfd)
    assert "test_toy.py::test_of_another_fault fails in a forked child without any mutant" in said


def test_a_test_that_fails_only_after_others_stops_the_run_with_its_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    leaking = (
        GUARD_TESTS
        + """
seen = []

def test_leaks():
    seen.append(1)

def test_suffers():
    assert sum(range(3_000_000)) and not seen
"""
    )
    said = stopped(place_of(tmp_path, GUARD, leaking), capfd)
    assert "test_toy.py::test_suffers passes alone and fails after the tests that are cheaper" in said


def test_a_thread_that_runs_once_the_tests_are_collected_stops_the_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    threaded = (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), name='early', daemon=True).start()\n"
    )
    said = stopped(place_of(tmp_path, GUARD, threaded + GUARD_TESTS), capfd)
    assert "nothing can be forked: early" in said


def test_a_program_that_is_not_the_copys_is_not_judged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = place_of(tmp_path, GUARD, "from rebalancer.core import money\n" + GUARD_TESTS)
    (place.root / "rebalancer" / "__init__.py").unlink()
    (place.root / "tests" / "test_toy.py").write_text(
        "import rebalancer.core.money\ndef test_it(): pass\n", encoding="utf-8"
    )
    assert "not from the copy that holds the mutants" in stopped(place, capfd)


def test_a_listed_mutant_is_asked_by_the_cheapest_tests_only(tmp_path: Path) -> None:
    slow = """
import time
from rebalancer.toy import never

def test_quick():
    assert never()

def test_slow():
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    assert never() == 7
"""
    other = change("never", "return 7", "return 8")
    place = place_of(tmp_path, GUARD, slow)
    assert judged(place, {other})[other].status == "survived"
    assert judged(place, keep=True)[other].by == "tests/test_toy.py::test_slow", "off the list it is asked by all"
