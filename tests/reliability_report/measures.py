"""What the order path is held to: each figure with its bar and the tool that measures it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.simulation.chaos import KINDS

Document = Mapping[str, Any]
CYCLES_CI, CYCLES_RELEASE, ANSWERS, CUTS, DAYS = 200_000, 10_000_000, 1_000_000, 10_000, 30
FAULTS_MIN, KILLED_PERCENT_MIN, HAND_LIST_MIN, ASSERTIONS_MIN = 10, 95, 40, 2
ARMED_S_MAX, SETTLED_S_MAX, EXPOSURE_MAX, ROWS = 5, 480, 1.2, 126
# Of mutmut's files, those that the bar is about; service/gate.py is under the standing defects instead.
MUTATED = {
    "journal": ("rebalancer/journal/",),
    "state machine": ("rebalancer/core/orders.py",),
    "gate": ("rebalancer/core/guards.py", "rebalancer/core/judge.py"),
    "planner": ("rebalancer/core/planner.py",),
    "parser": ("rebalancer/venues/htx/wire_", "rebalancer/venues/htx/decode.py"),
}


class Verdict(StrEnum):
    """How a figure stands to its bar; `SHORT` is a run that was good and not deep enough."""

    OK = "ok"
    SHORT = "short"
    OVER = "OVER"
    MISSING = "MISSING"


@dataclass(frozen=True)
class Measure:
    """One figure: how it is read from a tool's document, and when it is good enough."""

    target: str
    name: str
    bar: str
    source: str
    figure: Callable[[Document], str]
    holds: Callable[[Document], bool]
    depth: bool = False  # how much was done, not how well


@dataclass(frozen=True)
class Source:
    """What a tool said, or why it said nothing."""

    command: str
    document: Document | None = None
    reason: str = ""


@dataclass(frozen=True)
class Line:
    """One measured figure and what it should be."""

    target: str
    name: str
    figure: str
    bar: str
    command: str
    verdict: Verdict


def judge(measure: Measure, source: Source) -> Line:
    """Read one figure; a document that does not hold it is said, never taken for good."""
    figure, verdict = source.reason, Verdict.MISSING
    if source.document is not None:
        try:
            figure, holds = measure.figure(source.document), measure.holds(source.document)
            verdict = Verdict.OK if holds else Verdict.SHORT if measure.depth else Verdict.OVER
        except (LookupError, TypeError, ValueError) as exc:
            figure = f"not measured here: its document has no such figure ({type(exc).__name__}: {exc})"
    return Line(measure.target, measure.name, figure, measure.bar, source.command, verdict)


def faults_fired(made: Document) -> dict[str, int]:
    """Return the faults that fired, by kind; what only answers to faults is counted beside them and is none."""
    return {kind: count for kind, count in made["fired"].items() if kind in KINDS and count}


def faults_a_hundred(made: Document) -> float:
    return float(sum(faults_fired(made).values()) / made["calls"] * 100)


def _drills(made: Document) -> str:
    violations, missed = len(made["violations"]), len(made["missed"])
    passed = f"{made['of_those_that_each_cycle_passes']} boundaries that each cycle passes"
    return f"{passed}, {made['of_those_that_come_up_by_chance']} by chance, {violations} violation(s), {missed} missed"


def _drills_hold(made: Document) -> bool:
    return not made["violations"] and not made["missed"]


def _every_boundary(made: Document) -> bool:
    return bool(made["drills"] == made["boundaries_enumerated"])


def killed_percents(made: Document) -> dict[str, float]:
    """Return the share of killed mutants by part of the safety core."""
    percents = {}
    for part, starts in MUTATED.items():
        rows = [row for row in made["by_file"] if row[0].startswith(starts)]
        percents[part] = round(100 * sum(row[2] for row in rows) / sum(row[1] for row in rows), 1)
    return percents


def _percents(made: Document) -> str:
    return ", ".join(f"{part} {percent:g} %" for part, percent in killed_percents(made).items())


def _caught(made: Document) -> str:
    return f"{made['mutants'] - len(made['survivors'])} of {made['mutants']}"


