"""The canary in verbs that are processes of their own: the page, the first steps, the exchange, the served demo."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from rebalancer.cli.exits import Exit
from tests.canary import ACCESS_KEY, KEYS, SECRET_KEY, hits, served
from tests.cli.test_dashboard import asked, first_answer, logged_in
from tests.cli.typed import typed
from tests.e2e.processes import environment, rebalancer
from tests.e2e.test_canary import UNMASKED, canary_home
from tests.simulator.loopback import running_exchange

AROUND = {"REBALANCER_HTX_ACCESS_KEY": ACCESS_KEY, "REBALANCER_HTX_SECRET_KEY": SECRET_KEY}
VIEWS = ("/", "/targets", "/runs", "/cost", "/health", "/coins/BTC", "/coins/NONE", "/runs/none", "/login", "/nowhere")
# Texts in which somebody might bring the key to the page, or the page the key to somebody.
BROUGHT = quote(f"{ACCESS_KEY} {SECRET_KEY}", safe="")


def kept(folder: Path, *but: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name not in but]


def test_the_page_shows_and_keeps_nothing_of_a_key_in_its_environment(tmp_path: Path) -> None:
    home = canary_home(tmp_path)
    with served() as url:
        environ = home.environment(url, REBALANCER_LOG_LEVEL="DEBUG", **AROUND)
        made = rebalancer(environ, "run", "--live", "--settle", "0", "--json")
    run = json.loads(made.stdout)["cycle_id"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "rebalancer", "dashboard", "--port", str(port)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        first_answer(port, process)
        cookie = logged_in(port, (home.state / "web-token").read_text().strip())
        views = [asked(port, path, Cookie=cookie) for path in (*VIEWS, f"/runs/{run}")]
        form = re.search(r'name="form_token" value="(\w+)"', views[1][1])
        assert form and views[-1][0] == 200
        weights = "w_BTC=30&w_ETH=30&w_SOL=10&w_XRP=10&w_LINK=5&w_USDT=15"
        changes = [
            posted(port, path, f"form_token={form[1]}&{body}", cookie)
            for path, body in (
                ("/targets/preview", weights), ("/targets/stage", weights), ("/ask/dry_run", ""), ("/ask/nothing", ""),
                ("/targets/preview", "w_BTC=x"),
            )
        ]  # fmt: skip
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert "What it would lead to" in changes[0]
    answers = [f"{status} {text} {headers}" for status, text, headers in views]
    assert hits(made.stdout, made.stderr, said, *answers, *changes, *kept(home.state)) == []


def posted(port: int, path: str, body: str, cookie: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Origin": f"http://127.0.0.1:{port}", "Cookie": cookie}
    try:
        connection.request("POST", path, body, {**headers, "Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        return f"{answer.status} {answer.headers} {answer.read().decode()}"
    finally:
        connection.close()


def test_a_service_with_credential_files_shows_nothing_of_the_key_to_who_lists_processes(tmp_path: Path) -> None:
    """Arguments and environment of a process are what its user, and at times everybody, may read of it."""
    home = canary_home(tmp_path)
    with served() as url:
        command = [sys.executable, "-m", "rebalancer", "serve", "--live"]
        with subprocess.Popen(command, env=home.environment(url), stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "event='start'" in line)
            proc = Path("/proc") / str(process.pid)
            shown = [(proc / name).read_bytes() for name in ("cmdline", "environ", "comm", "status", "limits")]
            threads = [each.read_bytes() for each in (proc / "task").glob("*/comm")]
            process.send_signal(signal.SIGTERM)
            _, rest = process.communicate(timeout=60)
    assert b"serve" in shown[0] and b"CREDENTIALS_DIRECTORY" in shown[1] and threads
    assert hits(said, rest, *shown, *threads) == []


def test_what_somebody_types_by_mistake_is_not_kept_by_the_page(tmp_path: Path) -> None:
    """A key pasted where the token belongs, or as a name or a number: neither the log nor a file has it."""
    home = canary_home(tmp_path)
    with served() as url:
        environ = home.environment(url)
        assert rebalancer(environ, "run", "--live", "--settle", "0").returncode in {Exit.DONE, Exit.WORK_LEFT}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "rebalancer", "dashboard", "--port", str(port)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        first_answer(port, process)
        refused = posted(port, "/login", f"token={BROUGHT}", "")
        cookie = logged_in(port, (home.state / "web-token").read_text().strip())
        asked(port, f"/coins/{BROUGHT}", Cookie=cookie)
        asked(port, f"/runs/{BROUGHT}?before={BROUGHT}", Cookie=cookie)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert refused.startswith("403")
    assert hits(refused, said, *kept(home.state)) == []


@contextmanager
def echoing(status: int) -> Iterator[str]:
    """Serve an exchange that repeats each request, with its query and its headers, in its refusal."""

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            words = f"{self.path} {self.headers}"
            body = json.dumps({"status": "error", "err-code": "api-signature-not-valid", "err-msg": words}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def first_steps(folder: Path, url: str, secret: str = SECRET_KEY) -> tuple[int, str]:
    environ = environment(
        REBALANCER_HTX_URL=url,
        REBALANCER_STATE_DIR=str(folder / "state"),
        REBALANCER_LOG_LEVEL="DEBUG",
        REBALANCER_CLOCK_RATE="1000",  # the pauses between attempts are not waited for
        TERM="dumb",
    )
    answers = [("Do you have an API key", "y"), ("Access key", ACCESS_KEY), ("Secret key", secret)]
    said = typed(environ, ["init", "--folder", str(folder / "own")], answers, hidden=("Access key", "Secret key"))
    return said.code, said.screen


def test_init_keeps_the_key_in_its_two_files_and_shows_it_nowhere(tmp_path: Path) -> None:
    with served() as url:
        code, screen = first_steps(tmp_path, url)
    assert code == Exit.DONE, screen
    own = ("rebalancer_htx_access_key", "rebalancer_htx_secret_key")
    assert hits(screen, *kept(tmp_path, *own)) == []
    assert [(tmp_path / "own" / "credentials" / name).read_text().strip() for name in own] == list(KEYS)


@pytest.mark.parametrize("failure", ["wrong secret", "unreachable", "echo 200", "echo 403", "echo 502"])
def test_init_that_fails_says_and_keeps_nothing_of_the_key(tmp_path: Path, failure: str) -> None:
    if failure == "wrong secret":
        with served() as url:
            code, screen = first_steps(tmp_path, url, SECRET_KEY[:-3])
    elif failure == "unreachable":
        code, screen = first_steps(tmp_path, "http://127.0.0.1:9")
    else:
        with echoing(int(failure.split()[1])) as url:
            code, screen = first_steps(tmp_path, url)
    assert code in {Exit.CREDENTIALS, Exit.UNREACHABLE, Exit.FAILURE}, screen
    assert hits(screen, *kept(tmp_path)) == [] and not UNMASKED.search(screen)
    assert not (tmp_path / "own").exists()


def test_an_exchange_on_loopback_says_nothing_of_the_key_that_it_takes(tmp_path: Path) -> None:
    """Its state file has to hold it, for nobody but its owner's group; its answers and its output do not."""
    home, state = canary_home(tmp_path), tmp_path / "exchange.json"
    options = (
        "--access-key",
        ACCESS_KEY,
        "--secret-key",
        SECRET_KEY,
        "--state",
        str(state),
        "--faults",
        "html_502=0.1",
    )
    with running_exchange(*options) as (url, process):
        port = int(url.rpartition(":")[2])
        ran = [rebalancer(home.environment(url), *words) for words in (("check",), ("run", "--live", "--settle", "0"))]
        query = f"AccessKeyId={quote(ACCESS_KEY, safe='')}&Signature=x"
        answers = [asked(port, f"{path}?{query}") for path in ("/v1/account/accounts", "/v2/api/key", "/nowhere")]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    said = [text for done in ran for text in (done.stdout, done.stderr)]
    assert hits(out, err, *said, *(f"{each}" for each in answers), *kept(home.state)) == []
    assert state.stat().st_mode & 0o007 == 0


def test_a_key_that_is_no_word_is_not_repeated_by_the_exchange(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rebalancer", "exchange", "--secret-key", SECRET_KEY, "--port", "99999"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == Exit.USAGE and hits(done.stdout, done.stderr) == []


def test_the_served_demo_takes_nothing_of_a_key_in_its_environment(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    environ = environment(TMPDIR=str(tmp_path / "tmp"), REBALANCER_LOG_LEVEL="DEBUG", **AROUND)
    command = [sys.executable, "-m", "rebalancer", "demo", "--serve", "--days-a-minute", "400"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "order(s) of" in line:
                break
        written = [path.read_bytes() for path in kept(tmp_path / "tmp")]
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)
    assert len(written) > 2 and hits(*said, rest, *written) == []
