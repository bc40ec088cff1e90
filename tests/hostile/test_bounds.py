"""However much an answer is, however slowly it comes and however long it goes on: there is an end, and it is near."""

from __future__ import annotations

import gzip
import itertools
import json
import tracemalloc
from collections.abc import Callable, Iterable, Iterator

import httpx
import pytest

from rebalancer.errors import MalformedReply, OutcomeUnknown, Unavailable, VenueError
from rebalancer.venues.htx.client import PAGES_MAX, READ_ATTEMPTS, SEARCH_PAGE, HtxVenue
from rebalancer.venues.htx.decode import BODY_BYTES_MAX, VALUES_MAX
from rebalancer.venues.htx.transport import DEADLINE_S, PLACE_DEADLINE_S
from tests.hostile.document import Literal, Object, parse, render, rows
from tests.hostile.mutate_reply import bomb
from tests.hostile.shapes import Recording, Shape, all_shapes, endpoint_of, make_venue
from tests.support import FakeClock

SHAPES = {shape.endpoint: shape for shape in reversed(all_shapes())}
LISTS = ("market-symbols", "tickers", "balance", "order-search", "order-fills")
PIECE = 64 * 1024  # as the network hands it over
PEAK_BYTES_MAX = 128 * 1024 * 1024  # a quarter of what the service may use at all

Answer = Callable[[httpx.Request], Iterable[bytes]]


class Stream(httpx.SyncByteStream):
    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces


class Endless(httpx.BaseTransport):
    """Answers one endpoint with pieces, the others well; counts what was taken of them."""

    def __init__(self, shape: Shape, answer: Answer, *, packed: bool = False) -> None:
        self.shape, self.answer, self.packed = shape, answer, packed
        self.names = Recording().exchange
        self.taken = self.requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        name = endpoint_of(self.names, request)
        if name != self.shape.endpoint:
            return httpx.Response(200, stream=Stream([SHAPES[name].body]))
        self.requests += 1
        headers = {"content-encoding": "gzip"} if self.packed else {}
        return httpx.Response(200, headers=headers, stream=Stream(self._counted(self.answer(request))))

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.taken += len(piece)
            yield piece


def peak_bytes(shape: Shape, venue: HtxVenue) -> tuple[int, VenueError | None]:
    """Let the client read, and return the memory that it took at most, and the error if there was one."""
    venue.fetch_server_time()
    failed = None
    tracemalloc.start()
    try:
        shape.ask(venue)
    except VenueError as error:
        failed = error
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, failed


