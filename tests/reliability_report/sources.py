"""Where the figures come from: each tool is run, or its document of an earlier run is read."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.reliability_report import small
from tests.reliability_report.measures import Document, Source

ROOT = Path(__file__).parents[2]
SECRETS = tuple(f"tests/test_secrets{part}.py" for part in ("", "_calls", "_processes"))
WEB = ("tests/web/test_access.py", "tests/web/test_views.py")
REPLAY = ("tests/simulation/test_simulation.py", "-k", "replays_bit_for_bit")


@dataclass(frozen=True)
class Tool:
    """A module that prints its figures with --json: what it is run with at full depth, and in a quick run if at all."""

    words: tuple[str, ...]
    quick: tuple[str, ...] | None
    takes: str = ""  # how long, where a quick run leaves it out


@dataclass(frozen=True)
class Small:
    """What is measured here within a minute."""

    command: str
    run: Callable[[], Document]


TOOLS: Mapping[str, Tool] = {
    "simulation": Tool(("tests.simulation", "--cycles", "200000"), ("tests.simulation", "--cycles", "1500")),
    "kills": Tool(("tests.kills",), ("tests.kills", "--every", "20")),
    "pairs": Tool(("tests.kills", "--pairs"), ("tests.kills", "--pairs", "--every", "40")),
    "crash_pairs": Tool(("tests.crash_pairs",), ("tests.crash_pairs", "--fate", "none", "--stride", "9")),
    "stops": Tool(("tests.kills", "--term"), ("tests.kills", "--term", "--every", "40")),
    "hostile": Tool(("tests.hostile", "--count", "1000000"), ("tests.hostile", "--count", "4000")),
    "mutants": Tool(("tests.mutants",), None, "over ten minutes"),
    "mutmut": Tool(("tests.mutmut_run",), None, "over an hour"),
    "branches": Tool(("tests.reliability_report.branches",), None, "some ten minutes"),
    "power": Tool(("tests.power", "--cuts", "10000"), ("tests.power", "--cuts", "400")),
    "soak": Tool(("tests.soak", "--days", "30"), ("tests.soak", "--days", "15")),
}
PYTEST = "python -m pytest "
SMALL: Mapping[str, Small] = {
    "replay": Small(PYTEST + " ".join(REPLAY), lambda: small.tests_of(REPLAY)),
    "stack": Small("python -m tests.simulation --replay 0, python -m tests.soak --days 3", small.stack),
    "catalogue": Small(f"{PYTEST}tests/traceability", small.catalogue),
    "exposure": Small(f"{PYTEST}tests/test_systemd.py", small.exposure),
    "secrets": Small(PYTEST + " ".join(SECRETS), lambda: small.tests_of(SECRETS)),
    "web": Small(PYTEST + " ".join(WEB), lambda: small.tests_of(WEB)),
}
# Not measured anywhere, and why.
NOWHERE: Mapping[str, Source] = {
    "page_unit": Source("-", reason="not measured here: no unit for the page is shipped; its owner starts it"),
}


def gather(
    given: Mapping[str, Path], left_out: set[str], *, quick: bool, say: Callable[[str], None]
) -> dict[str, Source]:
    """Run or read every source, one after another, saying which one is under way."""
    found = dict(NOWHERE)
    for number, name in enumerate((*SMALL, *TOOLS), 1):
        began = time.perf_counter()
        say(f"[{number}/{len(SMALL) + len(TOOLS)}] {name}")
        found[name] = source_of(name, given.get(name), left_out, quick=quick)
        say(f"    {found[name].command}: {time.perf_counter() - began:.0f} s")
    return found


def source_of(name: str, file: Path | None, left_out: set[str], *, quick: bool) -> Source:
    """Return one source: read from a file, left out, or run."""
    if name in SMALL:
        return _small(SMALL[name]) if name not in left_out else _left_out(SMALL[name].command, name)
    tool = TOOLS[name]
    shown = _shown(tool.words)
    if file is not None:
        return Source(f"{shown} --json > {file.name}", load(file))
    if name in left_out:
        return _left_out(shown, name)
    if quick and tool.quick is None:
        reason = f"not measured here: {tool.takes}, too long for --quick; give --{name} FILE"
        return Source(shown, reason=reason)
    return run(tool.quick if quick and tool.quick is not None else tool.words)


def load(file: Path) -> Document:
    """Read a tool's document of an earlier run; the report ends with place and reason when it is none."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        sys.exit(f"{file}: {exc}; give what a tool printed with --json")
    if not isinstance(document, dict):
        sys.exit(f"{file}: a list or a value, not a document; give what a tool printed with --json")
    return document


def run(words: tuple[str, ...]) -> Source:
    """Run a tool and return its document; its own progress is passed on to a terminal."""
    command, shown = [sys.executable, "-m", *words, "--json"], _shown(words)
    to_terminal = sys.stderr.isatty()
    error = None if to_terminal else subprocess.PIPE
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=error, text=True, check=False, cwd=ROOT)
    try:
        return Source(shown, json.loads(done.stdout))
    except ValueError:
        last = (done.stderr or "its words stand above").strip().rpartition("\n")[2][-200:]
        return Source(shown, reason=f"not measured here: exit code {done.returncode}: {last}")


def _small(measured: Small) -> Source:
    try:
        return Source(measured.command, measured.run())
    except (OSError, ValueError, AssertionError) as exc:
        return Source(measured.command, reason=f"not measured here: {exc}")


def _left_out(command: str, name: str) -> Source:
    return Source(command, reason=f"not measured here: left out by --skip {name}")


def _shown(words: tuple[str, ...]) -> str:
    return f"python -m {' '.join(words)}"
