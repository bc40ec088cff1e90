"""Every doubt about the data with its code, both numbers and words, and the last figure that raises none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rebalancer.core.guards import beyond, doubts_of
from rebalancer.core.judge import judge
from rebalancer.core.model import Book, Level, RowsSeen, Snapshot, Ticker, Usage
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny
from rebalancer.core.trust import CoinTrust
from tests.core.builders import NOW, d, snapshot, targets

TARGETS = targets({"BTC": 50, "ETH": 30, "USDT": 20})
SEEN = snapshot({"BTC": "0.2", "ETH": "1", "USDT": "3000"}, {"BTC": 80_000, "ETH": 2000})


def seen_with(**sections: Any) -> Snapshot:
    """Return the snapshot with one asset's entry changed in each section; None takes it out."""
    changed = {}
    for section, (asset, value) in sections.items():
        entries = {a: each for a, each in getattr(SEEN, section).items() if a != asset}
        changed[section] = entries if value is None else entries | {asset: value}
    return replace(SEEN, **changed)


def side(price: str) -> tuple[Level, ...]:
    return (Level(d(price), d(1)),)


def book(bid: str, ask: str, *, late_s: int = 0) -> Book:
    return Book("ethusdt", side(bid), side(ask), NOW - timedelta(seconds=late_s))


def ticker(last: str, opened: str) -> Ticker:
    return Ticker("ethusdt", d(last), d(opened), d(1), d(1))


def rule(**changes: Any) -> tuple[str, Any]:
    return "ETH", replace(SEEN.rules["ETH"], **changes)


def found(seen: Snapshot, **mids: str) -> tuple[Denial, ...]:
    usage = Usage(coins={asset: CoinTrust(d(mid), NOW) for asset, mid in mids.items()}, rows=RowsSeen(3))
    return judge(replace(seen, balance_rows=3), TARGETS, usage).denials


def doubts(seen: Snapshot, **mids: str) -> tuple[Denial, ...]:
    return tuple(doubts_of(seen, "ETH", CoinTrust(d(mids["ETH"]), NOW)))


