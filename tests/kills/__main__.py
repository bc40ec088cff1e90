"""Real kills: the real process dies at every boundary of a live cycle, and the next ones must set everything right.

python -m tests.kills [--every K] [--seed S] [--pairs] [--term] [--jobs J] [--json]
python -m tests.kills --list
python -m tests.kills --at 'POST /v1/order/orders/place #1: request written' [--term] [--second N]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from statistics import median
from typing import Any

from tests.kills.drill import Outcome, Plan, drill, enumerate_boundaries, second_of


def drill_all(plans: Sequence[Plan], jobs: int, *, say: bool = False) -> list[Outcome]:
    """Do the drills a few at a time; a drill is other processes' work, so threads do."""
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(drill, plan) for plan in plans]):
            outcomes.append(done.result())
            if say:
                wrong = sum(1 for outcome in outcomes if outcome.complaints)
                print(
                    f"\r{len(outcomes):>5} of {len(plans)}, {wrong} violation(s)", end="", file=sys.stderr, flush=True
                )
    if say:
        print(file=sys.stderr)
    return outcomes


def figures(enumerated: int, outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """Return the run as a document."""
    reached = [outcome for outcome in outcomes if outcome.reached]
    every, some = ([o for o in outcomes if o.plan.by_chance is by_chance] for by_chance in (False, True))
    armed = {
        word: _spread([o.armed_s for o in reached if o.armed_s is not None and o.was_open is was_open])
        for word, was_open in (("nothing_open", False), ("an_order_open", True))
    }
    return {
        "boundaries_enumerated": enumerated,
        "drills": len(outcomes),
        "boundaries_killed_at": len(reached),
        "of_those_that_each_cycle_passes": _reached(every),
        "of_those_that_come_up_by_chance": _reached(some),
        "not_passed_this_time": [o.plan.boundary for o in some if not o.reached],
        "missed": [outcome.plan.boundary for outcome in outcomes if outcome.missed],
        "second_kills": sum(outcome.reached_second for outcome in reached),
        "orders_open_at_the_end_of_the_process": sum(outcome.was_open for outcome in reached),
        "restart_to_armed_s": armed,
        "restart_to_settled_s": _spread([outcome.settled_s for outcome in reached]),
        "drills_by_seconds_leapt_over": dict(Counter(outcome.leapt_s for outcome in reached)),
        "signal_to_end_s": _spread([outcome.stop_s for outcome in reached if outcome.stop_s is not None]),
        "runs": dict(Counter(run for outcome in reached for run in outcome.runs)),
        "seconds": round(seconds, 1),
        "violations": [asdict(outcome) | {"replay": outcome.replay} for outcome in reached if outcome.complaints],
    }


def _reached(outcomes: Sequence[Outcome]) -> str:
    return f"{sum(outcome.reached for outcome in outcomes)} of {len(outcomes)}"


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    return {"median": round(median(values), 2), "max": round(max(values), 2)} if values else None


def report(made: dict[str, Any]) -> str:
    """Return the figures as text."""
    rows = [f"{name.replace('_', ' '):<40}{value}" for name, value in made.items() if name != "violations"]
    rows.append(f"{'violations':<40}{len(made['violations'])}")
    for each in made["violations"]:
        rows += [f"VIOLATION at {each['plan']['boundary']}: {'; '.join(each['complaints'])}", f"    {each['replay']}"]
    return "\n".join(rows)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--every", type=int, default=1, metavar="K", help="only each K-th boundary")
    options.add_argument("--seed", type=int, default=0, help="where counting begins, and the second kills of --pairs")
    options.add_argument("--pairs", action="store_true", help="the process after it is killed as well, by chance")
    options.add_argument("--term", action="store_true", help="SIGTERM: the process must end by itself")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="drills at a time")
    options.add_argument("--json", action="store_true", help="one JSON document instead of text")
    options.add_argument("--list", action="store_true", help="print the boundaries and do nothing to them")
    options.add_argument("--at", default="", help="only this boundary")
    options.add_argument("--second", type=int, default=0, help="with --at: the number of the second kill's boundary")
    chosen = options.parse_args()
    names = enumerate_boundaries()
    if chosen.list:
        print("\n".join(names))
        return
    number = "SIGTERM" if chosen.term else "SIGKILL"
    if chosen.at:
        plans = [Plan(chosen.at, number, chosen.second)]
    else:
        some = names[chosen.seed % chosen.every :: chosen.every]
        plans = [Plan(name, number, second_of(name, chosen.seed) if chosen.pairs else 0) for name in some]
    began = time.perf_counter()
    outcomes = drill_all(plans, chosen.jobs, say=sys.stderr.isatty())
    made = figures(len(names), outcomes, time.perf_counter() - began)
    print(json.dumps(made) if chosen.json else report(made))
    sys.exit(1 if made["violations"] or made["missed"] else 0)


if __name__ == "__main__":
    main()
