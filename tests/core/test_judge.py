"""The verdict on all coins together: what stays frozen, what is too much doubt, and its words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rebalancer.core.judge import judge
from rebalancer.core.model import Snapshot, Usage
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny
from rebalancer.core.trust import CoinState
from tests.core.builders import NOW, d, snapshot
from tests.core.test_guards import HELD, KNOWN, PRICES, SEEN, TARGETS, USAGE, one_sided

LATER = NOW + timedelta(hours=1)


def doubted(*coins: str, seen: Snapshot = SEEN) -> Snapshot:
    for coin in coins:
        seen = one_sided(seen, coin)
    return seen


def test_too_many_coins_in_doubt_are_counted_named_and_weighed() -> None:
    made = judge(doubted("XRP", "LINK"), TARGETS, USAGE)
    text = (
        "2 of 5 coins (XRP, LINK), 15.0 % of the portfolio, cannot be trusted now: more than one coin in 3 is too many "
        "to plan around"
    )
    assert [denial.asset for denial in made.denials] == ["XRP", "LINK", ""]
    assert made.denials[-1] == Denial(Deny.TOO_MANY_DOUBTS, text, limit="1 in 3", value="2 of 5 coins")


def test_too_much_of_the_portfolio_in_doubt_is_weighed_and_three_tenths_are_not_too_much() -> None:
    heavy = snapshot(HELD | {"BTC": HELD["BTC"] * 14 / 10}, PRICES)
    made = judge(doubted("BTC", seen=heavy), TARGETS, USAGE)
    text = (
        "1 of 5 coins (BTC), 31.8 % of the portfolio, cannot be trusted now: more than 30 % of NAV is too much to plan "
        "around"
    )
    assert made.denials[-1] == Denial(Deny.TOO_MANY_DOUBTS, text, limit="30 % of NAV", value="31.8 %")
    held = HELD | {"BTC": HELD["BTC"] * 12 / 10, "USDT": d(1500)}  # 3,000 of 10,000
    assert not judge(doubted("BTC", seen=snapshot(held, PRICES)), TARGETS, USAGE).denials
    kept = replace(TARGETS, kept={"BTC": HELD["BTC"]})
    assert not judge(doubted("BTC", seen=heavy), kept, USAGE).denials, "what is kept does not count"


def test_coins_whose_price_was_never_trusted_are_named_and_the_others_are_not() -> None:
    coins = {coin: known for coin, known in KNOWN.items() if coin != "SOL"}
    assert judge(SEEN, TARGETS, replace(USAGE, coins=coins)).unproven == {"SOL"}
    assert judge(SEEN, TARGETS, USAGE).unproven == frozenset()


def test_a_coin_is_frozen_by_the_doubt_that_freezes_and_says_that_one() -> None:
    halted = replace(doubted("XRP"), halted=frozenset({"XRP"}))
    made = judge(halted, TARGETS, USAGE).trust["XRP"]
    assert (made.state, made.since, made.why) == (CoinState.FROZEN, NOW, "the exchange halted xrpusdt")
    suspect = judge(doubted("XRP"), TARGETS, USAGE).trust["XRP"]
    assert (suspect.state, suspect.why) == (CoinState.SUSPECT, "the book of xrpusdt has no bids")


def test_a_frozen_coin_keeps_its_reason_until_another_freezes_it() -> None:
    known = replace(KNOWN["XRP"], state=CoinState.FROZEN, since=NOW, why="it was another coin")
    usage = replace(USAGE, coins={**KNOWN, "XRP": known})
    later = replace(doubted("XRP"), taken_at=LATER, books={
        coin: replace(book, quoted_at=LATER) for coin, book in doubted("XRP").books.items()
    })  # fmt: skip
    made = judge(later, TARGETS, usage).trust["XRP"]
    assert (made.state, made.since, made.why) == (CoinState.FROZEN, NOW, "it was another coin")
    made = judge(replace(later, halted=frozenset({"XRP"})), TARGETS, usage).trust["XRP"]
    assert (made.state, made.since, made.why) == (CoinState.FROZEN, NOW, "the exchange halted xrpusdt")


def test_a_doubt_about_the_cash_stands_beside_those_about_coins() -> None:
    made = judge(replace(doubted("XRP", "LINK"), peg=d(2)), TARGETS, USAGE)
    assert [denial.code for denial in made.denials] == [
        Deny.QUOTE_ONE_SIDED, Deny.QUOTE_ONE_SIDED, Deny.TOO_MANY_DOUBTS, Deny.QUOTE_DEPEGGED,
    ]  # fmt: skip
    never = judge(doubted("XRP"), TARGETS, Usage())
    assert [denial.code for denial in never.denials] == [Deny.QUOTE_ONE_SIDED]
