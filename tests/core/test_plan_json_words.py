"""Denials and an unvalued plan in the plan document, whole."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from rebalancer.core.model import Usage
from rebalancer.core.money import plain
from rebalancer.core.plan import Denial
from rebalancer.core.plan_json import plan_document
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Deny
from rebalancer.core.targets import OrderPolicy, Route
from tests.core.builders import snapshot, targets, with_crosses
from tests.report.plans import HEADER, refused_plan


def test_a_refused_plan_is_told_with_its_denials_and_no_figures() -> None:
    assert plan_document(refused_plan(), HEADER) == {
        "schema": "rebalancer.plan/1", "cycle_id": "cron-20260301T1207Z-a1", "taken_at": "2026-03-01T12:07:03.250000Z",
        "mode": "dry-run", "venue": "htx", "quote": "USDT", "nav_quote": None, "nav_here_quote": None, "trigger": "none", "assets": [], "legs": [],
        "skips": [], "warnings": [], "totals": None,
        "denials": [{
            "code": "quote_one_sided", "asset": "ETH", "limit": "", "value": "", "text": "the book of ethusdt has no asks",
        }],
    }  # fmt: skip


def test_a_plan_without_a_value_names_its_snapshot_and_targets_and_holds_nothing_else() -> None:
    seen, wanted = snapshot({"BTC": 0, "USDT": 0}, {"BTC": 50_000}), targets({"BTC": 50, "USDT": 50})
    made = make_plan(seen, wanted, Usage())
    assert (made.taken_at, made.account_id, made.quote) == (seen.taken_at, seen.account_id, "USDT")
    assert (made.targets_digest, made.nav_quote, made.trigger.value, made.totals) == (wanted.digest, None, "none", None)
    assert (made.assets, made.legs, made.skips) == ((), (), ())
    assert [denial.code for denial in made.denials] == [Deny.NAV_NOT_POSITIVE]
    assert replace(made, denials=()).refused is False


def test_a_plan_with_direct_orders_ends_with_the_sum_of_what_they_say_they_save() -> None:
    seen = with_crosses(
        snapshot({"BTC": "0.35", "ETH": 16, "SOL": 140, "USDT": 15_000}, {"BTC": 80_000, "ETH": 2_500, "SOL": 125}),
        {("ETH", "BTC"): "1", ("SOL", "BTC"): "1"},
    )
    wanted = targets({"BTC": 45, "ETH": 30, "SOL": 10, "USDT": 15})
    over_cash = plan_document(make_plan(seen, wanted, Usage(has_traded=True)), HEADER)
    assert over_cash["legs"] and "saves_quote" not in over_cash["totals"]
    direct = replace(wanted, orders=OrderPolicy(route=Route.DIRECT))
    document = plan_document(make_plan(seen, direct, Usage(has_traded=True)), HEADER)
    said = [Decimal(leg["direct"]["saves_quote"]) for leg in document["legs"] if "direct" in leg]
    assert len(said) == 2 and min(said) > 0
    assert document["totals"]["saves_quote"] == plain(sum(said, Decimal(0)))


def test_what_a_live_cycle_would_refuse_is_told_as_a_warning() -> None:
    warning = Denial(Deny.ACK_NEEDED, "ask first", "", "10 % of NAV", "50 %")
    document = plan_document(replace(refused_plan(), warnings=(warning,)), HEADER)
    assert document["warnings"] == [
        {"code": "ack_needed", "asset": "", "limit": "10 % of NAV", "value": "50 %", "text": "ask first"}
    ]
