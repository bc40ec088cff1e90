"""Balances between cycles: what our own fills explain, and what somebody else moved.

A plan on balances that lag behind our last order would trade twice. So whatever our fills do not explain is looked at
again a minute later: if it went away it was lag, if it stayed it is a deposit, a withdrawal or a trade by hand, and
is written down; if it moved again, nothing is planned now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal

from rebalancer.core.model import Balance
from rebalancer.core.money import EXACT, ZERO, plain
from rebalancer.core.reasons import Deny
from rebalancer.core.targets import Targets
from rebalancer.errors import GuardTripped
from rebalancer.journal import records
from rebalancer.journal.fold import JournalState
from rebalancer.service.observe import Observation
from rebalancer.service.shell import Progress, Shell, Step

APART_S = 60.0
TOLERANCE = Decimal("0.0001")  # of what our fills moved: HTX rounds fees


def settle_flows(
    shell: Shell, targets: Targets, run_id: str, seen: Observation, look: Callable[[], Observation]
) -> Observation:
    """Return an observation whose balances are explained, by our fills or by a flow that is now in the journal.

    Raises GuardTripped while they keep moving, or when a coin that was there has no row any more.
    """
    assets = frozenset(targets.assets)
    first = unexplained(shell.journal.state, seen.snapshot.balances, assets)
    if not first:
        return seen
    shell.say(Progress(Step.WARNING, f"our fills do not explain {_named(first)}; looking again in {APART_S:.0f} s"))
    shell.clock.sleep(APART_S)
    if shell.stopped():
        raise GuardTripped(Deny.PAUSED, "stopped while waiting for the balances to settle")
    again = look()
    balances = again.snapshot.balances
    still = unexplained(shell.journal.state, balances, assets)
    if not still:
        return again
    gone = [asset for asset in still if asset not in balances]
    if gone:
        raise GuardTripped(
            Deny.BALANCE_MISSING, f"{', '.join(gone)}: was held and has no row any more; no plan on that"
        )
    if still != first:
        raise GuardTripped(Deny.BALANCE_MOVED, f"the balances keep moving ({_named(still)}); the next slot looks again")
    held = {asset: balances[asset].total for asset in still}
    shell.journal.append(records.external_flow(run_id, held=held, moved=still, t_exch=again.snapshot.taken_at))
    shell.say(Progress(Step.OBSERVED, f"moved by another hand, not by our orders: {_named(still)}"))
    return again


def unexplained(state: JournalState, balances: Mapping[str, Balance], assets: Collection[str]) -> dict[str, Decimal]:
    """Return by how much each balance differs from what it must be; a missing row differs by all of it.

    Where nothing must be, a missing row is for the plan's guards to refuse: the owner may answer that one.
    """
    made = {}
    for asset, expected in state.totals.items():
        if asset not in assets:
            continue
        held = balances[asset].total if asset in balances else ZERO
        tolerance = state.traded.get(asset, ZERO) * TOLERANCE
        if (asset not in balances and expected) or abs(held - expected) > tolerance:
            made[asset] = EXACT.subtract(held, expected)
    return made


def _named(amounts: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{'+' if amount > 0 else ''}{plain(amount)} {asset}" for asset, amount in amounts.items())
