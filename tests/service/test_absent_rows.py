"""A target that the exchange lists no balance of, over the real client: stopped, answered, tried with the smallest."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from rebalancer.core.reasons import Deny
from rebalancer.journal import records
from rebalancer.service.cycle import CycleStatus
from tests.service.house import DRIFTED, House
from tests.service.truth import must_hold

HELD = {coin: amount for coin, amount in DRIFTED.items() if coin != "SOL"}


def house_of(folder: Path) -> House:
    """Return a house whose looks passed while SOL still had a row of nothing, and that has none now."""
    house = House(folder, balances=dict(HELD), mode="dry-run")
    assert house.cycle().status is CycleStatus.DONE
    house.mode = "live"
    house.restart()
    house.user.unlisted = ["sol"]
    return house


def denied(house: House) -> str:
    result = house.cycle()
    assert result.status is CycleStatus.REFUSED and result.plan is not None and not house.wire.posts
    assert [denial.code for denial in result.plan.denials] == [Deny.BALANCE_MISSING]
    return result.plan.denials[0].text


def answer(house: House) -> None:
    house.journal.append(records.ack_coin("SOL", "owner"))


def test_after_the_owners_word_the_coin_is_tried_with_the_smallest_order_and_then_bought(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    assert "`rebalancer ack SOL`" in denied(house)
    assert house.journal.state.coins["SOL"].lacks_row
    answer(house)
    house.restart()
    house.wire.after_post(house.user.unlisted.clear)  # HTX lists what somebody got
    house.cycle()
    first = [record.notional_quote for record in house.records if record.asset == "SOL"]
    assert first and max(first) < 68, "of 67,000: the smallest"
    for _ in range(4):
        house.clock.advance(600)
        house.cycle()
    assert house.held("SOL") > 10
    must_hold(house)


def test_looks_that_trade_nothing_after_the_word_do_not_make_its_first_order_a_larger_one(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    denied(house)
    answer(house)
    house.mode = "dry-run"
    house.restart()
    for _ in range(3):
        house.clock.advance(600)
        assert house.cycle().plan is not None
    house.mode = "live"
    house.restart()
    house.cycle()
    bought = [record.notional_quote for record in house.records if record.asset == "SOL"]
    assert bought and max(bought) < 68, "of 67,000: one smallest order is all that a row that lies can cost"
    must_hold(house)


def test_a_coin_that_was_bought_and_still_has_no_row_stops_the_plan_for_good(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    denied(house)
    answer(house)
    house.cycle()
    bought = [record for record in house.records if record.asset == "SOL" and record.filled_quantity]
    assert len(bought) == 1 and bought[0].notional_quote < 68
    posts = len(house.wire.posts)
    for _ in range(3):
        house.restart()
        result = house.cycle()
        assert result.plan is not None and "held before" in result.plan.denials[0].text
    assert len(house.wire.posts) == posts, "one smallest order is all that it can cost"
    house.user.unlisted.clear()
    assert house.cycle().status is not CycleStatus.REFUSED
    must_hold(house)


def test_the_word_ends_with_the_first_look_that_lists_a_row(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    denied(house)
    answer(house)
    house.mode = "dry-run"
    house.restart()
    house.user.unlisted.clear()
    house.cycle()
    assert not house.journal.state.coins["SOL"].excused
    house.user.unlisted = ["sol"]
    assert house.cycle().status is CycleStatus.REFUSED


def test_many_rows_that_vanish_at_once_are_no_coins_that_are_not_held(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    denied(house)
    answer(house)
    count = house.journal.state.rows.count
    assert count is not None
    names = [name for name in house.exchange.market.currencies() if name.upper() not in house.targets.assets]
    house.user.unlisted = ["sol", *names[: count // 10]]
    assert f"under 90 % of the {count}" in denied(house)
    house.user.unlisted = ["sol"]
    assert house.cycle().status is not CycleStatus.REFUSED


def test_a_coin_beside_the_targets_that_vanishes_too_stops_the_plan(tmp_path: Path) -> None:
    house = House(tmp_path, balances={**HELD, "LTC": Decimal(3)}, mode="dry-run")
    house.cycle()
    house.mode = "live"
    house.restart()
    house.user.unlisted = ["sol"]
    denied(house)
    answer(house)
    house.user.unlisted = ["sol", "ltc"]
    assert "lacks its row too: LTC" in denied(house)
    house.exchange.deposit(house.user, "LTC", Decimal(-3))
    house.user.unlisted = ["sol"]
    assert house.cycle().status is not CycleStatus.REFUSED, "sold by hand: a row of nothing is a row"
