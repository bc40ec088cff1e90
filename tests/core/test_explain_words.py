"""Why something waits, is too small or cannot be sent: each sentence whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rebalancer.core import explain
from rebalancer.core.depth import Walk
from rebalancer.core.judge import Judged
from rebalancer.core.ladder import Ladder
from rebalancer.core.model import Book, Level, Side, Snapshot
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny, Reason, Skip, Trigger, Why
from rebalancer.core.trust import CoinTrust
from tests.core.builders import NOW, d, rules, snapshot, targets
from tests.core.test_explain import SEEN, TARGETS, valued

RULES = rules("BTC")
LADDER = Ladder(Side.BUY, d(1), d(1), d(1), d(0), d(12), d(500))
BOOK = Book("btcusdt", (Level(d(99), d(1)),), (Level(d(101), d(1)),), NOW)


@pytest.mark.parametrize(
    ("quote", "min_notional", "made"),
    [
        ("11.99", 10, Reason(Skip.BELOW_MIN_NOTIONAL, "its part, 11.99 USDT, is below the smallest order that it may "
                             "have, 12.00 USDT; acts when its part is as large")),
        ("9", 7, Reason(Skip.BELOW_SMALLEST_TRADE, "its part, 9.00 USDT, is below the smallest order that it may "
                        "have, 12.00 USDT; acts when its part is as large")),
        ("12", 11, Reason(Skip.NO_COUNTERPART, "the smallest order that it may have, 12.00 USDT, would lead further "
                          "from the targets: too little stands on the other side of theirs")),
    ],
)  # fmt: skip
def test_a_part_without_an_order_is_too_small_for_one_or_has_nobody_to_trade_with(
    quote: str, min_notional: int, made: Reason
) -> None:
    assert explain.too_small(d(quote), LADDER, replace(RULES, min_notional=d(min_notional))) == made


def test_a_part_on_the_exchanges_minimum_with_its_margin_is_not_below_it() -> None:
    assert explain.too_small(d("8.4"), LADDER, replace(RULES, min_notional=d(7))).code is Skip.BELOW_SMALLEST_TRADE


def test_what_a_limit_took_from_an_order_waits() -> None:
    text = "limits, cash or books leave 5.00 of 20.00 USDT (smallest order 12.00); waits for a later cycle"
    assert explain.waits(d(5), d(20), LADDER, RULES) == Reason(Skip.CAP_REACHED, text)


def test_a_book_is_too_thin_or_too_dear_for_the_smallest_order() -> None:
    text = "the visible book of btcusdt is too thin for the smallest order"
    thin = explain.no_depth(RULES, Walk(d(1), d(2), d(3), exhausted=True), d(50))
    assert thin == Reason(Skip.BOOK_TOO_THIN, text)
    text = "even the smallest order would slip 61.5 bps, over max_slippage_bps = 50"
    dear = explain.no_depth(RULES, Walk(d(1), d(20), d("41.5"), exhausted=False), d(50))
    assert dear == Reason(Skip.SLIPPAGE, text)


def test_a_limit_order_needs_bounds_from_the_exchange_and_a_price_within_reach() -> None:
    assert explain.no_collar(RULES, BOOK, Side.BUY, d(101), d(50)) is None
    text = "the best price of btcusdt is beyond max_slippage_bps = 50"
    assert explain.no_collar(RULES, BOOK, Side.BUY, d(100), d(50)) == Reason(Skip.SLIPPAGE, text)
    unbound = replace(RULES, limit_quantity_min=None)
    text = 'HTX names no limits of quantity for btcusdt, so order_type = "ioc" cannot be used for it'
    assert explain.no_collar(unbound, BOOK, Side.BUY, d(101), d(50)) == Reason(Skip.NOT_TRADABLE, text)


@pytest.mark.parametrize(
    ("side", "made"),
    [
        (Side.BUY, Reason(Why.DEPOSIT, "money came in: BTC is among the lightest (60 % of 50 %), so it is bought; "
                          "nothing is sold")),
        (Side.SELL, Reason(Why.WITHDRAWAL, "money went out: BTC is among the heaviest (60 % of 50 %), so it refills "
                           "the cash, no more")),
    ],
)  # fmt: skip
def test_money_that_came_or_went_is_a_legs_reason(side: Side, made: Reason) -> None:
    assert explain.why(valued(0.1, 0, -0.1), 0, "BTC", side, Trigger.CASH_FLOW, outside=True) == made


def test_a_stray_that_waits_for_money_to_be_served_says_so() -> None:
    made = explain.stays(valued(0.06, 0, 0), 0, TARGETS, SEEN, Trigger.CASH_FLOW)
    assert made == Reason(Skip.CASH_FLOW_FIRST, "outside its band; the money that came or went is served first")


def test_a_price_in_doubt_that_was_never_trusted_has_no_time() -> None:
    judged = Judged({"BTC": d(7)}, {}, {"BTC": CoinTrust(fresh=d(7), why="no bids")})
    assert explain.in_doubt(judged, "BTC", "USDT").text == (
        "in doubt: no bids; counted at 7 USDT; trades again when its price passes"
    )


GONE = "BTC is sold: what is left of it, if anything, is too little for an order; take it out of [exit]"
LOCKED = "BTC is to be sold completely ([exit]), but too little of it is free: the rest is locked or kept"


def leaving(free: str, locked: str) -> Snapshot:
    return snapshot({"BTC": free, "ETH": 1, "USDT": 1}, {"BTC": 50_000, "ETH": 1}, locked={"BTC": locked})


@pytest.mark.parametrize(
    ("seen", "trigger", "made"),
    [
        (leaving("0", "0"), Trigger.NONE, Reason(Skip.GONE, GONE)),
        (leaving("0", "1"), Trigger.NONE, Reason(Skip.NO_FREE_BALANCE, LOCKED)),
        (leaving("1", "0"), Trigger.CASH_FLOW, Reason(
            Skip.CASH_FLOW_FIRST, "to be sold completely ([exit]); the money that came or went is served first")),
        (leaving("1", "0"), Trigger.NONE, Reason(
            Skip.NO_COUNTERPART, "to be sold completely ([exit]), once this plan is not refused")),
    ],
)  # fmt: skip
def test_a_coin_that_leaves_and_stays_for_now_says_why(seen: Snapshot, trigger: Trigger, made: Reason) -> None:
    wanted = replace(targets({"ETH": 60, "USDT": 40}), leaving=("BTC",))
    value = replace(valued(0.1, 0, 0), prices={"BTC": d(50_000)})
    assert explain.stays(value, 2, wanted, seen, trigger) == made


def test_why_a_coin_leaves_and_what_the_cash_lacks_are_told_in_words() -> None:
    assert explain.leaves("BTC") == Reason(Why.EXIT, "BTC is to be sold completely ([exit])")
    kept = replace(TARGETS, kept={"USDT": d(100)})
    text = "the account holds 90.5 USDT, less than [keep] says (100): lower that, or add to it"
    assert explain.cash_lacks_its_keep(kept, d("90.50")) == Denial(Deny.CASH_BELOW_KEEP, text, "USDT", "100", "90.5")
