"""What became of an order whose answer never came: found, proven absent by four things together, or handed over."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rebalancer.core.canonical import parse_moment
from rebalancer.core.orders import Event
from rebalancer.errors import GuardTripped, RebalancerError
from rebalancer.journal import records
from rebalancer.journal.fold import IntentRecord
from rebalancer.journal.rows import Kind
from rebalancer.service.cycle import CycleStatus
from rebalancer.service.reconcile import resolve, resolve_once
from rebalancer.simulator.exchange import ExchangeOptions
from rebalancer.simulator.mishaps import LATE_MS
from rebalancer.simulator.state import SimOrder
from tests.service.house import House
from tests.service.truth import must_be_settled, must_hold

GRACE_S = 420


def unknown(folder: Path, fault: str = "lost_request", **options: Any) -> House:
    """Return a house whose first place call had no answer."""
    house = House(folder, faults=f"{fault}@place=1x1", options=ExchangeOptions(**options))
    house.cycle(settle_s=0)
    assert house.states()[0] == "unknown"
    return house


def sole(house: House) -> IntentRecord:
    return house.records[0]


def signed_at(house: House) -> datetime:
    signed = sole(house).signed_at
    assert signed is not None
    return signed


def go_to(house: House, seconds: float) -> None:
    """Move to so many seconds after signing."""
    ahead = signed_at(house) + timedelta(seconds=seconds) - house.clock.now()
    house.clock.advance(ahead.total_seconds())


def hand_order(house: House) -> SimOrder:
    """Sell by hand exactly what our lost order would have sold."""
    amount = sole(house).sent_amount
    assert amount is not None
    return house.exchange.place_by_hand(house.user, sole(house).symbol, "sell-market", amount, house.now_ms())


@pytest.mark.parametrize("step_s", [1, 7, 31, 60])
def test_absence_needs_the_grace_and_two_answers_half_a_minute_apart_after_it(step_s: int, tmp_path: Path) -> None:
    house = unknown(tmp_path)
    go_to(house, GRACE_S - 5 * step_s)
    while sole(house).state.value == "unknown":
        house.clock.advance(step_s)
        resolve_once(house.shell)
    assert sole(house).state.value == "absent"
    assert (house.clock.now() - signed_at(house)).total_seconds() >= GRACE_S + 30
    answers = [
        parse_moment(row.t_exch)
        for row in house.journal.rows(kinds=(Kind.EVIDENCE,))
        if parse_moment(row.t_exch) >= signed_at(house) + timedelta(seconds=GRACE_S)
    ]
    assert answers[-1] - answers[0] >= timedelta(seconds=30)
    must_be_settled(house, step_s)


def test_waiting_asks_at_the_deadline_and_half_a_minute_later_and_no_longer(tmp_path: Path) -> None:
    house = unknown(tmp_path)
    assert resolve(house.shell, 480) == 0
    assert GRACE_S + 30 <= (house.clock.now() - signed_at(house)).total_seconds() <= GRACE_S + 35


def test_waiting_ends_when_told_to_stop(tmp_path: Path) -> None:
    house = unknown(tmp_path)
    house.stop = True
    before = house.clock.now()
    assert resolve(house.shell, 480) == 1
    assert house.clock.now() == before


def test_machine_whose_clock_is_ahead_after_a_restart_does_not_conclude_absence_early(tmp_path: Path) -> None:
    house = unknown(tmp_path)
    house.wrong_s = 3_600
    house.restart()
    for _ in range(4):
        house.clock.advance(40)
        resolve_once(house.shell)
    assert sole(house).state.value == "unknown"
    assert sole(house).not_found_at == ()


def test_request_that_is_carried_out_late_is_found_and_not_declared_absent(tmp_path: Path) -> None:
    house = unknown(tmp_path, "delayed_request")
    go_to(house, LATE_MS / 1000 - 1)
    assert resolve_once(house.shell) == 1
    assert resolve(house.shell, 480) == 0
    assert sole(house).state.value == "filled"
    must_be_settled(house)


def test_order_that_stays_invisible_for_a_while_is_found(tmp_path: Path) -> None:
    house = unknown(tmp_path, "lost_reply")
    order = next(iter(house.exchange.state.orders.values()))
    order.visible_ms = house.now_ms() + 80_000
    assert resolve_once(house.shell) == 1
    assert resolve(house.shell, 480) == 0
    assert sole(house).state.value == "filled"


@pytest.mark.parametrize("canceled_search", ["ignored", "refused"])
@pytest.mark.parametrize("hours", [1, 3, 9, 47.99, 49, 24 * 6, 24 * 170, 24 * 179 - 1])
def test_executed_order_is_found_however_long_we_were_away(hours: float, canceled_search: str, tmp_path: Path) -> None:
    house = unknown(tmp_path, "lost_reply", canceled_search=canceled_search)
    house.clock.advance(hours * 3600)
    assert house.restart() == 0
    assert sole(house).state.value == "filled"
    must_be_settled(house, hours)


@pytest.mark.parametrize("canceled_search", ["ignored", "refused"])
def test_request_that_was_lost_long_ago_is_proven_absent(canceled_search: str, tmp_path: Path) -> None:
    house = unknown(tmp_path, canceled_search=canceled_search)
    house.clock.advance(24 * 178 * 3600)
    house.restart()
    assert resolve(house.shell, 480) == 0
    assert house.states() == ["absent", *["abandoned"] * (len(house.states()) - 1)]


@pytest.mark.parametrize("days", [179.5, 181, 400])
def test_intent_older_than_the_exchanges_memory_goes_to_the_owner(days: float, tmp_path: Path) -> None:
    house = unknown(tmp_path)
    house.clock.advance(days * 24 * 3600)
    house.restart()
    assert sole(house).state.value == "quarantined"


@pytest.mark.parametrize("query", ["client-order", "open-orders", "order-search", "timestamp"])
@pytest.mark.parametrize("fault", ["html_502", "lost_reply", "truncated", "http_429", "html_200"])
def test_query_that_fails_is_not_an_answer(query: str, fault: str, tmp_path: Path) -> None:
    house = unknown(tmp_path)
    house.set_faults(f"{fault}@{query}")
    assert resolve(house.shell, 900) == 1
    assert sole(house).state.value == "unknown"
    assert [row["evidence"] for row in house.payloads(Kind.EVIDENCE)] in ([], ["refused"])
    house.set_faults("")
    assert resolve(house.shell, 480) == 0
    assert sole(house).state.value == "absent"


def ask_for(house: House, hours: float) -> None:
    """Ask every quarter of an hour, as often as a restart happens in between."""
    until = house.clock.now() + timedelta(hours=hours)
    while house.clock.now() < until:
        house.clock.advance(900)
        house.restart()


def test_order_of_a_pair_that_is_delisted_meanwhile_is_found_by_its_id(tmp_path: Path) -> None:
    house = unknown(tmp_path, "lost_reply")
    house.clock.advance(1)
    house.shell.venue.fetch_server_time()  # it is executed by then
    house.exchange.market.delist(sole(house).symbol)
    resolve(house.shell, 480)
    assert sole(house).state.value == "filled"
    must_hold(house)


def test_lost_order_of_a_pair_that_is_delisted_meanwhile_goes_to_the_owner_within_hours(tmp_path: Path) -> None:
    house = unknown(tmp_path)
    house.exchange.market.delist(sole(house).symbol)
    ask_for(house, 6)
    assert sole(house).state.value == "unknown"
    ask_for(house, 1)
    assert sole(house).state.value == "quarantined"
    assert "base-symbol-error" in sole(house).text and "since 2026-03-01" in sole(house).text
    rows = len(house.payloads(Kind.EVIDENCE))
    assert rows == 1, "one row, however often it is refused"


def test_accepted_order_whose_answers_cannot_be_read_goes_to_the_owner_within_hours(tmp_path: Path) -> None:
    house = House(tmp_path, faults="truncated@order")
    house.cycle(settle_s=0)
    assert sole(house).state.value == "acked"
    ask_for(house, 5)
    house.set_faults("")
    resolve_once(house.shell)
    assert sole(house).state.value == "filled", "one good answer is enough, however late"


@pytest.mark.parametrize("fault", ["truncated", "html_200"])
def test_exchange_that_says_nothing_of_use_about_anything_is_waited_for(fault: str, tmp_path: Path) -> None:
    house = unknown(tmp_path, "lost_reply")
    house.set_faults(fault)
    for _ in range(100):
        house.clock.advance(900)
        resolve_once(house.shell)
    assert sole(house).state.value == "unknown"
    house.set_faults("")
    resolve(house.shell, 480)
    assert sole(house).state.value == "filled"


def test_lost_order_whose_proof_lacks_the_balances_for_hours_goes_to_the_owner(tmp_path: Path) -> None:
    house = unknown(tmp_path)
    house.set_faults("truncated@balance")
    for _ in range(30):
        house.clock.advance(900)
        resolve_once(house.shell)
    assert sole(house).state.value == "quarantined"
    assert "balance" in sole(house).text
    assert [row["evidence"] for row in house.payloads(Kind.EVIDENCE)].count("refused") == 1


def test_answers_now_and_then_begin_the_hours_anew(tmp_path: Path) -> None:
    house = House(tmp_path, options=ExchangeOptions(execution_delay_ms=10**9))  # it stays open
    house.cycle(settle_s=0)
    for _ in range(4):
        house.set_faults("truncated@order")
        for _ in range(20):
            house.clock.advance(900)
            resolve_once(house.shell)
        house.set_faults("")
        resolve_once(house.shell)
    assert sole(house).state.value == "acked"
    assert [row["evidence"] for row in house.payloads(Kind.EVIDENCE)] == ["refused", "answered"] * 4


@pytest.mark.parametrize("executed", [True, False])
def test_a_day_without_answers_leaves_the_order_unknown_plans_nothing_and_ends_by_itself(
    executed: bool, tmp_path: Path
) -> None:
    """A bot that gave up on its orders after some failed queries forgot six that had been accepted."""
    house = unknown(tmp_path, "lost_reply" if executed else "lost_request")
    lookups = ",".join(f"lost_request@{query}" for query in ("client-order", "open-orders", "order-search"))
    asked = len(house.wire.calls)
    for hour in range(24):
        house.set_faults("lost_request" if hour % 2 else lookups)
        with suppress(RebalancerError):  # as the scheduler does
            assert resolve(house.shell, 3600) == 1, hour
        with suppress(RebalancerError):
            assert house.cycle(settle_s=0).status is CycleStatus.OUTCOME_UNKNOWN
        assert sole(house).state.value == "unknown" and not house.payloads(Kind.EVIDENCE), hour
    assert len(house.payloads(Kind.PLAN)) == 1 and len(house.wire.posts) == 1
    assert 24 * 50 < len(house.wire.calls) - asked < 24 * 70 * 6, "about once a minute, whatever fails"
    house.set_faults("")
    assert resolve(house.shell, 480) == 0
    assert sole(house).state.value == ("filled" if executed else "absent")
    must_be_settled(house)


def test_balances_that_moved_forbid_the_conclusion_and_the_order_goes_to_the_owner(tmp_path: Path) -> None:
    house = unknown(tmp_path)
    house.exchange.deposit(house.user, "USDT", Decimal("0.01"))
    resolve(house.shell, 480)
    assert sole(house).state.value == "quarantined"
    assert "balances moved" in sole(house).text and "USDT" in sole(house).text


def test_missing_balance_row_forbids_the_conclusion(tmp_path: Path) -> None:
    house = unknown(tmp_path)
    house.set_faults("missing_row@balance")
    resolve(house.shell, 480)
    assert sole(house).state.value == "quarantined"
    assert "no row" in sole(house).text


def test_strange_order_of_our_side_and_amount_forbids_the_conclusion(tmp_path: Path) -> None:
    house = unknown(tmp_path)
    order = hand_order(house)
    resolve(house.shell, 480)
    assert sole(house).state.value == "quarantined"
    assert str(order.order_id) in sole(house).text


def test_quarantined_order_blocks_every_plan_until_the_owner_says_what_it_was(tmp_path: Path) -> None:
    house = unknown(tmp_path)
    house.exchange.deposit(house.user, "USDT", Decimal(1))
    resolve(house.shell, 480)
    for _ in range(3):
        house.restart()
        assert house.cycle().status is CycleStatus.OUTCOME_UNKNOWN
    assert len(house.payloads(Kind.PLAN)) == 1
    word = records.ack_intent(*sole(house).key, Event.ACK_ABSENT, who="owner", text="looked it up")
    house.journal.append(word)
    must_be_settled(house)


@pytest.mark.parametrize("seen_by_id", [True, False])
def test_two_orders_of_one_id_are_quarantined_and_halt_until_acknowledged(seen_by_id: bool, tmp_path: Path) -> None:
    house = unknown(tmp_path, "lost_reply")
    hand_order(house).client_order_id = sole(house).client_order_id
    if not seen_by_id:
        house.clock.advance(3 * 3600)
    assert resolve_once(house.shell) == 1
    assert sole(house).state.value == "quarantined"
    with pytest.raises(GuardTripped, match="2 orders carry the id"):
        house.cycle()
    (halt,) = house.journal.state.halts
    house.journal.append(
        records.ack_halt(halt, "owner"),
        records.ack_intent(
            *sole(house).key, Event.ACK_FILLED, who="owner", text="both sold", filled=(Decimal(1), Decimal(1))
        ),
    )
    assert house.cycle().plan is not None


def test_order_with_our_id_and_another_amount_goes_to_the_owner(tmp_path: Path) -> None:
    house = unknown(tmp_path)
    order = house.exchange.place_by_hand(house.user, "btcusdt", "sell-market", Decimal("0.001"), house.now_ms())
    order.client_order_id = sole(house).client_order_id
    resolve_once(house.shell)
    assert sole(house).state.value == "quarantined"
    assert "amount" in sole(house).text


def test_nothing_is_ever_sent_while_resolving(tmp_path: Path) -> None:
    house = unknown(tmp_path)
    resolve(house.shell, 900)
    assert len(house.wire.posts) == 1
    must_hold(house)
