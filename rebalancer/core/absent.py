"""Target coins without a balance row: absent is not zero, unless the owner says so of one that was never held. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from rebalancer.core.model import Balance, Snapshot, Usage
from rebalancer.core.money import HUNDRED, ZERO
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny
from rebalancer.core.targets import Targets
from rebalancer.core.trust import UNKNOWN

ROWS_MIN = Decimal("0.90")  # of those of the last look that passed: a shorter answer may lack other rows too


@dataclass(frozen=True, slots=True)
class Counted:
    """The balances that a plan is made on, with a zero row for each coin that is taken as not held."""

    balances: Mapping[str, Balance]
    denials: tuple[Denial, ...] = ()


def count_rows(snapshot: Snapshot, targets: Targets, usage: Usage) -> Counted:
    """Return the balances as they count, and a denial for each target whose missing row nothing excuses."""
    missing = [asset for asset in targets.assets if asset not in snapshot.balances]
    if not missing:
        return Counted(snapshot.balances)
    reasons = {asset: _why_not_zero(snapshot, targets, usage, asset) for asset in missing}
    made = {asset: Balance(asset, ZERO, ZERO) for asset, reason in reasons.items() if not reason}
    denials = [
        Denial(Deny.BALANCE_MISSING, f"the exchange's answer has no balance row for {asset}{reason}", asset)
        for asset, reason in reasons.items()
        if reason
    ]
    return Counted({**snapshot.balances, **made}, tuple(denials))


def _why_not_zero(snapshot: Snapshot, targets: Targets, usage: Usage, asset: str) -> str:
    """Return why a missing row does not count as zero, or nothing where every condition for it holds."""
    absent = "; absent is not zero"
    if asset == targets.quote:
        return absent
    if asset in usage.ever_held:
        return f"{absent}, and it was held before: only a row of it answers that"
    if snapshot.balance_rows is None:
        return f"{absent}, and two reads one after the other listed different rows"
    before = usage.rows.count
    if before is None:
        return f"{absent}, and no look of before says how many rows there should be: plan once without {asset}"
    if snapshot.balance_rows < ROWS_MIN * before:
        least = f"{ROWS_MIN * HUNDRED:.0f} %"
        return f"{absent}, and the answer has {snapshot.balance_rows} rows, under {least} of the {before} of before"
    gone = sorted(usage.rows.held - snapshot.balances.keys())
    if gone:
        return f"{absent}, and what was held lacks its row too: {', '.join(gone)}"
    if not usage.coins.get(asset, UNKNOWN).excused:
        return f"{absent}; if you hold none of it there, say `rebalancer ack {asset}`"
    return ""
