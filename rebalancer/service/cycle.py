"""One pass from the gate to what remains: the same for the command line, the schedule and the tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial

from rebalancer.core.canonical import canonical
from rebalancer.core.ids import run_id as make_run_id
from rebalancer.core.inputs import Inputs, inputs_document
from rebalancer.core.ledger import Books, Look, next_books, open_books
from rebalancer.core.model import Snapshot, Usage
from rebalancer.core.money import ZERO
from rebalancer.core.orders import IntentState
from rebalancer.core.plan import Plan
from rebalancer.core.plan_json import PlanHeader, plan_document
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Skip, Trigger
from rebalancer.core.targets import Targets
from rebalancer.errors import GuardTripped, RebalancerError, VenueError
from rebalancer.journal import records
from rebalancer.journal.fold import IntentRecord
from rebalancer.journal.store import Journal
from rebalancer.service.ages import this_instant
from rebalancer.service.execute import execute
from rebalancer.service.flows import settle_flows, unexplained
from rebalancer.service.gate import require_no_stop, require_open_market, require_room, require_sane_clock
from rebalancer.service.observe import Observation, observe
from rebalancer.service.reconcile import resolve
from rebalancer.service.shell import Progress, Shell, Step
from rebalancer.service.strangers import look_for_strangers


class CycleStatus(StrEnum):
    """How a cycle ended."""

    WITHIN_BANDS = "within_bands"
    DONE = "done"
    WORK_LEFT = "work_left"
    REFUSED = "refused"
    OUTCOME_UNKNOWN = "outcome_unknown"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Decided:
    """A plan and what it was made of."""

    snapshot: Snapshot
    usage: Usage
    plan: Plan


@dataclass(frozen=True, slots=True)
class CycleResult:
    """One cycle as the report and the exit code need it."""

    run_id: str
    mode: str
    venue: str
    status: CycleStatus
    plan: Plan | None
    orders: tuple[IntentRecord, ...]
    text: str  # why it ended before its plan did, if it did
    seconds: float
    halted: str = ""  # what a live cycle leaves waiting for the owner, and stops the next one


def weights_digest(weights: Mapping[str, Decimal]) -> str:
    """Return a hash of the weights alone: a change of limits or schedule is no change of targets."""
    return hashlib.sha256(canonical(weights).encode()).hexdigest()


def look(shell: Shell, targets: Targets) -> Observation:
    """Read everything that a plan needs, by a clock that is sane; a read that fails raises its VenueError."""
    shell.venue.fetch_server_time()
    require_sane_clock(shell, shell.venue.skew_s)
    return observe(shell.venue, shell.gather, targets, shell.account_id, shell.journal.state.rows.held)


def decide(shell: Shell, targets: Targets, *, forced: bool = False, changed: bool = False, run_id: str = "") -> Decided:
    """Look and plan: nothing is sent, and nothing is written but, live, what somebody else did to the balances.

    `changed` plans as after a change of targets, for a preview of one. `run_id` is what the owner may call the plan.
    """
    seen = look(shell, targets)
    if shell.live:
        seen = settle_flows(shell, targets, run_id, seen, partial(look, shell, targets))
    require_open_market(seen.market)
    usage = shell.journal.state.usage(shell.venue.server_now(), weights_digest(targets.weights))
    if not shell.live:  # what a live cycle would write down as a flow, after a second look
        usage = replace(usage, flows=_with_new_flows(shell, targets, usage.flows, seen))
    if changed:
        usage = replace(usage, targets_changed=True)
    plan = make_plan(seen.snapshot, targets, usage, forced=forced, live=shell.live, name=run_id)
    return Decided(seen.snapshot, usage, plan)


def _with_new_flows(
    shell: Shell, targets: Targets, flows: Mapping[str, Decimal], seen: Observation
) -> dict[str, Decimal]:
    new = unexplained(shell.journal.state, seen.snapshot.balances, targets.assets)
    held = {asset: moved for asset, moved in new.items() if asset in seen.snapshot.balances}
    return {asset: flows.get(asset, ZERO) + held.get(asset, ZERO) for asset in {*flows, *held}}


def run_cycle(
    shell: Shell,
    targets: Targets,
    *,
    schedule_id: str,
    slot: datetime,
    settle_s: float,
    forced: bool = False,
) -> CycleResult:
    """Use up a slot: gate, observe, plan, execute, close. `settle_s` is how long to wait for open orders.

    Whatever it raises is in the journal as the run's end before it leaves here.
    """
    started_s = shell.clock.monotonic_s()
    run = make_run_id(schedule_id, slot, shell.journal.attempts(schedule_id, slot) + 1)
    shell.journal.append(records.run_started(run, schedule_id=schedule_id, slot=slot, mode=shell.mode))
    try:
        result = _run(shell, targets, run, settle_s, forced=forced)
    except Exception as exc:
        status = (
            "refused" if isinstance(exc, GuardTripped) else "unavailable" if isinstance(exc, VenueError) else "failed"
        )
        # A defect's own text may hold anything; ours are made to be shown.
        text = str(exc) if isinstance(exc, RebalancerError) else type(exc).__name__
        shell.journal.append(records.run_closed(run, status=status, text=text))
        raise
    result = replace(result, seconds=shell.clock.monotonic_s() - started_s)
    text = result.text or _refusal(result)
    shell.journal.append(records.run_closed(run, status=result.status, text=text))
    shell.say(Progress(Step.CLOSED, f"cycle {run}: {result.status}{': ' if text else ''}{text}"))
    return result


def _refusal(result: CycleResult) -> str:
    """Return why a plan was refused, with what answers it, for whoever only sees how the run ended."""
    refused = result.plan is not None and result.status is CycleStatus.REFUSED
    return "; ".join(denial.text for denial in result.plan.denials) if refused and result.plan is not None else ""


def _run(shell: Shell, targets: Targets, run: str, settle_s: float, *, forced: bool) -> CycleResult:
    if shell.live:
        require_no_stop(shell)
        if shell.journal.state.unresolved and resolve(shell, settle_s):
            return _unresolved(shell, run)
        look_for_strangers(shell)
        require_no_stop(shell)
        require_room(shell)
    shell.journal.append(records.config(run, digest=targets.digest, weights=targets.weights))
    looking_at = this_instant(shell.clock)  # a plan is as old as the look that it was made on
    decided = decide(shell, targets, forced=forced, run_id=run)
    plan = decided.plan
    shell.say(Progress(Step.PLANNED, f"{len(plan.legs)} leg(s), {len(plan.denials)} denial(s)"))
    document = inputs_document(Inputs(decided.snapshot, decided.usage, targets, forced))
    seen = records.snapshot(run, document, plan.taken_at)
    shell.journal.append(seen, *(records.ledger(run, books) for books in _books(shell, plan, targets)))
    plan_row = records.plan_made(
        run,
        plan,
        mode=shell.mode,
        weights_digest=weights_digest(targets.weights),
        complete=_complete(plan),
        document=plan_document(plan, PlanHeader(run, shell.mode, shell.venue_name)),
    )
    if not shell.live or not plan.legs:
        shell.journal.append(plan_row)
        return _result(shell, run, _status_of_plan(plan, live=shell.live), plan)
    text = execute(shell, plan, targets, decided.snapshot, run, plan_row, looking_at)
    if _open_orders(shell) and settle_s > 0:
        resolve(shell, settle_s)
    return _result(shell, run, _status_after(shell, run, plan, text), plan, text)


def _books(shell: Shell, plan: Plan, targets: Targets) -> tuple[Books, ...]:
    """Return the account's books carried on to this look, or none where its data did not pass."""
    if plan.denials or plan.nav_quote is None:
        return ()
    look = Look(
        at=plan.taken_at,
        quote=plan.quote,
        prices={line.asset: line.price for line in plan.assets},
        held={line.asset: line.counted for line in plan.assets},
        weights=targets.weights,
    )
    state = shell.journal.state
    return (open_books(look) if state.books is None else next_books(state.books, look, state.since_books),)


