"""The writing verbs' common ground: lock, venue, account, journal, shell; and one canonical log line a cycle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rebalancer.cli.answering import Answering
from rebalancer.cli.context import LIVE, Connection, account_of, connect, make_shell, make_state_dir, open_journal
from rebalancer.cli.local_disk import require_local_disk
from rebalancer.cli.self_test import require_sound_machine
from rebalancer.core.targets import Targets
from rebalancer.service.clock import SystemClock
from rebalancer.service.lock import hold_lock

if TYPE_CHECKING:
    from rebalancer.service.cycle import CycleResult
    from rebalancer.service.shell import Progress, Shell
    from rebalancer.settings import Paths, Settings
    from rebalancer.targets.changes import Change


@dataclass(frozen=True)
class House:
    """An account under our lock."""

    shell: Shell
    connection: Connection
    paths: Paths
    answering: Answering

    def take_answers(self, targets: Targets) -> None:
        """Carry out what the owner answered while we held the lock."""
        self.answering.take(targets, self.shell.clock.now())

    def take_over(self, targets: Targets) -> list[Change]:
        """Write down how the targets that are about to be used came about; return what changed since the last time."""
        from rebalancer.cli.target_journal import record_targets  # noqa: PLC0415

        return record_targets(self.shell.journal, self.paths, targets, self.shell.clock.now())

    def recover(self) -> int:
        """Run the start-up sequence; return how many orders are unresolved."""
        from rebalancer.service.startup import recover  # noqa: PLC0415

        return recover(self.shell)

    def cycle(
        self, targets: Targets, *, schedule_id: str, slot: datetime, settle_s: float, forced: bool = False
    ) -> CycleResult:
        """Take what the owner answered, run one cycle and write its log line; keep what the exchange lists."""
        from rebalancer.cli.listing import renew_listed  # noqa: PLC0415
        from rebalancer.service.cycle import run_cycle  # noqa: PLC0415

        self.take_answers(targets)
        result = run_cycle(self.shell, targets, schedule_id=schedule_id, slot=slot, settle_s=settle_s, forced=forced)
        log_cycle(result)
        renew_listed(self.connection, self.paths.state, targets, self.shell.clock)
        return result


@contextmanager
def open_house(
    settings: Settings,
    targets: Targets,
    *,
    mode: str,
    clock: SystemClock,
    say: Callable[[Progress], None],
    stop_requested: Callable[[], bool] = lambda: False,
) -> Iterator[House]:
    """Take the lock, connect, and open the journal; everything is let go in the other order."""
    live, kind = mode == LIVE, settings.venue_kind
    require_sound_machine()
    make_state_dir(settings)
    require_local_disk(settings.paths.state)
    with ExitStack() as stack:
        stack.enter_context(hold_lock(settings.paths.lock))
        connection = stack.enter_context(
            connect(settings, kind, clock=clock, codes=targets.codes, live=live, keep=True)
        )
        connection.venue.fetch_server_time()
        account_id = account_of(settings, connection, live=live)
        if live:
            _require_rights(connection, say)
        journal = open_journal(settings.paths.journal(kind), clock, connection, account_id, targets.quote)
        stack.callback(journal.close)
        shell = make_shell(
            settings,
            connection,
            journal,
            clock=clock,
            mode=mode,
            account_id=account_id,
            stop_requested=stop_requested,
            say=say,
        )
        yield House(shell, connection, settings.paths, Answering(journal, settings.paths.state))


def _require_rights(connection: Connection, say: Callable[[Progress], None]) -> None:
    """Raise AuthFailed for a key that is too strong or too weak to trade with; say when it will soon end."""
    from rebalancer.cli.key_watch import ends_soon, require_rights  # noqa: PLC0415
    from rebalancer.service.shell import Progress, Step  # noqa: PLC0415

    info = connection.venue.fetch_key_info()
    require_rights(info)
    if text := ends_soon(info):
        say(Progress(Step.WARNING, text))


def log_cycle(result: CycleResult) -> None:
    """Write the one canonical line of a cycle."""
    from rebalancer.logs import logger  # noqa: PLC0415

    plan = result.plan
    totals = plan.totals if plan is not None else None
    logger().info(
        "cycle",
        id=result.run_id,
        mode=result.mode,
        venue=result.venue,
        status=result.status.value,
        nav_quote=None if plan is None or plan.nav_quote is None else f"{plan.nav_quote:.2f}",
        drift_max=None if totals is None else str(totals.drift_before),
        turnover=None if totals is None else str(totals.turnover),
        orders=len(result.orders),
        filled=sum(1 for record in result.orders if record.filled_quantity),
        seconds=f"{result.seconds:.2f}",
    )
