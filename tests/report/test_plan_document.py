"""The plan as a document that programs rely on: its keys, its order, its text for money, byte for byte."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.core.model import Usage
from rebalancer.core.plan_json import plan_document
from rebalancer.core.planner import make_plan
from tests.core.builders import snapshot, targets
from tests.report.plans import HEADER, collared_plan, full_plan, refused_plan

GOLDEN = Path(__file__).parents[1] / "data" / "plan.json"
CONTRACT = {
    "": "schema cycle_id taken_at mode venue quote nav_quote nav_here_quote assets legs skips denials warnings totals",
    "assets": "asset free locked kept external price value_quote weight target band_low band_high drift state decision reason",
    "legs": "intent_seq symbol side order_type notional_quote fee_quote spread_cost_bps impact_bps client_order_id reason",
    "skips": "asset reason",
    "totals": "turnover notional_quote fee_quote cost_bps drift_before drift_after nav_after_quote",
}


def text_of(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def test_the_document_is_the_golden_one_byte_for_byte() -> None:
    assert text_of(plan_document(full_plan(), HEADER)) == GOLDEN.read_text(encoding="utf-8")


def test_the_document_holds_every_key_of_its_contract() -> None:
    document = plan_document(full_plan(), HEADER)
    assert document["schema"] == "rebalancer.plan/1"
    for part, keys in CONTRACT.items():
        rows = [document] if not part else document[part] if isinstance(document[part], list) else [document[part]]
        for row in rows:
            assert set(keys.split()) <= set(row), (part, set(keys.split()) - set(row))
    sell, buy = document["legs"]
    assert sell["quantity"] == "0.0031" and "spend_quote" not in sell
    assert buy["spend_quote"] == "246.5" and "quantity" not in buy
    sell, buy = plan_document(collared_plan(), HEADER)["legs"]
    assert (sell["order_type"], sell["quantity"], sell["limit_price"]) == ("ioc", "0.0031", "79600.25")
    assert (buy["quantity"], buy["limit_price"], buy["spend_quote"]) == ("0.098", "2512.5", "246.225")
    assert set(plan_document(refused_plan(), HEADER)["denials"][0]) >= {"code", "limit", "value"}


def test_no_figure_of_money_is_a_number() -> None:
    def numbers(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [found for key, each in value.items() if key != "intent_seq" for found in numbers(each)]
        if isinstance(value, list):
            return [found for each in value for found in numbers(each)]
        return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []

    assert numbers(plan_document(full_plan(), HEADER)) == []


def test_the_same_snapshot_gives_the_same_bytes() -> None:
    seen = snapshot({"BTC": "0.2", "ETH": "1", "USDT": "3000"}, {"BTC": 80_000, "ETH": 2500})
    wanted = targets({"BTC": 50, "ETH": 30, "USDT": 20})
    one, two = (text_of(plan_document(make_plan(seen, wanted, Usage()), HEADER)) for _ in range(2))
    assert one == two
    assert all("E" not in leg["notional_quote"] for leg in json.loads(one)["legs"])
    assert Decimal(json.loads(one)["nav_quote"]) == 21_500
