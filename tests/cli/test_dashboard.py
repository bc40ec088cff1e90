"""`rebalancer dashboard`: what it refuses, and a real process that needs no key and shows none."""

from __future__ import annotations

import http.client
import os
import pty
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from rebalancer.cli.dashboard import NICENESS
from rebalancer.cli.exits import Exit
from tests.cli.conftest import Owner
from tests.e2e.processes import environment, rebalancer


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example"])  # noqa: S104  # it must be refused
def test_an_address_beyond_loopback_needs_tls(owner: Owner, host: str) -> None:
    said = owner.say("dashboard", "--host", host, REBALANCER_VENUE="embedded")
    assert said.code == Exit.CONFIG and "needs --tls-cert and --tls-key" in said.err
    assert not owner.state.exists()


def test_half_a_certificate_is_wrong_usage(owner: Owner) -> None:
    said = owner.say("dashboard", "--tls-cert", str(owner.targets))
    assert said.code == Exit.USAGE and "belong together" in said.err


def asked(port: int, path: str, **headers: str) -> tuple[int, str, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers
    finally:
        connection.close()


def test_the_page_process_needs_no_key_and_shows_none(tmp_path: Path) -> None:
    secrets = {"REBALANCER_HTX_ACCESS_KEY": "canary-access-key-1", "REBALANCER_HTX_SECRET_KEY": "canary-secret-key-1"}
    shipped = Path(__file__).parents[2] / "targets.toml"
    environ = environment(
        REBALANCER_STATE_DIR=str(tmp_path), REBALANCER_TARGETS=str(shipped), REBALANCER_VENUE="embedded"
    )
    assert rebalancer(environ, "run").returncode == Exit.DONE
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "rebalancer", "dashboard", "--port", str(port)]
    with subprocess.Popen(
        command, env=environ | secrets, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = "".join(process.stdout.readline() for _ in range(3))
        try:
            status, login, headers = first_answer(port, process)
            assert (status, "server" in headers) == (200, False)
            assert psutil.Process(process.pid).nice() == min(os.nice(0) + NICENESS, 19), "the service goes first"
            token = (tmp_path / "web-token").read_text().strip()
            cookie = logged_in(port, token)
            views = [asked(port, path, Cookie=cookie)[1] for path in ("/", "/targets", "/runs", "/cost", "/health")]
            assert "DRY-RUN" in views[0] and "11,9" in views[0]
        finally:
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=30)
    for text in (said, log, login, *views):
        assert "canary" not in text and token not in text


def test_ctrl_c_ends_it_without_a_word(tmp_path: Path) -> None:
    environ = environment(REBALANCER_STATE_DIR=str(tmp_path), REBALANCER_VENUE="embedded")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "rebalancer", "dashboard", "--port", str(port)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        first_answer(port, process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == Exit.DONE and not err


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here to make a certificate with")
def test_over_tls_its_cookie_goes_nowhere_else(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    subprocess.run([*make, "-out", str(cert), "-keyout", str(key)], check=True, capture_output=True)
    environ = environment(REBALANCER_STATE_DIR=str(tmp_path / "state"), REBALANCER_VENUE="embedded")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "rebalancer", "dashboard", "--port", str(port), "--tls-cert", str(cert)]
    with subprocess.Popen([*command, "--tls-key", str(key)], env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = b"".join(process.stdout.readline() for _ in range(3)).decode()
        assert f"page on https://127.0.0.1:{port}/" in said
        token = (tmp_path / "state" / "web-token").read_text().strip()
        trusting = ssl.create_default_context(cafile=str(cert))
        trusting.check_hostname = False
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=trusting, timeout=60)
        form = {"Origin": f"https://127.0.0.1:{port}", "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/login", f"token={token}", form)
        answer = connection.getresponse()
        assert answer.status == 303 and "secure" in answer.headers["Set-Cookie"].lower()
        connection.close()
        process.terminate()
        process.communicate()


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    environ = environment(REBALANCER_STATE_DIR=str(tmp_path), REBALANCER_VENUE="embedded")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = rebalancer(environ, "dashboard", "--port", port)
    assert done.returncode == Exit.CONFIG and not done.stdout
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another --port" in done.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_terminal_is_shown_a_link_that_brings_the_token(tmp_path: Path, host: str) -> None:
    environ = environment(REBALANCER_STATE_DIR=str(tmp_path), REBALANCER_VENUE="embedded", TERM="dumb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "rebalancer", "dashboard", "--host", host, "--port", str(port)]
    with subprocess.Popen(command, env=environ, stdout=theirs, stderr=subprocess.PIPE) as process:
        os.close(theirs)
        screen = ""
        while "#token=" not in screen or not screen.endswith("\n"):
            ready, _, _ = select.select([ours], [], [], 60)
            assert ready, screen
            screen += os.read(ours, 4096).decode()
        process.terminate()
        process.communicate()
    os.close(ours)
    token = (tmp_path / "web-token").read_text().strip()
    shown = f"[{host}]" if ":" in host else host
    assert f"http://{shown}:{port}/login#token={token}" in screen.split()


def first_answer(port: int, process: subprocess.Popen[str]) -> tuple[int, str, http.client.HTTPMessage]:
    """Wait until it listens: it says where before it does."""
    for _ in range(600):
        try:
            return asked(port, "/login")
        except ConnectionError:
            assert process.poll() is None
            select.select([], [], [], 0.1)
    raise AssertionError("it never listened")


def logged_in(port: int, token: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    origin = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/login", body=f"token={token}", headers=origin)
    answer = connection.getresponse()
    assert answer.status == 303, answer.read()
    found = re.match(r"[^;]+", answer.headers["Set-Cookie"])
    connection.close()
    assert found
    return found[0]
