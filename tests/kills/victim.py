"""The real command line in a process of its own, which ends itself at one boundary.

python -m tests.kills.victim --notes FILE [--at BOUNDARY | --nth N] [--signal SIGKILL] -- run --live --json
"""

from __future__ import annotations

import argparse
import signal
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from rebalancer.cli.main import entry
from rebalancer.service import clock
from tests.kills.watch import Watch, put_in


def live_later(seconds: float) -> None:
    """Set this process's wall clock ahead."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=seconds)  # noqa: TID251

    clock.datetime = Later  # type: ignore[misc]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--notes", type=Path, required=True, help="where to note boundaries and durable rows")
    options.add_argument("--at", default="", help="the boundary by name")
    options.add_argument("--nth", type=int, default=0, help="the boundary by number, from 1")
    options.add_argument("--signal", default="SIGKILL", choices=["SIGKILL", "SIGTERM", "SIGINT"])
    options.add_argument("--late", type=float, default=0.0, help="seconds by which the wall clock is ahead")
    options.add_argument("words", nargs="+", help="the command line of rebalancer")
    chosen = options.parse_args()
    live_later(chosen.late)
    put_in(Watch(chosen.notes, at=chosen.at, nth=chosen.nth, number=signal.Signals[chosen.signal]))
    entry(chosen.words)


if __name__ == "__main__":
    main()
