"""`rebalancer serve`: cycles on the schedule, until stopped."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from rebalancer import __version__
from rebalancer.cli.context import LIVE, load_settings, mode_of, note, require_live_limits
from rebalancer.cli.exits import Exit, exit_of
from rebalancer.core.targets import Schedule, Targets
from rebalancer.errors import AuthCause, AuthFailed, ConfigError, GuardTripped, VenueError
from rebalancer.service.clock import SystemClock
from rebalancer.targets.changes import version_of, words_of_author, words_of_change

if TYPE_CHECKING:
    from rebalancer.alerts.condition import Seen
    from rebalancer.alerts.herald import Herald
    from rebalancer.cli.house import House
    from rebalancer.journal.store import Journal
    from rebalancer.scheduler import Note
    from rebalancer.sdnotify import Notifier
    from rebalancer.service.cycle import CycleResult
    from rebalancer.service.shell import Progress
    from rebalancer.settings import Settings
    from rebalancer.targets.last_good import LastGood

SCHEDULE_ID = "cron"
OPEN_AGAIN_S = 60.0  # between two tries to reach the exchange at the start


class TargetsInForce:
    """The targets file as the service sees it: read again each time, the last good version while it is bad."""

    def __init__(self, store: LastGood, settings: Settings, *, live: bool, say: Callable[..., None]) -> None:
        self._store = store
        self._path = settings.paths.targets
        self._live = live
        self._say = say
        self._told = ""
        self.problem = ""
        self.targets = self._first()

    def _first(self) -> Targets:
        """Return the file's targets; at the start a bad file is a ConfigError, whatever was good before."""
        targets, problem = self._store.load()
        if problem:
            raise ConfigError(problem)
        if self._live:
            require_live_limits(targets, self._path)
        return targets

    def refresh(self) -> Targets:
        """Read the file again and return what is in force; a change and a problem are said once."""
        try:
            targets, self.problem = self._store.load()
            if not self.problem and self._live:
                require_live_limits(targets, self._path)
        except (ConfigError, OSError, UnicodeDecodeError) as exc:  # the copy of the good version may be unreadable too
            self.problem, targets = str(exc), self.targets
        if self.problem and self.problem != self._told:
            self._say("targets_bad", text=self.problem, next="the last good targets stay in force; nothing is traded")
        elif self._told and not self.problem:
            self._say("targets_good", text="the file is in order again", digest=targets.digest[:12])
        elif targets.digest != self.targets.digest:
            changes = words_of_change(version_of(self.targets), version_of(targets))
            self._say("targets_changed", text=changes, digest=targets.digest[:12])
        self._told = self.problem
        self.targets = targets
        return targets


@click.command(epilog="\b\nExamples:\n  rebalancer serve\n  REBALANCER_MODE=live rebalancer serve --live")
@click.option("--live", is_flag=True, help="Trade; REBALANCER_MODE=live must be set too.")
@click.option("--seed", type=int, default=None, help="Of the jitter; a fresh one each start by default.")
def command(*, live: bool, seed: int | None) -> None:
    """Run cycles on the schedule of targets.toml until stopped (SIGTERM, SIGINT)."""
    from rebalancer.logs import configure, logger  # noqa: PLC0415

    settings = load_settings()
    configure(settings.log_level)
    log = logger()
    mode = mode_of(settings, live_flag=live)
    if settings.mode == LIVE and not live:
        note("REBALANCER_MODE is live, but --live is missing: this is a dry run")
    rng = random.Random(os.urandom(8) if seed is None else seed)
    _serve(settings, mode, rng, log)


def _serve(settings: Settings, mode: str, rng: random.Random, log: Any) -> None:
    from rebalancer.cli.alerting import open_herald, open_metrics  # noqa: PLC0415
    from rebalancer.cli.house import open_house  # noqa: PLC0415
    from rebalancer.cli.key_watch import KeyWatch  # noqa: PLC0415
    from rebalancer.cli.obey import obey  # noqa: PLC0415
    from rebalancer.scheduler import Service, SlotScheduler  # noqa: PLC0415
    from rebalancer.sdnotify import Notifier  # noqa: PLC0415
    from rebalancer.targets.last_good import LastGood  # noqa: PLC0415

    clock = SystemClock(settings.clock_rate)
    stopping = stop_on_signals(clock)
    live = mode == LIVE
    notifier = Notifier(os.environ, os.getpid())

    def enter() -> AbstractContextManager[House]:
        targets = force.refresh()
        return open_house(settings, targets, mode=mode, clock=clock, say=_to(log), stop_requested=stopping)

    with ExitStack() as stack:
        metrics = stack.enter_context(open_metrics(settings, clock))
        houses: list[House] = []  # none until the exchange was reached

        def also(seen: Seen, result: CycleResult | None) -> None:
            if metrics is not None:
                metrics.saw(seen, result, houses[0].shell.journal.state if houses else None)

        def journal() -> Journal | None:
            return houses[0].shell.journal if houses else None

        lost = metrics.lost_alert if metrics is not None else (lambda: None)
        herald = stack.enter_context(open_herald(settings, clock, log, also, journal, lost))
        stack.enter_context(herald.attending())
        good = LastGood(settings.paths.targets, settings.paths.state)
        force = TargetsInForce(good, settings, live=live, say=log.warning)
        house = _open_patiently(stack, enter, clock, notifier, stopping, log, herald)
        if house is None:
            log.info("stop")
            return
        log.info("start", mode=mode, venue=house.connection.kind, schedule=force.targets.schedule.cron)
        herald.started(mode=mode, venue=house.connection.kind)
        houses.append(house)
        if metrics is not None:
            metrics.started(mode=mode, venue=house.connection.kind, version=__version__)
        key = KeyWatch(house.connection, clock, live=live, tell=herald.key_lasts)
        service = Service(
            schedule_id=SCHEDULE_ID,
            book=house.shell.journal,
            run_slot=lambda slot: _run_slot(house, force, slot, herald, key.look),
            resolve=lambda: resolve_open(house),
            schedule=lambda: _schedule(force),
            clock=clock,
            rng=rng,
            notifier=notifier,
            stop_requested=stopping,
            say=lambda kind, text: _tell_note(log, herald, kind, text),
            obey=lambda: obey(settings.paths, house, force.refresh, log),
        )
        SlotScheduler(service).serve()
    log.info("stop")


