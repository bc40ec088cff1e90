"""Seeded ways to spoil a good answer. Each knows what it did: surely bad, perhaps still good, or the same in other words."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tests.hostile.fields import Kind


class Verdict(StrEnum):
    """What the client may make of a spoiled answer."""

    BAD = "bad"  # nothing
    MAYBE = "maybe"  # an error, or what stands in it
    EQUAL = "equal"  # exactly what it made of the good one


@dataclass(frozen=True, slots=True)
class Hostile:
    """An answer, as it will be delivered."""

    name: str
    verdict: Verdict
    body: bytes  # what is said, unpacked
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    pieces: tuple[bytes, ...] | None = None  # what is delivered, where that is not the body in one piece
    piece_s: float = 0.0  # how long each piece takes
    breaks_off: bool = False  # the connection ends after the last piece


Mutation = Callable[[random.Random, str, bytes], Hostile | None]
MUTATIONS: dict[str, Mutation] = {}
RARE: set[str] = set()  # costly ones, drawn less often
RARE_SHARE = 0.004


def mutation(function: Mutation) -> Mutation:
    """Register a mutation under the name of its function."""
    MUTATIONS[function.__name__] = function
    return function


def rare(function: Mutation) -> Mutation:
    RARE.add(function.__name__)
    return mutation(function)


def unless_unread(kind: Kind) -> Verdict:
    """Return the verdict on a value that no longer is what the client must find there."""
    return {Kind.UNREAD: Verdict.EQUAL, Kind.OPTIONAL: Verdict.MAYBE}.get(kind, Verdict.BAD)


def spoil(rng: random.Random, endpoint: str, body: bytes) -> Hostile:
    """Return one hostile answer in place of a good one."""
    while True:
        names = sorted(RARE) if rng.random() < RARE_SHARE else _COMMON
        made = MUTATIONS[rng.choice(names)](rng, endpoint, body)
        if made is not None:
            return made


def _load() -> list[str]:
    from tests.hostile import mutate_bytes, mutate_json, mutate_reply  # noqa: PLC0415  # they register themselves here

    assert mutate_bytes and mutate_json and mutate_reply
    return sorted(MUTATIONS.keys() - RARE)


_COMMON = _load()
