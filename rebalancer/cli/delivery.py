"""How an answer gets into the journal: at once where nobody holds the lock, else by way of whoever does."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rebalancer.cli.ack import digest_in_force
from rebalancer.cli.context import journal_to_read, note
from rebalancer.cli.progress import progress_bar
from rebalancer.core.canonical import moment_text
from rebalancer.cron_trigger import latest_slot, next_slot
from rebalancer.errors import ConfigError, LockHeld
from rebalancer.journal.store import Journal
from rebalancer.service.answers import FOLDER, LIFE, Answer, is_recorded, leave, record, take, waits, withdraw
from rebalancer.service.box import RequestRefused
from rebalancer.service.clock import SystemClock
from rebalancer.service.lock import hold_lock, is_held
from rebalancer.service.pause import PauseSwitch
from rebalancer.service.questions import About
from rebalancer.service.refusals import forget, refused_in
from rebalancer.targets.file import load_targets

if TYPE_CHECKING:
    from rebalancer.settings import Settings

POLL_S = 0.5
SERVE = "cron"  # the schedule id of `serve`
DONE = {
    About.HALT: "Acknowledged; the next cycle plans afresh.",
    About.COIN: "Acknowledged; the next cycle looks at it afresh, and its first order is the smallest one.",
    About.ROW: "Acknowledged; {what} counts as not held until it has a row, and its first order is the smallest one.",
    About.ORDER: "Recorded; the next cycle plans from the balances.",
    About.PLAN: "Allowed; the next cycles trade it, each within the limits. Other weights need a leave of their own.",
}


class Status(StrEnum):
    """How far an answer came."""

    RECORDED = "recorded"  # by us
    GIVEN = "given"  # to whoever holds the lock
    TAKEN = "taken"  # by whoever held it


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of an answer. `id` and `next_run` are of one that went by way of the service."""

    answer: Answer
    status: Status
    paused: bool
    id: str = ""
    next_run: datetime | None = None

    def texts(self) -> list[str]:
        """Return it in words, a paragraph each."""
        at = f"its next run at {self.next_run:%Y-%m-%d %H:%M} UTC" if self.next_run else "its next run"
        question = self.answer.question
        until = f"{self.answer.asked_at + LIFE:%Y-%m-%d %H:%M} UTC"
        said = {
            Status.RECORDED: "",
            Status.GIVEN: f"It counts until {until}; `rebalancer status` shows what becomes of it.",
            Status.TAKEN: f"The running service took it; it takes effect at {at}.",
        }[self.status]
        given = f"Given to the running service; it takes effect at {at}."
        first = given if self.status is Status.GIVEN else DONE[question.about].format(what=question.what)
        paused = "It is paused: nothing is sent until `rebalancer resume`." if self.paused else ""
        return [text for text in (first, said, paused) if text]

    def document(self, settings: Settings) -> dict[str, Any]:
        """Return `rebalancer.ack/1`."""
        question = self.answer.question
        return {
            "schema": "rebalancer.ack/1",
            "mode": settings.mode,
            "venue": settings.venue_kind,
            "about": question.about.value,
            "what": question.what,
            "text": question.text,
            "status": self.status.value,
            "id": self.id or None,
            "takes_effect_at": None if self.next_run is None else moment_text(self.next_run),
            "counts_until": moment_text(self.answer.asked_at + LIFE) if self.status is Status.GIVEN else None,
            "paused": self.paused,
        }


def deliver(settings: Settings, answer: Answer, clock: SystemClock, wait_s: float | None) -> Delivered:
    """Record an answer, or give it to whoever holds the lock and, with `wait_s`, wait for it to be taken.

    ConfigError where it is refused, LockHeld where it was not taken in time.
    """
    paths = settings.paths
    paused, path = PauseSwitch(paths.pause).active(), paths.journal(settings.venue_kind)
    try:
        with hold_lock(paths.lock), Journal.open(path, clock) as journal:
            record(journal, answer, lambda: digest_in_force(settings))
            _forget_earlier(paths.state, answer.question.what)
        return Delivered(answer, Status.RECORDED, paused)
    except LockHeld:
        given = _give(paths.state, answer)
    except PermissionError:  # the lock, for one
        _require_owner(paths.state)
        raise
    status = Status.GIVEN
    if wait_s is not None:
        status = _wait(settings, given, answer, clock, wait_s)
    if status is Status.RECORDED:
        return Delivered(answer, status, paused, given)
    with journal_to_read(path, clock) as journal:
        upcoming = _next_run(paths.targets, journal, clock.now())
    return Delivered(answer, status, paused, given, upcoming)


