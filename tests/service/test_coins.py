"""Coins in doubt over the real client: one stops, the others trade, the owner answers."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.core.trust import CoinState
from rebalancer.journal import records
from tests.service.house import DRIFTED, House
from tests.service.truth import must_hold

HELD = {**DRIFTED, "SOL": Decimal(20)}  # too little of it: it is to be bought


def symbols(house: House) -> set[str]:
    return {post["symbol"] for post in house.wire.posts}


def halt(house: House) -> None:
    house.exchange.status.state, house.exchange.status.affected = 2, "solusdt"


def lift(house: House) -> None:
    house.exchange.status.state, house.exchange.status.affected = 1, "all"


def take_offline(house: House) -> None:
    house.exchange.market.change_spec("solusdt", state="offline")


def put_online(house: House) -> None:
    house.exchange.market.change_spec("solusdt", state="online")


@pytest.mark.parametrize(("stop", "begin"), [(halt, lift), (take_offline, put_online)])
def test_a_coin_that_cannot_be_traded_waits_for_its_owner_and_the_others_do_not(
    stop: object, begin: object, tmp_path: Path
) -> None:
    house = House(tmp_path, balances=dict(HELD))
    stop(house)  # type: ignore[operator]
    house.cycle()
    assert house.journal.state.coins["SOL"].state is CoinState.FROZEN
    assert symbols(house) and "solusdt" not in symbols(house)
    begin(house)  # type: ignore[operator]
    house.restart()
    house.clock.advance(6 * 3600)
    house.cycle()
    assert "solusdt" not in symbols(house), "though it could be traded again"
    house.journal.append(records.ack_coin("SOL", "owner"))
    house.clock.advance(6 * 3600)
    for _ in range(3):
        house.cycle()
        house.clock.advance(3600)
    assert "solusdt" in symbols(house) and house.journal.state.coins["SOL"].is_proven
    must_hold(house)


def test_coins_that_no_look_saw_before_get_their_smallest_orders_first(tmp_path: Path) -> None:
    house = House(tmp_path, rehearsed=False)
    house.cycle()
    first = [record.notional_quote for record in house.records]
    assert first and max(first) < 68, "of 67,000: a thousandth each at the most"
    house.cycle()
    later = [record.notional_quote for record in house.records][len(first) :]
    assert max(later) > 1000
    must_hold(house)
