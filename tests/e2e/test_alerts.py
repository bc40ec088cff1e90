"""`serve` with its channels: the owner and the watcher hear, and no log holds an address."""

from __future__ import annotations

import json
import re
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.service.clock import SystemClock
from tests.alerts.listening import listening
from tests.cli.exchanges import exchange_with
from tests.e2e.processes import Home, rebalancer
from tests.e2e.test_serve import RATE, exchange_options, line_with, serving
from tests.simulator.loopback import running_exchange


def test_a_living_service_tells_its_start_its_trades_and_a_pause(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with listening() as heard, running_exchange(*exchange_options(tmp_path)) as (url, _):
        credentials = home.folder / "credentials"
        (credentials / "rebalancer_notify_urls").write_text(heard.board + "\n")
        (credentials / "rebalancer_ping_url").write_text(heard.watcher + "\n")
        checked = rebalancer(home.environment(url, rate=RATE), "check", "--alerts")
        assert "2 channel(s), taken by all" in checked.stdout, checked.stdout
        with serving(home, url, "--live", live=True) as process:
            heard.wait_for(lambda: any(each["title"] == "rebalancer: traded" for each in heard.notices))
            text = home.targets.read_text(encoding="utf-8")
            home.targets.write_text(
                text.replace("BTC = 35", "BTC = 34").replace("ETH = 25", "ETH = 26"), encoding="utf-8"
            )
            heard.wait_for(lambda: any("edited by hand: BTC 35 -> 34" in each["body"] for each in heard.notices))
            rebalancer(home.environment(url, rate=RATE), "pause", "--reason", "holiday")
            heard.wait_for(lambda: any(each["title"] == "rebalancer: paused" for each in heard.notices))
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=40)
    titles = [each["title"] for each in heard.notices]
    assert titles[:2] == ["rebalancer: a test", "rebalancer: started, live on loopback"]
    assert "holiday" in json.dumps(heard.notices) and {"start", ""} <= set(heard.pings)
    assert "token-of-the" not in log + checked.stdout + checked.stderr


def test_a_service_whose_channel_is_dead_goes_on_and_says_and_counts_what_was_lost(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with listening(500) as heard, running_exchange(*exchange_options(tmp_path)) as (url, _):
        credentials = home.folder / "credentials"
        (credentials / "rebalancer_notify_urls").write_text(heard.board + "\n")
        (credentials / "rebalancer_ping_url").write_text("http://127.0.0.1:9/token-of-the-watcher\n")
        with serving(home, url, REBALANCER_METRICS_PORT=str(port)) as process:
            assert "the notice 'started" in line_with(process, "event='alert_lost'.*notice")
            assert "could not be sent: ConnectError" in line_with(process, "event='alert_lost'.*ping")
            line_with(process, "event='cycle'")
            line_with(process, "event='cycle'")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
                figures = answer.read().decode()
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=40)
    (counted,) = re.findall(r"^rebalancer_alerts_lost_total ([0-9.]+)$", figures, re.MULTILINE)
    assert float(counted) >= 2 and "token-of-the" not in log


def test_a_service_that_was_down_for_some_slots_tells_that_they_were_missed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with listening() as heard, running_exchange(*exchange_options(tmp_path)) as (url, _):
        (home.folder / "credentials" / "rebalancer_notify_urls").write_text(heard.board + "\n")
        for _life in range(2):
            with serving(home, url) as process:
                line_with(process, "event='cycle'")
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=40)
            SystemClock().sleep(4)  # of slots a second apart
    missed = [each["body"] for each in heard.notices if each["title"] == "rebalancer: a cycle was missed"]
    assert len(missed) == 1 and "earlier slot(s) were missed" in missed[0]


def test_a_living_service_tells_that_its_key_will_soon_end(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with listening() as heard, exchange_with(days_valid=6, rate=RATE) as (url, _):
        (home.folder / "credentials" / "rebalancer_notify_urls").write_text(heard.board + "\n")
        with serving(home, url, "--live", live=True) as process:
            heard.wait_for(lambda: any("expires in 6 day(s)" in each["body"] for each in heard.notices))
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=40)
    assert [each["title"] for each in heard.notices].count("rebalancer: the key expires") == 1


@pytest.mark.parametrize(
    ("trouble", "code", "title", "words"),
    [
        ("key", Exit.CREDENTIALS, "rebalancer: key refused", "Verification failure"),
        ("targets", Exit.CONFIG, "rebalancer: failed", "101"),
        ("journal", Exit.FAILURE, "rebalancer: failed", "the file is empty"),
    ],
)
def test_a_service_that_cannot_start_tells_why_it_stays_down(
    tmp_path: Path, trouble: str, code: Exit, title: str, words: str
) -> None:
    home = Home(tmp_path)
    home.state.mkdir()
    with listening() as heard, running_exchange(*exchange_options(tmp_path)) as (url, _):
        credentials = home.folder / "credentials"
        (credentials / "rebalancer_notify_urls").write_text(heard.board + "\n")
        (credentials / "rebalancer_ping_url").write_text(heard.watcher + "\n")
        if trouble == "key":
            (credentials / "rebalancer_htx_secret_key").write_text("another-secret-0001\n")
        elif trouble == "targets":
            home.targets.write_text(home.targets.read_text(encoding="utf-8").replace("BTC = 35", "BTC = 36"))
        else:
            (home.state / "journal.db").touch()
        for _ in range(2):  # a supervisor tries again, and the owner is not told again
            ended = rebalancer(home.environment(url, rate=RATE), "serve", "--live")
            assert ended.returncode == code, ended.stderr
    (notice,) = heard.notices
    assert notice["title"] == title and words in notice["body"]
    assert heard.pings == ["fail", "fail"]
