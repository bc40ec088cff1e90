"""Ids of an order and a run are what they always were: an order of an older version must be found again."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from rebalancer.core.canonical import moment_text, parse_moment
from rebalancer.core.ids import client_order_id, run_id, run_prefix
from rebalancer.core.model import Side
from tests.support import machine_in

SLOT = datetime(2026, 3, 1, 12, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("side", "wanted"),
    [(Side.BUY, "rb1-6fo3ujlen6mzd7sfbu3kt2jy-7"), (Side.SELL, "rb1-m4kq5vexqsvaulxe4jvhcjr7-7")],
)
def test_the_id_of_an_order_is_the_one_that_it_always_had(side: Side, wanted: str) -> None:
    made = client_order_id(
        account_id="10101010", nonce="00000000000000ff", run="cron-20260301T1207Z-a1", intent_seq=7, symbol="btcusdt",
        side=side, amount=Decimal("0.250"),
    )  # fmt: skip
    assert made == wanted


def test_the_machines_own_zone_plays_no_part_in_ids_and_texts() -> None:
    with machine_in("Asia/Tokyo"):
        assert run_prefix("cron", SLOT) == "cron-20260301T1207Z"
        assert run_id("cron", SLOT, 2) == "cron-20260301T1207Z-a2"
        assert moment_text(SLOT) == "2026-03-01T12:07:00Z"
        read = parse_moment("2026-03-01T21:07:00+09:00")
    assert (read, read.utcoffset()) == (SLOT, UTC.utcoffset(None))


def test_the_first_attempt_is_number_one() -> None:
    assert run_id("cron", SLOT, 1).endswith("-a1")
    with pytest.raises(AssertionError, match=r"^0$"):
        run_id("cron", SLOT, 0)