NO_PAIR = "HTX lists no pair ETH/USDT; take ETH out of the targets or map its code in [codes]"
DOUBTS = [
    (seen_with(balances=("ETH", None)), Denial(
        Deny.BALANCE_MISSING, "the exchange's answer has no balance row for ETH; absent is not zero; "
        "if you hold none of it there, say `rebalancer ack ETH`", "ETH")),
    (seen_with(balances=("USDT", None)), Denial(
        Deny.BALANCE_MISSING, "the exchange's answer has no balance row for USDT; absent is not zero", "USDT")),
    (seen_with(rules=("ETH", None)), Denial(Deny.SYMBOL_MISSING, NO_PAIR, "ETH")),
    (seen_with(rules=rule(base="ETC")), Denial(Deny.SYMBOL_MISSING, NO_PAIR, "ETH")),
    (seen_with(rules=rule(quote="USDC")), Denial(Deny.SYMBOL_MISSING, NO_PAIR, "ETH")),
    (seen_with(rules=rule(tags=("etp",))), Denial(
        Deny.LEVERAGED_TOKEN, "ETH is a leveraged token; these are never traded", "ETH")),
    (seen_with(fees=("ETH", None)), Denial(
        Deny.FEE_MISSING, "the exchange's answer has no fee rate for ethusdt", "ETH")),
    (seen_with(books=("ETH", None)), Denial(Deny.QUOTE_MISSING, "ethusdt has no usable order book", "ETH")),
    (seen_with(tickers=("ETH", None)), Denial(Deny.QUOTE_MISSING, "ethusdt has no usable ticker", "ETH")),
    (seen_with(books=("ETH", Book("ethusdt", (), side("1"), NOW))), Denial(
        Deny.QUOTE_ONE_SIDED, "the book of ethusdt has no bids", "ETH")),
    (seen_with(books=("ETH", Book("ethusdt", side("1"), (), NOW))), Denial(
        Deny.QUOTE_ONE_SIDED, "the book of ethusdt has no asks", "ETH")),
    (seen_with(books=("ETH", book("0", "2001"))), Denial(
        Deny.QUOTE_NOT_POSITIVE, "ethusdt has a price that is not above zero", "ETH")),
    (seen_with(books=("ETH", book("1", "0"))), Denial(
        Deny.QUOTE_NOT_POSITIVE, "ethusdt has a price that is not above zero", "ETH")),
    (seen_with(tickers=("ETH", ticker("0", "2000"))), Denial(
        Deny.QUOTE_NOT_POSITIVE, "ethusdt has a price that is not above zero", "ETH")),
    (seen_with(tickers=("ETH", ticker("2000", "0"))), Denial(
        Deny.QUOTE_NOT_POSITIVE, "ethusdt has a price that is not above zero", "ETH")),
    (seen_with(books=("ETH", book("2000", "2000"))), Denial(
        Deny.QUOTE_CROSSED, "the book of ethusdt is crossed: bid 2000, ask 2000", "ETH")),
    (seen_with(books=("ETH", book("1999", "2001", late_s=31))), Denial(
        Deny.QUOTE_STALE, "the book of ethusdt is 31 s old", "ETH", "30 s", "31 s")),
    (seen_with(books=("ETH", book("1999", "2001", late_s=-31))), Denial(
        Deny.QUOTE_STALE, "the book of ethusdt is -31 s old", "ETH", "30 s", "-31 s")),
    (seen_with(books=("ETH", book("1989.9", "2010.1"))), Denial(
        Deny.SPREAD_TOO_WIDE, "the spread of ethusdt is 1.01 %, over 1 %", "ETH", "1 %", "1.01 %")),
    (seen_with(tickers=("ETH", ticker("2021", "2000"))), Denial(
        Deny.LAST_OFF_MID, "the last trade of ethusdt is off the mid and is 1.05 %, over 1 %", "ETH", "1 %", "1.05 %")),
    (seen_with(tickers=("ETH", ticker("1979", "2000"))), Denial(
        Deny.LAST_OFF_MID, "the last trade of ethusdt is off the mid and is 1.05 %, over 1 %", "ETH", "1 %", "1.05 %")),
    (seen_with(tickers=("ETH", ticker("2000", "1400"))), Denial(
        Deny.DAY_MOVE_TOO_LARGE, "the 24 h move of ethusdt is 42.86 %, over 40 %", "ETH", "40 %", "42.86 %")),
    (seen_with(tickers=("ETH", ticker("2000", "4000"))), Denial(
        Deny.DAY_MOVE_TOO_LARGE, "the 24 h move of ethusdt is 50.00 %, over 40 %", "ETH", "40 %", "50.00 %")),
    (replace(SEEN, peg=d("1.021")), Denial(
        Deny.QUOTE_DEPEGGED, "USDT against a second stable coin is off and is 2.10 %, over 2 %", "USDT", "2 %", "2.10 %")),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "denial"), DOUBTS, ids=[f"{n}-{denial.code}" for n, (_, denial) in enumerate(DOUBTS)])
def test_one_doubt_is_one_denial_with_its_numbers_and_words(seen: Snapshot, denial: Denial) -> None:
    assert tuple(each for each in found(seen) if each.code is not Deny.TOO_MANY_DOUBTS) == (denial,)


@pytest.mark.parametrize(("known", "moved"), [("1400", "42.86 %"), ("3400", "41.18 %")])
def test_a_jump_against_our_own_memory_is_told_in_both_directions(known: str, moved: str) -> None:
    text = f"the move of ethusdt since our last look is {moved}, over 40 %"
    assert doubts(SEEN, ETH=known) == (Denial(Deny.PRICE_JUMPED, text, "ETH", "40 %", moved),)


