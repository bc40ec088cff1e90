"""`demo --serve` as a newcomer starts it: a link, weeks of looks on the page, a clean end, nothing left behind."""

from __future__ import annotations

import http.client
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rebalancer.cli.exits import Exit
from tests.cli.test_dashboard import asked, logged_in
from tests.e2e.processes import environment

FAST = "400"  # days a minute, or as many as this machine can
TURNS = 1200


@contextmanager
def demo(folder: Path, *words: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    (folder / "tmp").mkdir()
    command = [sys.executable, "-m", "rebalancer", "demo", "--serve", "--days-a-minute", FAST, *words]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment(TMPDIR=str(folder / "tmp"), **environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def read_until(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """Read lines until one matches; a demo that ends before is a failure."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if found := re.search(pattern, line):
            return found
    raise AssertionError(f"no {pattern!r} in {''.join(seen)}{process.stderr and process.stderr.read()}")


def looks(port: int, cookie: str) -> int:
    """Return how many rows the journal has by the page's own word."""
    status, text, _ = asked(port, "/health", Cookie=cookie)
    found = re.search(r"(\d+) rows", text)
    return int(found[1]) if status == 200 and found else 0


def test_the_page_shows_ever_more_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    secrets = {"REBALANCER_HTX_ACCESS_KEY": "my-own-access-key", "REBALANCER_HTX_SECRET_KEY": "my-own-secret-key"}
    with demo(tmp_path, REBALANCER_MODE="live", REBALANCER_VENUE="htx", **secrets) as process:
        link = read_until(process, r"http://127\.0\.0\.1:(\d+)/login#token=(\S+)")
        port, token = int(link[1]), link[2]
        cookie = logged_in(port, token)
        read_until(process, r"order\(s\) of")
        first = looks(port, cookie)
        for _ in range(TURNS):
            if looks(port, cookie) > first > 0:
                break
            select.select([], [], [], 0.05)
        else:
            raise AssertionError("the journal did not grow")
        read_until(process, "1,500 USDT come in")
        read_until(process, "resolved .* found as order")
        shown = asked(port, "/", Cookie=cookie)[1]
        assert "A demo: an embedded exchange, no real money" in shown and "Gain and loss" in shown
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "nothing is left behind" in out and not err and "my-own" not in out + shown
    assert not list((tmp_path / "tmp").iterdir()) and [path.name for path in tmp_path.iterdir()] == ["tmp"]


def changed(port: int, cookie: str, path: str, body: str) -> str:
    """Send a form of the page and return its answer."""
    form = re.search(r'name="form_token" value="(\w+)"', asked(port, "/health", Cookie=cookie)[1])
    assert form
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Origin": f"http://127.0.0.1:{port}", "Cookie": cookie}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        connection.request("POST", path, f"form_token={form[1]}&{body}", headers)
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_end_it_as_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    with demo(tmp_path) as process:
        read_until(process, r"order\(s\) of")
        process.send_signal(how)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "nothing is left behind" in out and not err
    assert not list((tmp_path / "tmp").iterdir())


def test_every_line_but_the_link_and_the_paths_fits_80_columns(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line.rstrip("\n"))
            if "week 1 is over" in line:
                break
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    wide = [line for line in said if len(line) > 80 and str(tmp_path) not in line and "#token=" not in line]
    assert not wide and said[0].startswith("DEMO on embedded")


def test_what_the_page_asks_for_is_done_in_its_hurried_time(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        link = read_until(process, r"http://127\.0\.0\.1:(\d+)/login#token=(\S+)")
        port = int(link[1])
        cookie = logged_in(port, link[2])
        read_until(process, r"order\(s\) of")
        assert "The pause is asked for" in changed(port, cookie, "/ask/pause", "reason=look")
        read_until(process, r"paused \(asked for on the page: look\)")
        assert "Paused" in asked(port, "/", Cookie=cookie)[1]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_weights_staged_on_the_page_are_confirmed_and_traded_in_the_owners_place(tmp_path: Path) -> None:
    # At a pace that leaves the page its part of the processor: as fast as it can, the service takes all of one.
    with demo(tmp_path, "--days-a-minute", "60") as process:
        link = read_until(process, r"http://127\.0\.0\.1:(\d+)/login#token=(\S+)")
        port = int(link[1])
        cookie = logged_in(port, link[2])
        read_until(process, r"order\(s\) of")
        body = "w_BTC=15&w_ETH=45&w_SOL=10&w_XRP=10&w_LINK=5&w_USDT=15"
        assert "Asked for" in changed(port, cookie, "/targets/stage", body)
        read_until(process, r">> BTC 15, ETH 45, ")
        read_until(process, r">> a change beyond the limit of a cycle waits for its owner")
        read_until(process, r"order\(s\) of")
        assert 'value="15"' in asked(port, "/targets", Cookie=cookie)[1]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0 and not err


def test_a_port_in_use_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with demo(tmp_path, "--port", str(port)) as process:
            _, err = process.communicate(timeout=60)
    assert process.returncode == Exit.CONFIG and f"cannot listen on 127.0.0.1:{port}" in err and "--port 0" in err
    assert not list((tmp_path / "tmp").iterdir())


def test_a_page_that_ends_by_itself_ends_the_demo_and_is_said(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    script = (
        "import uvicorn; uvicorn.Server.run = lambda self, sockets: None\n"
        "from rebalancer.cli.main import run\n"
        "raise SystemExit(run(['demo', '--serve']))\n"
    )
    environ = environment(TMPDIR=str(tmp_path / "tmp"))
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == Exit.FAILURE and "the page ended by itself" in done.stderr
    assert not list((tmp_path / "tmp").iterdir())
