"""What others moved against what prices did: when a deposit or a withdrawal explains where the cash is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rebalancer.core.flows import moved_the_cash
from rebalancer.core.judge import judge
from rebalancer.core.model import Usage
from rebalancer.core.targets import BandPolicy, BandRule
from rebalancer.core.valuation import value_of
from tests.core.builders import d, snapshot, targets

QUARTER = BandPolicy(rule=BandRule.ABSOLUTE, k=d(25), destination=d(0))


def moved(btc: int, cash: int, flows: dict[str, int], **more: Any) -> bool:
    """Return the answer for an account whose cash belongs at a quarter, and a quarter about it."""
    wanted = replace(targets({"BTC": 75, "USDT": 25}, bands=QUARTER), **more)
    seen = snapshot({"BTC": btc, "USDT": cash}, {"BTC": 1}, rule_changes={"BTC": {"min_notional": d(1)}})
    usage = Usage(has_traded=True, flows={coin: d(amount) for coin, amount in flows.items()})
    valuation = value_of(seen, wanted, judge(seen, wanted, usage))
    assert valuation is not None
    return moved_the_cash(seen, wanted, usage, valuation)


@pytest.mark.parametrize(
    ("btc", "cash", "flows", "answer"),
    [
        (2000, 2000, {"USDT": 1500}, False),  # on the edge of its band
        (1000, 3000, {"USDT": 2000}, True),  # a half of 2,000 before: on the edge
        (1000, 3000, {"USDT": 1990}, False),  # beyond it before, and pushed by less than a band
        (1000, 3000, {}, False),
        (1000, 3000, {"USDT": 0}, False),
        (1000, 3000, {"USDT": -2000}, False),  # the other way
        (0, 3000, {"BTC": -1000}, False),  # three quarters before: pushed by a band, and not by more
        (0, 3000, {"BTC": -1010}, True),
        (0, 3000, {"USDT": 3000}, True),  # all there is came in
        (3000, 0, {"BTC": 3000}, False),
        (4000, 0, {"USDT": -1000}, True),  # a fifth before
    ],
)
def test_flows_explain_the_cash_where_it_would_be_in_its_band_without_them_or_they_are_more_than_the_band(
    btc: int, cash: int, flows: dict[str, int], answer: bool
) -> None:
    assert moved(btc, cash, flows) is answer


def test_what_is_kept_and_what_is_elsewhere_counts_before_as_it_does_now() -> None:
    """Without the 1,000 that are kept, cash was a half; with them it was two thirds."""
    assert moved(1000, 4000, {"USDT": 2000}, kept={"USDT": d(1000)})
    assert not moved(1000, 4000, {"USDT": 2000})
