"""Orders that the journal cannot explain: a clone's, an older journal's, another hand's, or against what it believed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.core.orders import Event, IntentState
from rebalancer.errors import GuardTripped
from rebalancer.journal import records
from rebalancer.service.cycle import run_cycle
from rebalancer.service.strangers import look_for_strangers
from tests.service.house import DRIFTED, House


def answer_halts(house: House) -> None:
    for halt in tuple(house.journal.state.halts):
        house.journal.append(records.ack_halt(halt, "owner"))


def test_a_restored_backup_halts_over_the_orders_that_it_forgot_and_mints_no_id_again(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.close()
    shutil.copy(tmp_path / "journal.db", tmp_path / "backup.db")
    house.start()
    house.cycle()
    known = {order.client_order_id for order in house.exchange.state.orders.values()}
    house.close()
    shutil.copy(tmp_path / "backup.db", tmp_path / "journal.db")
    house.start()
    with pytest.raises(GuardTripped, match="does not know it"):
        house.cycle()
    assert len(house.exchange.state.orders) == len(known)
    answer_halts(house)
    house.exchange.deposit(house.user, "BTC", Decimal("0.4"))
    house.cycle()
    posted = {post["client-order-id"] for post in house.wire.posts[len(known) :]}
    assert posted and not posted & known


def test_a_slot_that_is_run_again_after_a_restore_mints_other_ids_for_the_same_orders(tmp_path: Path) -> None:
    """The run, its legs and their amounts are the same to the last digit: only the life of the journal is another."""
    house = House(tmp_path)
    house.close()
    shutil.copy(tmp_path / "journal.db", tmp_path / "backup.db")
    lives, slot = [], house.clock.now()
    for _ in range(2):
        house.start()
        for asset, amount in DRIFTED.items():  # by hand, back to where it was
            house.exchange.deposit(house.user, asset, amount - house.held(asset))
        before = len(house.wire.posts)
        look_for_strangers(house.shell)
        assert len(house.journal.state.halts) == before, "one for each forgotten order"
        answer_halts(house)
        run_cycle(house.shell, house.targets, schedule_id="test", slot=slot, settle_s=480)
        lives.append(house.wire.posts[before:])
        house.close()
        shutil.copy(tmp_path / "backup.db", tmp_path / "journal.db")
        house.clock.advance(3600)
    first, again = ([(post["symbol"], post["type"], post["amount"]) for post in posts] for posts in lives)
    assert first and first == again
    ids = [post["client-order-id"] for posts in lives for post in posts]
    assert len(set(ids)) == len(ids)


def test_a_cloned_machine_beside_us_is_noticed_at_the_next_slot(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    house = House(tmp_path / "ours")
    house.cycle()
    shutil.copytree(tmp_path / "ours", tmp_path / "clone")
    ours, folder = house.journal, house.folder
    house.folder = tmp_path / "clone"
    house.start()
    house.exchange.deposit(house.user, "BTC", Decimal("0.4"))
    house.cycle()
    house.close()
    house.folder, house.journal = folder, ours
    house.restart()
    with pytest.raises(GuardTripped, match="carries our prefix"):
        house.cycle()


def test_two_orders_of_an_intent_that_was_settled_are_handed_to_the_owner_once(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    order = next(iter(house.exchange.state.orders.values()))
    number = house.exchange.state.take_id()
    house.exchange.state.orders[number] = replace(order, order_id=number)
    house.restart()
    record = next(each for each in house.records if each.client_order_id == order.client_order_id)
    assert record.state is IntentState.QUARANTINED
    assert [halt.code for halt in house.journal.state.halts.values()] == ["duplicate_order"]
    house.restart()
    assert len(house.outcomes(Event.QUARANTINE)) == 1


def test_orders_by_hand_are_left_alone_until_they_are_more_than_a_hand_makes(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    for count in range(1, 5):
        house.exchange.place_by_hand(house.user, "btcusdt", "buy-market", Decimal(20), house.now_ms())
        house.clock.advance(1)
        if count <= 3:
            house.cycle()
    with pytest.raises(GuardTripped, match="not sent by this service"):
        house.cycle()
    answer_halts(house)
    house.cycle()
    house.clock.advance(3600)
    assert house.cycle().plan is not None, "an answered halt must not come back as the day moves on"


def test_an_answered_halt_over_orders_by_hand_does_not_come_back_when_the_newest_is_cancelled_and_forgotten(
    tmp_path: Path,
) -> None:
    house = House(tmp_path)
    place = house.exchange.place_by_hand
    for _ in range(4):
        place(house.user, "btcusdt", "buy-market", Decimal(20), house.now_ms())
    resting = place(house.user, "btcusdt", "buy-limit", Decimal("0.001"), house.now_ms(), price=Decimal(40_000))
    house.exchange.cancel_by_hand(house.user, resting, house.now_ms())
    with pytest.raises(GuardTripped, match=f"the newest is {resting.order_id}"):
        house.cycle()
    answer_halts(house)
    house.clock.advance(3 * 3600)
    assert house.cycle().plan is not None
    place(house.user, "btcusdt", "buy-market", Decimal(20), house.now_ms())
    with pytest.raises(GuardTripped, match="not sent by this service"):
        house.cycle()


def test_an_order_that_exists_against_what_was_believed_is_quarantined_and_halts(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    record = house.records[0]
    order = house.orders_of(record.client_order_id)[0]
    house.exchange.deposit(house.user, "BTC", Decimal("0.4"))
    house.set_faults("system_error_refused@place=1x1")
    house.cycle(settle_s=0)
    unknown = next(each for each in house.records if each.state == "unknown")
    house.journal.append(
        records.outcome(unknown.run_id, unknown.intent_seq, Event.PROVE_ABSENT, text="wrongly"),
    )
    order.client_order_id = unknown.client_order_id
    with pytest.raises(GuardTripped, match="but its intent was absent"):
        house.cycle()
    assert house.journal.state.intents[unknown.key].state == "quarantined"
