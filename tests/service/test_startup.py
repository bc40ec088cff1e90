"""The way back after a stop or a crash, at every boundary; and orders that this journal does not know."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.errors import GuardTripped, Unavailable
from rebalancer.journal import records
from rebalancer.journal.rows import Kind
from rebalancer.service.cycle import CycleStatus
from rebalancer.service.shell import DRY_RUN
from rebalancer.simulator.state import SimOrder
from tests.service.boundaries import BOUNDARIES_MAX, crash_at
from tests.service.house import House
from tests.service.truth import must_be_settled, must_hold
from tests.service.wire import Crash, nothing


def crash_everywhere(folder: Path, why: str, *, faults: str = "", since: str = "", stride: int = 1) -> set[str]:
    """Crash at one boundary after the other, restart, and hold the end against the truth; return the boundaries."""
    seen: set[str] = set()
    for number in range(1, BOUNDARIES_MAX, stride):
        place = folder / str(number)
        place.mkdir()
        house = House(place, faults=faults)
        edge = crash_at(house, number, since=since)
        if not edge:
            return seen
        seen.add(edge)
        house.restart()
        must_hold(house, (why, number, edge))
        house.cycle()
        must_be_settled(house, (why, number, edge))
        house.close()
    raise AssertionError(f"{why}: more than {BOUNDARIES_MAX} boundaries")


def test_crash_at_any_boundary_never_leads_to_two_orders_nor_to_an_orphan(tmp_path: Path) -> None:
    seen = crash_everywhere(tmp_path, "no fault")
    assert {"before SENDING", "after SENDING", "after POST /v1/order/orders/place", "before OUTCOME"} <= seen


@pytest.mark.parametrize("fault", ["lost_reply", "delayed_request", "lost_request", "partial"])
def test_crash_while_an_outcome_is_looked_for_leads_to_its_true_end(fault: str, tmp_path: Path) -> None:
    crash_everywhere(tmp_path, fault, faults=f"{fault}@place=1x1", since="before POST", stride=5)


def test_crash_that_repeats_at_every_start_does_no_harm(tmp_path: Path) -> None:
    house = House(tmp_path, faults="lost_reply@place=1x1")
    assert crash_at(house, 1, since="before OUTCOME")
    for _ in range(5):
        house.wire.before = die
        with pytest.raises(Crash):
            house.restart()
        must_hold(house)
    house.wire.before = nothing
    house.restart()
    house.cycle()
    must_be_settled(house)


def die(_request: object) -> None:
    raise Crash


def test_what_was_not_sent_is_abandoned_and_the_run_is_closed(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.wire.before_post(lambda: die(None), number=2)
    with pytest.raises(Crash):
        house.cycle()
    house.wire.before = nothing
    house.restart()
    assert house.states() == ["filled", "unknown", "abandoned"]
    assert house.payloads(Kind.RUN_CLOSED)[-1]["status"] == "interrupted"
    assert not house.journal.state.open_plan and not house.journal.state.open_run


def test_clean_start_writes_nothing_but_its_fence(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    rows = house.kinds()
    assert house.restart() == 0
    assert house.kinds()[len(rows) :] == ["FENCE"]


def test_start_of_a_dry_run_asks_the_exchange_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, faults="lost_reply@place=1x1")
    house.cycle(settle_s=0)
    house.mode = DRY_RUN
    calls = len(house.wire.calls)
    assert house.restart() == 1
    assert len(house.wire.calls) == calls


def by_hand(house: House, client_order_id: str) -> SimOrder:
    order = house.exchange.place_by_hand(house.user, "ethusdt", "sell-market", Decimal("0.01"), house.now_ms())
    order.client_order_id = client_order_id
    return order


def test_order_with_our_prefix_that_nobody_knows_halts_until_acknowledged(tmp_path: Path) -> None:
    house = House(tmp_path)
    order = by_hand(house, "rb1-somebodyelses-1")
    house.restart()
    house.restart()
    (halt,) = house.journal.state.halts.values()
    assert halt.code == "foreign_order" and str(order.order_id) in halt.text
    with pytest.raises(GuardTripped, match=f"rebalancer ack {halt.seq}"):
        house.cycle()
    assert not house.wire.posts
    house.journal.append(records.ack_halt(halt.seq, "owner"))
    house.restart()
    assert not house.journal.state.halts
    assert house.cycle().status is CycleStatus.DONE


def test_order_with_our_prefix_that_appears_while_we_run_halts_the_next_cycle(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    posts = len(house.wire.posts)
    by_hand(house, "rb1-fromaclone-1")
    with pytest.raises(GuardTripped, match="carries our prefix"):
        house.cycle()
    assert len(house.wire.posts) == posts


def test_owners_own_orders_halt_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    by_hand(house, "")
    by_hand(house, "my-own")
    house.restart()
    assert not house.journal.state.halts
    assert house.cycle().status is CycleStatus.DONE


def test_order_of_a_journal_that_was_lost_halts_the_new_one(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    house.close()
    for file in tmp_path.glob("journal.db*"):
        file.unlink()
    house.start()
    house.restart()
    assert len(house.journal.state.halts) == len(house.wire.posts)


def test_start_while_the_exchange_is_away_fails_and_keeps_what_it_wrote(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert crash_at(house, 1, since="after POST")
    house.set_faults("html_502")
    with pytest.raises(Unavailable):
        house.restart()
    house.set_faults("")
    house.restart()
    house.cycle()
    must_be_settled(house)