@pytest.mark.parametrize(
    "seen",
    [
        SEEN,
        seen_with(books=("ETH", book("1999", "2001", late_s=30))),
        seen_with(books=("ETH", book("1999", "2001", late_s=-30))),
        seen_with(books=("ETH", book("1990", "2010"))),
        seen_with(tickers=("ETH", ticker("2020", "2000"))),
        seen_with(tickers=("ETH", ticker("1980", "2000"))),
        seen_with(tickers=("ETH", Ticker("ethusdt", d(2000), d(2000) / d("1.4"), d(1), d(1)))),
        replace(SEEN, peg=d("1.02")),
        replace(SEEN, peg=d("0.98")),
    ],
)
def test_a_figure_on_its_bound_raises_no_doubt(seen: Snapshot) -> None:
    assert found(seen, BTC="80000", ETH="2000") == ()
    assert found(replace(seen, rules={a: replace(r, tags=("nav",)) for a, r in seen.rules.items()})) == ()


def test_prices_below_one_are_prices() -> None:
    seen = snapshot({"BTC": "1", "ETH": "1", "USDT": "1"}, {"BTC": "0.5", "ETH": "0.25"})
    assert found(seen) == ()


def test_a_coin_that_takes_no_orders_needs_no_fee() -> None:
    closed = replace(seen_with(fees=("ETH", None)), rules=dict(SEEN.rules) | {"ETH": rule(online=False)[1]})
    assert [doubt.code for doubt in doubts(closed, ETH="2000")] == [Deny.TRADING_OFF]


def test_a_coin_whose_pair_is_missing_is_asked_nothing_more_and_the_next_is() -> None:
    seen = seen_with(rules=("BTC", None), books=("ETH", None), balances=("BTC", None))
    assert [(denial.code, denial.asset) for denial in found(seen)] == [
        (Deny.BALANCE_MISSING, "BTC"),
        (Deny.SYMBOL_MISSING, "BTC"),
        (Deny.QUOTE_MISSING, "ETH"),
    ]


def test_memory_of_a_coin_without_a_price_now_adds_nothing_to_its_doubt() -> None:
    assert [denial.code for denial in doubts(seen_with(books=("ETH", None)), ETH="1")] == [Deny.QUOTE_MISSING]
    one_sided = seen_with(books=("ETH", Book("ethusdt", (), side("1"), NOW)))
    assert [denial.code for denial in doubts(one_sided, ETH="100")] == [Deny.QUOTE_ONE_SIDED]
    nothing = seen_with(books=("ETH", book("0", "0")))
    assert [denial.code for denial in doubts(nothing, ETH="100")] == [Deny.QUOTE_NOT_POSITIVE]


def test_a_bound_is_told_in_whole_percent() -> None:
    told = list(beyond(Deny.LAST_OFF_MID, "ETH", "it", d("1.2"), d("1")))
    assert told == [Denial(Deny.LAST_OFF_MID, "it is 120.00 %, over 100 %", "ETH", "100 %", "120.00 %")]


@pytest.mark.parametrize(("known", "times"), [("500", None), ("8000", None), ("400", "5"), ("10000", "0.2")])
def test_a_price_is_too_far_after_a_day_beyond_four_times_or_a_fourth_of_what_it_was(
    known: str, times: str | None
) -> None:
    stays = CoinTrust(d(known), NOW - timedelta(days=1), fresh=d(2000), fresh_at=NOW - timedelta(hours=1))
    found = tuple(doubts_of(SEEN, "ETH", stays))
    text = (
        f"ethusdt costs {times} times what it did when its price last passed (2026-02-28 12:00 UTC)"
        ": a collapse, a redenomination or another coin of that name"
    )
    assert found == (
        () if times is None else (Denial(Deny.PRICE_FAR, text, "ETH", "1/4 to 4 times", f"{times} times"),)
    )


@pytest.mark.parametrize(("mid", "off"), [("0.97", "3.00 %"), ("1.03", "3.00 %"), ("0.98", None), ("1.02", None)])
def test_a_stable_coin_is_doubted_off_its_peg_to_another_and_named(mid: str, off: str | None) -> None:
    seen = snapshot({"USDC": "100", "USDT": "100"}, {"USDC": mid})
    text = f"USDC against USDT is off and is {off}, over 2 %"
    told = () if off is None else (Denial(Deny.COIN_DEPEGGED, text, "USDC", "2 %", off),)
    assert tuple(doubts_of(seen, "USDC", CoinTrust(d(mid), NOW))) == told
