"""Plans that end no work or are no plan to trade by, and rows of before: what the state takes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.model import RowsSeen
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny, Trigger
from rebalancer.core.trust import CoinState, CoinTrust
from rebalancer.journal import records
from rebalancer.journal.rows import Entry, Kind
from rebalancer.journal.store import Journal
from tests.core.builders import NOW, d
from tests.journal.builders import PLAN, RUN, new_journal, planned
from tests.journal.test_folded_whole import THREE

AGAIN = NOW + timedelta(seconds=3)


@pytest.fixture
def journal() -> Iterator[Journal]:
    with new_journal() as made:
        yield made


def without(entry: Entry, *names: str, **changed: object) -> Entry:
    """Return a row as it was written before there were some of its parts."""
    return replace(entry, payload={key: each for key, each in entry.payload.items() if key not in names} | changed)


OLD = ("coins", "rows", "nav_here_quote")


def test_plans_of_before_coins_were_remembered_leave_the_mids_of_those_that_passed(journal: Journal) -> None:
    later = {"BTC": CoinTrust(d(50_000), AGAIN)}
    journal.append(without(planned(at=AGAIN), *OLD, nav_quote=d("50000.5")))
    assert (journal.state.coins, journal.state.rows) == (later, RowsSeen(None, frozenset({"BTC"})))
    assert (journal.state.ever_held, journal.state.nav_validated_quote) == (frozenset({"BTC"}), d("50000.5"))
    denied = replace(PLAN, denials=(Denial(Deny.CLOCK_SKEW, "the clocks are apart"),))
    journal.append(without(planned(plan=denied), *OLD, mids={"BTC": d(1)}, totals={"SOL": d(1), "ADA": d(0)}))
    assert (journal.state.coins, journal.state.rows) == (later, RowsSeen(None, frozenset({"BTC"})))
    assert journal.state.ever_held == {"BTC", "SOL"}, "a look that failed for another reason saw it all the same"


def test_a_plan_whose_data_did_not_pass_changes_nothing_that_is_compared_with_the_next(journal: Journal) -> None:
    journal.append(
        planned(plan=THREE, digest="w"), records.external_flow(RUN, held={}, moved={"ETH": d(5)}, t_exch=NOW)
    )
    before = journal.state.draft()
    denied = (Denial(Deny.CLOCK_SKEW, "the clocks are apart"),)
    worse = replace(THREE, denials=denied, legs=(), assets=THREE.assets[:1], nav_here_quote=d(1), rows=RowsSeen(1))
    journal.append(planned("run-b", plan=worse, digest="v", at=AGAIN))
    assert journal.state == replace(before, exchange_at=AGAIN)
    journal.append(planned("run-b", plan=replace(worse, denials=(), trigger=Trigger.CASH_FLOW), mode="dry-run", at=NOW))
    seen: dict[str, Any] = {
        "nav_validated_quote": Decimal(1),
        "mids": {"BTC": d(400)},
        "rows": RowsSeen(1),
        "exchange_at": NOW,
    }
    assert journal.state == replace(before, **seen)


def test_a_look_that_remembers_no_coin_takes_no_doubt_away(journal: Journal) -> None:
    doubts = {"BTC": CoinTrust(d(400), NOW, CoinState.SUSPECT, NOW, "why"), "ETH": CoinTrust(rowless_since=NOW)}
    journal.append(planned(plan=replace(PLAN, trust=doubts)), planned(plan=replace(PLAN, trust={}, assets=())))
    assert journal.state.coins == doubts
    only = {"SOL": CoinTrust(d(9), NOW)}
    journal.append(planned(plan=replace(PLAN, trust=only)))
    assert journal.state.coins == {"BTC": CoinTrust(d(400), NOW), "ETH": CoinTrust(), **only}


@pytest.mark.parametrize("payload", [{}, {"whole": False}, {"text": "done"}])
def test_a_plan_whose_end_does_not_say_that_it_was_whole_has_served_nothing(
    journal: Journal, payload: dict[str, object]
) -> None:
    journal.append(planned(digest="w"), records.plan_closed(RUN, "", whole=True), planned("run-b", digest="v"))
    journal.append(Entry(Kind.PLAN_CLOSED, payload, "run-b"))
    assert (journal.state.served_weights_digest, journal.state.open_plan_digest, journal.state.open_plan) == (
        "w",
        "",
        "",
    )
