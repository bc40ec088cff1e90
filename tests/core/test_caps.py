"""What the limits leave, to the quote unit, and the words in which they refuse."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.caps import Room, denials_of, missing_live_limits, room_left, scale_to
from rebalancer.core.model import Usage
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny
from rebalancer.core.targets import Limits
from tests.core.builders import d

LIMITS = Limits(max_turnover_per_cycle=d(10), max_turnover_per_day=d(25), max_orders_per_day=10)
ROOM = Room(d(100), Deny.TURNOVER_CYCLE, "10 % of NAV", None, None, 10)


@pytest.mark.parametrize(
    ("usage", "limits", "wanted"),
    [
        (Usage(), {}, ROOM),
        (Usage(sold_quote=d(150), bought_quote=d(140)), {}, ROOM),
        (Usage(sold_quote=d(160), bought_quote=d(90)), {},
         replace(ROOM, turnover_quote=d(90), turnover_code=Deny.TURNOVER_DAY, turnover_limit="25 % of NAV")),
        (Usage(bought_quote=d(999)), {},
         replace(ROOM, turnover_quote=d(0), turnover_code=Deny.TURNOVER_DAY, turnover_limit="25 % of NAV")),
        (Usage(nav_validated_quote=d(200)), {}, replace(ROOM, turnover_quote=d(20))),
        (Usage(nav_validated_quote=d(10**6), sold_quote=d(160)), {},
         replace(ROOM, turnover_quote=d(90), turnover_code=Deny.TURNOVER_DAY, turnover_limit="25 % of NAV")),
        (Usage(sold_quote=d(3), bought_quote=d(4)), {"max_notional_per_day": d(10)}, replace(ROOM, notional_day_quote=d(3))),
        (Usage(sold_quote=d(7), bought_quote=d(4)), {"max_notional_per_day": d(10)}, replace(ROOM, notional_day_quote=d(0))),
        (Usage(), {"max_order_notional": d(7)}, replace(ROOM, notional_order_quote=d(7))),
        (Usage(orders=9), {}, replace(ROOM, orders=1)),
        (Usage(orders=11), {}, replace(ROOM, orders=0)),
    ],
)  # fmt: skip
def test_room_is_what_each_limit_leaves_and_never_less_than_nothing(
    usage: Usage, limits: dict[str, Any], wanted: Room
) -> None:
    assert room_left(replace(LIMITS, **limits), usage, d(1000)) == wanted


def test_a_limit_that_leaves_something_denies_nothing() -> None:
    least = replace(ROOM, turnover_quote=d("0.01"), notional_day_quote=d("0.01"), orders=1)
    assert denials_of(least, LIMITS, Usage()) == ()
    assert denials_of(ROOM, LIMITS, Usage()) == ()


def test_each_used_up_limit_denies_with_what_was_used_and_the_limit() -> None:
    room = replace(ROOM, turnover_quote=d(0), notional_day_quote=d(0), orders=0)
    usage = Usage(sold_quote=d("100.456"), bought_quote=d(40), orders=12)
    assert denials_of(room, replace(LIMITS, max_notional_per_day=d(140)), usage) == (
        Denial(Deny.TURNOVER_CYCLE, "the turnover of the last 24 hours used up its limit; the rest waits", "",
               "10 % of NAV", "100.46"),
        Denial(Deny.NOTIONAL_DAY, "the orders of the last 24 hours used up max_notional_per_day; the rest waits", "",
               "140", "140.46"),
        Denial(Deny.ORDERS_DAY, "max_orders_per_day is used up; the rest waits", "", "10", "12"),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["max_notional_per_day", "max_order_notional"])
def test_live_trading_names_each_limit_that_is_not_set(name: str) -> None:
    both = replace(LIMITS, max_notional_per_day=d(1), max_order_notional=d(1))
    assert missing_live_limits(both) == ()
    assert missing_live_limits(replace(both, **{name: None})) == (  # type: ignore[arg-type]
        Denial(Deny.LIMIT_NOT_SET, f"live trading needs {name} in [limits]", "", name, "not set"),
    )


@pytest.mark.parametrize(
    ("sold", "bought", "day", "factor"),
    [
        (100, 100, None, "1"),
        (200, 50, None, "0.5"),
        (50, 400, None, "0.25"),
        (60, 40, 100, "1"),
        (400, 400, 300, "0.25"),
        (60, 40, 50, "0.5"),
        (200, 200, 200, "0.5"),
        (200, 200, 100, "0.25"),
        (0, 0, 0, "1"),
    ],
)
def test_both_sides_shrink_by_the_factor_of_the_tighter_limit(
    sold: int, bought: int, day: int | None, factor: str
) -> None:
    room = replace(ROOM, notional_day_quote=None if day is None else Decimal(day))
    assert scale_to(room, Decimal(sold), Decimal(bought)) == d(factor)