def _forget_earlier(state: Path, what: str) -> None:
    """Drop what was refused of a question that is answered now, and what waits: it would only be refused."""
    forget(state, what)
    with suppress(RequestRefused, OSError):  # the word is recorded; `status` tells of the folder
        withdraw(state, what)


def _give(state: Path, answer: Answer) -> str:
    """Leave an answer for the service; ConfigError where it would not count."""
    _require_owner(state)
    try:
        return leave(state, answer)
    except RequestRefused as exc:
        raise ConfigError(str(exc)) from None
    except OSError as exc:
        raise ConfigError(f"{state / FOLDER}: the answer cannot be left there: {exc.strerror}") from None


def _require_owner(state: Path) -> None:
    """Raise ConfigError unless the state directory is ours."""
    owner = state.stat().st_uid
    if owner != os.geteuid():
        name = _name_of(owner)
        raise ConfigError(
            f"{state} belongs to {name}, whose answers alone the running service takes; "
            f"run the same as that user: `runuser -u {name} -- rebalancer ack ...`"
        )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def _wait(settings: Settings, given: str, answer: Answer, clock: SystemClock, wait_s: float) -> Status:
    """Wait until an answer was taken; return by whom. ConfigError where it was refused, LockHeld where it waits on."""
    state, started_s, status = settings.paths.state, clock.monotonic_s(), Status.TAKEN
    note(f"given to the running service; waiting until it takes it, for at most {wait_s:g} s")
    with progress_bar("waiting", max(1, int(wait_s))) as told:
        while waits(state, given):
            waited_s = clock.monotonic_s() - started_s
            if waited_s >= wait_s:
                until = f"{answer.asked_at + LIFE:%Y-%m-%d %H:%M} UTC"
                raise LockHeld(
                    f"the service did not take the answer within {wait_s:g} s; it waits on and counts until {until}; "
                    "`rebalancer status` shows what becomes of it"
                )
            told(int(waited_s))
            if is_held(settings.paths.lock) is False and _take_ourselves(settings, given, clock):
                status = Status.RECORDED
            clock.sleep(min(POLL_S, wait_s))
    with journal_to_read(settings.paths.journal(settings.venue_kind), clock) as journal:
        if is_recorded(journal, given, answer.asked_at):
            return status
    why = next((each.why for each in refused_in(state) if each.id == given), "another answer took its place")
    raise ConfigError(f"the service refused the answer to {answer.question.what}: {why}")


def _take_ourselves(settings: Settings, given: str, clock: SystemClock) -> bool:
    """Do what the service would have done, had it not ended meanwhile; return whether an answer was among it."""
    try:
        with (
            hold_lock(settings.paths.lock),
            Journal.open(settings.paths.journal(settings.venue_kind), clock) as journal,
        ):
            taken = list(take(journal, settings.paths.state, lambda: digest_in_force(settings), clock.now()))
    except LockHeld:
        return False  # it is back
    except RequestRefused as exc:
        raise ConfigError(str(exc)) from None
    return given in [each.id for each in taken]


def _next_run(targets_path: Path, journal: Journal, now: datetime) -> datetime | None:
    """Return when the service looks next by the targets file; None where that is not in order.

    A slot whose jitter has not passed yet is the next one.
    """
    try:
        schedule = load_targets(targets_path).schedule
    except ConfigError:
        return None
    latest, last = latest_slot(schedule.cron, schedule.timezone, now), journal.last_slot(SERVE)
    jitter = timedelta(seconds=float(schedule.jitter_s))
    if latest is not None and last is not None and last < latest and now - latest <= jitter:
        return latest
    return next_slot(schedule.cron, schedule.timezone, now)
