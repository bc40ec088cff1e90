from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rebalancer.core.ids import LENGTH_MAX, PREFIX, client_order_id, run_id, run_prefix
from rebalancer.core.model import Side

ALLOWED = re.compile(r"[A-Za-z0-9_-]+")
SLOT = datetime(2026, 3, 1, 12, 7, tzinfo=UTC)
KNOWN: dict[str, Any] = {
    "account_id": "10101010",
    "nonce": "00000000000000ff",
    "run": "cron-20260301T1207Z-a1",
    "intent_seq": 1,
    "symbol": "btcusdt",
    "side": Side.SELL,
    "amount": Decimal("0.25"),
}
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=24)
PARTS = {
    "account_id": st.integers(1, 10**12).map(str),
    "nonce": st.integers(0, 2**64 - 1).map("{:016x}".format),
    "run": NAMES,
    "intent_seq": st.integers(1, 999),
    "symbol": NAMES,
    "side": st.sampled_from(Side),
    "amount": st.decimals(min_value="1e-18", max_value=10**12, places=18, allow_nan=False),
    "price": st.none() | st.decimals(min_value="1e-18", max_value=10**12, places=18, allow_nan=False),
}
SLOTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # given above


@given(st.fixed_dictionaries(PARTS))
def test_an_order_id_is_short_plain_text_and_a_function_of_its_parts(parts: dict[str, Any]) -> None:
    made = client_order_id(**parts)
    assert made == client_order_id(**parts)
    assert len(made) <= LENGTH_MAX == 32
    assert ALLOWED.fullmatch(made)
    assert made.startswith(PREFIX)
    assert made.endswith(f"-{parts['intent_seq']}")


@pytest.mark.parametrize("name", PARTS)
@given(data=st.data())
def test_an_order_id_differs_when_any_one_part_differs(name: str, data: st.DataObject) -> None:
    parts = data.draw(st.fixed_dictionaries(PARTS))
    other = data.draw(PARTS[name])
    assume(other != parts[name])
    assert client_order_id(**parts) != client_order_id(**parts | {name: other})


def test_the_id_of_an_old_intent_stays_what_it_was_when_it_was_sent() -> None:
    """An order of an older version is looked up by this text: a change of the formula would lose it."""
    assert client_order_id(**KNOWN) == "rb1-76cfv33sx4aicts6niu56wuj-1"


def test_an_amount_written_with_more_zeros_is_the_same_amount() -> None:
    assert client_order_id(**KNOWN | {"amount": Decimal("0.2500")}) == client_order_id(**KNOWN)


@pytest.mark.parametrize("name", ["account_id", "nonce", "run", "symbol"])
def test_a_part_that_could_pass_for_two_is_refused(name: str) -> None:
    with pytest.raises(AssertionError):
        client_order_id(**KNOWN | {name: "a|b"})


def test_an_intent_number_too_long_for_the_id_is_refused() -> None:
    with pytest.raises(AssertionError):
        client_order_id(**KNOWN | {"intent_seq": 1000})


@given(SLOTS, SLOTS)
def test_run_ids_of_a_schedule_sort_by_time(one: datetime, two: datetime) -> None:
    minutes = [slot.replace(second=0, microsecond=0) for slot in (one, two)]
    assert (minutes[0] < minutes[1]) == (run_id("cron", one, 1) < run_id("cron", two, 1))


@given(SLOTS, st.integers(-14 * 60, 14 * 60))
def test_a_run_is_named_by_its_utc_slot_wherever_the_clock_hangs(slot: datetime, minutes_off: int) -> None:
    elsewhere = slot.astimezone(timezone(timedelta(minutes=minutes_off)))
    assert run_id("cron", elsewhere, 1) == run_id("cron", slot, 1)


def test_the_hour_that_comes_twice_in_autumn_has_two_names() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first, second = (datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=berlin) for fold in (0, 1))
    assert run_id("cron", first, 1) != run_id("cron", second, 1)


def test_attempts_at_a_slot_share_its_key_and_nothing_else() -> None:
    names = [run_id("cron", SLOT, attempt) for attempt in (1, 2, 10)]
    assert names == ["cron-20260301T1207Z-a1", "cron-20260301T1207Z-a2", "cron-20260301T1207Z-a10"]
    assert all(name.startswith(run_prefix("cron", SLOT)) for name in names)
    with pytest.raises(AssertionError):
        run_id("cron", SLOT, 0)
