"""`rebalancer exchange`: what it refuses before it listens, and what it does until it is stopped."""

from __future__ import annotations

import http.client
import json
import signal
import socket
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from rebalancer.cli.exits import Exit
from tests.cli.conftest import Owner, words_of
from tests.cli.exchanges import key_for
from tests.simulator.loopback import running_exchange


def asked(url: str, path: str) -> Any:
    """Ask a public question, as any HTX client would."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read(), parse_float=Decimal)
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--host", "0.0.0.0"), "not a loopback address"),  # noqa: S104  # it must be refused
        (("--host", "192.0.2.1"), "not a loopback address"),
        (("--host", "htx.example"), "not a loopback address"),
        (("--port", "70000"), "0<=x<=65535"),
        (("--balances", "BTC"), "ASSET=AMOUNT"),
        (("--balances", "BTC=-1"), "zero or more"),
        (("--balances", "BTC=1,btc=2"), "each asset once"),
        (("--balances", "BTC=NaN"), "ASSET=AMOUNT"),
        (("--faults", "lost_everything"), "unknown fault"),
        (("--faults", "lost_reply@nowhere"), "unknown endpoint"),
        (("--faults", "lost_reply=2"), "not within 0 and 1"),
        (("--speed", "0"), "x>0"),
        (("--clock-rate", "-1"), "x>0"),
        (("--latency-ms", "-1"), "x>=0"),
        (("--prices", "no-such.csv"), "no-such.csv cannot be read"),
    ],
    ids=words_of,
)
def test_what_cannot_be_is_refused_before_it_listens(owner: Owner, words: tuple[str, ...], text: str) -> None:
    said = owner.say("exchange", *words)
    assert said.code == Exit.USAGE and text in " ".join(said.err.split())
    assert "listening" not in said.out


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"date,BTC\n2026-01-01,\n", b"no,head\nat,all\n"])
def test_prices_that_cannot_be_read_are_refused_with_their_file(owner: Owner, content: bytes) -> None:
    (owner.folder / "closes.csv").write_bytes(content)
    said = owner.say("exchange", "--prices", "closes.csv")
    assert said.code == Exit.USAGE and "closes.csv" in said.err


@pytest.mark.parametrize("content", ["", "{}", '{"version": 2}', "[1]", "null", "7"])
def test_a_state_that_is_none_is_refused_and_left_alone(owner: Owner, content: str) -> None:
    place = owner.folder / "exchange.json"
    place.write_text(content, encoding="utf-8")
    said = owner.say("exchange", "--state", str(place))
    assert said.code == Exit.CONFIG and "exchange.json" in said.err and "start anew" in said.err
    assert place.read_text(encoding="utf-8") == content


def test_a_port_that_is_taken_is_said(owner: Owner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = owner.say("exchange", "--port", str(port))
    assert said.code == Exit.FAILURE and f"127.0.0.1:{port}" in said.err and "--port 0" in said.err


def test_it_says_where_it_listens_answers_and_stops_at_a_signal() -> None:
    with running_exchange() as (url, process):
        assert asked(url, "/v1/common/timestamp")["status"] == "ok"
        symbols = {row["symbol"] for row in asked(url, "/v1/settings/common/market-symbols")["data"]}
        assert {"btcusdt", "ethusdt"} <= symbols
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0 and not out
    assert err == "stopped; 0 order(s)\n"


def test_what_an_account_holds_and_did_outlives_the_process(owner: Owner, tmp_path: Path) -> None:
    place = tmp_path / "exchange.json"
    options = (
        "--state", str(place), "--balances", "BTC=0.2,ETH=1,SOL=1,XRP=5,LINK=1,USDT=500", "--access-key", "e2e-access-key-0001",
        "--secret-key", "e2e-secret-key-0001",
    )  # fmt: skip
    with running_exchange(*options) as (url, _):
        said = owner.say("run", "--live", "--json", **key_for(url, live=True))
        assert said.code in {Exit.DONE, Exit.WORK_LEFT}, said.err
        orders = json.loads(said.out)["orders"]
        assert orders
    with running_exchange(*options) as (url, _):
        plan = json.loads(owner.say("plan", "--json", **key_for(url)).out)
    held = {line["asset"]: Decimal(line["free"]) for line in plan["assets"]}
    sold = sum(Decimal(order["filled_quantity"]) for order in orders if order["symbol"] == "btcusdt")
    assert held["BTC"] == Decimal("0.2") - sold


def test_faults_that_fired_are_counted_at_the_end() -> None:
    with running_exchange("--faults", "http_429@timestamp=1x2") as (url, process):
        parts = urlsplit(url)
        assert parts.hostname is not None
        for expected in (429, 429, 200):
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
            connection.request("GET", "/v1/common/timestamp")
            assert connection.getresponse().status == expected
            connection.close()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert "faults: http_429 2" in err and process.returncode == 0


def test_closes_from_a_file_are_the_prices(owner: Owner) -> None:
    (owner.folder / "closes.csv").write_text("date,BTC\n2026-01-01,50000\n2026-01-02,50000\n", encoding="utf-8")
    with running_exchange("--prices", str(owner.folder / "closes.csv")) as (url, _):
        document = json.loads(owner.say("prices", "BTC", "--quote", "USDT", "--json", REBALANCER_HTX_URL=url).out)
    (row,) = document["prices"]
    assert document["venue"] == "loopback"
    assert Decimal(row["bid"]) < 50_000 < Decimal(row["ask"])
