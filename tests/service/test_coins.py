"""Coins in doubt over the real client: one stops, the others trade, the owner answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.core.reasons import Deny, Skip
from rebalancer.core.trust import CoinState
from rebalancer.errors import GuardTripped
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
    house.clock.advance(600)
    house.cycle()
    later = [record.notional_quote for record in house.records][len(first) :]
    assert max(later) > 1000
    must_hold(house)


def reprice(house: House, **factors: str) -> None:
    """Let coins cost so many times what they cost."""
    usd = house.exchange.market._usd

    def changed(code: str, at: int) -> Decimal:
        return usd(code, at) * Decimal(factors.get(code, "1"))

    house.exchange.market._usd = changed  # type: ignore[method-assign]


def settled(folder: Path) -> House:
    house = House(folder)
    for _ in range(3):
        house.cycle()
        house.clock.advance(5 * 3600)
    assert house.cycle().status == "within_bands"
    return house


@pytest.mark.parametrize("split", ["0.001", "100"])
def test_a_coin_that_is_redenominated_is_asked_about_and_nothing_is_traded_for_it(split: str, tmp_path: Path) -> None:
    """A thousand new ones for each old one: first the market counts anew, and the exchange's accounts hours later."""
    house = settled(tmp_path)
    posts = len(house.wire.posts)
    reprice(house, sol=split)
    wallet = house.user.wallet("sol")
    for hour in range(30):
        if hour == 3:
            wallet.trade /= Decimal(split)
        house.clock.advance(3600)
        with suppress(GuardTripped):
            house.cycle()
    assert house.journal.state.coins["SOL"].state is CoinState.FROZEN
    assert "solusdt" not in {post["symbol"] for post in house.wire.posts[posts:]}
    must_hold(house)


def test_a_coin_that_was_renamed_is_asked_about_and_its_successor_is_not_taken_for_it(tmp_path: Path) -> None:
    house = settled(tmp_path)
    posts, wallet = len(house.wire.posts), house.user.wallet("sol")
    house.exchange.market.delist("solusdt")
    house.exchange.deposit(house.user, "DOGE", wallet.trade)
    for _ in range(3):
        house.clock.advance(5 * 3600)
        house.cycle()
    assert house.journal.state.coins["SOL"].state is CoinState.FROZEN
    assert house.wire.posts[posts:] == [] and house.held("DOGE") == wallet.trade


@pytest.mark.parametrize(("price", "refused"), [("1.01", False), ("0.985", False), ("1.03", True), ("0.9", True)])
def test_a_quote_coin_that_another_stable_coin_contradicts_stops_every_plan(
    price: str, refused: bool, tmp_path: Path
) -> None:
    house = House(tmp_path)
    reprice(house, usdc=price)
    result = house.cycle()
    assert result.plan is not None
    assert (Deny.QUOTE_DEPEGGED in {denial.code for denial in result.plan.denials}) is refused
    assert bool(house.wire.posts) is not refused
    reprice(house, usdc=str(1 / Decimal(price)))
    house.clock.advance(3600)
    assert house.cycle().status in {"done", "within_bands", "work_left"} and house.wire.posts


def test_a_coin_that_fell_from_the_sky_is_named_and_never_touched(tmp_path: Path) -> None:
    house = settled(tmp_path)
    posts = len(house.wire.posts)
    house.exchange.deposit(house.user, "DOGE", Decimal(1_000_000))
    house.exchange.deposit(house.user, "NEVERLISTED", Decimal(5))
    result = house.cycle()
    assert result.plan is not None and result.status == "within_bands"
    named = {skip.asset for skip in result.plan.skips if skip.reason.code is Skip.NOT_COUNTED}
    assert {"DOGE", "NEVERLISTED"} <= named and result.plan.nav_quote is not None and result.plan.nav_quote < 90_000
    assert house.wire.posts[posts:] == [] and house.held("DOGE") == 1_000_000


@pytest.mark.parametrize(
    "balances",
    [{}, {"USDT": Decimal(3)}, {"BTC": Decimal("0.00001")}, {"USDT": Decimal("9.99"), "SOL": Decimal("0.01")}],
)
def test_an_account_that_holds_nothing_or_next_to_nothing_sends_nothing_and_says_why(
    balances: dict[str, Decimal], tmp_path: Path
) -> None:
    house = House(tmp_path, balances={asset: Decimal(0) for asset in DRIFTED} | balances)
    for _ in range(3):
        result = house.cycle()
        house.clock.advance(5 * 3600)
        assert result.plan is not None and not result.plan.legs and result.status in {"refused", "work_left"}
        assert all(each.text for each in result.plan.denials)
        assert result.plan.denials or all(skip.reason.text for skip in result.plan.skips)
    assert not house.wire.posts
