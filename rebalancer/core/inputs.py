"""All that a plan is made of, as one document and back, and the plan made of it again. Pure, and exact both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, TypeVar

from rebalancer.core.canonical import jsonable
from rebalancer.core.model import Snapshot, Usage
from rebalancer.core.plan import Plan
from rebalancer.core.planner import make_plan
from rebalancer.core.snapshot_json import read_snapshot, snapshot_document
from rebalancer.core.targets import BandPolicy, BandRule, Limits, OrderPolicy, OrderType, Route, Targets

TARGETS, FORCED = "targets", "forced"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a plan is made of, but for its mode and its name."""

    snapshot: Snapshot
    usage: Usage
    targets: Targets
    forced: bool = False


def inputs_document(inputs: Inputs) -> dict[str, Any]:
    """Return the inputs as JSON values; the schedule and the exchange's codes decide nothing and are left out."""
    targets = inputs.targets
    wanted = {
        "quote": targets.quote,
        "digest": targets.digest,
        # A list, for a plan follows the order of the file, and canonical JSON sorts by name.
        **{name: list(getattr(targets, name).items()) for name in ("weights", "kept", "external")},
        "leaving": targets.leaving,
        **{name: _values(getattr(targets, name)) for name in ("bands", "limits", "orders")},
    }
    document = snapshot_document(inputs.snapshot, inputs.usage)
    return document | {TARGETS: jsonable(wanted), FORCED: inputs.forced}


def read_inputs(document: Mapping[str, Any]) -> Inputs | None:
    """Return what `inputs_document` was given, or None for a row of before the targets were written down with it."""
    if TARGETS not in document:
        return None
    wanted = document[TARGETS]
    targets = Targets(
        quote=wanted["quote"],
        digest=wanted["digest"],
        weights=_amounts(wanted["weights"]),
        kept=_amounts(wanted["kept"]),
        external=_amounts(wanted["external"]),
        leaving=tuple(wanted["leaving"]),
        bands=_read(BandPolicy, wanted["bands"], {"rule": BandRule, "per_coin": lambda row: _amounts(row.items())}),
        limits=_read(Limits, wanted["limits"], {"max_orders_per_day": int}),
        orders=_read(OrderPolicy, wanted["orders"], {"order_type": OrderType, "route": Route}),
    )
    snapshot, usage = read_snapshot(document)
    return Inputs(snapshot, usage, targets, document[FORCED])


def plan_of(inputs: Inputs, *, live: bool, name: str) -> Plan:
    """Return the plan that these inputs make today; the same as then unless the planner has changed."""
    return make_plan(inputs.snapshot, inputs.targets, inputs.usage, forced=inputs.forced, live=live, name=name)


def _values(policy: Any) -> dict[str, Any]:
    return {each.name: getattr(policy, each.name) for each in fields(policy)}


def _amounts(pairs: Any) -> dict[str, Decimal]:
    return {asset: Decimal(amount) for asset, amount in pairs}


def _read(cls: type[T], row: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]) -> T:
    """Return a policy of its row, as amounts where no reader is named; what a row of before lacks has its default."""
    known = {each.name for each in fields(cls)} & row.keys()  # type: ignore[arg-type]
    return cls(**{name: None if row[name] is None else readers.get(name, Decimal)(row[name]) for name in known})
