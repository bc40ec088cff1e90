"""What a plan is made of is written down whole: read back from the journal's text it makes the same plan again."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from rebalancer.core.canonical import canonical
from rebalancer.core.inputs import FORCED, TARGETS, Inputs, inputs_document, plan_of, read_inputs
from rebalancer.core.model import Usage
from rebalancer.core.plan_json import PlanHeader, plan_document
from rebalancer.core.planner import make_plan
from rebalancer.core.snapshot_json import snapshot_document
from rebalancer.core.targets import BandPolicy, BandRule, Limits, Schedule
from tests.core.builders import d
from tests.core.owners import case
from tests.core.test_collared_plans import collared_case
from tests.core.test_direct_properties import random_case

HEADER = PlanHeader("cron-20260301T1207Z-a1", "live", "htx")
MOVED = Usage(has_traded=True, targets_changed=True)
FAMILIES = {
    "owner": lambda seed: Inputs(case(seed).seen, case(seed).usage, case(seed).targets),
    "direct": lambda seed: Inputs(random_case(seed)[0], MOVED, random_case(seed)[1]),
    "ioc": lambda seed: Inputs(collared_case(seed)[0], MOVED, collared_case(seed)[1]),
}


def with_limits(inputs: Inputs) -> Inputs:
    """Return inputs with the two limits that a live plan must have, too wide to cut anything."""
    limits = replace(inputs.targets.limits, max_notional_per_day=d(10**12), max_order_notional=d(10**12))
    return replace(inputs, targets=replace(inputs.targets, limits=limits))


def back(inputs: Inputs) -> Inputs:
    """Return inputs as they come back from the text of a row."""
    read = read_inputs(json.loads(canonical(inputs_document(inputs))))
    assert read is not None
    return read


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("live", [False, True])
def test_the_same_plan_is_made_again_to_the_last_digit(family: str, *, live: bool) -> None:
    legs = 0
    for seed in range(80):
        for forced in (False, True):
            inputs = with_limits(replace(FAMILIES[family](seed), forced=forced))
            made = make_plan(
                inputs.snapshot, inputs.targets, inputs.usage, forced=forced, live=live, name=HEADER.cycle_id
            )
            again = plan_of(back(inputs), live=live, name=HEADER.cycle_id)
            assert plan_document(again, HEADER) == plan_document(made, HEADER), f"{family} {seed}"
            assert [leg.terms for leg in again.legs] == [leg.terms for leg in made.legs]
            legs += len(made.legs)
    assert legs > 50


@pytest.mark.parametrize("family", FAMILIES)
def test_targets_come_back_as_the_owner_wrote_them_in_their_order(family: str) -> None:
    for seed in range(80):
        inputs = FAMILIES[family](seed)
        read = back(inputs).targets
        assert read == inputs.targets, f"{family} {seed}"
        assert list(read.weights) == list(inputs.targets.weights) and read.assets == inputs.targets.assets


def test_every_setting_comes_back() -> None:
    inputs = FAMILIES["owner"](1)
    bands = BandPolicy(BandRule.CLAMP, d("20.5"), d("0.5"), d(7), d("0.25"), {"AAA": d("2.5")})
    limits = Limits(d("1.5"), d(3), d(5000), d(1000), 7, d("12.5"), d(0))
    asked = replace(inputs, targets=replace(inputs.targets, bands=bands, limits=limits), forced=True)
    assert back(asked).targets == asked.targets and back(asked).forced is True
    assert isinstance(back(asked).targets.limits.max_orders_per_day, int)
    assert isinstance(back(asked).targets.bands.floor, Decimal)


def test_when_and_by_what_names_is_no_input_of_a_plan() -> None:
    inputs = FAMILIES["owner"](2)
    other = replace(inputs.targets, schedule=Schedule("0 0 * * *"), codes={"AAA": "aaaold"})
    assert inputs_document(replace(inputs, targets=other)) == inputs_document(inputs)


def test_a_row_of_before_the_targets_were_written_with_it_has_no_inputs() -> None:
    inputs = FAMILIES["owner"](3)
    assert read_inputs(snapshot_document(inputs.snapshot, inputs.usage)) is None


def test_a_setting_that_a_row_does_not_know_has_its_default() -> None:
    document = inputs_document(FAMILIES["owner"](4))
    del document[TARGETS]["limits"]["cooldown_h"], document[TARGETS]["bands"]["per_coin"]
    read = read_inputs(document)
    assert read is not None and read.forced is document[FORCED] is False
    assert read.targets.limits.cooldown_h == Limits().cooldown_h and read.targets.bands.per_coin == {}


def test_a_plan_made_again_asks_for_leave_by_the_name_it_is_given() -> None:
    owned = case(3, exits=False)
    limits = replace(owned.targets.limits, max_turnover_per_cycle=d("0.01"))
    inputs = Inputs(owned.seen, replace(owned.usage, targets_changed=True), replace(owned.targets, limits=limits))
    (warning,) = plan_of(inputs, live=False, name="run-7").warnings
    assert "`rebalancer ack run-7 --up-to" in warning.text
