"""An answer taken apart and put together again: every literal kept as it was spelled, and keys may stand twice."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.hostile.fields import READS, UNORDERED, Kind


class Literal(str):
    """A number, or anything else that is written without quotes."""

    __slots__ = ()


class Quoted(str):
    """A text that is written as it stands, quotes and escapes included."""

    __slots__ = ()


class Object(list[list[Any]]):
    """Pairs of key and value."""

    __slots__ = ()


def parse(body: bytes) -> Any:
    """Return the document in an answer that is good JSON."""
    return json.loads(
        body,
        object_pairs_hook=lambda pairs: Object([key, value] for key, value in pairs),
        parse_float=Literal,
        parse_int=Literal,
        parse_constant=Literal,
    )


def render(value: Any) -> str:
    """Return a document as JSON, or as what was made of it."""
    if isinstance(value, Literal | Quoted):
        return str(value)
    if isinstance(value, Object):
        return "{" + ",".join(f"{render(key)}:{render(each)}" for key, each in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(render(each) for each in value) + "]"
    return json.dumps(value)


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of a document where a value stands: in an object under a key, or in a list."""

    parent: Any
    index: int
    key: str
    kind: Kind

    @property
    def value(self) -> Any:
        return self.parent[self.index][1] if isinstance(self.parent, Object) else self.parent[self.index]

    def put(self, value: Any) -> None:
        if isinstance(self.parent, Object):
            self.parent[self.index][1] = value
        else:
            self.parent[self.index] = value

    def is_scalar(self) -> bool:
        return not isinstance(self.value, list)


def slots(endpoint: str, document: Any) -> list[Slot]:
    """Return every place of a document, with what its value is to the client."""
    entry = Kind.OPTIONAL if endpoint == "market-symbols" else Kind.ROW
    return list(_walk(READS[endpoint], document, "", entry))


def _walk(reads: dict[str, Kind], value: Any, key: str, entry: Kind) -> Iterator[Slot]:
    if isinstance(value, Object):
        for index, (name, below) in enumerate(value):
            yield Slot(value, index, name, reads.get(name, Kind.UNREAD))
            yield from _walk(reads, below, name, entry)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            kind = entry if isinstance(below, list) else Kind.NUMBER  # a level of a book is a list of two numbers
            yield Slot(value, index, key, kind if reads.get(key) is Kind.BRANCH else Kind.UNREAD)
            yield from _walk(reads, below, key, entry)


def objects(value: Any) -> Iterator[Object]:
    """Yield every object of a document that has a key."""
    if isinstance(value, Object) and value:
        yield value
    if isinstance(value, list):
        for each in value:
            yield from objects(each[1] if isinstance(value, Object) else each)


def rows(endpoint: str, document: Any) -> list[Any] | None:
    """Return a list of at least two rows, if the answer has one."""
    for name in ("data", "list", "bids"):
        for each in objects(document):
            for key, value in each:
                if key == name and isinstance(value, list) and not isinstance(value, Object) and len(value) > 1:
                    return value
    return None


def shuffled(rng: random.Random, endpoint: str, document: Any) -> Any:
    """Return the document with the keys of every object, and lists that have no order, in another order."""
    for each in list(objects(document)):
        rng.shuffle(each)
    found = rows(endpoint, document)
    if found is not None and endpoint in UNORDERED:
        rng.shuffle(found)
    return document
