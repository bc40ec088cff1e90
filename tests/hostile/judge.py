"""The judge of one answer: the real client reads it, and what comes out is an error of ours or stands in the answer."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import httpx

from rebalancer.errors import NotSent, OutcomeUnknown, Rejected, VenueError
from rebalancer.simulator.exchange import Exchange
from rebalancer.venues.htx.codes import PLACE_REFUSALS
from tests.canary import hits
from tests.hostile.mutate import Hostile, Verdict, spoil
from tests.hostile.shapes import Recording, Shape, all_shapes, endpoint_of, make_venue
from tests.hostile.truth import number, strict, unfounded
from tests.support import FakeClock


class Violation(AssertionError):
    """The client made of an answer what it must not."""


class _Pieces(httpx.SyncByteStream):
    """A body as it comes over a line, each piece in its own time."""

    def __init__(self, hostile: Hostile, clock: FakeClock) -> None:
        self._hostile, self._clock = hostile, clock

    def __iter__(self) -> Iterator[bytes]:
        pieces = self._hostile.pieces
        for piece in (self._hostile.body,) if pieces is None else pieces:
            self._clock.advance(self._hostile.piece_s)
            yield piece
        if self._hostile.breaks_off:
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


def delivered(hostile: Hostile, clock: FakeClock) -> httpx.Response:
    """Return an answer the way a connection hands it over."""
    return httpx.Response(hostile.status, headers=list(hostile.headers), stream=_Pieces(hostile, clock))


class Line(httpx.BaseTransport):
    """Answers one endpoint with a hostile answer, and every other with a good one."""

    def __init__(self, exchange: Exchange, clock: FakeClock, good: dict[str, bytes]) -> None:
        self._exchange, self._clock, self._good = exchange, clock, good
        self.endpoint, self.hostile = "", Hostile("none", Verdict.EQUAL, b"")

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["trace"]("http11.send_request_headers.started", {})
        name = endpoint_of(self._exchange, request)
        if name == self.endpoint:
            return delivered(self.hostile, self._clock)
        return delivered(Hostile("good", Verdict.EQUAL, self._good[name]), self._clock)


class Court:
    """Everything that judging needs: the good answers, and one client that all calls go through."""

    def __init__(self) -> None:
        self.shapes = all_shapes()
        clock = FakeClock()
        good = {shape.endpoint: shape.body for shape in reversed(self.shapes)}
        self.line = Line(Recording().exchange, clock, good)
        self.venue = make_venue(clock, self.line)
        self._clock = clock
        self.venue.fetch_server_time()

    def judge(self, seed: int) -> tuple[str, str, str]:
        """Judge one seeded answer; return endpoint, mutation and what came out. Violation when that may not be."""
        rng = random.Random(seed)
        shape = rng.choice(self.shapes)
        hostile = spoil(rng, shape.endpoint, shape.body)
        return shape.endpoint, hostile.name, self.hear(shape, hostile)

    def hear(self, shape: Shape, hostile: Hostile) -> str:
        """Let the client read one answer, and judge what it makes of it."""
        self.line.endpoint, self.line.hostile = shape.endpoint, hostile
        self._clock.slept_s.clear()
        try:
            outcome: Any = shape.ask(self.venue)
        except VenueError as error:
            outcome = error
        except Exception as error:
            raise self._violation(shape, hostile, f"{type(error).__name__} escaped: {error}") from error
        wrong = wrong_with(shape, hostile, outcome)
        if wrong:
            raise self._violation(shape, hostile, wrong)
        return type(outcome).__name__ if isinstance(outcome, VenueError) else "value"

    @staticmethod
    def _violation(shape: Shape, hostile: Hostile, text: str) -> Violation:
        said = hostile.body[:600] + (b"..." if len(hostile.body) > 600 else b"")
        return Violation(f"{shape}, {hostile.name}, {hostile.verdict}: {text}\n    HTTP {hostile.status} {said!r}")


def wrong_with(shape: Shape, hostile: Hostile, outcome: Any) -> str:
    """Return why an outcome may not be, or an empty text."""
    if isinstance(outcome, VenueError):
        told = _tells(outcome)
        if told:
            return told
        if hostile.verdict is Verdict.EQUAL:
            return f"a good answer was refused: {type(outcome).__name__}: {outcome}"
    elif outcome is None and shape.endpoint == "api-key":
        return _wrong_silence(strict(hostile.body))
    elif hostile.verdict is Verdict.BAD:
        return f"a bad answer was used: {outcome!r}"
    elif hostile.verdict is Verdict.EQUAL and outcome != shape.good:
        return f"the same answer was read as {outcome!r}, not as {shape.good!r}"
    return _wrong_place(hostile, outcome) if shape.endpoint == "place" else _wrong_read(hostile, outcome)


def _wrong_read(hostile: Hostile, outcome: Any) -> str:
    if isinstance(outcome, NotSent | OutcomeUnknown):
        return f"a read ended as {type(outcome).__name__}"
    if isinstance(outcome, VenueError):
        return ""
    return unfounded(strict(hostile.body), outcome)


def _wrong_silence(document: Any) -> str:
    """Some keys may not ask for their rights: an answer that says so is none about them."""
    refused = isinstance(document, dict) and (document.get("status") == "error" or number(document.get("code")) != 200)
    return "" if refused else "the rights of the key are unknown, though the answer has them"


def _wrong_place(hostile: Hostile, outcome: Any) -> str:
    """Hold what became of a place call against the only two answers that prove anything."""
    document = strict(hostile.body)
    envelope = document if isinstance(document, dict) and hostile.status == 200 else {}
    if isinstance(outcome, Rejected):
        code = envelope.get("err-code") or envelope.get("err_code")
        proven = envelope.get("status") == "error" and code in PLACE_REFUSALS and envelope.get("data") is None
        return "" if proven and outcome.code == code else f"rejected without proof: {outcome}"
    if isinstance(outcome, str):
        order_id = number(envelope.get("data"))
        proven = envelope.get("status") == "ok" and order_id is not None and order_id > 0 and str(order_id) == outcome
        return "" if proven else f"order id {outcome} does not stand in the answer"
    return "" if type(outcome) is OutcomeUnknown else f"a place call ended as {type(outcome).__name__}: {outcome}"


def _tells(error: VenueError) -> str:
    """Return what an error's words, and those behind it, give away."""
    words = f"{error} {error!r}"
    shown = [each for each in ("://", "Signature=", "AccessKeyId=") if each in words]
    if error.__cause__ is not None:
        shown.append(f"its cause {error.__cause__!r}")
    if len(words) > 2000:
        shown.append(f"{len(words)} characters")
    found = shown + hits(words)
    return f"the words show {', '.join(found)}: {words[:300]}" if found else ""
