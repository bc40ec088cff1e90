"""Kept closes: only what is missing is asked for, what is final is kept, and no other market's past is mixed in."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from rebalancer.cli.candles import PERIODS_MAX, SETTLED, Kept, fetch_candles, files_of, load_series
from rebalancer.cli.context import Connection
from rebalancer.core.model import CandlePeriod
from rebalancer.core.targets import Targets
from rebalancer.errors import ConfigError
from rebalancer.service.gather import ThreadGather
from rebalancer.simulator.exchange import Exchange
from rebalancer.simulator.market import Market
from rebalancer.simulator.transport import InProcessTransport
from rebalancer.targets.file import parse_targets
from rebalancer.venues.htx.client import HtxVenue
from rebalancer.venues.htx.transport import HttpTransport
from tests.support import FakeClock

TARGETS = 'version = 1\nquote = "USDT"\n[weights]\nBTC = 40\nETH = 30\nUSDT = 30\n'
DAY, HOUR = CandlePeriod.DAY, CandlePeriod.HOUR


class Listening(InProcessTransport):
    """Remembers how many candles were asked for."""

    def __init__(self, exchange: Exchange, clock: FakeClock) -> None:
        super().__init__(exchange, clock)
        self.asked: list[tuple[str, int]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/market/history/kline":
            self.asked.append((request.url.params["symbol"], int(request.url.params["size"])))
        return super().handle_request(request)


class Bench:
    """An owner's folder and an exchange whose market moves with a clock of ours."""

    def __init__(self, folder: Path, targets: str = TARGETS, seed: int = 3, *, past_noon_s: int = 600) -> None:
        self.folder = folder
        self.targets: Targets = parse_targets(targets, "targets.toml")
        self.clock = FakeClock()
        self.clock.advance(past_noon_s)
        self.open(seed)

    def open(self, seed: int) -> None:
        market = Market(seed=seed, anchor_ms=int(self.clock.now().timestamp() * 1000))
        self.wire = Listening(Exchange(market), self.clock)
        venue = HtxVenue(
            HttpTransport(clock=self.clock, transport=self.wire),
            base_url="http://127.0.0.1:1",
            credentials=None,
            clock=self.clock,
            gather=ThreadGather(1),
            rng=random.Random(0),
        )
        self.connection = Connection(venue, "embedded", ThreadGather(2))

    def fetch(self, period: CandlePeriod = DAY, periods: int = 30) -> dict[str, Kept]:
        self.wire.asked.clear()
        told: list[int] = []
        made = fetch_candles(self.connection, self.targets, self.folder, period, periods, tell=told.append)
        assert sorted(told) == list(range(1, len(made) + 1)), "the bar reaches its end"
        return {each.asset: each for each in made}

    def bytes(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}


@pytest.mark.parametrize("period", CandlePeriod)
def test_the_closes_kept_are_the_final_ones_of_the_market_itself(tmp_path: Path, period: CandlePeriod) -> None:
    bench = Bench(tmp_path)
    kept = bench.fetch(period, 50)
    market, now = bench.connection.venue, bench.clock.now()
    assert set(kept) == {"BTC", "ETH"}, "cash has no price"
    for asset, each in kept.items():
        candles = market.fetch_candles(f"{asset.lower()}usdt", period, 51)
        final = {candle.starts_at + period.length: candle.close for candle in candles}
        assert each.closes == {at: close for at, close in final.items() if at + SETTLED <= now}
        assert len(each.closes) == each.new == 50
    assert load_series(tmp_path, bench.targets).assets == ("BTC", "ETH")


