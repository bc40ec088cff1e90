"""A target without a balance row: only the owner's word on a coin never held, and only on rows that agree, excuses it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import combinations

import pytest

from rebalancer.core.model import RowsSeen, Snapshot, Usage
from rebalancer.core.plan import Decision, Plan
from rebalancer.core.planner import make_plan
from rebalancer.core.reasons import Deny
from rebalancer.core.spread import spread_of
from rebalancer.core.trust import CoinTrust
from tests.core.builders import LOOSE, NOW, d, snapshot, targets

PRICES = {"BTC": 80_000, "ETH": 2500, "SOL": 100}
TARGETS = targets({"BTC": 40, "ETH": 20, "SOL": 10, "USDT": 30}, limits=replace(LOOSE, max_notional_per_day=d(10**6),
                                                                              max_order_notional=d(10**6)))  # fmt: skip
HELD = {"BTC": "0.05", "ETH": "0.8", "USDT": 4000}  # of 10,000, SOL to be bought
EARLIER = NOW - timedelta(hours=4)
SEEN = replace(snapshot(HELD, PRICES), balance_rows=900)
KNOWN = {coin: CoinTrust(d(price), EARLIER) for coin, price in PRICES.items()}
EXCUSED = {**KNOWN, "SOL": CoinTrust(d(100), EARLIER, accepted=True, rowless_since=EARLIER, excused=True)}
USAGE = Usage(
    has_traded=True,
    coins=EXCUSED,
    rows=RowsSeen(1000, frozenset({"BTC", "ETH", "USDT"})),
    ever_held=frozenset({"BTC", "ETH", "USDT", "DOGE"}),
)


def plan(seen: Snapshot = SEEN, usage: Usage = USAGE, *, live: bool = True) -> Plan:
    return make_plan(seen, TARGETS, usage, live=live)


def missing(made: Plan) -> str:
    assert made.denials and not made.legs
    assert {denial.code for denial in made.denials} == {Deny.BALANCE_MISSING}
    return "; ".join(denial.text for denial in made.denials)


def test_a_coin_never_held_that_the_owner_answered_for_counts_as_not_held_and_is_bought_by_the_smallest_order() -> None:
    made = plan()
    assert not made.denials
    (leg,) = made.legs
    assert leg.asset == "SOL" and leg.notional_quote <= 12, "until a fill shows that the coin is what it seems"
    line = next(line for line in made.assets if line.asset == "SOL")
    assert (line.free, line.weight, line.decision) == (0, 0, Decision.BUY)
    assert made.taken_as_zero == {"SOL"} and any("SOL" in note for note in made.notes)


def test_a_coin_without_a_row_is_tried_with_the_smallest_order_however_often_its_price_was_seen() -> None:
    proven = CoinTrust(d(100), EARLIER, rowless_since=EARLIER, excused=True)
    assert proven.is_proven
    (leg,) = plan(usage=replace(USAGE, coins={**KNOWN, "SOL": proven})).legs
    assert leg.asset == "SOL" and leg.notional_quote <= 12, "what its price is says nothing of how much is held"
    assert "; no balance of it is listed, so the smallest order tries it" in leg.reason.text


def test_a_coin_with_a_row_whose_price_is_seen_for_the_first_time_is_tried_for_its_price() -> None:
    seen = replace(snapshot({**HELD, "SOL": 0}, PRICES), balance_rows=900)
    (leg,) = plan(seen, replace(USAGE, coins={**KNOWN, "SOL": CoinTrust()})).legs
    assert leg.asset == "SOL" and leg.notional_quote <= 12
    assert "; the first look at its price, so the smallest order tries it" in leg.reason.text


BROKEN = {
    "the owner said nothing": (SEEN, replace(USAGE, coins=KNOWN), "`rebalancer ack SOL`"),
    "it was held before": (SEEN, replace(USAGE, ever_held=USAGE.ever_held | {"SOL"}), "was held before"),
    "two reads differ": (replace(SEEN, balance_rows=None), USAGE, "listed different rows"),
    "too few rows": (replace(SEEN, balance_rows=899), USAGE, "899 rows, under 90 % of the 1000"),
    "no look of before": (SEEN, replace(USAGE, rows=RowsSeen(None, USAGE.rows.held)), "plan once without SOL"),
    "a held coin lacks its row": (
        SEEN, replace(USAGE, rows=RowsSeen(1000, USAGE.rows.held | {"XRP", "ADA"})), "lacks its row too: ADA, XRP",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_one_condition_that_fails_stops_the_plan_and_is_named(name: str) -> None:
    seen, usage, text = BROKEN[name]
    assert text in missing(plan(seen, usage))
    assert text in missing(plan(seen, usage, live=False))


@pytest.mark.parametrize(("one", "other"), [*combinations(BROKEN, 2)])
def test_no_two_failed_conditions_excuse_each_other(one: str, other: str) -> None:
    first, second = BROKEN[one], BROKEN[other]
    usage = first[1] if second[1] is USAGE else second[1]
    seen = first[0] if second[0] is SEEN else second[0]
    missing(plan(seen, usage))


def test_the_cash_is_never_excused() -> None:
    balances = {asset: held for asset, held in SEEN.balances.items() if asset != "USDT"}
    usage = replace(USAGE, rows=RowsSeen(900, frozenset({"BTC", "ETH"})), ever_held=frozenset({"BTC", "ETH"}))
    made = plan(replace(SEEN, balances=balances), usage)
    assert [(denial.asset, denial.code) for denial in made.denials] == [("USDT", Deny.BALANCE_MISSING)]
    assert made.denials[0].text.endswith("no balance row for USDT; absent is not zero")


def test_a_word_that_does_not_help_is_not_said_to_count() -> None:
    """After an `ack` of a coin that was held before, the notes said that it counts as not held; the plan was refused."""
    made = plan(usage=replace(USAGE, ever_held=USAGE.ever_held | {"SOL"}))
    assert "was held before" in missing(made) and not made.taken_as_zero and not made.notes


def test_a_second_coin_without_a_row_needs_a_word_of_its_own() -> None:
    balances = {asset: held for asset, held in SEEN.balances.items() if asset != "ETH"}
    usage = replace(USAGE, rows=RowsSeen(900, frozenset({"BTC"})), ever_held=frozenset({"BTC"}))
    assert "`rebalancer ack ETH`" in missing(plan(replace(SEEN, balances=balances), usage))


def test_the_word_lasts_while_the_row_is_missing_and_not_beyond() -> None:
    made = plan()
    assert made.trust["SOL"].excused and made.trust["SOL"].rowless_since == EARLIER
    back = plan(replace(snapshot({**HELD, "SOL": 0}, PRICES), balance_rows=900), replace(USAGE, coins=made.trust))
    assert not back.denials and back.trust["SOL"].rowless_since is None and not back.trust["SOL"].excused
    assert "`rebalancer ack SOL`" in missing(plan(usage=replace(USAGE, coins=back.trust)))


def test_a_missing_row_is_remembered_from_its_first_look_and_the_owner_may_answer_once_it_is() -> None:
    first = plan(usage=replace(USAGE, coins=KNOWN)).trust
    assert (first["SOL"].rowless_since, first["SOL"].lacks_row, first["SOL"].in_doubt) == (NOW, True, True)
    later = replace(SEEN, taken_at=NOW + timedelta(hours=1))
    second = plan(later, replace(USAGE, coins=first)).trust["SOL"]
    assert second.rowless_since == NOW
    answered = second.acked()
    assert answered.excused and not answered.lacks_row and not answered.in_doubt and not answered.is_proven
    assert not KNOWN["SOL"].acked().excused, "a word on a price says nothing of a row"
    assert second.forgotten().rowless_since is None and not answered.forgotten().excused


def test_what_a_look_listed_is_said_with_its_plan() -> None:
    assert plan().rows == RowsSeen(900, frozenset({"BTC", "ETH", "USDT"}))
    assert plan(usage=replace(USAGE, coins=KNOWN)).rows.count == 900


def test_a_preview_counts_an_excused_coin_as_the_plan_does() -> None:
    spread = spread_of(SEEN, TARGETS, replace(USAGE, coins={**EXCUSED, "SOL": replace(EXCUSED["SOL"])}), d(6))
    assert spread is not None and spread.turnover_quote > 900
    assert spread_of(SEEN, TARGETS, replace(USAGE, coins=KNOWN), d(6)) is None
