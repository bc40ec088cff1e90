"""Small plans read back whole: market orders, direct ones, limit orders, refusals and warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from rebalancer.core.model import Snapshot
from rebalancer.core.plan import Denial, Plan
from rebalancer.core.plan_json import PlanHeader, plan_document
from rebalancer.core.plan_read import read_header, read_plan
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Deny
from rebalancer.core.targets import OrderPolicy, OrderType, Route
from tests.core.builders import d, snapshot, with_crosses
from tests.core.test_planner_lines import SEEN, TARGETS, TRADED
from tests.report.plans import HEADER, refused_plan

PAIR = with_crosses(SEEN, {("ETH", "BTC"): "1"}, fee="0.001")
ORDERS = {
    "market": (SEEN, OrderPolicy()),
    "direct": (PAIR, OrderPolicy(route=Route.DIRECT)),
    "ioc": (SEEN, OrderPolicy(order_type=OrderType.IOC)),
}


def planned(name: str) -> tuple[Snapshot, Plan]:
    """Return a plan of owner's wishes about a coin too, so that nothing in its lines is nought."""
    seen, orders = ORDERS[name]
    balances = dict(seen.balances) | {"ETH": replace(seen.balances["ETH"], free=d(150), locked=d(35)), "DOGE": seen.balances["SOL"]}  # fmt: skip
    seen = replace(seen, balances=balances)
    wanted = replace(TARGETS, orders=orders, kept={"ETH": d(5)}, external={"SOL": d("7.5")})
    return seen, make_plan(seen, wanted, replace(TRADED, targets_changed=True))


@pytest.mark.parametrize("name", ORDERS)
def test_a_plan_is_read_back_to_the_digits_of_its_document(name: str) -> None:
    seen, plan = planned(name)
    assert plan.legs and plan.skips and any(line.kept for line in plan.assets)
    document = plan_document(plan, HEADER)
    back = read_plan(document, seen)
    assert plan_document(back, HEADER) == document
    assert read_header(document) == PlanHeader(HEADER.cycle_id, HEADER.mode, HEADER.venue)
    assert (back.account_id, back.taken_at, back.quote) == (plan.account_id, plan.taken_at, plan.quote)
    assert (back.nav_quote, back.nav_here_quote, back.targets_digest) == (plan.nav_quote, plan.nav_here_quote, "")
    for leg, again in zip(plan.legs, back.legs, strict=True):
        assert (again.intent_seq, again.asset, again.symbol, again.quote, again.size, again.mid) == (
            leg.intent_seq, leg.asset, leg.symbol, leg.quote, leg.size, leg.mid,
        )  # fmt: skip
        assert (again.reason, again.collar, again.capped) == (leg.reason, leg.collar, False)
        assert (again.direct is None) is (leg.direct is None)
        if again.direct is not None and leg.direct is not None:
            assert (again.direct.spent_mid, again.direct.received_mid) == (
                leg.direct.spent_mid,
                leg.direct.received_mid,
            )
    assert back.assets == tuple(replace(line, value_quote=again.value_quote) for line, again in zip(plan.assets, back.assets, strict=True))  # fmt: skip


def test_a_refusal_and_a_warning_are_read_back_with_both_numbers() -> None:
    denial = Denial(Deny.ACK_NEEDED, "ask first", "ETH", "10 % of NAV", "50 %")
    plan = replace(
        refused_plan(), denials=(denial,), warnings=(replace(denial, text="later"),), notes=("a pair is off",)
    )
    back = read_plan(plan_document(plan, HEADER), SEEN)
    assert (back.denials, back.warnings, back.notes) == (plan.denials, plan.warnings, plan.notes)
    assert (back.nav_quote, back.nav_here_quote, back.totals, back.trigger) == (None, None, None, plan.trigger)


def _without(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


def test_a_document_of_before_a_field_came_in_is_read_as_if_it_had_nothing_there() -> None:
    seen, plan = planned("market")
    document = plan_document(plan, HEADER)
    lines = [_without(line, "kept", "external") for line in document["assets"]]
    back = read_plan({**_without(document, "nav_here_quote", "notes", "warnings"), "assets": lines}, seen)
    assert (back.nav_here_quote, back.notes, back.warnings) == (back.nav_quote, (), ())
    assert all(line.kept == 0 and line.external == 0 for line in back.assets)


def test_a_symbol_that_the_snapshot_does_not_know_is_no_leg() -> None:
    _, plan = planned("market")
    with pytest.raises(KeyError):
        read_plan(plan_document(plan, HEADER), snapshot({"USDT": 1}, {}))


def test_a_direct_leg_whose_pair_has_no_mid_in_the_snapshot_cannot_be_of_it() -> None:
    seen, plan = planned("direct")
    pair = seen.crosses["ethbtc"]
    assert pair.book is not None
    for book in (None, replace(pair.book, bids=())):
        blind = replace(seen, crosses={"ethbtc": replace(pair, book=book)})
        with pytest.raises(AssertionError, match="ethbtc"):
            read_plan(plan_document(plan, HEADER), blind)