def _unresolved(shell: Shell, run: str) -> CycleResult:
    names = ", ".join(f"{r.side} {r.symbol} ({r.state})" for r in shell.journal.state.unresolved)
    text = f"no plan while an order is unresolved: {names}"
    shell.say(Progress(Step.UNKNOWN, text))
    return _result(shell, run, CycleStatus.OUTCOME_UNKNOWN, None, text)


def _result(shell: Shell, run: str, status: CycleStatus, plan: Plan | None, text: str = "") -> CycleResult:
    halted = "; ".join(halt.text for halt in shell.journal.state.halts.values()) if shell.live else ""
    orders = orders_of(shell.journal, run)
    return CycleResult(run, shell.mode, shell.venue_name, status, plan, orders, text, 0.0, halted)


def orders_of(journal: Journal, run: str) -> tuple[IntentRecord, ...]:
    """Return a run's intents in the order of the plan."""
    found = (record for record in journal.state.intents.values() if record.run_id == run)
    return tuple(sorted(found, key=lambda record: record.intent_seq))


def _complete(plan: Plan) -> bool:
    """Return whether no limit cut the plan: only then has a change of targets been served."""
    cut = any(leg.capped for leg in plan.legs)
    return not plan.denials and not cut and not any(skip.reason.code is Skip.CAP_REACHED for skip in plan.skips)


def _status_of_plan(plan: Plan, *, live: bool) -> CycleStatus:
    if plan.refused:
        return CycleStatus.REFUSED
    if plan.trigger is Trigger.NONE:
        return CycleStatus.WITHIN_BANDS
    return CycleStatus.WORK_LEFT if live else CycleStatus.DONE


def _open_orders(shell: Shell) -> bool:
    return bool(shell.journal.state.unresolved)


def _status_after(shell: Shell, run: str, plan: Plan, text: str) -> CycleStatus:
    if _open_orders(shell):
        return CycleStatus.OUTCOME_UNKNOWN
    if text in {"paused", "told to stop"}:
        return CycleStatus.STOPPED
    whole = all(record.state is IntentState.FILLED for record in orders_of(shell.journal, run))
    skipped = any(skip.reason.code not in {Skip.NOT_COUNTED, Skip.GONE} for skip in plan.skips)
    return CycleStatus.DONE if whole and not skipped and not text and _complete(plan) else CycleStatus.WORK_LEFT
