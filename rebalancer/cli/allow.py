"""`rebalancer ack PLAN --up-to AMOUNT`: the owner's leave for a first build or a change of targets beyond the cap."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.terminal import lines_of
from rebalancer.core.money import plain
from rebalancer.core.reasons import Deny
from rebalancer.errors import ConfigError
from rebalancer.journal import records
from rebalancer.journal.rows import Kind

if TYPE_CHECKING:
    from rebalancer.journal.store import Journal


@dataclass(frozen=True, slots=True)
class Leave:
    """What the owner types: the run whose plan asked, the turnover allowed, and who allows it."""

    run_id: str
    up_to_quote: Decimal | None
    who: str


def allow(journal: Journal, targets_path: Path, leave: Leave, *, yes: bool) -> None:
    """Record the leave for the weights that a run's plan was made for; ConfigError when none was asked for.

    The weights in the file must still be those: a later change is another question.
    """
    from rebalancer.service.cycle import weights_digest  # noqa: PLC0415  # with the planner behind it
    from rebalancer.targets.file import load_targets  # noqa: PLC0415

    payload = _plan_of(journal, leave.run_id)
    question = _question(payload["plan"])
    if question is None:
        raise ConfigError(f"the plan of {leave.run_id} asks for no leave: it is within the limits, or was refused")
    if leave.up_to_quote is None:
        raise click.UsageError(f"say how much you allow with --up-to; {question}")
    digest = payload["weights_digest"]
    if weights_digest(load_targets(targets_path).weights) != digest:
        raise ConfigError(f"{targets_path}: the weights changed since {leave.run_id}; `rebalancer run` asks anew")
    click.echo("\n".join(lines_of(question)))
    if not yes:
        amount = f"{plain(leave.up_to_quote)} {payload['plan']['quote']}"
        click.confirm(f"Allow a turnover of up to {amount} for these weights, within the limits?", abort=True)
    journal.append(records.ack_plan(leave.run_id, leave.who, weights_digest=digest, up_to_quote=leave.up_to_quote))
    click.echo("Allowed; the next cycles trade it, each within the limits. Other weights need a leave of their own.")


def _plan_of(journal: Journal, run_id: str) -> dict[str, Any]:
    rows = list(journal.rows(run_id=run_id, kinds=(Kind.PLAN,)))
    if not rows:
        raise ConfigError(f"{run_id} is no run with a plan in this journal; `rebalancer history` names them")
    payload: dict[str, Any] = json.loads(rows[-1].payload_text)
    return payload


def _question(plan: dict[str, Any]) -> str | None:
    """Return the words in which a plan asked for the owner's leave, or None."""
    said = [*plan["denials"], *plan["warnings"]]
    return next((str(each["text"]) for each in said if each["code"] == Deny.ACK_NEEDED), None)
