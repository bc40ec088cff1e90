"""Measure how well the tests hold the order path: its code is changed line by line, and the tests must notice.

python -m tests.mutmut_run [--group NAME] [--only TEXT]... [--sample N] [--seed S] [--wide] [--keep] [--jobs J] [--json]

Apart from CI: all of it takes over an hour on one core. mutmut makes the mutants. Each group of files is judged by the
fast tests that cover it, in forked children of one session that has collected them: for each mutant those tests that
enter its function, until one fails; those that killed its like first, then the cheapest. No test may use over ten
times the processor time that it uses without a mutant, nor sleep much longer, twice. Before that all must pass in such
children with no mutant, alone and one after the other, or nothing is judged. `--wide` puts each mutant that lives and is not listed into a copy of the program and asks
the service's tests and a short simulation too. A survivor must stand with its reason in tests/mutants/survivors.toml
and each entry there must have its mutant, or the run fails; so does a share of killed mutants under 90 %. A mutant that
is listed is asked only by the cheapest tests, for two seconds.

The verdicts are written to build/mutmut as they come. With `--keep` a run goes on where an earlier one was broken off:
what was killed stays so while its function is the same, and what lived while program and tests are.

What mutmut does not change, and this figure so says nothing about: constants and tables outside of functions, the
texts of f-strings, and functions under a decorator other than staticmethod and classmethod.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Collection

from tests.mutmut_run.copies import make_copy
from tests.mutmut_run.groups import GROUPS, files_of
from tests.mutmut_run.judging import Place, judge, prepare
from tests.mutmut_run.mutants import Change, Mutant, sampled
from tests.mutmut_run.report import is_good, load_accepted, report, show
from tests.mutmut_run.verdicts import Verdict
from tests.mutmut_run.wide import judge_widely


def main() -> None:
    """Judge what the options name, print the figures, and fail on a poor one."""
    chosen = _options()
    accepted = load_accepted()
    verdicts: list[Verdict] = []
    made: set[Change] = set()
    for name in chosen.group or GROUPS:
        place = Place(name, GROUPS[name])
        files = files_of(place.group, chosen.only)
        if not files:
            continue
        mutants, state = prepare(place, files, keep=chosen.keep)
        made |= {mutant.change for mutant in mutants}
        asked = sampled(mutants, chosen.sample, chosen.seed)
        judged = judge(place, asked, state, accepted.keys(), chosen.jobs)
        verdicts += _widely(place, judged, asked, accepted) if chosen.wide else judged
    if not verdicts:
        sys.exit(f"no file holds {' or '.join(map(repr, chosen.only))} in its path; the groups are {', '.join(GROUPS)}")
    known = {file for group in GROUPS.values() for file in files_of(group, ())}
    figures = report(verdicts, accepted, made, {change.file for change in accepted} - known)
    if chosen.json:
        print(json.dumps(figures, indent=1))
    else:
        show(figures)
    sys.exit(0 if is_good(figures) else 1)


def _widely(
    place: Place, verdicts: list[Verdict], mutants: list[Mutant], accepted: Collection[Change]
) -> list[Verdict]:
    copy = make_copy(place.root, place.folder / "plain")
    by_name = {mutant.name: mutant for mutant in mutants}
    return [
        verdict
        if verdict.is_killed or verdict.change in accepted
        else judge_widely(copy, verdict, by_name[verdict.name], place.group)
        for verdict in verdicts
    ]


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(
        prog="python -m tests.mutmut_run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--group", choices=GROUPS, action="append", help="only these groups of files (default: all)")
    options.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="files whose path holds this text, or one of them"
    )
    options.add_argument("--sample", type=_positive, metavar="N", help="at most N mutants a file (default: all)")
    options.add_argument("--seed", type=int, default=0, help="of the sample")
    options.add_argument("--wide", action="store_true", help="ask slow tests about survivors that are not listed")
    options.add_argument("--keep", action="store_true", help="go on from the verdicts of earlier runs that still hold")
    options.add_argument(
        "--jobs",
        type=_positive,
        default=os.cpu_count() or 1,
        metavar="J",
        help="children at a time (default: a core each)",
    )
    options.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return options.parse_args()


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


if __name__ == "__main__":
    main()
