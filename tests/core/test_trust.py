"""What is remembered of one coin, move by move."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rebalancer.core.trust import CoinState, CoinTrust, is_near, read_trust, trust_document
from tests.core.builders import NOW, d

LATER = NOW + timedelta(hours=1)
FULL = CoinTrust(
    d(100),
    NOW,
    CoinState.FROZEN,
    NOW,
    "no bids",
    fresh=d(90),
    fresh_at=NOW,
    accepted=True,
    rowless_since=NOW,
    excused=True,
)


@pytest.mark.parametrize(("mid", "near"), [("14", True), ("6", True), ("14.01", False), ("5.99", False)])
def test_a_price_is_near_another_up_to_two_fifths_of_it(mid: str, near: bool) -> None:
    assert is_near(d(mid), d(10)) is near


@pytest.mark.parametrize(("paid", "kept"), [("204", True), ("196", True), ("204.01", False), ("195.99", False)])
def test_a_fill_speaks_against_what_was_believed_beyond_two_percent_of_it(paid: str, kept: bool) -> None:
    coin = CoinTrust(d(7), NOW, fresh=d(200), fresh_at=NOW, accepted=True)
    assert coin.after_fill_at(d(paid)) == (coin if kept else CoinTrust(d(7), NOW, accepted=True))
    for fresh in (None, d(7)):  # what else looks told was not believed
        trusted = CoinTrust(d(200), NOW, fresh=fresh)
        assert trusted.after_fill_at(d(paid)) == (trusted if kept else CoinTrust(d(200), NOW, accepted=True))


def test_a_first_price_is_only_fresh_and_a_second_near_it_is_trusted() -> None:
    first = CoinTrust().passed(d(10), NOW)
    assert first == CoinTrust(fresh=d(10), fresh_at=NOW)
    assert first.passed(d(14), LATER) == CoinTrust(d(14), LATER)
    assert first.passed(d(15), LATER) == CoinTrust(fresh=d(15), fresh_at=LATER)


def test_what_was_told_a_moment_ago_is_no_second_word() -> None:
    first = CoinTrust().passed(d(10), NOW)
    for minutes, trusted in (("9.9", False), ("10", True)):
        at = NOW + timedelta(minutes=float(minutes))
        assert first.passed(d(11), at) == (CoinTrust(d(11), at) if trusted else first)
        assert first.was_told(d(11), at) is trusted and not first.was_told(d(15), at)
    assert CoinTrust(fresh=d(10)).passed(d(11), NOW) == CoinTrust(d(11), NOW), "rows of before do not say when"
    assert not CoinTrust(d(10), NOW).was_told(d(10), LATER)


def test_what_looks_tell_counts_from_the_first_of_those_that_agree() -> None:
    coin = CoinTrust(d(10), NOW)
    told = coin.told(d(30), NOW)
    assert told == CoinTrust(d(10), NOW, fresh=d(30), fresh_at=NOW) and told.is_proven
    assert told.told(d(42), LATER) == told
    assert told.told(d(43), LATER) == CoinTrust(d(10), NOW, fresh=d(43), fresh_at=LATER)


def test_what_the_owner_accepted_is_a_first_price_again() -> None:
    accepted = CoinTrust(d(10), NOW, accepted=True)
    again = accepted.passed(d(99), LATER)
    assert again == replace(accepted, fresh=d(99), fresh_at=LATER)
    latest = LATER + timedelta(hours=1)
    assert again.passed(d(100), latest) == CoinTrust(d(100), latest)


def test_a_trusted_price_is_followed_wherever_the_tests_let_it_pass() -> None:
    assert CoinTrust(d(10), NOW, fresh=d(3), fresh_at=NOW).passed(d(99), LATER) == CoinTrust(d(99), LATER)


def test_a_coin_that_is_no_target_any_more_keeps_its_price_and_no_question() -> None:
    assert FULL.forgotten() == CoinTrust(d(100), NOW, fresh=d(90), fresh_at=NOW, accepted=True)


def test_the_owners_word_opens_the_price_and_answers_for_a_missing_row_where_one_is_missing() -> None:
    assert replace(FULL, excused=False).acked() == CoinTrust(
        d(100), NOW, accepted=True, rowless_since=NOW, excused=True
    )
    assert replace(FULL, rowless_since=None, excused=False).acked() == CoinTrust(d(100), NOW, accepted=True)


def test_a_row_that_is_there_ends_what_was_said_of_its_lack_and_one_that_stays_away_began_when_it_did() -> None:
    assert FULL.listed(LATER, has_row=True) == replace(FULL, rowless_since=None, excused=False)
    assert FULL.listed(LATER, has_row=False) == FULL
    assert CoinTrust().listed(LATER, has_row=False) == CoinTrust(rowless_since=LATER)


@pytest.mark.parametrize(
    "coin", [CoinTrust(), FULL, CoinTrust(d("0.1"), NOW), CoinTrust(fresh=d(1)), CoinTrust(state=CoinState.SUSPECT, since=NOW, why="x")]
)  # fmt: skip
def test_what_is_written_down_reads_back(coin: CoinTrust) -> None:
    assert read_trust(trust_document({"BTC": coin})) == {"BTC": coin}


def test_of_a_price_without_its_time_nothing_is_written_down() -> None:
    assert trust_document({"BTC": CoinTrust(d(1)), "ETH": CoinTrust(at=NOW)}) == {
        "BTC": {"state": "normal"}, "ETH": {"state": "normal"},
    }  # fmt: skip


def test_the_owners_word_on_a_missing_row_can_be_taken_back_and_nothing_else_with_it() -> None:
    assert FULL.unexcused() == replace(FULL, excused=False)