def _growth(made: Document) -> str:
    names = {"resident_kib": "memory", "objects": "objects", "threads": "threads", "files": "open files"}
    return ", ".join(f"{text} {made[f'{name}_growth']:+.1%}" for name, text in names.items())


def _passed(made: Document) -> str:
    return f"{made['passed']:,} tests passed, {made['failed']} failed, {made['skipped']} skipped"


def _all_passed(made: Document) -> bool:
    return bool(made["passed"] and not made["failed"])


def _armed(made: Document) -> float:
    return float(made["restart_to_armed_s"]["nothing_open"]["max"])


DEPTH, STACK, KILLS, ANSWERED = "Simulation depth", "Whole stack in the loop", "Kill coverage", "Malformed answers"
MUTATION, CATALOGUE, BRANCHES, DURABLE = "Mutation score", "Catalogue coverage", "Branch coverage", "Durability"
EXPOSURE, SECRETS, WEB, RECOVERY, SOAK = "systemd exposure", "Secrets", "Web", "Recovery time", "Soak"

MEASURES = (
    Measure(DEPTH, "counted cycles, of a change", f"{CYCLES_CI:,}", "simulation",
            lambda d: f"{d['counted']:,} with {d['orders']:,} orders", lambda d: d["counted"] >= CYCLES_CI, depth=True),
    Measure(DEPTH, "counted cycles, of a release", f"{CYCLES_RELEASE:,}", "simulation",
            lambda d: f"{d['counted']:,}", lambda d: d["counted"] >= CYCLES_RELEASE, depth=True),
    Measure(DEPTH, "faults a hundred wire calls", f"{FAULTS_MIN} or more", "simulation",
            lambda d: f"{faults_a_hundred(d):.1f} of {len(faults_fired(d))} kinds", lambda d: faults_a_hundred(d) >= FAULTS_MIN),
    Measure(DEPTH, "violations, liveness included", "0", "simulation",
            lambda d: str(len(d["violations"])), lambda d: not d["violations"]),
    Measure(DEPTH, "fault kinds that never fired", "0", "simulation",
            lambda d: str(len([text for text in d["problems"] if "never fired" in text])) if d["problems"] else "0",
            lambda d: not any("never fired" in text for text in d["problems"]), depth=True),
    Measure(DEPTH, "a seed replays bit for bit", "all pass", "replay", _passed, _all_passed),
    Measure(STACK, "parts in one seeded process", "7 of 7", "stack",
            lambda d: "; ".join(f"{name}: {len(parts['ran'])} of {parts['of']}"
                                + (f" (not {', '.join(parts['not'])})" if parts["not"] else "")
                                for name, parts in d.items()),
            lambda d: any(not parts["not"] for parts in d.values())),
    Measure(KILLS, "kills without harm", "0 violations, none missed", "kills", _drills, _drills_hold),
    Measure(KILLS, "boundaries killed at", "all", "kills",
            lambda d: f"{d['drills']:,} of {d['boundaries_enumerated']:,} tried", _every_boundary, depth=True),
    Measure(KILLS, "pairs of kills without harm", "0 violations, none missed", "pairs",
            lambda d: f"{_drills(d)}; {d['second_kills']:,} second kills", _drills_hold),
    Measure(KILLS, "boundaries with a second kill", "all pairs", "pairs",
            lambda d: f"{d['second_kills']:,} pairs, one by chance a boundary", lambda _: False, depth=True),
    Measure(KILLS, "pairs of crashes, in one process", "0 problems, all pairs", "crash_pairs",
            lambda d: f"{d['pairs']:,} over {len(d['fates'])} fates of an order, {len(d['problems'])} problem(s)",
            lambda d: d["pairs"] and not d["problems"]),
    Measure(KILLS, "stops (SIGTERM) without harm", "0 violations, none missed", "stops", _drills, _drills_hold),
    Measure(ANSWERED, "broken answers judged", f"{ANSWERS:,}", "hostile",
            lambda d: f"{d['judged']:,}", lambda d: d["judged"] >= ANSWERS, depth=True),
    Measure(ANSWERED, "orders on one, unhandled, defaulted", "0", "hostile",
            lambda d: str(len(d["problems"])), lambda d: not d["problems"]),
    Measure(MUTATION, "deliberate defects caught", f"all of {HAND_LIST_MIN} or more", "mutants",
            _caught, lambda d: not d["survivors"] and d["mutants"] >= HAND_LIST_MIN),
    Measure(MUTATION, "generated changes noticed, by part", f"{KILLED_PERCENT_MIN} % each", "mutmut",
            _percents, lambda d: min(killed_percents(d).values()) >= KILLED_PERCENT_MIN),
    Measure(MUTATION, "survivors without a reason", "0", "mutmut",
            lambda d: f"{len(d['unlisted'])} of {d['mutants']:,} changes", lambda d: not d["unlisted"]),
    Measure(CATALOGUE, "rows with a named test", f"all of {ROWS} in scope", "catalogue",
            lambda d: f"{d['shown']} of {d['rows']}, {d['out_of_scope']} out of scope",
            lambda d: d["rows"] == ROWS and d["shown"] + d["out_of_scope"] == ROWS),
    Measure(BRANCHES, "branches taken by their tests", "100 %", "branches",
            lambda d: f"{d['percent']:.1f} % of {d['branches']:,} ({d['missing']} not)", lambda d: not d["missing"]),
    Measure(BRANCHES, "assertions in production", f"{ASSERTIONS_MIN} a function", "branches",
            lambda d: f"{d['asserts']} in {d['functions']} functions", lambda d: d["asserts"] >= ASSERTIONS_MIN * d["functions"]),
    Measure(DURABLE, "answers before all was synced", "0", "power",
            lambda d: f"{d['unsynced_answers']} of {d['answers']:,}, {d['syncs'] / d['answers']:.2f} syncs each",
            lambda d: d["answers"] and not d["unsynced_answers"]),
    Measure(DURABLE, "power cuts, writes lost and torn", f"{CUTS:,}", "power",
            lambda d: f"{d['cuts']:,}, {d['torn']:,} with unsynced writes", lambda d: d["cuts"] >= CUTS, depth=True),
    Measure(DURABLE, "cuts that lost an answered row", "0", "power",
            lambda d: str(len(d["problems"])), lambda d: not d["problems"]),
    Measure(EXPOSURE, "trading units", f"{EXPOSURE_MAX} or less", "exposure",
            lambda d: ", ".join(f"{name} {score}" for name, score in d.items()),
            lambda d: max(d.values()) <= EXPOSURE_MAX),
    Measure(EXPOSURE, "the page's unit", "1.0 or less", "page_unit", str, lambda _: False),
    Measure(SECRETS, "canary through every path", "0 hits", "secrets", _passed, _all_passed),
    Measure(WEB, "hosts, origins, tokens, headers", "all refused", "web", _passed, _all_passed),
    Measure(RECOVERY, "restart to armed, nothing open", f"{ARMED_S_MAX} s", "kills",
            lambda d: f"{_armed(d):g} s at most", lambda d: _armed(d) <= ARMED_S_MAX),
    Measure(RECOVERY, "an unknown order's end (simulated)", f"{SETTLED_S_MAX} s", "simulation",
            lambda d: f"{d['settle_s_max']:.0f} s at most", lambda d: d["settle_s_max"] <= SETTLED_S_MAX),
    Measure(SOAK, "days, in simulated time", f"{DAYS}, with daily chaos", "soak",
            lambda d: f"{d['days']}, {d['cycles']:,} cycles, {d['orders']:,} orders", lambda d: d["days"] >= DAYS, depth=True),
    Measure(SOAK, "growth, last third on middle third", "1 % of memory, 0 else", "soak",
            _growth, lambda d: not any("grew" in text for text in d["problems"])),
    Measure(SOAK, "missed slots", "0", "soak", lambda d: str(d["missed_slots"]), lambda d: not d["missed_slots"]),
)  # fmt: skip
