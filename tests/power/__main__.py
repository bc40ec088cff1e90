"""Power cuts: what the journal really asked of the disk is replayed on one that loses, tears and reorders writes.

python -m tests.power [--cuts N] [--seed S] [--jobs J] [--json]
python -m tests.power --replay LIFE/CUT

Each life of the journal is traced with strace (apt install strace), so it shows the syncs that SQLite makes, not those
that a setting promises. At a cut, whatever was not synced is kept, dropped or torn by sectors of 512 bytes, in any
order; then every row that the journal had answered for must be there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict

from tests.power.cuts import Found, cut
from tests.power.trace import record

CUTS_A_LIFE = 200


def run_life(life: int, cuts: int) -> Found:
    """Trace a life and cut its power."""
    return cut(life, record(life), range(cuts))


def run(cuts: int, first: int, jobs: int, *, say: bool) -> tuple[Found, float]:
    """Cut the power `cuts` times over as many lives as that takes; return what was found, and seconds."""
    began, total = time.perf_counter(), Found()
    sizes = [min(CUTS_A_LIFE, cuts - begin) for begin in range(0, cuts, CUTS_A_LIFE)]
    with ProcessPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(run_life, first + number, size) for number, size in enumerate(sizes)]):
            total.add(done.result())
            if say:
                line = f"\r{total.cuts:>7} of {cuts} cuts, {len(total.problems)} problem(s)"
                print(line, end="", file=sys.stderr, flush=True)
    if say:
        print(file=sys.stderr)
    return total, time.perf_counter() - began


def report(found: Found, seconds: float) -> str:
    """Return the run as text."""
    rows = [
        f"power cuts        {found.cuts}, {found.torn} of them with writes that were not synced",
        f"answers           {found.answers}, {found.unsynced_answers} of them given before everything was synced",
        f"syncs             {found.syncs / max(1, found.answers):.2f} an answer",
        f"speed             {found.cuts / seconds:.0f} cuts/s ({seconds:.0f} s)",
        f"problems          {len(found.problems)}",
    ]
    return "\n".join(rows + [f"PROBLEM {text}" for text in found.problems[:20]])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cuts", type=int, default=10_000, help="power cuts (default 10000)")
    options.add_argument("--seed", type=int, default=0, help="the first life (default 0)")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    options.add_argument("--json", action="store_true", help="one JSON document instead of text")
    options.add_argument("--replay", metavar="LIFE/CUT", help="one cut, as a problem names it")
    chosen = options.parse_args()
    if shutil.which("strace") is None:
        sys.exit("strace is not installed, so nobody sees what is asked of the disk: apt install strace")
    if chosen.replay:
        life, _, number = chosen.replay.partition("/")
        found, seconds = cut(int(life), record(int(life)), [int(number)]), 1.0
    else:
        found, seconds = run(chosen.cuts, chosen.seed, chosen.jobs, say=sys.stderr.isatty())
    print(json.dumps(asdict(found) | {"seconds": seconds}) if chosen.json else report(found, seconds))
    sys.exit(1 if found.problems or found.unsynced_answers else 0)


if __name__ == "__main__":
    main()
