"""Twenty thousand hostile answers on every change; `python -m tests.hostile` judges a million."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from rebalancer.errors import MalformedReply
from rebalancer.venues.htx import decode, envelope, transport
from rebalancer.venues.htx.decode import Fields
from tests.hostile.__main__ import complaints, court, run_chunk
from tests.hostile.cycle import Plot, honest, play, wrong_with_cycle
from tests.hostile.fields import READS
from tests.hostile.judge import Court, Violation
from tests.hostile.mutate import MUTATIONS, RARE, Hostile, Verdict, spoil

ANSWERS, CHUNK = 20_000, 500


@pytest.mark.parametrize("first", range(0, ANSWERS, CHUNK))
def test_no_hostile_answer_moves_an_order_escapes_or_becomes_a_number(first: int) -> None:
    tally, violations = run_chunk(first, CHUNK)
    assert not violations, "\n".join(violations)
    assert tally.total() == CHUNK, tally


def test_every_endpoint_has_a_good_answer_of_both_ages_and_an_honest_cycle_trades() -> None:
    assert {(shape.endpoint, shape.age) for shape in court().shapes} == {
        (endpoint, age) for endpoint in READS for age in ("today", "old")
    }
    assert len(honest().orders) == 3


@pytest.mark.parametrize("name", sorted(MUTATIONS.keys() - RARE))
def test_each_mutation_changes_something_and_is_the_same_for_the_same_seed(name: str) -> None:
    made = []
    for shape in court().shapes:
        for seed in range(20):
            one = MUTATIONS[name](random.Random(seed), shape.endpoint, shape.body)
            assert one == MUTATIONS[name](random.Random(seed), shape.endpoint, shape.body), f"seed {seed}"
            if one is not None:
                made.append(one)
    assert made and all(each.name == name and each.verdict in Verdict for each in made)


def test_a_run_that_left_something_out_is_not_good() -> None:
    tally, _ = run_chunk(1, 5)
    for key in tally:
        tally[key] *= 20_000
    assert "never came up" in complaints(tally, [])[0]


def _lenient_decimal(self: Fields, name: str) -> Decimal:
    try:
        return _strict_decimal(self, name)
    except MalformedReply:
        return Decimal(0)


_strict_decimal = Fields.decimal


def _nothing_checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(pairs)


@pytest.mark.parametrize(
    ("owner", "name", "weaker", "endpoint", "mutation"),
    [
        (Fields, "decimal", _lenient_decimal, "balance", "no_number_in_text"),
        (decode, "_unique", _nothing_checked, "order", "key_doubled"),
        (decode, "_refuse_constant", lambda _text: Decimal(0), "depth", "no_literal_of_json"),
        (envelope, "refuses_place", lambda _code: True, "place", "error_envelope"),
        (envelope, "_ORDER_ID", re.compile(".*"), "place", "no_number_in_text"),
        (decode, "_OURS", re.compile("(?!)"), "tickers", "error_envelope"),
    ],
    ids=[
        "absent is zero",
        "a key twice",
        "NaN is a number",
        "any code refuses",
        "any order id",
        "a URL is told",
    ],
)
def test_the_judge_notices_a_weaker_client(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, weaker: Any, endpoint: str, mutation: str
) -> None:
    monkeypatch.setattr(owner, name, weaker)
    with pytest.raises(Violation):
        hear_many(endpoint, mutation)


def hear_many(endpoint: str, mutation: str) -> None:
    here = Court()
    shape = next(shape for shape in here.shapes if shape.endpoint == endpoint)
    made = (MUTATIONS[mutation](random.Random(seed), endpoint, shape.body) for seed in range(1000))
    _ = [here.hear(shape, hostile) for hostile in made if hostile is not None]


class _Curious(httpx.BaseTransport):
    """A pool that looks where a redirect leads, as httpx's client does of its own accord."""

    def __init__(self, pool: httpx.BaseTransport) -> None:
        self._client = httpx.Client(transport=pool)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._client.send(request, stream=True)


def _curious(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = transport.HttpTransport._pool
    monkeypatch.setattr(transport.HttpTransport, "_pool", lambda self, count: _Curious(pool(self, count)))


def test_a_redirect_to_nowhere_proves_nothing_by_either_of_two_protections(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as one:
        _curious(one)
        hear_many("place", "redirect_to_nowhere")
    monkeypatch.setattr(transport._Tracer, "__call__", lambda *_: None)
    hear_many("place", "redirect_to_nowhere")
    _curious(monkeypatch)
    with pytest.raises(Violation):
        hear_many("place", "redirect_to_nowhere")


def _bitcoin_unreadable(_rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
    return Hostile("bitcoin_unreadable", Verdict.BAD, body.replace(b'"balance":"0.5"', b'"balance":"invalid"'))


def test_the_judge_of_cycles_notices_a_client_that_reads_an_unreadable_balance_as_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plot = Plot("balance", nth=1, for_good=True, seed=0, lie=_bitcoin_unreadable)
    assert not wrong_with_cycle(plot, play(plot))
    monkeypatch.setattr(Fields, "decimal", _lenient_decimal)
    assert wrong_with_cycle(plot, play(plot)), "an order on a balance that nobody stated went unnoticed"


def test_spoiling_is_a_function_of_the_seed() -> None:
    shape = court().shapes[3]
    for seed in range(50):
        assert spoil(random.Random(seed), shape.endpoint, shape.body) == spoil(
            random.Random(seed), shape.endpoint, shape.body
        ), f"seed {seed}"


def test_a_coin_whose_book_is_refused_is_left_alone_and_no_other() -> None:
    refused = Hostile("error_envelope", Verdict.BAD, b'{"status":"error","err-code":"invalid-symbol","err-msg":""}')
    plot = Plot("depth", 2, for_good=False, seed=0, lie=lambda *_: refused)
    played = play(plot)
    assert [order["symbol"] for order in played.orders] == ["btcusdt", "solusdt"]
    assert not wrong_with_cycle(plot, played)
    assert wrong_with_cycle(replace(plot, nth=1), played), "orders of the coin that was refused went unnoticed"


def test_a_balance_told_wrong_each_time_may_be_sold_by_but_one_that_is_known_for_bad_may_not() -> None:
    def told(verdict: Verdict) -> Plot:
        def lie(_rng: random.Random, _endpoint: str, body: bytes) -> Hostile:
            figures = re.compile(rb'("btc", ?"type": ?"trade", ?"balance": ?)"0.5"')
            assert figures.search(body), body
            return Hostile("digit_changed", verdict, figures.sub(rb'\1"7.5"', body))

        return Plot("balance", 1, for_good=True, seed=0, lie=lie)

    believed, known = (play(told(verdict)) for verdict in (Verdict.MAYBE, Verdict.BAD))
    assert any(Decimal(order["amount"]) > Decimal("0.5") for order in believed.orders if order["symbol"] == "btcusdt")
    assert not wrong_with_cycle(told(Verdict.MAYBE), believed)
    assert "free are 0.5" in wrong_with_cycle(told(Verdict.BAD), known)
