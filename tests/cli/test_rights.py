"""Who may trade, and where: keys that are too strong, keys that will soon end, hosts that are not the exchange."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.cli.main import run
from tests.cli.exchanges import exchange_with
from tests.e2e.processes import ACCESS_KEY, SECRET_KEY, Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Point this process at an owner's folder and an exchange."""
    owner = Home(tmp_path)

    def at(url: str) -> None:
        for name, value in owner.environment(url).items():
            monkeypatch.setenv(name, value)

    return at


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    document = json.loads(capsys.readouterr().out)
    return {
        grade: [f"{each['topic']}: {each['text']}" for each in document["findings"] if each["grade"] == grade]
        for grade in ("ok", "warn", "fail")
    }


def test_a_key_that_can_withdraw_is_refused_live_and_by_check(
    home: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with exchange_with(permissions=("readOnly", "trade", "withdraw")) as (url, exchange):
        home(url)
        assert run(["run", "--live"]) == Exit.CREDENTIALS
        assert "can withdraw" in capsys.readouterr().err
        assert run(["check", "--json"]) == Exit.CREDENTIALS
        assert any("can withdraw" in text for text in findings(capsys)["fail"])
        assert not exchange.state.orders


def test_a_key_that_cannot_trade_is_refused_live_and_does_for_dry_runs(
    home: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with exchange_with(permissions=("readOnly",)) as (url, _):
        home(url)
        assert run(["run", "--live"]) == Exit.CREDENTIALS
        assert "cannot trade" in capsys.readouterr().err
        assert run(["plan"]) in (Exit.DONE, Exit.REFUSED)


def test_check_warns_of_a_key_without_an_address_and_near_its_end(
    home: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with exchange_with(days_valid=20) as (url, _):
        home(url)
        assert run(["check", "--json"]) == Exit.DONE
        warned = findings(capsys)["warn"]
    assert any("no IP address" in text for text in warned)
    assert any("expires in 20 day(s)" in text for text in warned)


def test_a_live_run_says_that_its_key_will_soon_end(
    home: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with exchange_with(days_valid=6) as (url, _):
        home(url)
        assert run(["run", "--live"]) in (Exit.DONE, Exit.WORK_LEFT)
        assert "the key expires in 6 day(s)" in capsys.readouterr().err


def test_a_bound_key_with_time_left_is_warned_of_nothing(
    home: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with exchange_with(ip_addresses=("127.0.0.1",)) as (url, _):
        home(url)
        assert run(["check", "--json"]) == Exit.DONE
        assert not [text for text in findings(capsys)["warn"] if text.startswith("key")]


def test_a_sub_users_key_that_may_not_ask_is_said_to_be_unverified(
    home: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with exchange_with(sub_user=True) as (url, _):
        home(url)
        assert run(["check", "--json"]) == Exit.DONE
        assert any("not verifiable" in text for text in findings(capsys)["warn"])


@pytest.mark.parametrize(
    ("rights", "code", "words"),
    [
        ({"ip_addresses": ("203.0.113.7",)}, Exit.CREDENTIALS, "other IP addresses"),
        ({"expires_ms": 1}, Exit.CREDENTIALS, "expired"),
        ({"permissions": ()}, Exit.CREDENTIALS, "right it lacks"),
    ],
)
def test_a_key_that_is_not_accepted_ends_with_what_to_do(
    home: Callable[[str], None], capsys: pytest.CaptureFixture[str], rights: dict[str, Any], code: Exit, words: str
) -> None:
    with exchange_with(**rights) as (url, _):
        home(url)
        assert run(["plan"]) == code
        said = capsys.readouterr()
    assert words in said.err
    assert ACCESS_KEY not in said.err and SECRET_KEY not in said.err and "Signature=" not in said.err


@pytest.mark.parametrize(
    "url",
    [
        "http://api.huobi.pro",
        "https://api.huobi.pro.evil.example",
        "https://evil.example",
        "https://user:pass@api.huobi.pro",
        "https://api.huobi.pro:8443",
        "https://api.huobi.pro/v1",
        "http://192.168.1.5",
        "ftp://127.0.0.1",
    ],
)
def test_a_host_that_is_not_the_exchange_is_refused(
    home: Callable[[str], None], capsys: pytest.CaptureFixture[str], url: str
) -> None:
    home(url)
    assert run(["plan"]) == Exit.CONFIG
    assert "REBALANCER_HTX_URL" in capsys.readouterr().err
