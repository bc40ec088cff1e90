"""What became of the orders: said in words that add up, and as values that programs can read."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from rebalancer.core.orders import IntentState
from rebalancer.report.result import OrderEnd, ends_document, ends_text
from tests.core.builders import d
from tests.report.plans import HOSTILE, full_plan

SELL, BUY = full_plan().legs  # 0.0031 BTC at 80000, 246.5 USDT of ETH at 2500


def end(**changes: object) -> OrderEnd:
    made = OrderEnd(
        leg=SELL, state=IntentState.FILLED, sent=d("0.0031"), filled_quantity=d("0.0031"), filled_quote=d("247.38"),
        fees={"USDT": d("0.49476")}, client_order_id="rb1-abc-1", venue_order_id="1000000000000001", text="",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def bought(**changes: object) -> OrderEnd:
    return end(
        leg=BUY, sent=d("246.5"), filled_quantity=d("0.0985"), filled_quote=d("246.5"), fees={"ETH": d("0.000197")},
        **changes,
    )  # fmt: skip


def test_an_order_sold_below_the_decision_costs_slip_and_fee() -> None:
    assert end().average_price == 79_800
    # 200 of 80000 are 25 bps, the fee is 0.49476 of 248.
    assert end().shortfall_bps == pytest.approx(Decimal("44.95"))
    assert end(filled_quote=d("248.62"), fees={}).shortfall_bps == Decimal(-25), "a better price is a gain"


def test_a_fee_taken_in_the_coin_is_valued_at_the_decision() -> None:
    shortfall = bought().shortfall_bps
    assert shortfall is not None
    # 246.5 for 0.0985 is 2502.54 each, 10.15 bps; 0.000197 of 0.0985 are 20 bps.
    assert round(shortfall, 2) == Decimal("30.15")


def test_an_order_without_a_fill_has_no_price_and_no_cost() -> None:
    nothing = end(state=IntentState.REJECTED, filled_quantity=d(0), filled_quote=d(0), fees={}, text="too small")
    assert nothing.average_price is None and nothing.shortfall_bps is None
    assert ends_text([nothing]) == "1. sell BTC: rejected\n   too small\n"
    assert ends_document([nothing])[0]["shortfall_bps"] is None


def test_the_words_name_size_money_fee_and_cost() -> None:
    shown = ends_text([end(), bought()])
    assert shown.splitlines() == [
        "1. sell BTC: filled, 0.0031 BTC for 247.38 USDT",
        "   fee 0.49476 USDT, shortfall 45.0 bps against the decision",
        "2. buy ETH: filled, 0.0985 ETH for 246.50 USDT",
        "   fee 0.000197 ETH, shortfall 30.2 bps against the decision",
    ]
    assert "fee none" in ends_text([end(fees={})])
    assert ends_text([]) == ""


def test_a_fee_in_two_currencies_is_said_in_both() -> None:
    assert "0.1 USDT + 2 HTX" in ends_text([end(fees={"USDT": d("0.1"), "HTX": d(2)})])


def test_what_the_exchange_said_of_a_refusal_is_shown_and_harmless() -> None:
    refused = end(state=IntentState.REJECTED, filled_quantity=d(0), filled_quote=d(0), fees={}, text=HOSTILE)
    shown = ends_text([refused])
    assert "\x1b" not in shown and "\x07" not in shown and "[red]<script>" in shown
    assert "\x1b" not in ends_document([refused])[0]["text"]


def test_a_filled_order_needs_no_explanation() -> None:
    assert "as expected" not in ends_text([end(text="as expected")])
    assert "looked up" in ends_text([end(state=IntentState.UNKNOWN, text="looked up 3 times")])


def test_the_document_holds_money_as_text_and_absent_things_as_null() -> None:
    (row,) = ends_document([end(sent=None, venue_order_id="")])
    assert row == {
        "intent_seq": 1, "symbol": "btcusdt", "side": "sell", "state": "filled", "sent": None,
        "filled_quantity": "0.0031", "filled_quote": "247.38", "fees": {"USDT": "0.49476"}, "shortfall_bps": "44.95",
        "client_order_id": "rb1-abc-1", "venue_order_id": None, "text": "",
    }  # fmt: skip
    assert json.loads(json.dumps(row)) == row


@pytest.mark.parametrize("state", list(IntentState))
def test_every_state_of_an_order_can_be_told(state: IntentState) -> None:
    assert state.value in ends_text([end(state=state)])
