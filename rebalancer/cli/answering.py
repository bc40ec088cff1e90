"""The owner's answers that wait, taken by the process that holds the lock: at each turn and before each cycle."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rebalancer.core.targets import Targets
from rebalancer.service.answers import FOLDER, take
from rebalancer.service.box import RequestRefused

if TYPE_CHECKING:
    from rebalancer.journal.store import Journal


class Answering:
    """What takes answers; trouble with their folder is said once and stops nothing."""

    def __init__(self, journal: Journal, state: Path) -> None:
        self._journal = journal
        self._state = state
        self._told = ""

    def take(self, targets: Targets, now: datetime) -> None:
        """Carry out every answer whose question still stands, by the targets in force, and log what became of each."""
        from rebalancer.logs import logger  # noqa: PLC0415
        from rebalancer.service.cycle import weights_digest  # noqa: PLC0415

        log, problem = logger(), ""
        try:
            for taken in take(self._journal, self._state, lambda: weights_digest(targets.weights), now):
                if taken.refused:
                    log.warning("answer_refused", what=taken.what, text=taken.refused)
                else:
                    log.info("answered", what=taken.what)
        except RequestRefused as exc:
            problem = str(exc)
        except OSError as exc:
            problem = f"{self._state / FOLDER}: {exc.strerror}; answers wait until it is mended"
        if problem and problem != self._told:
            log.warning("answers_not_taken", text=problem)
        self._told = problem
