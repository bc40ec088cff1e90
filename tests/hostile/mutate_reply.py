"""Whole answers: error pages, foreign envelopes, lying headers, packing that explodes, and a drip."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from functools import cache
from typing import Any

from rebalancer.venues.htx.codes import KINDS
from tests.canary import ACCESS_KEY
from tests.hostile.mutate import Hostile, Verdict, mutation, rare

HTML = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"
JSON = (b"content-type", b"application/json")
STATUSES = (
    201,
    202,
    204,
    301,
    302,
    303,
    304,
    307,
    308,
    400,
    401,
    403,
    404,
    405,
    418,
    429,
    500,
    502,
    503,
    504,
    520,
    599,
    999,
)
ECHO = f"refused https://api.huobi.pro/v1/order?AccessKeyId={ACCESS_KEY}&Signature=c2lnbmVk for key {ACCESS_KEY}"
HEADERS = (
    (b"x-hb-ratelimit-requests-remain", b"9" * 5000), (b"x-hb-ratelimit-requests-remain", b"-1"),
    (b"x-hb-ratelimit-requests-remain", "\u0663".encode()), (b"x-hb-ratelimit-requests-remain", b"\xff\xfe"),
    (b"content-type", b"text/html; charset=\xff"), (b"content-type", b"image/png"), (b"content-type", b""),
    (b"set-cookie", b"a=b; Max-Age=" + b"9" * 5000), (b"set-cookie", b"\xff=\x80; expires=Thu, 99 Foo 9999999999"),
    (b"location", b"https://elsewhere.invalid/"), (b"x-long", b"a" * 60_000), (b"date", b"yesterday"),
)  # fmt: skip
PLACES = (
    b"https://xn--a/", b"//xn--0", b"mailto:x", b"https:", b"//[", b"http://a:99999999/", b"\xff\xfe", b"",
    b"/" + b"a" * 65_530, b"https://elsewhere.invalid/" + b"b" * 65_520, b"ht!tp://x", b"?", b"https://[v1.x]/",
)  # fmt: skip


def _said(name: str, document: Any, verdict: Verdict = Verdict.BAD) -> Hostile:
    return Hostile(name, verdict, json.dumps(document).encode())


@mutation
def error_page(rng: random.Random, _endpoint: str, _body: bytes) -> Hostile:
    kind = (b"content-type", rng.choice((b"text/html", b"application/json")))
    return Hostile("error_page", Verdict.BAD, HTML, status=rng.choice((200, *STATUSES)), headers=(kind,))


@mutation
def other_status(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    return Hostile("other_status", Verdict.BAD, body, status=rng.choice(STATUSES), headers=(JSON,))


@mutation
def redirect_to_nowhere(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    headers = ((b"location", rng.choice(PLACES)),)
    return Hostile(
        "redirect_to_nowhere", Verdict.BAD, body, status=rng.choice((301, 302, 303, 307, 308)), headers=headers
    )


@mutation
def odd_header(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    return Hostile("odd_header", Verdict.EQUAL, body, headers=(rng.choice(HEADERS),))


@mutation
def error_envelope(rng: random.Random, _endpoint: str, _body: bytes) -> Hostile:
    code: Any = rng.choice((*sorted(KINDS), "brand-new-code", "", None, 7, " invalid-amount", "INVALID-AMOUNT"))
    words = rng.choice(
        ("no", "", None, ECHO, "Invalid submission time", "request timeout", "x" * 10_000, "\u0000\u202e")
    )
    data = rng.choice((None, None, None, "1000000000000002", [], {}))
    spelled = rng.choice(("-", "_"))
    said = {"status": "error", f"err{spelled}code": code, f"err{spelled}msg": words, "data": data}
    return _said("error_envelope", said)


@mutation
def error_envelope_v2(rng: random.Random, _endpoint: str, _body: bytes) -> Hostile:
    code: Any = rng.choice(
        (403, 429, 500, 510, 1002, 1003, 2002, 2003, 0, -200, "500", "200.0", 200.5, None, True, "ok")
    )
    said = {"code": code, "message": rng.choice(("no", None, ECHO)), "data": None}
    return _said("error_envelope_v2", said)


@mutation
def both_ok_and_refused(rng: random.Random, _endpoint: str, body: bytes) -> Hostile | None:
    document = json.loads(body)
    if "status" not in document:
        return None
    field = rng.choice(("err-code", "err_code"))
    return Hostile(
        "both_ok_and_refused", Verdict.BAD, b'{"' + field.encode() + b'":"' + b"invalid-amount" + b'",' + body[1:]
    )


@mutation
def status_word(rng: random.Random, _endpoint: str, body: bytes) -> Hostile | None:
    if b'"status":"ok"' not in body:
        return None
    word = rng.choice(("error", "OK", "Ok", "ok ", "", "success", "fail", "\u0000ok", ECHO))
    return Hostile(
        "status_word", Verdict.BAD, body.replace(b'"status":"ok"', b'"status":' + json.dumps(word).encode(), 1)
    )


@mutation
def packed(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    made = gzip.compress(body, mtime=0)
    at = rng.randrange(1, len(made))
    pieces = rng.choice(((made,), (made[:at], made[at:]), tuple(bytes([byte]) for byte in made)))
    return Hostile("packed", Verdict.EQUAL, body, headers=((b"content-encoding", b"gzip"),), pieces=pieces)


@mutation
def packed_and_broken(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    made = bytearray(gzip.compress(body, mtime=0))
    how = rng.randrange(4)
    if how == 0:
        made = made[: rng.randrange(len(made))]
    elif how == 1:
        made[-rng.randint(1, 8)] ^= 1 << rng.randrange(8)  # the checksum, or the length
    elif how == 2:
        made += gzip.compress(b"{}", mtime=0)
    else:
        made = bytearray(rng.choice((body, zlib.compress(body), b"")))
    headers = ((b"content-encoding", b"gzip"),)
    return Hostile("packed_and_broken", Verdict.BAD, body, headers=headers, pieces=(bytes(made),))


@mutation
def packed_otherwise(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    name = rng.choice((b"br", b"zstd", b"deflate", b"gzip, gzip", b"x", b"\xff"))
    return Hostile("packed_otherwise", Verdict.BAD, body, headers=((b"content-encoding", name),), pieces=(body,))


@cache
def bomb() -> bytes:
    """Return 64 MiB in 64 KiB."""
    return gzip.compress(b'{"x-text":"' + b" " * (64 << 20) + b'"}', mtime=0)


@rare
def packed_bomb(_rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    return Hostile("packed_bomb", Verdict.BAD, body, headers=((b"content-encoding", b"gzip"),), pieces=(bomb(),))


@mutation
def breaks_off(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    cut = rng.randint(0, len(body))
    return Hostile("breaks_off", Verdict.BAD, body, pieces=(body[:cut],), breaks_off=True)


@mutation
def drip(rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    """Half of the answer at a piece's time that ends after the deadline of a read and of a place call, or before both."""
    size = max(1, len(body) // 16)
    pieces = tuple(body[at : at + size] for at in range(0, len(body), size))
    in_time = rng.random() < 0.5
    piece_s = (9.0 if in_time else 21.0) / len(pieces)
    return Hostile("drip", Verdict.EQUAL if in_time else Verdict.BAD, body, pieces=pieces, piece_s=piece_s)


@mutation
def foreign_answer(rng: random.Random, _endpoint: str, _body: bytes) -> Hostile:
    """What another endpoint, or another service, would have said."""
    said: tuple[Any, ...] = (
        {"status": "ok", "data": []}, {"status": "ok", "data": {}}, {"status": "ok", "data": None}, {"status": "ok"},
        {"status": "ok", "data": "1"}, {"status": "ok", "data": "01"}, {"status": "ok", "data": 0}, {"status": "ok", "data": -5},
        {"status": "ok", "data": "9" * 5000}, {"status": "ok", "data": "\u0661\u0662"}, {"status": "ok", "data": True},
        {"status": "ok", "data": "1e5"}, {"code": 200}, {"code": 200, "data": []}, {"code": 200, "data": {}},
        {"code": 200, "data": {"marketStatus": 0}}, {"status": "ok", "ts": 1, "tick": {"bids": [], "asks": []}},
        {"ok": True}, {"error": "no"}, {"status": {"ok": 1}}, {"code": [200]},
    )  # fmt: skip
    return _said("foreign_answer", rng.choice(said), Verdict.MAYBE)
