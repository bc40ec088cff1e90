"""The canary in processes of their own: `serve` for a while against a broken exchange, and nothing of the key comes out."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rebalancer.service.clock import SystemClock
from rebalancer.settings import LOG_LEVELS
from tests.canary import ACCESS_KEY, KEYS, SECRET_KEY, contents, hits
from tests.e2e.processes import BALANCES, Home, document, rebalancer
from tests.simulator.loopback import running_exchange

CLOCK = SystemClock()
RATE = 60.0  # a minute's slot a second
FAULTS = (
    "lost_reply@place=0.2,http_429@place=0.1,system_error_executed@place=0.1,html_502=0.02,html_200=0.02,"
    "truncated=0.02,nan=0.02,clock_skew=0.01,partial@place=0.2,missing_row@balance=0.02"
)
ORDERS_ENOUGH, PATIENCE_S = 6, 120
UNMASKED = re.compile(r"(?i)Signature['\"]?(=|%3D|:\s)(?!\*\*\*)\S+")


def orders_at(state: Path) -> int:
    return len(json.loads(state.read_text(encoding="utf-8"))["orders"]) if state.exists() else 0


def canary_home(folder: Path) -> Home:
    home = Home(folder)
    for name, secret in zip(("access", "secret"), KEYS, strict=True):
        (folder / "credentials" / f"rebalancer_htx_{name}_key").write_text(secret, encoding="ascii")
    # Never content, so that there is something to send in every slot.
    text = home.targets.read_text(encoding="utf-8").replace("max_turnover_per_cycle = 10", "max_turnover_per_cycle = 2")
    home.targets.write_text(text, encoding="utf-8")
    return home


@pytest.mark.parametrize("level", LOG_LEVELS)
def test_a_served_life_among_faults_leaves_nothing_of_the_key_at_any_log_level(tmp_path: Path, level: str) -> None:
    home, state = canary_home(tmp_path), tmp_path / "exchange.json"
    options = (
        "--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY, "--balances", BALANCES, "--state", str(state),
        "--clock-rate", f"{RATE:g}", "--faults", FAULTS,
    )  # fmt: skip
    with running_exchange(*options) as (url, _):
        environ = home.environment(url, rate=RATE, REBALANCER_LOG_LEVEL=level)
        command = [sys.executable, "-m", "rebalancer", "serve", "--live"]
        with (tmp_path / "out").open("wb") as out_file, (tmp_path / "err").open("wb") as err_file:
            served = subprocess.Popen(command, env=environ, stdout=out_file, stderr=err_file)
            try:
                until_s = CLOCK.monotonic_s() + PATIENCE_S
                while orders_at(state) < ORDERS_ENOUGH and served.poll() is None and CLOCK.monotonic_s() < until_s:
                    CLOCK.sleep(0.2)
                sent = orders_at(state)
                written = {path: path.read_bytes() for path in home.state.rglob("*") if path.is_file()}
                served.send_signal(signal.SIGTERM)
                served.wait(60)
            finally:
                if served.poll() is None:
                    served.kill()
                served.wait()
        out, err = ((tmp_path / name).read_text(encoding="utf-8") for name in ("out", "err"))
        assert served.returncode == 0, err
        assert sent >= ORDERS_ENOUGH, err
        assert any(path.name == "journal.db-wal" and content for path, content in written.items()), (
            "read while it lives"
        )
        log = tmp_path / "service.log"
        log.write_text(f"{err}\nAccessKeyId={ACCESS_KEY}&Signature=c2lnbmVk {SECRET_KEY[::-1]}\n", encoding="utf-8")
        shown = [
            rebalancer(environ, *words)
            for words in (
                ("status",),
                ("history", "--json"),
                ("bundle", "--output", str(tmp_path / "b.zip"), "--log", str(log)),
            )
        ]
        assert document(shown[1])["runs"]
    packed = contents(tmp_path / "b.zip")
    files = [path for path in home.state.rglob("*") if path.is_file()]
    everything = [
        out,
        err,
        *written.values(),
        *files,
        *packed,
        *(part for done in shown for part in (done.stdout, done.stderr)),
    ]
    assert hits(*everything) == []
    texts = [each.read_bytes() if isinstance(each, Path) else each for each in everything]
    for text in (each.decode("latin-1") if isinstance(each, bytes) else each for each in texts):
        assert not UNMASKED.search(text), UNMASKED.search(text)
    assert "AccessKeyId=***&Signature=***" in packed[-1], "the log that was named is in it, masked"
