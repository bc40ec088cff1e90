"""Hostile answers that once did harm, or nearly: each named, so that it stays found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rebalancer.errors import MalformedReply, OutcomeUnknown, Rejected, Unavailable, VenueError
from tests.hostile.__main__ import court
from tests.hostile.mutate import Hostile, Verdict
from tests.hostile.shapes import Shape

REMAIN = b"x-hb-ratelimit-requests-remain"


def shape_of(endpoint: str, age: str = "today") -> Shape:
    return next(shape for shape in court().shapes if (shape.endpoint, shape.age) == (endpoint, age))


def hear(endpoint: str, said: bytes | dict[str, Any], **more: Any) -> Any:
    """Return what the client makes of an answer, an error of ours included."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    here = court()
    here.line.endpoint, here.line.hostile = endpoint, Hostile("known", Verdict.MAYBE, body, **more)
    try:
        return shape_of(endpoint).ask(here.venue)
    except VenueError as error:
        return error


def edited(endpoint: str, old: bytes, new: bytes, age: str = "today") -> bytes:
    body = shape_of(endpoint, age).body
    assert old in body
    return body.replace(old, new, 1)


@pytest.mark.parametrize("place", [b"/" + b"a" * 65_530, b"mailto:x", b"https://xn--a/", b"\xff\xfe", b"//xn--0"])
def test_a_redirect_that_cannot_be_read_is_no_proof_that_an_order_never_left(place: bytes) -> None:
    error = hear("place", b"", status=302, headers=((b"location", place),))
    assert type(error) is OutcomeUnknown, error


@pytest.mark.parametrize("figure", [b"9" * 5000, "\u0663".encode(), b"-1", b""])
def test_a_rate_header_that_is_no_count_is_not_looked_at(figure: bytes) -> None:
    assert hear("place", shape_of("place").body, headers=((REMAIN, figure),)) == shape_of("place").good


@pytest.mark.parametrize(
    "order_id", ["9" * 5000, "\u0661\u0662", "0", "01", "-5", "1e5", "", " 7", 7.0, True, None, []]
)
def test_an_order_id_that_is_none_leaves_the_outcome_unknown(order_id: Any) -> None:
    assert type(hear("place", {"status": "ok", "data": order_id})) is OutcomeUnknown


@pytest.mark.parametrize(
    "said",
    [
        {"status": "error", "err-code": "invalid-amount", "err-msg": "no", "data": "1000000000000002"},
        {"status": "ok", "err-code": "invalid-amount", "data": "1000000000000002"},
        {"status": "error", "err-code": " invalid-amount", "err-msg": "no"},
        {"status": "error\u0000", "err-code": "invalid-amount", "err-msg": "no"},
    ],
)
def test_a_place_answer_that_says_two_things_says_nothing(said: dict[str, Any]) -> None:
    assert type(hear("place", said)) is OutcomeUnknown


def test_a_plain_refusal_still_is_one() -> None:
    error = hear("place", {"status": "error", "err-code": "invalid-amount", "err-msg": "no", "data": None})
    assert type(error) is Rejected and error.code == "invalid-amount"


@pytest.mark.parametrize("figure", ["--5", "-", "\u0661", "5.0", "1" * 61])
def test_what_is_no_integer_is_malformed(figure: str) -> None:
    assert type(hear("uid", {"code": 200, "data": figure})) is MalformedReply


@pytest.mark.parametrize("figure", [b'"1e999"', b"1e-999", b'"9e40"', '"\u0661"'.encode(), b'"0e-999"'])
def test_a_figure_out_of_all_proportion_is_malformed(figure: bytes) -> None:
    body = edited("balance", b'"balance":"0"', b'"balance":' + figure)
    assert type(hear("balance", body)) is MalformedReply


@pytest.mark.parametrize("rate", [b"0.0501", b"0.702", b"1", b"-0.002"])
def test_a_fee_that_nobody_takes_is_malformed(rate: bytes) -> None:
    body = edited("fee-rate", b'"actualTakerRate":"0.002"', b'"actualTakerRate":"' + rate + b'"')
    assert type(hear("fee-rate", body)) is MalformedReply


def test_two_currencies_that_would_be_one_asset_are_malformed() -> None:
    body = shape_of("balance").body.replace(b'"currency":"eth"', b'"currency":"BTC"')
    assert type(hear("balance", body)) is MalformedReply


@pytest.mark.parametrize("endpoint", ["tickers", "fee-rate"])
def test_a_symbol_that_is_listed_twice_is_malformed(endpoint: str) -> None:
    assert type(hear(endpoint, edited(endpoint, b'"symbol":"ethusdt"', b'"symbol":"btcusdt"'))) is MalformedReply


@pytest.mark.parametrize(
    ("age", "old", "new"),
    [
        ("today", b'"fee-currency":"btc",', b""), ("today", b'"fee-currency":"btc"', b'"fee-currency":""'),
        ("today", b'"filled-points":"0"', b'"filled-points":null'), ("old", b'"fee-deduct-currency":"htx"', b'"x":1'),
    ],
)  # fmt: skip
def test_a_fee_without_its_coin_is_malformed_not_free(age: str, old: bytes, new: bytes) -> None:
    assert type(hear("order-fills", edited("order-fills", old, new, age))) is MalformedReply


@pytest.mark.parametrize(
    ("endpoint", "old", "new"),
    [
        ("order", b'"id":1000000000000002', b'"id":1000000000000009'),
        ("client-order", b"rb1-hostile-1", b"rb1-hostile-2"),
        ("order-search", b'"symbol":"btcusdt"', b'"symbol":"ethusdt"'),
        ("open-orders", b'"symbol":"ethusdt"', b'"symbol":"btcusdt"'),
        ("order-fills", b'"order-id":1000000000000002', b'"order-id":1000000000000009'),
    ],
)
def test_an_answer_about_another_order_is_malformed(endpoint: str, old: bytes, new: bytes) -> None:
    assert type(hear(endpoint, edited(endpoint, old, new))) is MalformedReply


@pytest.mark.parametrize("packed", [b"", b"{}", b"\x1f\x8b\x08\x00"])
def test_an_answer_that_is_not_packed_as_it_says_is_unavailable(packed: bytes) -> None:
    error = hear("uid", b"{}", headers=((b"content-encoding", b"gzip"),), pieces=(packed,))
    assert type(error) is Unavailable
