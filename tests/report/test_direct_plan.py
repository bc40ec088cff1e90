"""Direct orders in every form of the report: two coins, one order, and what it saves."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from rebalancer.core.money import QuoteAmount
from rebalancer.core.orders import IntentState
from rebalancer.core.plan import Direct, Plan
from rebalancer.core.plan_json import plan_document
from rebalancer.core.reasons import Reason, Why
from rebalancer.report.html import plan_html, weights_after
from rebalancer.report.result import OrderEnd, ends_text
from rebalancer.report.tables import plan_csv, plan_markdown
from rebalancer.report.text import plan_text
from tests.core.builders import d
from tests.report.plans import HEADER, full_plan

NOTE = "linkbtc is not used: its mid is 1.40 % from the ratio of LINK and BTC in USDT, over 1 %"


def direct_plan() -> Plan:
    """Return the plan by hand with one order instead of two: bitcoin is sold for ether."""
    plan = full_plan()
    leg = replace(
        plan.legs[1],
        intent_seq=1,
        symbol="ethbtc",
        quote="BTC",
        size=QuoteAmount(d("0.0031")),
        notional_quote=d(248),
        mid=d("0.03125"),
        reason=Reason(
            Why.OVERWEIGHT, "BTC sold directly for ETH saves about 1.23 USDT; BTC: too much; ETH: too little"
        ),
        direct=Direct(d(80_000), d(2_500), d("1.2345")),
    )
    return replace(plan, legs=(leg,), notes=(NOTE,))


def test_the_text_names_both_coins_what_is_saved_and_each_note() -> None:
    text = plan_text(direct_plan(), HEADER)
    flat = " ".join(text.split())
    assert "1. sell 0.0031 BTC directly for ETH, about 248.00 USDT, fee 0.49" in flat
    assert "BTC sold directly for ETH saves about 1.23 USDT" in flat
    assert "1 of them directly from coin to coin, which saves about 1.23 USDT." in flat
    assert NOTE in flat and max(map(len, text.splitlines())) <= 80
    assert "directly" not in plan_text(full_plan(), HEADER)


def test_the_document_has_more_keys_only_for_a_direct_leg() -> None:
    plain, direct = (plan_document(plan, HEADER) for plan in (full_plan(), direct_plan()))
    assert direct["legs"][0]["direct"] == {"spent": "BTC", "received": "ETH", "saves_quote": "1.2345"}
    assert direct["legs"][0]["spend_quote"] == "0.0031" and direct["notes"] == [NOTE]
    assert direct["totals"].pop("saves_quote") == "1.2345"
    assert direct["totals"] == plain["totals"]
    assert list(direct["legs"][0])[:-1] == list(plain["legs"][1]) and list(direct)[:-1] == list(plain)
    assert "direct" not in json.dumps(plain)


def test_the_table_gives_each_coin_its_part_and_counts_the_fee_once() -> None:
    rows = {row["asset"]: row for row in csv.DictReader(io.StringIO(plan_csv(direct_plan(), HEADER)))}
    assert (rows["BTC"]["order_quantity"], rows["BTC"]["order_spend_quote"], rows["BTC"]["fee_quote"]) == (
        "0.0031",
        "",
        "",
    )
    assert (rows["ETH"]["order_quantity"], rows["ETH"]["order_spend_quote"]) == ("", "248")
    assert rows["ETH"]["fee_quote"] == "0.493"
    assert not any(rows["USDT"][name] for name in ("order_quantity", "order_spend_quote", "fee_quote"))


@pytest.mark.parametrize("form", [plan_markdown, plan_html])
def test_page_and_markdown_say_the_same(form: object) -> None:
    shown = form(direct_plan(), HEADER)  # type: ignore[operator]
    assert "0.0031 BTC" in shown and "linkbtc is not used" in shown and "1.23 USDT" in shown


def test_what_is_left_after_it_is_reckoned_in_both_coins() -> None:
    after = weights_after(direct_plan())
    total = d("10000") - d("0.493")
    assert after["BTC"] == (d("4700") - 248) / total
    assert after["ETH"] == (d("1100") + 248 - d("0.493")) / total
    assert after["USDT"] == d("3100") / total


def test_what_became_of_it_is_told_in_the_coin_that_was_spent() -> None:
    end = OrderEnd(
        leg=direct_plan().legs[0], state=IntentState.FILLED, sent=d("0.0031"), filled_quantity=d("0.0991"),
        filled_quote=d("0.0031"), fees={"ETH": d("0.0001982")}, client_order_id="rb1-abc-1", venue_order_id="1", text="",
    )  # fmt: skip
    assert ends_text([end]).startswith("1. buy ETH: filled, 0.0991 ETH for 0.0031 BTC\n   fee 0.0001982 ETH")
    # 0.0031 for 0.0991 is 0.0312815 each, 10.1 bps over the mid; the fee is 20.
    assert end.shortfall_bps == pytest.approx(d("30.1"), abs=d("0.1"))
