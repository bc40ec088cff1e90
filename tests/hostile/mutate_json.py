"""Fields dropped, doubled, renamed, retyped and misspelled, in JSON that is well formed or nearly so."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.hostile.document import Literal, Object, Quoted, Slot, objects, parse, render, rows, shuffled, slots
from tests.hostile.fields import ORDERED_ROWS, PAIRED_ROWS, READS, UNIQUE_ROWS, Kind
from tests.hostile.mutate import Hostile, Verdict, mutation, unless_unread

NUMERIC = re.compile(r"-?[0-9]+(\.[0-9]+)?")
NUMBERS = (Kind.WHOLE, Kind.NUMBER)
NO_NUMBER = (
    "", " ", "NaN", "nan", "inf", "-Infinity", "invalid", "null", "None", "1,5", "1_000", "0x10", "+1", ".5", "5.", "--5",
    "-", "1e", "e5", "1.2.3", "1 2", " 1", "1\n", "\u0661\u0662", "\uff11", "\u00b2", "1\u0000", "1.5e9999", "9" * 61, "9" * 5000,
)  # fmt: skip
NO_TEXT = ("", "  ", " ok", "\tx", "a\u0000b", "\ud800", "x" * 300, "\u202e", "\x1b[2J", "https://api/?Signature=x")
NO_LITERAL = ("NaN", "Infinity", "-Infinity", "nan", "None", "undefined", "01", "+1", ".5", "5.", "1e", "0x1F", "1_0", "--1",
              "True", "'x'", "9" * 100, "9" * 5000, "1e99999", "1e-99999", "0." + "1" * 99)  # fmt: skip
OUT_OF_PROPORTION = ("1e999", "-1e999", "1E-999", "1e40", "1e-60", "9" * 60, "0e-999", "0e999")


def _edited(name: str, document: Any, verdict: Verdict) -> Hostile:
    return Hostile(name, verdict, render(document).encode("utf-8", "surrogatepass"))


Change = Callable[[random.Random, Slot], Verdict | None]


def change(function: Change) -> Change:
    """Register a change of one value; it returns the verdict, or None where it cannot be made."""

    def mutated(rng: random.Random, endpoint: str, body: bytes) -> Hostile | None:
        document = parse(body)
        verdict = function(rng, rng.choice(slots(endpoint, document)))
        return None if verdict is None else _edited(function.__name__, document, verdict)

    mutated.__name__ = function.__name__
    mutation(mutated)
    return function


@change
def null_instead(rng: random.Random, slot: Slot) -> Verdict:
    slot.put(None)
    return unless_unread(slot.kind)


@change
def flag_instead(rng: random.Random, slot: Slot) -> Verdict:
    slot.put(rng.random() < 0.5)
    return unless_unread(slot.kind)


@change
def wrapped(rng: random.Random, slot: Slot) -> Verdict:
    slot.put([slot.value] if rng.random() < 0.5 else Object([["value", slot.value]]))
    return unless_unread(slot.kind)


@change
def no_literal_of_json(rng: random.Random, slot: Slot) -> Verdict:
    slot.put(Literal(rng.choice(NO_LITERAL)))
    return Verdict.BAD


@change
def no_number_in_text(rng: random.Random, slot: Slot) -> Verdict | None:
    if slot.kind not in (*NUMBERS, Kind.OPTIONAL, Kind.UNREAD):
        return None
    slot.put(rng.choice(NO_NUMBER))
    return unless_unread(slot.kind)


@change
def odd_text(rng: random.Random, slot: Slot) -> Verdict | None:
    if slot.kind not in (Kind.TEXT, Kind.OPTIONAL, Kind.UNREAD):
        return None
    slot.put(rng.choice(NO_TEXT))
    return unless_unread(slot.kind)


@change
def number_instead_of_text(rng: random.Random, slot: Slot) -> Verdict | None:
    if slot.kind not in (Kind.TEXT, Kind.ROW, Kind.BRANCH):
        return None
    slot.put(Literal(rng.choice(("0", "1", "-1", "0.5"))))
    return unless_unread(slot.kind)


@change
def out_of_proportion(rng: random.Random, slot: Slot) -> Verdict | None:
    if slot.kind not in (*NUMBERS, Kind.OPTIONAL):
        return None
    text = rng.choice(OUT_OF_PROPORTION)
    slot.put(Literal(text) if rng.random() < 0.5 else text)
    # So many nines are an id of ours as good as any.
    return Verdict.MAYBE if slot.kind is not Kind.NUMBER else Verdict.BAD


@change
def other_spelling(rng: random.Random, slot: Slot) -> Verdict | None:
    """A number as text, a text as number, or with an exponent: the same for figures, not for ids."""
    value = slot.value
    if not slot.is_scalar() or not isinstance(value, str) or not NUMERIC.fullmatch(value) or slot.kind is Kind.TEXT:
        return None
    if rng.random() < 0.5:
        figure = Decimal(value).as_tuple()
        digits = "".join(map(str, figure.digits))
        text = f"{'-' * figure.sign}{digits}{rng.choice('eE')}{figure.exponent}"
        slot.put(Literal(text) if rng.random() < 0.5 else text)
        equal = slot.kind is Kind.NUMBER
        return Verdict.EQUAL if equal else unless_unread(slot.kind)
    if value.startswith("0") and value not in ("0", "0.0") and "." not in value:
        return None
    slot.put(str(value) if isinstance(value, Literal) else Literal(value))
    return Verdict.MAYBE if slot.kind is Kind.OPTIONAL else Verdict.EQUAL


@change
def other_number(rng: random.Random, slot: Slot) -> Verdict | None:
    """A plausible number in place of the true one: nothing in the answer betrays it."""
    value = slot.value
    if not slot.is_scalar() or not isinstance(value, str) or not NUMERIC.fullmatch(value):
        return None
    figure = Decimal(value)
    factor = Decimal(rng.choice(("0", "-1", "0.1", "0.5", "0.99", "1.001", "1.01", "1.3", "2", "10", "1000")))
    made = format(figure * factor if "." in value else (figure * factor).to_integral_value(), "f")
    slot.put(Literal(made) if isinstance(value, Literal) else made)
    return Verdict.MAYBE


@change
def emptied(rng: random.Random, slot: Slot) -> Verdict | None:
    if slot.is_scalar() or not slot.value:
        return None
    slot.put(Object() if isinstance(slot.value, Object) else [])
    return unless_unread(slot.kind) if slot.kind is not Kind.BRANCH or isinstance(slot.value, Object) else Verdict.MAYBE


@change
def spelled_in_escapes(rng: random.Random, slot: Slot) -> Verdict | None:
    value = slot.value
    if not isinstance(value, str) or isinstance(value, Literal) or not value.isascii():
        return None
    slot.put(Quoted('"' + "".join(f"\\u{ord(char):04x}" for char in value) + '"'))
    return Verdict.EQUAL


@mutation
def key_lost(rng: random.Random, endpoint: str, body: bytes) -> Hostile:
    document = parse(body)
    slot = rng.choice([slot for slot in slots(endpoint, document) if isinstance(slot.parent, Object)])
    del slot.parent[slot.index]
    return _edited("key_lost", document, unless_unread(slot.kind))


@mutation
def key_renamed(rng: random.Random, endpoint: str, body: bytes) -> Hostile | None:
    document = parse(body)
    slot = rng.choice([slot for slot in slots(endpoint, document) if isinstance(slot.parent, Object)])
    key = slot.key
    renamed = rng.choice(
        (f"{key}s", key.title(), key.replace("-", "_"), key[:-1], f" {key}", key.upper(), f"x-{key}", "")
    )
    if renamed in READS[endpoint] or renamed in {name for name, _ in slot.parent}:
        return None
    slot.parent[slot.index][0] = renamed
    return _edited("key_renamed", document, unless_unread(slot.kind))


@mutation
def key_doubled(rng: random.Random, endpoint: str, body: bytes) -> Hostile:
    document = parse(body)
    pairs = rng.choice(list(objects(document)))
    key, value = rng.choice(pairs)
    again: Any = Quoted('"' + "".join(f"\\u{ord(char):04x}" for char in key) + '"') if rng.random() < 0.3 else key
    pairs.insert(rng.randint(0, len(pairs)), [again, rng.choice((value, None, Literal("0"), "0", "ok", []))])
    return _edited("key_doubled", document, Verdict.BAD)


@mutation
def key_added(rng: random.Random, endpoint: str, body: bytes) -> Hostile:
    document = parse(body)
    pairs = rng.choice(list(objects(document)))
    value = rng.choice(
        (None, Literal("1E5"), "x", [[], Object()], Object([["status", "error"], ["data", Literal("0")]]))
    )
    pairs.insert(rng.randint(0, len(pairs)), [rng.choice(("x-new", "next", "\u0000", "\U0001f4b0")), value])
    return _edited("key_added", document, Verdict.EQUAL)


@mutation
def order_changed(rng: random.Random, endpoint: str, body: bytes) -> Hostile:
    return _edited("order_changed", shuffled(rng, endpoint, parse(body)), Verdict.EQUAL)


@mutation
def row_lost(rng: random.Random, endpoint: str, body: bytes) -> Hostile | None:
    document = parse(body)
    found = rows(endpoint, document)
    if found is None:
        return None
    del found[rng.randrange(len(found))]
    return _edited("row_lost", document, Verdict.BAD if endpoint in PAIRED_ROWS else Verdict.MAYBE)


@mutation
def row_doubled(rng: random.Random, endpoint: str, body: bytes) -> Hostile | None:
    document = parse(body)
    found = rows(endpoint, document)
    if found is None:
        return None
    found.insert(rng.randint(0, len(found)), rng.choice(found))
    bad = endpoint in UNIQUE_ROWS or endpoint in ORDERED_ROWS
    return _edited("row_doubled", document, Verdict.BAD if bad else Verdict.MAYBE)


@mutation
def rows_reversed(_rng: random.Random, endpoint: str, body: bytes) -> Hostile | None:
    document = parse(body)
    found = rows(endpoint, document)
    if found is None:
        return None
    found.reverse()
    return _edited("rows_reversed", document, Verdict.BAD if endpoint in ORDERED_ROWS else Verdict.MAYBE)
