"""Denials and an unvalued plan in the plan document, whole."""

from __future__ import annotations

from dataclasses import replace

from rebalancer.core.model import Usage
from rebalancer.core.plan import Denial
from rebalancer.core.plan_json import plan_document
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Deny
from tests.core.builders import snapshot, targets
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
    made = make_plan(seen, wanted, Usage(), denied=(Denial(Deny.PAUSED, "paused", "", "a", "b"),))
    assert (made.taken_at, made.account_id, made.quote) == (seen.taken_at, seen.account_id, "USDT")
    assert (made.targets_digest, made.nav_quote, made.trigger.value, made.totals) == (wanted.digest, None, "none", None)
    assert (made.assets, made.legs, made.skips) == ((), (), ())
    assert made.denials == (Denial(Deny.PAUSED, "paused", "", "a", "b"),)
    assert replace(made, denials=()).refused is False