def in_pieces(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield parts joined to pieces of a network's size."""
    held = bytearray()
    for part in parts:
        held += part
        if len(held) >= PIECE:
            yield bytes(held)
            held.clear()
    yield bytes(held)


@pytest.mark.parametrize("endpoint", LISTS)
def test_a_list_of_a_million_rows_is_refused_before_it_is_all_there(endpoint: str) -> None:
    shape = SHAPES[endpoint]
    document = parse(shape.body)
    found = rows(endpoint, document) or next(value for key, value in document if key == "data")
    row = render(found[0]).encode()
    head, tail = render(document).encode().split(row, 1)

    def million(_request: httpx.Request) -> Iterator[bytes]:
        return in_pieces(itertools.chain([head], itertools.repeat(row + b",", 1_000_000), [row, tail]))

    transport = Endless(shape, million)
    peak, error = peak_bytes(shape, make_venue(FakeClock(), transport))
    assert isinstance(error, Unavailable) and "larger than" in str(error)
    assert transport.taken <= READ_ATTEMPTS * (BODY_BYTES_MAX + 2 * PIECE)
    assert peak < PEAK_BYTES_MAX, f"{peak} bytes"


@pytest.mark.parametrize("row", [b"{}", b"[]", b"0", b"1.5", b'""', b'{"a":1}', b"[[]]"])
def test_a_million_tiny_rows_are_refused_before_they_become_objects(row: bytes) -> None:
    body = b'{"status":"ok","data":[' + b",".join([row] * 1_000_000) + b"]}"
    transport = Endless(SHAPES["tickers"], lambda _request: [body])
    peak, error = peak_bytes(SHAPES["tickers"], make_venue(FakeClock(), transport))
    assert isinstance(error, MalformedReply if len(body) <= BODY_BYTES_MAX else Unavailable)
    assert peak < 4 * BODY_BYTES_MAX, f"{peak} bytes"


@pytest.mark.parametrize("value", [b"{}", b"[]", b"1.5", b'"%d"', b'{"a":1}'])
def test_the_largest_answer_that_is_read_at_all_fits_the_memory(value: bytes) -> None:
    each = 1 + sum(value.count(sign) for sign in b",[{")
    numbers = itertools.count(10**9)
    values = b",".join(value.replace(b"%d", b"%d" % next(numbers)) for _ in range(VALUES_MAX // each - 8))
    body = b'{"status":"ok","x":[' + values + b'],"data":[],"y":"'
    body += b"\xf0\x9f\x92\xb0" * ((BODY_BYTES_MAX - len(body) - 2) // 4) + b'"}'
    transport = Endless(SHAPES["tickers"], lambda _request: [body])
    peak, error = peak_bytes(SHAPES["tickers"], make_venue(FakeClock(), transport))
    assert error is None
    assert peak < PEAK_BYTES_MAX, f"{peak} bytes"


@pytest.mark.parametrize("endpoint", ["balance", "place"])
@pytest.mark.parametrize("filler", [b" ", b"["])
def test_a_body_of_64_mib_is_given_up_at_the_limit(endpoint: str, filler: bytes) -> None:
    transport = Endless(SHAPES[endpoint], lambda _request: itertools.repeat(filler * PIECE, (64 << 20) // PIECE))
    peak, error = peak_bytes(SHAPES[endpoint], make_venue(FakeClock(), transport))
    assert isinstance(error, OutcomeUnknown if endpoint == "place" else Unavailable)
    assert transport.taken <= transport.requests * (BODY_BYTES_MAX + PIECE)
    assert transport.requests == (1 if endpoint == "place" else READ_ATTEMPTS)
    assert peak < 4 * BODY_BYTES_MAX, f"{peak} bytes"


@pytest.mark.parametrize("endpoint", ["balance", "place"])
def test_a_small_packed_answer_that_unpacks_to_64_mib_is_given_up_at_the_limit(endpoint: str) -> None:
    packed = bomb()
    assert len(packed) < 100_000
    transport = Endless(SHAPES[endpoint], lambda _request: [packed], packed=True)
    peak, error = peak_bytes(SHAPES[endpoint], make_venue(FakeClock(), transport))
    assert isinstance(error, OutcomeUnknown if endpoint == "place" else Unavailable)
    assert peak < 4 * BODY_BYTES_MAX, f"{peak} bytes"


def test_a_packed_answer_within_the_limit_is_read() -> None:
    shape = SHAPES["tickers"]
    transport = Endless(shape, lambda _request: [gzip.compress(shape.body)], packed=True)
    assert shape.ask(make_venue(FakeClock(), transport)) == shape.good


@pytest.mark.parametrize(("endpoint", "deadline_s"), [("balance", DEADLINE_S), ("place", PLACE_DEADLINE_S)])
def test_an_answer_that_drips_for_ever_ends_at_the_deadline(endpoint: str, deadline_s: float) -> None:
    clock = FakeClock()

    def drops(_request: httpx.Request) -> Iterator[bytes]:
        while True:
            clock.advance(0.5)
            yield b" "

    transport = Endless(SHAPES[endpoint], drops)
    began_s = clock.monotonic_s()
    _, error = peak_bytes(SHAPES[endpoint], make_venue(clock, transport))
    waited_s = clock.monotonic_s() - began_s - sum(clock.slept_s)
    assert isinstance(error, OutcomeUnknown if endpoint == "place" else Unavailable) and "not complete" in str(error)
    assert waited_s <= transport.requests * (deadline_s + 1)


@pytest.mark.parametrize("endpoint", ["order-search", "order-history"])
def test_a_list_of_orders_whose_pages_never_end_is_given_up(endpoint: str) -> None:
    shape = SHAPES[endpoint]
    document = parse(shape.body)
    row = dict(next(value for key, value in document if key == "data")[0])
    numbers = itertools.count(1)

    def page(_request: httpx.Request) -> list[bytes]:
        listed = [Object([k, v] for k, v in (row | {"id": Literal(next(numbers))}).items()) for _ in range(SEARCH_PAGE)]
        more = json.dumps({"status": "ok", "next-time": 1_772_366_400_000}).encode()[:-1]
        return [more + b',"data":' + render(listed).encode() + b"}"]

    transport = Endless(shape, page)
    with pytest.raises(MalformedReply, match="no end"):
        shape.ask(make_venue(FakeClock(), transport))
    assert transport.requests == PAGES_MAX
