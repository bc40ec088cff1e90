"""What was asked for from outside, carried out by the service: the owner's answers first, then the page's requests.

The page may ask for a pause, a dry run, and a change of targets to be confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rebalancer.cli.context import DRY_RUN
from rebalancer.cli.house import House, log_cycle
from rebalancer.core.targets import Targets
from rebalancer.errors import JournalError, RebalancerError
from rebalancer.service.cycle import run_cycle
from rebalancer.service.pause import PauseSwitch
from rebalancer.service.requests import FOLDER, LIFE, Ask, Request, take
from rebalancer.settings import Paths
from rebalancer.targets.staging import stage

ASKED_ID = "asked"


def obey(paths: Paths, house: House, targets: Callable[[], Targets], log: Any, *, life: timedelta = LIFE) -> None:
    """Take and carry out what was asked for. What the page asks for cannot trade, lift a pause or raise a limit."""
    house.take_answers(targets())
    for request in _asked(paths, house, log, life):
        log.info("asked", ask=request.ask.value, asked_at=request.asked_at.isoformat())
        try:
            _carry_out(request, paths, house, targets)
        except JournalError:
            raise
        except (RebalancerError, OSError) as exc:
            log.warning("not_done", ask=request.ask.value, text=str(exc))


def _asked(paths: Paths, house: House, log: Any, life: timedelta) -> Iterator[Request]:
    """Yield what was asked for; a folder that cannot be read or emptied is no reason to end."""
    try:
        yield from take(paths.state, house.shell.clock.now(), life)
    except OSError as exc:
        log.warning("not_done", text=f"{paths.state / FOLDER}: {exc.strerror}; what the page asks for is not done")


def _carry_out(request: Request, paths: Paths, house: House, targets: Callable[[], Targets]) -> None:
    match request.ask:
        case Ask.PAUSE:
            reason = str(request.facts.get("reason") or "no reason given")
            PauseSwitch(paths.pause).pause(f"asked for on the page: {reason}")
        case Ask.DRY_RUN:
            shell, in_force = replace(house.shell, mode=DRY_RUN), targets()
            now = shell.clock.now()
            house.take_over(in_force)
            log_cycle(run_cycle(shell, in_force, schedule_id=ASKED_ID, slot=now.replace(microsecond=0), settle_s=0))
        case Ask.STAGE_TARGETS:
            stage(paths.state, request.facts, request.asked_at)
