"""Hostile answers: seeded mutations of every endpoint's answer, read by the real client and by whole cycles.

python -m tests.hostile --count N --seed S [--jobs J] [--json]
python -m tests.hostile --replay SEED
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from functools import cache

from tests.hostile.cycle import judge_cycle
from tests.hostile.fields import READS
from tests.hostile.judge import Court, Violation
from tests.hostile.mutate import MUTATIONS

CHUNK = 2000
CYCLE_EVERY = 64  # so many answers are read by the client alone for one that a whole cycle meets
VIOLATIONS_MAX = 20
COMPLETE_FROM = 20_000  # answers, from which each mutation must have come up at each endpoint it can spoil

Tally = Counter[tuple[str, str, str]]  # endpoint, mutation, outcome


@cache
def court() -> Court:
    return Court()


def judge(seed: int) -> tuple[str, str, str]:
    """Judge what a seed stands for; return endpoint, mutation and outcome."""
    return judge_cycle(seed) if seed % CYCLE_EVERY == 0 else court().judge(seed)


def run_chunk(first: int, count: int) -> tuple[Tally, list[str]]:
    """Judge some seeds; return what came out, and each violation with its replay."""
    tally, violations = Tally(), []
    for seed in range(first, first + count):
        try:
            tally[judge(seed)] += 1
        except Violation as exc:
            violations.append(f"seed {seed}: {exc}\n    replay: python -m tests.hostile --replay {seed}")
    return tally, violations


def chunks(first: int, count: int) -> Iterator[tuple[int, int]]:
    for begin in range(first, first + count, CHUNK):
        yield begin, min(CHUNK, first + count - begin)


def run(count: int, first: int, jobs: int, *, say: bool) -> tuple[Tally, list[str], float]:
    """Judge `count` seeds on `jobs` processes; return tally, violations and seconds."""
    began = time.perf_counter()
    tally, violations = Tally(), []
    with ProcessPoolExecutor(jobs) as pool:
        todo = chunks(first, count)
        running = {pool.submit(run_chunk, *next(todo)) for _ in range(min(jobs, -(-count // CHUNK)))}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for each in done:
                found = each.result()
                tally.update(found[0])
                violations += found[1]
                following = next(todo, None)
                if following is not None and len(violations) < VIOLATIONS_MAX:
                    running.add(pool.submit(run_chunk, *following))
            if say:
                _progress(tally.total() + len(violations), count, time.perf_counter() - began, len(violations))
    if say:
        print(file=sys.stderr)
    return tally, violations, time.perf_counter() - began


def _progress(judged: int, count: int, seconds: float, violations: int) -> None:
    line = f"{judged:>8} of {count} answers, {judged / seconds:.0f}/s, {violations} violation(s)"
    print(f"\r{line}", end="", file=sys.stderr, flush=True)


def complaints(tally: Tally, violations: list[str]) -> list[str]:
    """Return what keeps a run from being good: violations, endpoints and mutations that never came up."""
    made = [f"VIOLATION {text}" for text in violations]
    if tally.total() >= COMPLETE_FROM:
        silent = sorted((READS.keys() - {e for e, _, _ in tally}) | (MUTATIONS.keys() - {m for _, m, _ in tally}))
        if silent:
            made.append(f"never came up, so nothing was shown of them: {', '.join(silent)}")
    return made


def report(tally: Tally, violations: list[str], seconds: float) -> str:
    """Return the run as text: what came out by endpoint, then by mutation."""
    cycles = sum(count for (_, _, outcome), count in tally.items() if outcome.startswith("cycle"))
    rows = [
        f"answers           {tally.total()} judged, {cycles} of them in a whole cycle",
        f"speed             {tally.total() / seconds:.0f} answers/s ({seconds:.0f} s)",
        f"violations        {len(violations)}",
    ]
    for title, at in (("endpoint", 0), ("mutation", 1)):
        rows += ["", f"by {title}"]
        for name in sorted({key[at] for key in tally}):
            outcomes: Counter[str] = Counter()
            for key, count in tally.items():
                if key[at] == name:
                    outcomes[key[2]] += count
            rows.append(f"{name:<24}{outcomes.total():>8}  {', '.join(f'{o} {n}' for o, n in outcomes.most_common())}")
    return "\n".join(rows)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--count", type=int, default=1_000_000, help="answers to judge (default 1000000)")
    options.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    options.add_argument("--json", action="store_true", help="one JSON document instead of text")
    options.add_argument("--replay", type=int, metavar="SEED", help="judge one seed and show why it fails")
    chosen = options.parse_args()
    if chosen.replay is not None:
        print(f"seed {chosen.replay}: no violation; {', '.join(judge(chosen.replay))}")
        return
    tally, violations, seconds = run(chosen.count, chosen.seed, chosen.jobs, say=sys.stderr.isatty())
    problems = complaints(tally, violations)
    if chosen.json:
        outcomes = [{"endpoint": e, "mutation": m, "outcome": o, "count": n} for (e, m, o), n in sorted(tally.items())]
        document = {"judged": tally.total(), "seconds": seconds, "outcomes": outcomes, "problems": problems}
        print(json.dumps(document))
    else:
        print("\n".join([report(tally, violations, seconds), *problems]))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
