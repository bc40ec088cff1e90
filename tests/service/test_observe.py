"""One coherent look: all of it or none, and what the exchange does not list is absent rather than zero."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rebalancer.core.model import Account
from rebalancer.core.reasons import Deny
from rebalancer.errors import AuthCause, AuthFailed, VenueError
from rebalancer.service.cycle import CycleStatus
from rebalancer.service.observe import Observation, choose_account, observe
from tests.core.builders import targets
from tests.service.house import ACCOUNT, DRIFTED, LIVE_LIMITS, WEIGHTS, House
from tests.service.truth import must_be_settled
from tests.service.wire import nothing

READS = ("market-symbols", "tickers", "balance", "fee-rate", "market-status", "depth")
SPOT = Account("7", "spot", working=True)
OTHERS = (
    Account("1", "point", working=True),
    Account("8", "spot", working=False),
    Account("9", "margin", working=True),
)


def look(house: House) -> Observation:
    return observe(house.shell.venue, house.shell.gather, house.targets, ACCOUNT)


def test_snapshot_holds_every_target_and_nothing_that_is_empty(tmp_path: Path) -> None:
    start = {**DRIFTED, "DOGE": Decimal(5)}
    snapshot = look(House(tmp_path, balances=start)).snapshot
    assert {asset: held.total for asset, held in snapshot.balances.items()} == start
    for kept in (snapshot.rules, snapshot.books, snapshot.tickers, snapshot.fees):
        assert set(kept) == set(WEIGHTS) - {"USDT"}


def test_target_that_is_not_held_is_a_zero_row(tmp_path: Path) -> None:
    snapshot = look(House(tmp_path, balances={"USDT": Decimal(1)})).snapshot
    assert snapshot.balances["BTC"].total == 0


def test_rows_are_counted_and_where_a_target_has_none_two_reads_must_list_the_same(tmp_path: Path) -> None:
    house = House(tmp_path, balances={asset: held for asset, held in DRIFTED.items() if asset != "SOL"})
    count = len(house.exchange.market.currencies())
    assert look(house).snapshot.balance_rows == count
    house.user.unlisted = ["sol"]
    assert look(house).snapshot.balance_rows == count - 1
    house.set_faults("missing_row@balance=1x1")
    assert look(house).snapshot.balance_rows is None


def test_a_coin_that_was_held_keeps_its_row_of_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    seen = observe(house.shell.venue, house.shell.gather, house.targets, ACCOUNT, {"DOGE", "NOSUCH"}).snapshot
    assert seen.balances["DOGE"].total == 0 and "NOSUCH" not in seen.balances


@pytest.mark.parametrize("endpoint", READS)
@pytest.mark.parametrize("fault", ["html_502", "html_200", "truncated", "lost_reply", "http_429", "redirect"])
def test_one_failed_read_fails_the_whole_look(endpoint: str, fault: str, tmp_path: Path) -> None:
    house = House(tmp_path, faults=f"{fault}@{endpoint}")
    with pytest.raises(VenueError):
        look(house)


@pytest.mark.parametrize("endpoint", READS)
def test_read_that_fails_for_a_moment_is_repeated(endpoint: str, tmp_path: Path) -> None:
    house = House(tmp_path)
    calm = look(house).snapshot
    house.set_faults(f"html_502@{endpoint}=1x1")
    again = look(house).snapshot
    assert (again.balances, again.rules, again.fees) == (calm.balances, calm.rules, calm.fees)


@pytest.mark.parametrize(("coin", "code"), [("NOSUCH", Deny.SYMBOL_MISSING), ("BTC3L", Deny.LEVERAGED_TOKEN)])
def test_target_that_cannot_be_had_is_refused_by_name(coin: str, code: Deny, tmp_path: Path) -> None:
    house = House(tmp_path, targets=targets({"BTC": 50, coin: 30, "USDT": 20}, limits=LIVE_LIMITS))
    result = house.cycle()
    assert result.status is CycleStatus.REFUSED
    assert result.plan is not None and (code, coin) in {(denial.code, denial.asset) for denial in result.plan.denials}
    assert not house.wire.posts


def test_unlisted_target_does_not_hide_what_is_known_of_the_others(tmp_path: Path) -> None:
    house = House(tmp_path, targets=targets({"BTC": 50, "NOSUCH": 30, "USDT": 20}))
    snapshot = look(house).snapshot
    assert set(snapshot.rules) == set(snapshot.fees) == set(snapshot.books) == {"BTC"}


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"ip_addresses": ("203.0.113.7",)}, AuthCause.IP),
        ({"secret_key": "rotated"}, AuthCause.SIGNATURE),
        ({"expires_ms": 0}, AuthCause.EXPIRED),
    ],
)
def test_a_key_that_is_refused_is_tried_once_a_cycle_and_nothing_is_sent(
    change: dict[str, Any], cause: AuthCause, tmp_path: Path
) -> None:
    """An address that was blocked for knocking again and again helps nobody."""
    house = House(tmp_path)
    house.cycle()
    posts = len(house.wire.posts)
    for name, value in change.items():
        setattr(house.user, name, value)
    for _ in range(3):
        before = len(house.wire.calls)
        with pytest.raises(AuthFailed) as caught:
            house.cycle()
        assert caught.value.cause is cause
        calls = Counter(house.wire.calls[before:])
        assert calls["GET /v1/order/history"] == 1 and max(calls.values()) == 1, calls
    assert len(house.wire.posts) == posts


@pytest.mark.parametrize("posts", [0, 1])
def test_an_account_that_is_locked_is_looked_at_before_each_plan_and_each_order(posts: int, tmp_path: Path) -> None:
    house = House(tmp_path)
    if posts:
        house.wire.after_post(lambda: setattr(house.user, "locked", True))
        assert "account 10101010 is locked by the exchange" in house.cycle().text
    else:
        house.user.locked = True
        with pytest.raises(AuthFailed, match="account 10101010 is locked by the exchange"):
            house.cycle()
    assert len(house.wire.posts) == posts
    house.wire.after = nothing
    house.user.locked = False
    must_be_settled(house)


def test_an_account_that_is_locked_as_its_order_leaves_halts(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.wire.before_post(lambda: setattr(house.user, "locked", True))
    assert "operation-forbidden-for-lock-account-state" in house.cycle().halted
    assert house.states() == ["rejected", "abandoned", "abandoned"]


def test_account_is_the_pinned_one_or_the_first_that_works() -> None:
    accounts = (*OTHERS, SPOT, Account("6", "spot", working=True))
    assert choose_account(accounts, None) == "7"
    assert choose_account(accounts, "6") == "6"


@pytest.mark.parametrize(("accounts", "pinned"), [(OTHERS, None), ((*OTHERS, SPOT), "8"), ((SPOT,), "1"), ((), None)])
def test_without_a_working_spot_account_there_is_none(accounts: tuple[Account, ...], pinned: str | None) -> None:
    with pytest.raises(AuthFailed) as caught:
        choose_account(accounts, pinned)
    assert caught.value.cause is AuthCause.ACCOUNT
