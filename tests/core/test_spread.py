"""What other targets lead to in all, and over how many days limits and schedule spread it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.model import Usage
from rebalancer.core.money import plain
from rebalancer.core.spread import Spread, days_of_looks, spread_of
from rebalancer.core.targets import Limits
from rebalancer.report.spread import spread_document, spread_text
from tests.core.builders import d, snapshot, targets

PRICES = {"BTC": 50000, "ETH": 2500}
HELD = {"BTC": "0.1", "ETH": 1, "USDT": 2500}  # 50, 25 and 25 % of 10,000


def spread(weights: dict[str, int], *, looks: str = "24", usage: Usage | None = None, **limits: Any) -> Spread:
    made = spread_of(snapshot(HELD, PRICES), targets(weights, limits=Limits(**limits)), usage or Usage(), d(looks))
    assert made is not None
    return made


def test_it_counts_the_turnover_all_the_way_whatever_a_cycle_may() -> None:
    made = spread({"BTC": 10, "ETH": 65, "USDT": 25})
    assert (made.turnover_quote, made.turnover) == (4000, d("0.4"))
    assert made.plan.totals is not None and made.plan.totals.notional_quote > 7900
    assert d(15) < made.fee_quote < d(17)  # 0.2 % on either side


@pytest.mark.parametrize(
    ("limits", "looks", "used", "days"),
    [
        ({}, "24", 0, 2),  # 40 % of turnover, 25 % a day
        ({"max_turnover_per_day": d(50)}, "24", 0, 1),
        ({"max_turnover_per_day": d(50)}, "24", 1500, 2),  # some of today's is used
        ({"max_turnover_per_day": d(50)}, "1", 0, 4),  # one look a day, 10 % each
        ({"max_turnover_per_day": d(50)}, "0.5", 0, 8),
        ({"max_turnover_per_day": d(50), "max_notional_per_day": d(1000)}, "24", 0, 8),  # 8000 sold and bought
        ({"max_turnover_per_cycle": d(1), "max_turnover_per_day": d(50)}, "24", 0, 2),  # 40 looks of 1 %
    ],
)
def test_the_tightest_of_limits_and_schedule_says_how_many_days(
    limits: dict[str, Decimal], looks: str, used: int, days: int
) -> None:
    usage = Usage(sold_quote=d(used), bought_quote=d(used))
    assert spread({"BTC": 10, "ETH": 65, "USDT": 25}, looks=looks, usage=usage, **limits).days == days


def test_without_a_price_nothing_is_said() -> None:
    wanted = targets({"BTC": 50, "DOGE": 25, "USDT": 25})
    assert spread_of(snapshot({**HELD, "DOGE": 0}, PRICES), wanted, Usage(), d(24)) is None


def test_the_words_name_turnover_fees_days_and_the_limits_that_spread_it() -> None:
    made, wanted = (
        spread({"BTC": 10, "ETH": 65, "USDT": 25}),
        targets({"BTC": 10, "ETH": 65, "USDT": 25}, limits=Limits()),
    )
    text = spread_text(made, wanted)
    assert text.startswith(
        "All the way to these targets: a turnover of 4,000.00 USDT (40.0 % of the portfolio) for about"
    )
    assert "spread over about 2 days by the limits (10 % a cycle, 25 % a day) and the schedule" in text
    assert spread_document(made) == {
        "turnover_quote": "4000", "turnover": "0.4", "fee_quote": plain(made.fee_quote), "days": 2
    }  # fmt: skip
    assert "within a day by the limits" in spread_text(spread({"BTC": 45, "ETH": 30, "USDT": 25}), wanted)


@pytest.mark.parametrize(
    "limits", [{"max_notional_per_day": d(1000)}, {"max_order_notional": d(100)}, {"max_orders_per_day": 1}]
)
def test_its_plan_is_held_back_by_no_limit(limits: dict[str, Any]) -> None:
    made = spread({"BTC": 10, "ETH": 65, "USDT": 25}, **limits)
    assert made.plan.totals is not None and made.plan.totals.notional_quote > 7900


@pytest.mark.parametrize(("needed", "looks", "days"), [(4000, "3", 2), (4001, "1", 5), (4400, "5", 1), (3000, "4", 1)])
def test_a_part_of_a_look_is_a_look_and_a_part_of_a_day_a_day(needed: int, looks: str, days: int) -> None:
    wanted = targets({"BTC": 75, "USDT": 25}, limits=Limits(max_turnover_per_cycle=d(10)))
    assert days_of_looks(wanted, Usage(), d(10_000), d(needed), d(looks)) == days
