"""Coins that come into the targets are held against what the exchange lists, before the file is changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rebalancer.cli.context import connect, note
from rebalancer.core.targets import Targets
from rebalancer.errors import ConfigError, RebalancerError, VenueError
from rebalancer.seams import Clock
from rebalancer.service.clock import SystemClock
from rebalancer.targets.listed import RENEWED_AFTER, Listed, keep_listed, listed_by, listed_in

if TYPE_CHECKING:
    from rebalancer.cli.context import Connection
    from rebalancer.settings import Settings


def require_listed(settings: Settings, before: Targets, after: Targets, *, ask: bool) -> None:
    """Raise ConfigError for a new coin that the exchange does not list; one that cannot be asked is said.

    Without leave to ask, or when nobody answers, the list of the last cycle serves; without that nothing is known, and
    not knowing is no refusal.
    """
    new = [asset for asset in after.assets if asset not in before.assets]
    if not new:
        return
    kind, names = settings.venue_kind, ", ".join(new)
    kept = listed_in(settings.paths.state, kind, after.quote)
    try:
        listed = _asked(settings, kind, after) if ask else kept
    except RebalancerError as exc:
        note(f"! {kind} could not be asked whether it lists {names}: {exc}")
        if kept is not None:
            for problem in kept.problems(new):
                note(f"! by its list of {kept.at:%Y-%m-%d}: {problem}")
        return
    if listed is None:
        note(f"! not checked whether {kind} lists {names}: no cycle has kept its list yet")
        return
    problems = listed.problems(new)
    if problems:
        raise ConfigError("\n".join(problems))


def _asked(settings: Settings, kind: str, targets: Targets) -> Listed:
    from rebalancer.cli.plan import keeps_embedded  # noqa: PLC0415

    clock = SystemClock(settings.clock_rate)
    keep = keeps_embedded(settings, kind)
    with connect(settings, kind, clock=clock, codes=targets.codes, keep=keep, signed=False) as connection:
        return listed_by(connection.venue.fetch_rules().values(), kind, targets.quote, clock.now())


def renew_listed(connection: Connection, state: Path, targets: Targets, clock: Clock) -> None:
    """Keep the exchange's list for the page, once a day; what fails is asked for again after the next cycle."""
    kept = listed_in(state, connection.kind, targets.quote)
    now = clock.now()
    if kept is not None and abs(now - kept.at) < RENEWED_AFTER:
        return
    try:
        keep_listed(state, listed_by(connection.venue.fetch_rules().values(), connection.kind, targets.quote, now))
    except (VenueError, OSError):
        return