def _open_patiently(
    stack: ExitStack,
    enter: Callable[[], AbstractContextManager[House]],
    clock: SystemClock,
    notifier: Notifier,
    stopping: Callable[[], bool],
    log: Any,
    herald: Herald,
) -> House | None:
    """Open the account and run the start-up sequence; an exchange that cannot be reached is waited for.

    A machine may start before its network does, or before the way out from the address that the key is bound to, and
    an exchange may be down for hours: none of it is the owner's mistake.
    """
    from rebalancer.alerts.herald import seen_of_error  # noqa: PLC0415

    while not stopping():
        with ExitStack() as attempt:
            try:
                house = attempt.enter_context(enter())
                house.recover()
            except VenueError as exc:
                if exit_of(exc) is not Exit.UNREACHABLE and not _from_elsewhere(exc):
                    raise
                log.warning("unreachable", text=str(exc), next=f"trying again every {OPEN_AGAIN_S:.0f} s")
                herald.saw(seen_of_error(exc))
                notifier.ready(f"waiting for the exchange: {exc}")
                notifier.alive()
            else:
                stack.push(attempt.pop_all())
                return house
        clock.sleep(OPEN_AGAIN_S)
    return None


def _from_elsewhere(error: VenueError) -> bool:
    """Whether the key was refused for the address that we ask from, which may be another in a minute."""
    return isinstance(error, AuthFailed) and error.cause is AuthCause.IP


def stop_on_signals(clock: SystemClock, *also: signal.Signals) -> Callable[[], bool]:
    """Turn SIGTERM and SIGINT into a wish to stop that wakes every sleeper; a leg under way is finished first."""
    asked: list[int] = []

    def ask(number: int, _frame: object) -> None:
        asked.append(number)
        clock.stop()

    for number in (signal.SIGTERM, signal.SIGINT, *also):
        signal.signal(number, ask)
    return lambda: bool(asked)


def _schedule(force: TargetsInForce) -> Schedule:
    return force.refresh().schedule


def _run_slot(
    house: House, force: TargetsInForce, slot: datetime, herald: Herald, look_at_key: Callable[[], None]
) -> None:
    with herald.watching(lambda: force.problem) as left:
        look_at_key()
        left.append(_cycle(house, force, slot, herald))


def _cycle(house: House, force: TargetsInForce, slot: datetime, herald: Herald) -> CycleResult:
    """Run one slot. While the file is bad nothing is traded; a dry run still reports on the last good version."""
    targets = force.refresh()
    for change in house.take_over(targets):
        herald.targets_changed(f"{words_of_author(change)}: {words_of_change(change.before, change.after)}")
    if force.problem and house.shell.live:
        from rebalancer.core.ids import run_id  # noqa: PLC0415
        from rebalancer.journal import records  # noqa: PLC0415

        run = run_id(SCHEDULE_ID, slot, house.shell.journal.attempts(SCHEDULE_ID, slot) + 1)
        house.shell.journal.append(
            records.run_started(run, schedule_id=SCHEDULE_ID, slot=slot, mode=house.shell.mode),
            records.run_closed(run, status="refused", text=force.problem),
        )
        raise GuardTripped("targets_bad", f"nothing was traded: {force.problem}")
    # Never waiting for an open order: the scheduler asks about it at each of its turns.
    return house.cycle(targets, schedule_id=SCHEDULE_ID, slot=slot, settle_s=0)


def resolve_open(house: House) -> int:
    """Ask once about the orders that are open; return how many are left that asking may settle."""
    from rebalancer.core.orders import IntentState  # noqa: PLC0415
    from rebalancer.service.reconcile import resolve_once  # noqa: PLC0415

    if not house.shell.live or not house.shell.journal.state.unresolved:
        return 0
    resolve_once(house.shell)
    # What waits for the owner is not asked about again.
    waiting = [r for r in house.shell.journal.state.unresolved if r.state is not IntentState.QUARANTINED]
    return len(waiting)


def _to(log: Any) -> Callable[[Progress], None]:
    def say(progress: Progress) -> None:
        level = log.warning if progress.step.value in {"unknown", "halted", "warning", "refused"} else log.info
        level(progress.step.value, symbol=progress.symbol or None, text=progress.text)

    return say


def _tell_note(log: Any, herald: Herald, kind: Note, text: str) -> None:
    level = log.info if kind.value in {"waiting", "rescheduled"} else log.warning
    level(kind.value, text=text)
    if kind.value in {"made_up", "too_late"}:
        herald.missed(text)
