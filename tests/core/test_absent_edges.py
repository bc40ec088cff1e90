"""What a missing row counts as, by itself."""

from __future__ import annotations

from dataclasses import replace

from rebalancer.core.absent import count_rows
from rebalancer.core.model import Balance
from rebalancer.core.reasons import Deny
from tests.core.builders import d
from tests.core.test_absent import KNOWN, SEEN, TARGETS, USAGE


def test_a_row_that_counts_as_zero_is_one_of_its_coin_and_stands_beside_the_others_as_they_are() -> None:
    counted = count_rows(SEEN, TARGETS, USAGE)
    assert counted.balances == {**SEEN.balances, "SOL": Balance("SOL", d(0), d(0))} and not counted.denials


def test_a_coin_that_was_never_looked_at_is_asked_about_like_any_other() -> None:
    usage = replace(USAGE, coins={coin: trust for coin, trust in KNOWN.items() if coin != "SOL"})
    (denial,) = count_rows(SEEN, TARGETS, usage).denials
    assert denial.code is Deny.BALANCE_MISSING and "say `rebalancer ack SOL`" in denial.text
