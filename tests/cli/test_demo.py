"""The demo: the whole job in one go, without network, keys or traces, whatever the caller's own settings say."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from rebalancer.cli.exits import Exit
from tests.cli.conftest import Owner
from tests.e2e.processes import environment


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any, **_more: Any) -> None:
        raise AssertionError("a connection was opened")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("offline")
def test_it_shows_report_orders_and_settled_result_in_this_order(owner: Owner) -> None:
    said = owner.say("demo")
    assert said.code == Exit.DONE and not said.err
    assert re.findall(r"^(\d)\. [A-Z]", said.out, re.MULTILINE) == ["1", "2", "3", "4"]
    assert said.out.index("order(s) would trade") < said.out.index("cycle 1:") < said.out.index("LIVE on embedded")
    assert "Every asset is inside its band: nothing to do." in said.out.partition("LIVE on embedded")[2]
    assert "Balances on both sides agree to the last digit." in said.out
    assert max(map(len, said.out.splitlines())) <= 80 and "\x1b" not in said.out


@pytest.mark.usefixtures("offline")
def test_it_leaves_nothing_behind(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    place = owner.folder / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    before = sorted(owner.folder.rglob("*"))
    assert owner.say("demo").code == Exit.DONE
    assert sorted(owner.folder.rglob("*")) == before


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    "environ",
    [
        {"REBALANCER_MODE": "live"},
        {"REBALANCER_HTX_ACCESS_KEY": "my-own-access-key", "REBALANCER_HTX_SECRET_KEY": "my-own-secret-key"},
        {"REBALANCER_VENUE": "htx", "REBALANCER_MODE": "live"},
        {"REBALANCER_HTX_URL": "https://evil.example", "REBALANCER_CLOCK_RATE": "x"},
        {"REBALANCER_TARGETS": "/nowhere/targets.toml"},
    ],
    ids="-".join,
)
def test_no_setting_of_the_caller_reaches_it(owner: Owner, environ: dict[str, str]) -> None:
    said = owner.say("demo", **environ)
    assert said.code == Exit.DONE
    assert "my-own" not in said.out + said.err


@pytest.mark.usefixtures("offline")
def test_a_pause_of_the_callers_service_is_not_touched(owner: Owner) -> None:
    owner.say("pause", "--reason", "holiday")
    kept = {path: path.read_bytes() for path in owner.state.rglob("*") if path.is_file()}
    assert owner.say("demo").code == Exit.DONE
    assert {path: path.read_bytes() for path in owner.state.rglob("*") if path.is_file()} == kept


def test_it_runs_as_a_stranger_starts_it(tmp_path: Path) -> None:
    """In an empty folder, which stays empty, without a home to write to."""
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    folder = tmp_path / "empty"
    folder.mkdir()
    command = [sys.executable, "-m", "rebalancer", "demo"]
    done = subprocess.run(
        command, cwd=folder, env=environment(HOME=str(home)), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("DEMO on embedded") and not done.stderr
    assert not list(folder.iterdir()) and not list(home.iterdir())


def test_without_the_extra_it_says_how_to_install_it(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rebalancer.cli.dashboard.find_spec", lambda _name: None)
    said = owner.say("demo", "--serve")
    assert said.code == Exit.CONFIG and "pip install 'rebalancer[web]'" in said.err and not said.out


@pytest.mark.parametrize("words", [("--port", "8765"), ("--days-a-minute", "2")])
def test_its_options_mean_nothing_without_serve(owner: Owner, words: tuple[str, ...]) -> None:
    said = owner.say("demo", *words)
    assert said.code == Exit.USAGE and f"{words[0]} belongs to --serve" in said.err
