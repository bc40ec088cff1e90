"""The figures of the order path as measured now, on one page: each with its bar, and the command that gives it again.

python -m tests.reliability_report [--quick] [--json] [--readme]
python -m tests.reliability_report --simulation long.json --kills kills.json --mutmut mutmut.json

Every tool is run in turn, which takes hours at full depth. A tool's option takes what an earlier run of it printed
with --json instead; --skip leaves a figure out, and the page says so. --quick makes short runs, and a run that is
not deep enough is then no failure.

Exit codes: 0 every bar was met, 1 one was not (with --quick: other than by depth), 2 the options are wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.reliability_report.measures import MEASURES, Line, Verdict, judge
from tests.reliability_report.page import page, readme
from tests.reliability_report.sources import SMALL, TOOLS, gather


def exit_code(lines: Sequence[Line], *, quick: bool) -> int:
    """Return 1 when a bar is not met; what was not measured is said on the page and is no verdict."""
    bad = {Verdict.OVER} if quick else {Verdict.OVER, Verdict.SHORT}
    return int(any(line.verdict in bad for line in lines))


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="short runs, within minutes; the longest are left out")
    options.add_argument("--skip", action="append", default=[], choices=(*SMALL, *TOOLS), help="leave a figure out")
    options.add_argument("--json", action="store_true", help="one JSON document instead of the page")
    options.add_argument("--readme", action="store_true", help="the README's paragraph of what was measured last")
    for name, tool in TOOLS.items():
        options.add_argument(
            f"--{name}", type=Path, metavar="FILE", help=f"of `python -m {' '.join(tool.words)} --json`"
        )
    return options


def main() -> None:
    chosen = _options().parse_args()
    given = {name: getattr(chosen, name) for name in TOOLS if getattr(chosen, name) is not None}
    sources = gather(
        given, set(chosen.skip), quick=chosen.quick, say=lambda text: print(text, file=sys.stderr, flush=True)
    )
    lines = [judge(measure, sources[measure.source]) for measure in MEASURES]
    if chosen.json:
        print(json.dumps({"lines": [asdict(line) for line in lines], "readme": readme(sources)}))
    else:
        print(readme(sources) if chosen.readme else page(lines))
    sys.exit(exit_code(lines, quick=chosen.quick))


if __name__ == "__main__":
    main()