@pytest.mark.parametrize("seed", range(5))
def test_whenever_one_comes_back_only_what_is_missing_is_asked_for_and_added(tmp_path: Path, seed: int) -> None:
    rng, bench = random.Random(seed), Bench(tmp_path)
    bench.fetch(HOUR, 24)
    lines = {name: body.splitlines() for name, body in bench.bytes().items()}
    for _ in range(6):
        passed_s = rng.choice((1, 59, 1800, 3600, 7 * 3600, rng.randrange(100_000)))
        bench.clock.advance(passed_s)
        bench.fetch(HOUR, 24)
        assert max(size for _, size in bench.wire.asked) <= min(24, passed_s // 3600 + 2) + 1, (seed, passed_s)
        now = {name: body.splitlines() for name, body in bench.bytes().items()}
        for name, before in lines.items():
            assert now[name][: len(before)] == before, (seed, name)
            last = datetime.fromisoformat(now[name][-1].decode().partition(",")[0]).replace(tzinfo=UTC)
            assert bench.clock.now() - last < timedelta(hours=1) + SETTLED, (seed, name)
        lines = now


def test_a_second_look_at_once_changes_no_byte(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.fetch()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert [each.new for each in bench.fetch().values()] == [0, 0]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_longer_wish_puts_the_older_closes_in_front(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    short = bench.fetch(DAY, 10)["BTC"].closes
    long = bench.fetch(DAY, 40)["BTC"].closes
    assert len(long) == 40 and {at: long[at] for at in short} == short
    assert load_series(tmp_path, bench.targets).times == tuple(sorted(long))


def test_a_candle_that_just_ended_waits_until_it_is_final(tmp_path: Path) -> None:
    bench = Bench(tmp_path, past_noon_s=0)
    noon = bench.clock.now()
    assert noon not in bench.fetch(HOUR, 5)["BTC"].closes
    bench.clock.advance(SETTLED.total_seconds())
    assert noon in bench.fetch(HOUR, 5)["BTC"].closes


def test_a_past_that_is_not_the_one_fetched_before_is_refused_and_nothing_is_overwritten(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.fetch()
    before = bench.bytes()
    bench.open(seed=4)
    with pytest.raises(ConfigError, match=r"btcusdt\.csv: .* the exchange now says .*move the file away") as refused:
        bench.fetch()
    assert "ethusdt.csv" in str(refused.value), "every coin is told"
    assert bench.bytes() == before


def test_a_coin_without_a_market_is_named_and_nothing_is_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path, TARGETS.replace("ETH", "NOSUCH"))
    with pytest.raises(ConfigError, match="NOSUCH: no candles of NOSUCH/USDT"):
        bench.fetch()
    assert not list(tmp_path.iterdir())


def test_the_most_that_may_be_wished_fits_one_request(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert len(bench.fetch(HOUR, PERIODS_MAX)["ETH"].closes) == PERIODS_MAX
    assert {size for _, size in bench.wire.asked} == {2000}


def test_a_coin_that_htx_calls_otherwise_keeps_our_name_in_its_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path, TARGETS.replace("ETH", "S") + '[codes]\nS = "sonic"\n')
    assert files_of(tmp_path, bench.targets)["S"] == tmp_path / "sonicusdt.csv"


def write(folder: Path, closes: Mapping[str, str]) -> None:
    for name, text in closes.items():
        (folder / name).write_text(text, encoding="utf-8")


GOOD = "time_utc,{}\n2026-01-01T16:00,{}\n2026-01-02T16:00,2\n2026-01-03T16:00,3\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ":1: the first line is not `time_utc,ETH`"),
        (GOOD.format("BTC", 1), ":1: the first line is not `time_utc,ETH`"),
        (GOOD.format("ETH", "0"), ":2: a close of 0 is not above zero"),
        (GOOD.format("ETH", "-1"), ":2: a close of -1"),
        (GOOD.format("ETH", "NaN"), ":2: '2026-01-01T16:00,NaN' is not a time and a close"),
        (GOOD.format("ETH", ""), ":2: .* is not a time and a close"),
        (GOOD.format("ETH", "1,2"), ":2: .* is not a time and a close"),
        (GOOD.format("ETH", 1) + "2026-01-03T16:00,3\n", ":5: times must increase"),
        (GOOD.format("ETH", 1) + "\n", ":5: '' is not a time and a close"),
    ],
)
def test_a_damaged_file_is_refused_with_its_place_and_what_to_do(tmp_path: Path, text: str, words: str) -> None:
    write(tmp_path, {"btcusdt.csv": GOOD.format("BTC", 1), "ethusdt.csv": text})
    with pytest.raises(ConfigError, match=rf"ethusdt\.csv{words}.*; move the file away and fetch it again"):
        load_series(tmp_path, parse_targets(TARGETS, "targets.toml"))


def test_coins_that_were_never_fetched_are_named_with_the_command_that_gets_them(tmp_path: Path) -> None:
    write(tmp_path, {"btcusdt.csv": GOOD.format("BTC", 1)})
    with pytest.raises(ConfigError, match=r"no closes of ETH; `rebalancer backtest fetch"):
        load_series(tmp_path, parse_targets(TARGETS, "targets.toml"))


def test_only_times_that_every_coin_has_are_used_and_two_are_the_least(tmp_path: Path) -> None:
    targets = parse_targets(TARGETS, "targets.toml")
    late = "time_utc,ETH\n2026-01-02T16:00,20\n2026-01-03T16:00,30\n2026-01-04T16:00,40\n"
    write(tmp_path, {"btcusdt.csv": GOOD.format("BTC", 1), "ethusdt.csv": late})
    series = load_series(tmp_path, targets)
    assert [at.day for at in series.times] == [2, 3] and series.closes.tolist() == [[2, 20], [3, 30]]
    write(tmp_path, {"ethusdt.csv": "time_utc,ETH\n2026-01-03T16:00,30\n2026-01-04T16:00,40\n"})
    with pytest.raises(ConfigError, match=r"1 fetched close.*ETH is the youngest"):
        load_series(tmp_path, targets)


def test_every_digit_of_a_close_is_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path, TARGETS.replace("ETH", "NFT"))
    kept = bench.fetch()["NFT"]
    assert any(close < Decimal("0.000001") for close in kept.closes.values())
    text = kept.path.read_text(encoding="utf-8")
    assert "E" not in text.partition("\n")[2] and "0.00000043" in text
