"""What a whole fill at the decision mid does to each coin, its fee charged in what it brings."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.effects import filled_at_mid
from rebalancer.core.money import BaseAmount, QuoteAmount
from rebalancer.core.plan import Direct, Leg
from rebalancer.core.reasons import Reason, Why
from tests.core.builders import d

OVER_BITCOIN = Direct(spent_mid=d(2_500), received_mid=d(80_000), saves_quote=d(1))
WITH_BITCOIN = Direct(spent_mid=d(80_000), received_mid=d(2_500), saves_quote=d(1))


def leg(size: BaseAmount | QuoteAmount, mid: str, fee: int, **more: Any) -> Leg:
    made: dict[str, Any] = {
        "intent_seq": 1, "asset": "ETH", "symbol": "ethusdt", "quote": "USDT", "size": size, "notional_quote": d(5_000),
        "mid": d(mid), "fee_quote": d(fee), "spread_cost_bps": d(0), "impact_bps": d(0),
        "reason": Reason(Why.OVERWEIGHT, "why"),
    }  # fmt: skip
    return Leg(**(made | more))


@pytest.mark.parametrize(
    ("one", "changes"),
    [
        (leg(BaseAmount(d(2)), "2500", 10), {"ETH": d(-2), "USDT": d(4_990)}),
        (leg(QuoteAmount(d(5_000)), "2500", 10), {"USDT": d(-5_000), "ETH": d("1.996")}),
        (leg(BaseAmount(d(2)), "0.03125", 20, quote="BTC", direct=OVER_BITCOIN), {"ETH": d(-2), "BTC": d("0.06225")}),
        (leg(QuoteAmount(d("0.0625")), "0.03125", 20, quote="BTC", direct=WITH_BITCOIN),
         {"BTC": d("-0.0625"), "ETH": d("1.992")}),
    ],
    ids=["sell", "buy", "sell-over", "buy-over"],
)  # fmt: skip
def test_a_fill_takes_all_that_is_spent_and_brings_its_worth_less_the_fee(
    one: Leg, changes: dict[str, Decimal]
) -> None:
    assert filled_at_mid(one) == changes
