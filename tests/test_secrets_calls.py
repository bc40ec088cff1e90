"""Every call of the venue, failed in every way that ends in one of our exceptions, each with the request in its mouth."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from rebalancer import errors
from rebalancer.core.model import PlaceRequest
from rebalancer.core.money import QuoteAmount
from tests.canary import CanaryHouse, hits
from tests.core.builders import NOW, d
from tests.hostile.shapes import calls
from tests.service.house import ACCOUNT
from tests.test_secrets import ECHOES, NETWORK_ERRORS, echo

Failure = Callable[[httpx.Request], httpx.Response]
CODES = (
    "base-record-invalid", "api-signature-not-valid", "login-required", "base-request-exceed-frequency-limit",
    "account-frozen-balance-insufficient-error", "gateway-internal-error", "something-new", "system-maintenance",
)  # fmt: skip
CALLS = calls("1", PlaceRequest(ACCOUNT, "btcusdt", QuoteAmount(d(25)), "rb1-x-1", NOW), NOW)
ALL = {
    errors.NotSent, errors.Rejected, errors.OutcomeUnknown, errors.MalformedReply, errors.Unavailable,
    errors.RateLimited, errors.AuthFailed, errors.RecordNotFound,
}  # fmt: skip


def refusing(code: str) -> Failure:
    return lambda request: httpx.Response(200, json={"status": "error", "err-code": code, **echo(request)})


def breaking(error: type[httpx.RequestError]) -> Failure:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error(f"while asking {request.url}", request=request)

    return fail


FAILURES: dict[str, Failure] = {
    **ECHOES,
    **{code: refusing(code) for code in CODES},
    **{error.__name__: breaking(error) for error in NETWORK_ERRORS},
    "too many": lambda request: httpx.Response(429, text=str(request.url)),
}


def failed(house: CanaryHouse, call: str, failure: Failure) -> tuple[type[BaseException], list[str], set[str]]:
    """Make one call that fails; return what was raised, all that it and its causes say, and the signatures sent."""
    signatures: set[str] = set()

    def answer(request: httpx.Request) -> httpx.Response:
        signatures.update(re.findall(r"Signature=([^&]+)", str(request.url)))
        return failure(request)

    house.wire.handle_request = answer  # type: ignore[method-assign]
    venue = house.shell.venue
    heard = len(house.heard)
    with pytest.raises(errors.VenueError) as caught:
        CALLS[call](venue)  # type: ignore[arg-type]

    def again() -> None:
        raise caught.value

    house.try_all(again)
    return type(caught.value), house.heard[heard:], signatures


@pytest.mark.parametrize("call", CALLS)
def test_no_exception_of_any_call_repeats_key_or_signature(tmp_path: Path, call: str) -> None:
    house = CanaryHouse(tmp_path)
    house.shell.venue.fetch_server_time()
    signed = 0
    for name, failure in FAILURES.items():
        if call == "api-key" and name in {"forbidden", "login-required"}:
            continue  # what it may not ask is an answer too: none
        kind, heard, signatures = failed(house, call, failure)
        signed += len(signatures)
        assert hits(*heard) == [], (call, name, kind)
        text = " ".join(heard)
        assert not [each for each in signatures if each in text or unquote(each) in text], (call, name, kind)
    assert (signed > 0) == (call not in {"timestamp", "market-status", "market-symbols", "tickers", "depth", "kline"})


def test_between_them_the_calls_raise_every_exception_that_a_venue_has(tmp_path: Path) -> None:
    house = CanaryHouse(tmp_path)
    house.shell.venue.fetch_server_time()
    kinds = {failed(house, call, failure)[0] for call in ("place", "order") for failure in FAILURES.values()}
    assert kinds == ALL
