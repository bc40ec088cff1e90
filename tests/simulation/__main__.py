"""Deterministic simulation: seeded worlds until enough cycles counted, on all cores, with a report.

python -m tests.simulation --cycles N --seed S [--jobs J] [--json]
python -m tests.simulation --replay SEED
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import fields

from tests.simulation.chaos import KINDS
from tests.simulation.episode import Tally, run_episode
from tests.simulation.reached import never
from tests.simulation.world import Violation

CHUNK = 5  # episodes a task
FAULTS_PER_CALL_MIN = 0.10


def run_chunk(first: int, count: int) -> tuple[Tally, list[str]]:
    """Run some seeds; return what they did and each violation with its replay."""
    tally, violations = Tally(), []
    for seed in range(first, first + count):
        try:
            tally.add(run_episode(seed)[0])
        except Exception as exc:  # noqa: BLE001  # a violation says what was broken; anything else that gets out is a defect too
            text = str(exc) if isinstance(exc, Violation) else f"{type(exc).__name__}: {exc}"
            violations.append(f"{text}\n    replay: python -m tests.simulation --replay {seed}")
    return tally, violations


def simulate(cycles: int, first: int, jobs: int, *, say: bool) -> tuple[Tally, list[str], float]:
    """Run chunks of seeds until `cycles` were counted; return tally, violations and seconds."""
    began = time.perf_counter()
    total, violations = Tally(), []
    with ProcessPoolExecutor(jobs) as pool:
        seeds = _firsts(first)
        running = {pool.submit(run_chunk, next(seeds), CHUNK) for _ in range(jobs)}
        while running:
            done = next(as_completed(running))
            running.remove(done)
            tally, found = done.result()
            total.add(tally)
            violations += found
            if total.counted < cycles and len(violations) < 20:
                running.add(pool.submit(run_chunk, next(seeds), CHUNK))
            if say:
                rate = total.cycles / (time.perf_counter() - began)
                line = f"{total.counted:>8} of {cycles} cycles counted, {rate:.0f}/s, {len(violations)} violation(s)"
                print(f"\r{line}", end="", file=sys.stderr, flush=True)
    if say:
        print(file=sys.stderr)
    return total, violations, time.perf_counter() - began


def _firsts(first: int) -> Iterator[int]:
    while True:
        yield first
        first += CHUNK


def complaints(tally: Tally, violations: list[str]) -> list[str]:
    """Return what keeps a run from being good: violations, silent fault kinds, too few faults."""
    made = [f"VIOLATION {text}" for text in violations]
    silent = sorted(KINDS - {kind for kind, count in tally.fired.items() if count})
    if silent:
        made.append(f"never fired, so nothing was shown of them: {', '.join(silent)}")
    if not tally.direct:
        made.append("no order went directly from coin to coin")
    share = sum(tally.fired.values()) / max(1, tally.calls)
    if share < FAULTS_PER_CALL_MIN:
        made.append(f"{share:.3f} faults a wire call, at least {FAULTS_PER_CALL_MIN} wanted")
    return made


def report(tally: Tally, violations: list[str], seconds: float) -> str:
    """Return the run as text."""
    rows = [
        f"cycles            {tally.cycles} run, {tally.counted} counted, in {tally.episodes} episodes",
        f"orders            {tally.orders} sent, {tally.direct} of them directly from coin to coin",
        f"wire calls        {tally.calls}, {sum(tally.fired.values()) / max(1, tally.calls) * 100:.1f} faults per 100",
        f"process lives     {tally.lives}, {sum(tally.crashes.values())} crashes",
        f"slowest settling  {tally.settle_s_max:.0f} s once all was quiet",
        f"speed             {tally.cycles / seconds:.0f} cycles/s ({seconds:.0f} s)",
        f"violations        {len(violations)}",
    ]
    for name in ("fired", "crashes", "states", "refusals", "reasons"):
        counts = ", ".join(f"{kind} {count}" for kind, count in getattr(tally, name).most_common())
        rows.append(f"{name}: {counts}")
    rows.append(f"reasons never given: {', '.join(never(tally.reasons)) or 'none'}")
    return "\n".join(rows)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cycles", type=int, default=2000, help="counted cycles to reach (default 2000)")
    options.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    options.add_argument("--json", action="store_true", help="one JSON document instead of text")
    options.add_argument("--replay", type=int, metavar="SEED", help="run one seed and show where it fails")
    chosen = options.parse_args()
    if chosen.replay is not None:
        tally, digest = run_episode(chosen.replay)
        print(f"seed {chosen.replay}: no violation in {tally.cycles} cycles; digest {digest}")
        return
    tally, violations, seconds = simulate(chosen.cycles, chosen.seed, chosen.jobs, say=sys.stderr.isatty())
    problems = complaints(tally, violations)
    if chosen.json:
        figures = {each.name: getattr(tally, each.name) for each in fields(tally)}  # asdict would break up the counts
        document = figures | {"seconds": seconds, "violations": violations, "problems": problems}
        print(json.dumps(document, default=str))
    else:
        print("\n".join([report(tally, violations, seconds), *problems]))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
