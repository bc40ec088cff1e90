"""The demo in its owner's place: it confirms what was staged on the page, and gives a large change the leave it needs.

Both are typed in a terminal otherwise, by `rebalancer targets confirm` and `rebalancer ack`; the demo has only one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rebalancer.cli.target_file import change_file
from rebalancer.cli.target_words import text_of
from rebalancer.core.money import parse_decimal, plain
from rebalancer.core.reasons import Deny
from rebalancer.errors import ConfigError
from rebalancer.journal import records
from rebalancer.journal.store import Journal
from rebalancer.report.words import commands
from rebalancer.service.cycle import weights_digest
from rebalancer.targets.changes import How
from rebalancer.targets.edit import with_weights
from rebalancer.targets.file import load_targets, parse_targets
from rebalancer.targets.staging import staged_in, unstage

if TYPE_CHECKING:
    from rebalancer.core.targets import Targets
    from rebalancer.service.cycle import CycleResult
    from rebalancer.settings import Settings

WHO = "the demo"


def confirm_staged(settings: Settings) -> str:
    """Put staged weights in force; return what to say of it, or an empty text where none are staged."""
    path, state = settings.paths.targets, settings.paths.state
    staged = staged_in(state)
    if staged is None:
        return ""
    unstage(state)
    try:
        if staged.based_on != load_targets(path).digest:
            return "what was staged is of other targets than those in force: dropped; stage again"
        text = with_weights(text_of(path), staged.weights, str(path))
        change_file(settings, text, parse_targets(text, str(path)), How.CONFIRM)
    except ConfigError as exc:
        return f"what was staged cannot be put in force: {exc}"
    weights = ", ".join(f"{asset} {plain(percent)}" for asset, percent in staged.weights.items())
    return f"{weights}: staged on the page, confirmed as by `rebalancer targets confirm`"


def give_leave(journal: Journal, targets: Targets, result: CycleResult) -> str:
    """Allow the change of targets that a plan asked about; return what to say, or an empty text without a question."""
    denials = result.plan.denials if result.plan is not None else ()
    asking = next((denial for denial in denials if denial.code is Deny.ACK_NEEDED), None)
    if asking is None:
        return ""
    typed = commands(asking)[0]
    up_to = parse_decimal(typed.split()[-1])
    digest = weights_digest(targets.weights)
    journal.append(records.ack_plan(result.run_id, WHO, weights_digest=digest, up_to_quote=up_to))
    return f"a change beyond the limit of a cycle waits for its owner: allowed as by `{typed}`"
