"""Doubts about prices that only memory or another coin can raise."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from rebalancer.core.model import Usage
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Deny
from tests.core.builders import d, snapshot, targets

PRICES = {"BTC": 80_000, "ETH": 2500}
SEEN = snapshot({"BTC": "0.2", "ETH": "1", "USDT": "3000"}, PRICES)
TARGETS = targets({"BTC": 50, "ETH": 30, "USDT": 20})
MIDS = {asset: d(price) for asset, price in PRICES.items()}


def codes(usage: Usage, peg: Decimal | None = None) -> set[str]:
    return {denial.code for denial in make_plan(replace(SEEN, peg=peg), TARGETS, usage).denials}


@pytest.mark.parametrize(
    ("factor", "refused"), [("1", False), ("1.39", False), ("1.7", True), ("0.1", True), ("10", True)]
)
def test_a_price_that_jumps_against_our_own_memory_refuses_the_plan_for_a_day(factor: str, refused: bool) -> None:
    """The journal hands over mids at most a day old; without them there is nothing to compare with."""
    remembered = Usage(has_traded=True, mids=MIDS | {"ETH": MIDS["ETH"] / d(factor)})
    assert (Deny.PRICE_JUMPED in codes(remembered)) is refused
    assert make_plan(SEEN, TARGETS, Usage(has_traded=True)).legs


@pytest.mark.parametrize(
    ("peg", "refused"), [("1", False), ("1.019", False), ("0.981", False), ("1.03", True), ("0.5", True)]
)
def test_a_quote_coin_off_its_peg_refuses_the_plan(peg: str, refused: bool) -> None:
    assert (Deny.QUOTE_DEPEGGED in codes(Usage(has_traded=True), d(peg))) is refused
    plan = make_plan(replace(SEEN, peg=d(peg)), TARGETS, Usage(has_traded=True))
    assert bool(plan.legs) is not refused
