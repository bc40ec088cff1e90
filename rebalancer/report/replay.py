"""A plan made again beside the one that was recorded: where they differ, place by place. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NAMES = ("asset", "symbol", "code")  # what the items of a list are called by
ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Difference:
    """One place of a plan's document, with what stands there in each."""

    place: str
    recorded: str
    again: str


def differences(recorded: Any, again: Any, place: str = "plan") -> Iterator[Difference]:
    """Yield every place at which two documents differ, in their order."""
    if isinstance(recorded, Mapping) and isinstance(again, Mapping):
        yield from _of_parts(recorded, again, place, ".{}")
    elif isinstance(recorded, list) and isinstance(again, list):
        yield from _of_parts(_named(recorded), _named(again), place, "[{}]")
        if _named(recorded).keys() == _named(again).keys() and list(_named(recorded)) != list(_named(again)):
            yield Difference(place, f"in the order {', '.join(_named(recorded))}", ", ".join(_named(again)))
    elif recorded != again:
        yield Difference(place, _shown(recorded), _shown(again))


def _of_parts(recorded: Mapping[str, Any], again: Mapping[str, Any], place: str, form: str) -> Iterator[Difference]:
    for name in {**recorded, **again}:
        there = f"{place}{form.format(name)}"
        if name in recorded and name in again:
            yield from differences(recorded[name], again[name], there)
        else:
            yield Difference(there, _shown(recorded.get(name, ABSENT)), _shown(again.get(name, ABSENT)))


def _named(items: Sequence[Any]) -> dict[str, Any]:
    """Return a list's items by what they are about, or by their place where two are about the same."""
    names = [
        next((item[name] for name in NAMES if isinstance(item.get(name), str)), "") if isinstance(item, Mapping) else ""
        for item in items
    ]
    if "" in names or len(set(names)) < len(names):
        names = [str(number) for number in range(1, len(items) + 1)]
    return dict(zip(names, items, strict=True))


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    return "none" if value is None else str(value)
