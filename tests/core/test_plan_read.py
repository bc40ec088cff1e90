"""A plan's document reads back: written again it is the same, and every figure shown of it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rebalancer.core.model import Snapshot, Usage
from rebalancer.core.plan import Plan
from rebalancer.core.plan_json import MONEY_STEP, PlanHeader, plan_document
from rebalancer.core.plan_read import read_header, read_plan
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Deny, Skip, Why
from rebalancer.core.snapshot_json import read_snapshot, snapshot_document
from tests.core.owners import case
from tests.core.test_collared_plans import collared_case
from tests.core.test_direct_properties import random_case

HEADER = PlanHeader("cron-20260301T1207Z-a1", "live", "htx")
SEEDS = range(60)
MOVED = Usage(has_traded=True, targets_changed=True)


def kept(seen: Snapshot, usage: Usage) -> Snapshot:
    """Return a snapshot as the journal gives it back."""
    return read_snapshot(snapshot_document(seen, usage))[0]


def plans() -> list[tuple[str, Snapshot, Plan]]:
    made = []
    for seed in SEEDS:
        owned = case(seed)
        for name, (seen, targets), usage in (
            ("owner", (owned.seen, owned.targets), owned.usage),
            ("direct", random_case(seed), MOVED),
            ("ioc", collared_case(seed), MOVED),
        ):
            made.append((f"{name} {seed}", kept(seen, usage), make_plan(seen, targets, usage)))
        first = make_plan(owned.seen, owned.targets, Usage(), live=True)
        made.append((f"first look {seed}", kept(owned.seen, Usage()), first))
    return made


def test_written_read_and_written_again_is_the_same_document() -> None:
    found: set[str] = set()
    for name, seen, plan in plans():
        document = plan_document(plan, HEADER)
        back = read_plan(document, seen)
        assert plan_document(back, HEADER) == document, name
        assert read_header(document) == HEADER
        found |= {"legs"} if plan.legs else set()
        found |= {"direct" if leg.direct else "ioc" if leg.collar else "market" for leg in plan.legs}
        found |= {each for each in ("skips", "denials", "notes") if getattr(plan, each)}
        found |= {"nav_limits_quote"} & document.keys()
    assert found >= {"legs", "direct", "ioc", "market", "skips", "notes", "nav_limits_quote"}


def test_what_is_read_is_the_plan_but_for_digits_that_the_document_leaves_out() -> None:
    for name, seen, plan in plans():
        back = read_plan(plan_document(plan, HEADER), seen)
        for leg, again in zip(plan.legs, back.legs, strict=True):
            same = replace(
                again, notional_quote=leg.notional_quote, fee_quote=leg.fee_quote, capped=leg.capped,
                spread_cost_bps=leg.spread_cost_bps, impact_bps=leg.impact_bps, direct=leg.direct,
            )  # fmt: skip
            assert same == leg, name
            assert abs(again.notional_quote - leg.notional_quote) <= MONEY_STEP
        for line, shown in zip(plan.assets, back.assets, strict=True):
            assert replace(shown, value_quote=line.value_quote) == line, name
        assert (back.skips, back.denials, back.notes, back.trigger) == (
            plan.skips,
            plan.denials,
            plan.notes,
            plan.trigger,
        )


def test_a_code_stands_for_one_reason_alone() -> None:
    assert len({code.value for kind in (Deny, Skip, Why) for code in kind}) == sum(map(len, (Deny, Skip, Why)))


def test_a_document_of_before_there_were_kept_and_external_amounts_is_read() -> None:
    _, seen, plan = plans()[0]
    document = plan_document(plan, HEADER)
    old = {**document, "assets": [{k: v for k, v in line.items() if k not in ("kept", "external")} for line in document["assets"]]}  # fmt: skip
    del old["nav_here_quote"], old["warnings"]
    assert all(line.kept == line.external == 0 for line in read_plan(old, seen).assets)


@pytest.mark.parametrize("name", ["code", "text"])
def test_a_leg_of_a_pair_that_the_snapshot_does_not_know_is_refused(name: str) -> None:
    seen, plan = next((seen, plan) for _, seen, plan in plans() if plan.legs)
    document = plan_document(plan, HEADER)
    with pytest.raises(KeyError):
        read_plan({**document, "legs": [{**document["legs"][0], "symbol": f"{name}usdt"}]}, seen)
