"""How a benchmark says what it measured: name, figure, limit, and whether it holds."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """One measured number beside its limit; lower is better."""

    name: str
    value: float
    limit: float
    unit: str

    @property
    def holds(self) -> bool:
        return self.value <= self.limit


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def parser(description: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    made.add_argument("--runs", type=int, default=9, help="counted runs of each side (default 9)")
    return made


def say(figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print the figures and end the process with 1 when one is over its limit."""
    if as_json:
        print(json.dumps([asdict(figure) | {"holds": figure.holds} for figure in figures]))
    else:
        for figure in figures:
            verdict = "ok" if figure.holds else "OVER"
            print(f"{figure.name:<44}{figure.value:>10.3f} {figure.unit:<6} limit {figure.limit:g}  {verdict}")
    sys.exit(0 if all(figure.holds for figure in figures) else 1)
