"""Coins in doubt over the real client: one stops, the others trade, the owner answers."""

from __future__ import annotations

from collections.abc import Callable
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


def suspend(house: House) -> None:
    house.exchange.market.change_spec("solusdt", state="suspend")


def close_to_keys(house: House) -> None:
    house.exchange.market.change_spec("solusdt", api_trading="disabled")


def open_to_keys(house: House) -> None:
    house.exchange.market.change_spec("solusdt", api_trading="enabled")


def take_back_to_listing(house: House) -> None:
    house.exchange.market.change_spec("solusdt", state="pre-online")


WAYS_TO_STOP = [
    (halt, lift), (take_offline, put_online), (suspend, put_online), (close_to_keys, open_to_keys),
    (take_back_to_listing, put_online),
]  # fmt: skip


@pytest.mark.parametrize(("stop", "begin"), WAYS_TO_STOP)
def test_a_coin_that_cannot_be_traded_waits_for_its_owner_and_the_others_do_not(
    stop: Callable[[House], None], begin: Callable[[House], None], tmp_path: Path
) -> None:
    house = House(tmp_path, balances=dict(HELD))
    stop(house)
    house.cycle()
    assert house.journal.state.coins["SOL"].state is CoinState.FROZEN
    assert "filled" in house.states() and "solusdt" not in symbols(house)
    begin(house)
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


def shares(house: House) -> dict[str, Decimal]:
    """Return what each asset is of the whole, by the exchange's own books."""
    market, now_ms = house.exchange.market, house.now_ms()
    worth = {
        asset: house.held(asset) * (1 if asset == "USDT" else market.last_price(f"{asset.lower()}usdt", now_ms))
        for asset in house.targets.assets
    }
    return {asset: each / sum(worth.values()) for asset, each in worth.items()}


@pytest.mark.parametrize("held", [Decimal(20), Decimal(120)])
@pytest.mark.parametrize("stop", [stop for stop, _ in WAYS_TO_STOP])
def test_the_part_of_a_coin_that_cannot_be_traded_goes_to_no_other(
    stop: Callable[[House], None], held: Decimal, tmp_path: Path
) -> None:
    house = House(tmp_path, balances={**DRIFTED, "SOL": held})
    before = shares(house)
    stop(house)
    for _ in range(3):
        house.cycle()
        house.clock.advance(6 * 3600)
    after = shares(house)
    assert "filled" in house.states() and house.held("SOL") == held
    for asset, share in after.items():
        assert share <= max(before[asset], house.targets.fraction(asset)) + Decimal("0.005"), (asset, before, after)


def test_coins_that_no_look_saw_before_get_their_smallest_orders_first(tmp_path: Path) -> None:
    house = House(tmp_path, rehearsed=False)
    house.cycle()
    first = [record.notional_quote for record in house.records]
    assert first and max(first) < 68, "of 67,000: a thousandth each at the most"
    house.cycle()
    later = [record.notional_quote for record in house.records][len(first) :]
    assert max(later) > 1000
    must_hold(house)
