"""The figures of the order path as measured now, on one page: each tool is run, and each line names its command.

python -m tests.reliability_report [--cycles N] [--answers N] [--every K] [--sample N] [--json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
ARMED_S_MAX = 5
NOTICED_PERCENT_MIN = 90


@dataclass(frozen=True)
class Line:
    """One measured figure and what it should be."""

    name: str
    figure: str
    wanted: str
    holds: bool
    command: str


def measured(*words: str) -> tuple[dict[str, Any], str]:
    """Run one of the tools and return its document and its command; a tool that says nothing ends the report."""
    command = [sys.executable, "-m", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TESTS.parent)
    shown = f"python -m {' '.join(words)}"
    try:
        return json.loads(done.stdout), shown
    except ValueError:
        sys.exit(f"{shown} gave no document: {done.stderr[-500:]}")


def of_the_simulation(cycles: int, seed: int) -> list[Line]:
    document, command = measured("tests.simulation", "--cycles", str(cycles), "--seed", str(seed))
    faults = sum(document["fired"].values()) / document["calls"] * 100
    violations, silent = len(document["violations"]), [text for text in document["problems"] if "never" in text]
    return [
        Line("counted cycles", f"{document['counted']}, {document['orders']} orders", f"{cycles}",
             document["counted"] >= cycles, command),
        Line("violations of an invariant", str(violations), "0", violations == 0, command),
        Line("faults a hundred wire calls", f"{faults:.1f}", "10 or more", faults >= 10, command),
        Line("fault kinds that never fired", str(len(silent)), "0", not silent, command),
        Line("cycles a second", f"{document['cycles'] / document['seconds']:.0f}", "as many as can be", True, command),
        Line("slowest settling, all quiet", f"{document['settle_s_max']:.0f} s", "480 s or less",
             document["settle_s_max"] <= 480, command),
    ]  # fmt: skip


def of_the_mutants() -> list[Line]:
    document, command = measured("tests.mutants")
    caught = document["mutants"] - len(document["survivors"])
    return [
        Line(
            "deliberate defects caught", f"{caught} of {document['mutants']}", "all", not document["survivors"], command
        )
    ]


def of_the_kills(every: int) -> list[Line]:
    lines = []
    for name, more in (("kills", ()), ("pairs of kills", ("--pairs",)), ("stops", ("--term",))):
        document, command = measured("tests.kills", "--every", str(every), *more)
        reached = f"{document['boundaries_killed_at']} of {document['drills']} boundaries"
        missed = [*document["violations"], *document["missed"]]
        figures = f"{reached}, {len(document['violations'])} violation(s), {len(document['missed'])} missed"
        lines.append(Line(name, figures, "0 violations, none missed", not missed, command))
        armed = document["restart_to_armed_s"]["nothing_open"]
        if armed is not None and not more:
            good = armed["max"] <= ARMED_S_MAX
            wanted = f"{ARMED_S_MAX} s or less"
            lines.append(Line("restart to armed, nothing open", f"{armed['max']} s at most", wanted, good, command))
    return lines


def of_the_mutation_run(sample: int) -> list[Line]:
    document, command = measured("tests.mutmut_run", "--sample", str(sample))
    percent, unlisted = document["killed_percent"], len(document["unlisted"])
    shown = f"{percent} % of {document['mutants']}, {unlisted} survivor(s) without a reason"
    return [Line("changed lines that tests notice", shown, f"{NOTICED_PERCENT_MIN} % or more",
                 percent >= NOTICED_PERCENT_MIN and not unlisted, command)]  # fmt: skip


def of_tests(name: str, *files: str) -> Line:
    """Return a line for what no tool but a test measures."""
    words = ["pytest", "-q", "-n0", "-p", "no:cacheprovider", *(f"tests/{file}" for file in files)]
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False, cwd=TESTS.parent)
    shown = done.stdout.strip().rpartition("\n")[2] or done.stderr.strip()[-200:]
    return Line(name, shown, "all pass", done.returncode == 0, f"python -m pytest {' '.join(words[5:])}")


def of_hostile_answers(count: int) -> list[Line]:
    document, command = measured("tests.hostile", "--count", str(count))
    wrong = len(document["problems"])
    return [
        Line("broken answers judged", f"{document['judged']}, {wrong} problem(s)", "0 problems", not wrong, command)
    ]


def of_the_catalogue() -> list[Line]:
    table = tomllib.loads((TESTS / "traceability" / "rows.toml").read_text(encoding="utf-8"))
    rows = [row for section in table.values() for row in section.values()]
    shown = sum(1 for row in rows if row["tests"])
    waiting = sum(1 for row in rows if row.get("waits"))
    command = "python -m pytest tests/traceability"
    return [Line("catalogue rows with a test", f"{shown} of {len(rows)}, {waiting} wait for a part", "all that are built",
                 len(rows) == 126, command)]  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cycles", type=int, default=50_000, help="counted cycles of the simulation (default 50000)")
    options.add_argument("--answers", type=int, default=20_000, help="broken answers (default 20000)")
    options.add_argument("--every", type=int, default=1, help="kill at every K-th boundary (default: all)")
    options.add_argument("--sample", type=int, default=40, help="mutmut's changes a file (default 40)")
    options.add_argument("--seed", type=int, default=0, help="the simulation's first seed")
    options.add_argument("--json", action="store_true", help="one JSON document instead of the page")
    chosen = options.parse_args()
    lines = [
        *of_the_catalogue(),
        *of_hostile_answers(chosen.answers),
        of_tests("canary key and secret", *(f"test_secrets{part}.py" for part in ("", "_calls", "_processes"))),
        of_tests("page: hosts, origins, tokens", "web/test_access.py", "web/test_views.py"),
        of_tests("units: exposure and syntax", "test_systemd.py"),
        *of_the_mutants(),
        *of_the_mutation_run(chosen.sample),
        *of_the_kills(chosen.every),
        *of_the_simulation(chosen.cycles, chosen.seed),
    ]
    if chosen.json:
        print(json.dumps([asdict(line) for line in lines]))
    else:
        for line in lines:
            print(f"{'ok  ' if line.holds else 'OVER'} {line.name}: {line.figure} (wanted: {line.wanted})")
            print(f"       {line.command}")
    sys.exit(0 if all(line.holds for line in lines) else 1)


if __name__ == "__main__":
    main()
