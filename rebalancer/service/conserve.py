"""Balances against our own fills: while a plan is under way, whatever else moved them stops it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from rebalancer.core.model import Balance
from rebalancer.core.money import EXACT, ZERO
from rebalancer.core.reasons import Deny
from rebalancer.errors import VenueError
from rebalancer.journal.fold import IntentRecord, balance_changes
from rebalancer.service.reconcile import look_for_twins
from rebalancer.service.shell import Progress, Shell, Step

BALANCE_LAG_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)  # waits between looks: HTX clears a little after it matches
BALANCE_TOLERANCE = Decimal("0.0001")  # of what was traded: HTX rounds fees; a hand trade is larger


class PlanStopped(Exception):
    """The rest of a plan is not sent; the text says why."""


@dataclass
class Expected:
    """What the account must hold by the snapshot and our fills since, in totals by asset."""

    totals: dict[str, Decimal]
    rowless: set[str] = field(default_factory=set)  # without a row, and taken as not held until we bought some
    traded: dict[str, Decimal] = field(default_factory=dict)  # by asset, the sum of what our fills moved
    least: dict[str, Balance] = field(default_factory=dict)  # by asset, of all looks, the one with the least free

    def book(self, record: IntentRecord) -> None:
        """Take in what a settled order did."""
        for asset, change in balance_changes(record).items():
            if change:
                self.rowless.discard(asset)
            if asset in self.totals:
                self.totals[asset] = EXACT.add(self.totals[asset], change)
                self.traded[asset] = self.traded.get(asset, ZERO) + abs(change)

    def counted(self, balances: Mapping[str, Balance]) -> Mapping[str, Balance]:
        """Return the balances with a zero row for each coin that has none and is taken as not held."""
        return {**{asset: Balance(asset, ZERO, ZERO) for asset in self.rowless}, **balances}

    def see(self, balances: Mapping[str, Balance]) -> None:
        """Take in a look before an order."""
        for asset, held in balances.items():
            self.least[asset] = min(self.least.get(asset, held), held, key=lambda each: each.free)

    def safe(self, held: Balance) -> Balance:
        """Return what to spend of at most: what all looks bear out, not only the last, which may be the one that lags.

        Of what our fills moved the last look alone counts: those before it do not know of the fills.
        """
        return held if held.asset in self.traded else self.least.get(held.asset, held)

    def differing(
        self, assets: Sequence[str], balances: Mapping[str, Balance], *, exact: bool = False
    ) -> tuple[str, ...]:
        """Return those of `assets` whose balance our fills do not explain; a missing row explains nothing."""
        return tuple(a for a in assets if a not in balances or not self._explains(a, balances[a].total, exact=exact))

    def _explains(self, asset: str, held: Decimal, *, exact: bool) -> bool:
        tolerance = ZERO if exact else self.traded.get(asset, ZERO) * BALANCE_TOLERANCE
        return abs(held - self.totals[asset]) <= tolerance


def require_explained(shell: Shell, expected: Expected, assets: Sequence[str], run_id: str, *, exact: bool) -> None:
    """Read the balances, again while they may lag, until all `assets` agree; PlanStopped when they never do."""
    balances: Mapping[str, Balance] = {}
    differing: tuple[str, ...] = ()
    for pause_s in BALANCE_LAG_S if assets else ():
        shell.clock.sleep(pause_s)
        try:
            balances = expected.counted(shell.venue.fetch_balances(shell.account_id))
        except VenueError as exc:
            raise PlanStopped(f"the balances cannot be read after an order: {exc}") from exc
        differing = expected.differing(assets, balances, exact=exact)
        if not differing:
            return
    if differing:
        raise moved(shell, expected, differing, balances, run_id)


def moved(
    shell: Shell, expected: Expected, differing: Sequence[str], balances: Mapping[str, Balance], run_id: str
) -> PlanStopped:
    """Return the end of a plan whose balances our fills do not explain.

    Somebody else moved them, or a second order of one of our ids did: that is looked for, and halts.
    """
    for record in shell.journal.state.intents.values():
        if record.run_id == run_id and record.venue_order_id:
            try:
                look_for_twins(shell, record)
            except VenueError as exc:
                shell.say(Progress(Step.WARNING, f"the orders of {record.symbol} cannot be listed now: {exc}"))
    held = ", ".join(
        f"{a} is {balances[a].total if a in balances else 'without a row'}, our own fills explain {expected.totals[a]}"
        for a in differing
    )
    return PlanStopped(f"{Deny.BALANCE_MOVED}: {held}; planned afresh next")
