"""The program as its user starts it: real processes, a cleared environment, everything in one folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCESS_KEY, SECRET_KEY = "e2e-access-key-0001", "e2e-secret-key-0001"
ACCOUNT = "10101010"
FOREIGN = ("REBALANCER_", "STATE_DIRECTORY", "CONFIGURATION_DIRECTORY", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET")
TARGETS = """version = 1
quote = "USDT"
[weights]
BTC = 35
ETH = 25
SOL = 10
XRP = 10
LINK = 5
USDT = 15
[schedule]
cron = "{cron}"
jitter_s = 0
[orders]
order_type = "{order_type}"
[limits]
max_turnover_per_cycle = 10
max_turnover_per_day = 100
max_notional_per_day = 100000
max_order_notional = 3000
"""
BALANCES = "BTC=0.0621,ETH=0.745,SOL=12.4,XRP=310,LINK=52.5,USDT=1240.55,DOGE=1500"


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return kept | more


@dataclass
class Home:
    """One owner's folder: targets, credentials, state."""

    folder: Path
    cron: str = "* * * * *"
    order_type: str = "market"

    def __post_init__(self) -> None:
        credentials = self.folder / "credentials"
        credentials.mkdir(mode=0o700)
        for name, secret in (("access", ACCESS_KEY), ("secret", SECRET_KEY)):
            place = credentials / f"rebalancer_htx_{name}_key"
            place.write_text(secret + "\n", encoding="ascii")
            place.chmod(0o600)
        text = TARGETS.format(cron=self.cron, order_type=self.order_type)
        self.targets.write_text(text, encoding="utf-8")

    @property
    def targets(self) -> Path:
        return self.folder / "targets.toml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def environment(self, url: str, *, live: bool = True, rate: float = 1, **more: str) -> dict[str, str]:
        return environment(
            CREDENTIALS_DIRECTORY=str(self.folder / "credentials"),
            REBALANCER_TARGETS=str(self.targets),
            REBALANCER_STATE_DIR=str(self.state),
            REBALANCER_HTX_URL=url,
            REBALANCER_HTX_ACCOUNT_ID=ACCOUNT,
            REBALANCER_MODE="live" if live else "dry-run",
            REBALANCER_CLOCK_RATE=f"{rate:g}",
            **more,
        )


def rebalancer(environ: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rebalancer", *words]
    return subprocess.run(command, env=dict(environ), capture_output=True, text=True, timeout=60, check=False)


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the one JSON document that a verb printed."""
    assert done.stdout, (done.returncode, done.stderr)
    loaded = json.loads(done.stdout)
    assert isinstance(loaded, dict)
    return loaded
