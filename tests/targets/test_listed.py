"""The exchange's list of coins as it is kept for the page: public, of one venue, and never half read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rebalancer.targets.listed import MODE, NAME, keep_listed, listed_by, listed_in
from tests.core.builders import rules

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SYMBOLS = [rules("BTC"), rules("DOGE"), rules("ETH", online=False), rules("ETH", "BTC"), rules("BTC3L", tags=("etp",))]


def test_it_holds_what_trades_against_the_cash_and_no_leveraged_token() -> None:
    assert listed_by(SYMBOLS, "htx", "USDT", AT).coins == {"BTC", "DOGE", "ETH"}


def test_a_coin_that_is_not_listed_is_named_with_the_nearest_that_is() -> None:
    listed = listed_by(SYMBOLS, "htx", "USDT", AT)
    assert listed.problems(["BTC", "DOGE", "USDT"]) == []
    (line,) = listed.problems(["DOGGE"])
    assert "DOGGE: htx lists no pair DOGGE/USDT" in line and "did you mean DOGE?" in line
    assert "did you mean" not in listed.problems(["QQQQQQ"])[0]


def test_it_comes_back_for_its_own_venue_and_quote_alone(tmp_path: Path) -> None:
    listed = listed_by(SYMBOLS, "htx", "USDT", AT)
    keep_listed(tmp_path, listed)
    assert listed_in(tmp_path, "htx", "USDT") == listed
    assert listed_in(tmp_path, "embedded", "USDT") is None and listed_in(tmp_path, "htx", "USDC") is None
    assert (tmp_path / NAME).stat().st_mode & 0o777 == MODE


@pytest.mark.parametrize(
    "content", [None, "", "[]", "{}", "\0", json.dumps({"venue": "htx", "quote": "USDT", "coins": 3})]
)
def test_what_is_no_list_is_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / NAME).write_text(content)
    assert listed_in(tmp_path, "htx", "USDT") is None
