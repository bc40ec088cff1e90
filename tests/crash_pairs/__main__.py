"""Every pair of crashes: a life ends at each boundary of a live cycle in turn, the next at each of its own.

python -m tests.crash_pairs [--fate FATE]... [--stride K] [--jobs J] [--json]
python -m tests.crash_pairs --replay FATE/FIRST/SECOND

A boundary is before or after a request or a transaction. A fate is what becomes of an order, such as `lost_reply@2`:
carried out, but not answered; `none` is an answer. The client, the planner, the journal and the way back are the real
ones; the exchange is the embedded one, whose orders are held against the journal after each pair.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from rebalancer.simulator.faults import FaultSpecError
from tests.crash_pairs.pairs import NO_FATE, Fate, Found, Pair, all_seconds, first_ends, live

KINDS = (
    "lost_reply", "lost_request", "delayed_request", "system_error_executed", "system_error_refused", "html_502",
    "truncated", "invisible", "redelivered", "duplicate", "partial",
)  # fmt: skip
LEGS = (1, 2, 3)
FATES = (NO_FATE, *(f"{kind}@{leg}" for kind in KINDS for leg in LEGS))


def run(fates: Sequence[str], stride: int, jobs: int, *, say: bool) -> tuple[Found, float]:
    """Go through the pairs of each fate; return what was found, and seconds."""
    began, total, done = time.perf_counter(), Found(), 0
    with ProcessPoolExecutor(jobs) as pool:
        firsts = [
            (fate, *first) for fate, ends in zip(fates, pool.map(first_ends, fates), strict=True) for first in ends
        ]
        for finished in as_completed([pool.submit(all_seconds, *first, stride) for first in firsts]):
            total.add(finished.result())
            done += 1
            if say:
                line = f"\r{done:>5} of {len(firsts)} first ends, {total.pairs} pairs, {len(total.problems)} problem(s)"
                print(line, end="", file=sys.stderr, flush=True)
    if say:
        print(file=sys.stderr)
    return total, time.perf_counter() - began


def figures(found: Found, fates: Sequence[str], seconds: float) -> dict[str, Any]:
    """Return the run as a document."""
    return {
        "fates": list(fates),
        "pairs": found.pairs,
        "different_ends": found.ends,
        "boundaries": dict(found.boundaries.most_common()),
        "seconds": round(seconds, 1),
        "problems": found.problems,
    }


def report(made: dict[str, Any]) -> str:
    """Return the figures as text."""
    rows = [
        f"fates             {', '.join(made['fates'])}",
        f"pairs of crashes  {made['pairs']}, at {len(made['boundaries'])} kinds of boundaries",
        f"different ends    {made['different_ends']}, each judged",
        f"speed             {made['pairs'] / made['seconds']:.0f} pairs/s ({made['seconds']:.0f} s)",
        f"problems          {len(made['problems'])}",
    ]
    return "\n".join(rows + [f"PROBLEM {text}" for text in made["problems"][:20]])


def _pair(text: str) -> Pair:
    fate, _, numbers = text.partition("/")
    first, _, second = numbers.partition("/")
    if not (first.isdecimal() and second.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not FATE/FIRST/SECOND, such as lost_reply@2/40/12")
    return Pair(_fate(fate), int(first), int(second))


def _fate(text: str) -> str:
    try:
        Fate.named(text)
    except FaultSpecError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from None
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--fate",
        type=_fate,
        action="append",
        help=f"only this one (default: {NO_FATE}, and each of {', '.join(KINDS)} for each order)",
    )
    options.add_argument("--stride", type=_count, default=1, metavar="K", help="only each K-th second boundary")
    options.add_argument("--jobs", type=_count, default=os.cpu_count() or 1, help="processes (default: one a core)")
    options.add_argument("--json", action="store_true", help="one JSON document instead of text")
    options.add_argument("--replay", type=_pair, metavar="FATE/FIRST/SECOND", help="only this pair")
    chosen = options.parse_args()
    if chosen.replay:
        print("; then ".join(live(chosen.replay)))
        return
    fates = chosen.fate or FATES
    found, seconds = run(fates, chosen.stride, chosen.jobs, say=sys.stderr.isatty())
    made = figures(found, fates, seconds)
    print(json.dumps(made) if chosen.json else report(made))
    sys.exit(1 if made["problems"] or not made["pairs"] else 0)


if __name__ == "__main__":
    main()
