"""Bytes flipped, lost, doubled and cut: what lines, proxies and disks do to an answer."""

from __future__ import annotations

import random

from rebalancer.venues.htx.decode import BODY_BYTES_MAX, VALUES_MAX
from tests.hostile.mutate import Hostile, Verdict, mutation, rare

BLANKS = b" \t\r\n"


def _span(rng: random.Random, body: bytes) -> tuple[int, int]:
    start = rng.randrange(len(body))
    return start, min(len(body), start + rng.randint(1, rng.choice((2, 8, 64))))


@mutation
def bit_flipped(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    made = bytearray(body)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
    return Hostile("bit_flipped", Verdict.MAYBE, bytes(made))


@mutation
def byte_replaced(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    made = bytearray(body)
    made[rng.randrange(len(made))] = rng.choice(b'"{}[],:.-+eE0129 \\/\x00\x7f\xff')
    return Hostile("byte_replaced", Verdict.MAYBE, bytes(made))


@mutation
def digit_changed(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    made = bytearray(body)
    made[rng.choice([at for at, byte in enumerate(body) if byte in b"0123456789"] or [0])] = rng.choice(b"0123456789")
    return Hostile("digit_changed", Verdict.MAYBE, bytes(made))


@mutation
def span_lost(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    start, end = _span(rng, body)
    return Hostile("span_lost", Verdict.MAYBE, body[:start] + body[end:])


@mutation
def span_doubled(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    start, end = _span(rng, body)
    return Hostile("span_doubled", Verdict.MAYBE, body[:end] + body[start:end] + body[end:])


@mutation
def span_moved(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    start, end = _span(rng, body)
    rest = body[:start] + body[end:]
    at = rng.randint(0, len(rest))
    return Hostile("span_moved", Verdict.MAYBE, rest[:at] + body[start:end] + rest[at:])


@mutation
def noise_inserted(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    at = rng.randint(0, len(body))
    return Hostile("noise_inserted", Verdict.MAYBE, body[:at] + rng.randbytes(rng.randint(1, 16)) + body[at:])


@mutation
def cut_short(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    return Hostile("cut_short", Verdict.BAD, body[: rng.randrange(len(body))])


@mutation
def nothing_at_all(rng: random.Random, _endpoint: str, _body: bytes) -> Hostile:
    said = rng.choice((b"", b" ", b"\n", b"null", b"[]", b"0", b'""', b"true", b"{}", b"\x00", b"ok", b"NaN"))
    return Hostile("nothing_at_all", Verdict.BAD, said)


@mutation
def text_appended(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    return Hostile("text_appended", Verdict.BAD, body + rng.choice((b"}", b"{}", b",", b"x", b"\x00", b"//", body)))


@mutation
def blanks_around(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    blanks = [bytes(rng.choices(BLANKS, k=rng.randint(0, 9))) for _ in range(2)]
    return Hostile("blanks_around", Verdict.EQUAL, blanks[0] + body + blanks[1])


@mutation
def encoding_broken(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    at = rng.randint(0, len(body))
    odd = rng.choice((b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"))
    return Hostile("encoding_broken", Verdict.BAD, body[:at] + odd + body[at:])


@mutation
def encoding_other(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    said = body.decode().encode(rng.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp037")))
    return Hostile("encoding_other", Verdict.BAD, said)


@mutation
def control_byte(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    at = rng.randint(0, len(body))
    return Hostile("control_byte", Verdict.BAD, body[:at] + bytes([rng.choice((0, 1, 8, 11, 12, 27, 31))]) + body[at:])


@rare
def too_many_rows(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    row = rng.choice((b"0", b"{}", b"[]", b'""', b"1.5", b"null"))
    rows = b",".join([row] * rng.choice((VALUES_MAX + 2, 1_000_000)))
    return Hostile("too_many_rows", Verdict.BAD, b'{"x-rows":[' + rows + b"]," + body[1:])


@rare
def too_large(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    filler = rng.choice((b" ", b"x", "\N{PILE OF POO}".encode()))
    large = BODY_BYTES_MAX // len(filler) + rng.choice((1, 100_000))
    return Hostile("too_large", Verdict.BAD, b'{"x-text":"' + filler * large + b'",' + body[1:])


@rare
def too_deep(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    depth = 100_000
    opened, closed = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return Hostile("too_deep", Verdict.BAD, b'{"x-deep":' + opened * depth + b"0" + closed * depth + b"," + body[1:])
