"""The figures as a page for a reader, and as the README's paragraph."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

from tests.reliability_report.measures import Line, Source, Verdict, faults_a_hundred, faults_fired

WIDTH, README_WIDTH = 80, 120
START = "- **Shown, not only promised.** `python -m tests.reliability_report` measures it anew."


def page(lines: Sequence[Line]) -> str:
    """Return all lines by target, each with its bar, and the commands that give them again."""
    rows = []
    for target, group in groupby(lines, key=lambda line: line.target):
        members = list(group)
        rows.append(target)
        for line in members:
            text = f"{line.verdict:<8}{line.name}: {line.figure} (bar: {line.bar})"
            rows += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent=" " * 10)
        for command in dict.fromkeys(line.command for line in members if line.command != "-"):
            rows += textwrap.wrap(command, WIDTH, initial_indent=" " * 10, subsequent_indent=" " * 12)
    counts = Counter(line.verdict for line in lines)
    rows += ["", ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict)]
    return "\n".join(rows)


def readme(sources: Mapping[str, Source]) -> str:
    """Return the README's paragraph of what was measured last; a part without a document is not in it."""
    parts = [made(sources[name].document) for name, made in PARTS.items() if sources[name].document is not None]
    text = f"{START} Last measured: {'; '.join(parts) or 'nothing'}."
    return "\n".join(textwrap.wrap(text, README_WIDTH, subsequent_indent="  ", break_on_hyphens=False))


def _simulation(made: Mapping) -> str:  # type: ignore[type-arg]
    violations = len(made["violations"])
    broke = "no invariant broke" if not violations else f"an invariant broke {violations} time(s)"
    minutes = made["settle_s_max"] / 60
    return (
        f"{made['counted']:,} simulated cycles that sent an order or were refused by a named guard "
        f"({made['orders']:,} orders, {faults_a_hundred(made):.0f} faults of {len(faults_fired(made))} kinds a hundred "
        f"calls) in which {broke}, and each order's end was known {minutes:.0f} minute(s) after the last fault"
    )


def _kills(made: Mapping) -> str:  # type: ignore[type-arg]
    violations = len(made["violations"])
    return f"the process killed at {made['boundaries_killed_at']:,} boundaries of a cycle, {violations or 'no'} harm"


def _crash_pairs(made: Mapping) -> str:  # type: ignore[type-arg]
    wrong = len(made["problems"])
    return (
        f"{made['pairs']:,} pairs of crashes, {f'{wrong} not settled' if wrong else 'each settled by the next start'}"
    )


def _mutants(made: Mapping) -> str:  # type: ignore[type-arg]
    survivors = len(made["survivors"])
    return f"{made['mutants']} deliberate defects, {f'{survivors} not caught' if survivors else 'each caught'}"


def _mutmut(made: Mapping) -> str:  # type: ignore[type-arg]
    return f"{made['killed_percent']:g} % of {made['mutants']:,} generated changes noticed"


def _hostile(made: Mapping) -> str:  # type: ignore[type-arg]
    wrong = len(made["problems"])
    return f"{made['judged']:,} broken answers, {'and no order on one' if not wrong else f'{wrong} with a problem'}"


def _power(made: Mapping) -> str:  # type: ignore[type-arg]
    lost = len(made["problems"])
    return f"{made['cuts']:,} power cuts, {'and no answered row lost' if not lost else f'{lost} of which lost a row'}"


PARTS = {
    "simulation": _simulation, "kills": _kills, "crash_pairs": _crash_pairs, "mutants": _mutants, "mutmut": _mutmut, "hostile": _hostile,
    "power": _power,
}  # fmt: skip
