"""What tax programs import: their columns, fees where each looks for them, and sums that are what the orders did."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.money import EXACT, parse_decimal
from rebalancer.journal.trades import Traded
from rebalancer.report.tax import COINTRACKING, KOINLY, TaxSetting, cointracking_csv, koinly_csv
from tests.core.builders import d

AT = datetime(2026, 3, 1, 23, 59, 59, 999_000, tzinfo=UTC)
SETTING = TaxSetting("HTX", "USDT")
BUY = Traded(
    AT, "cron-20260301T2359Z-a1", 2, "btcusdt", "USDT", d(500), "BTC", d(1), {"BTC": d("0.01")}, {"BTC": d(5)}, d(500),
    "1234567890123456",
)  # fmt: skip
COINS = ("BTC", "ETH", "USDT", "HTX", "HBPOINT")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def sums(rows: list[dict[str, str]], *, plus: str, minus: str, fee: str = "") -> Counter[str]:
    """Return what a program holds of each coin after an import, reading its columns as its manual says."""
    made: Counter[str] = Counter()
    for row in rows:
        for column, sign in ((plus, 1), (minus, -1), (fee, -1)):
            amount, coin = (row[f"{column} Amount"], row[f"{column} Currency"]) if column else ("", "")
            if amount:
                made[coin] = EXACT.add(made[coin], EXACT.multiply(sign, parse_decimal(amount)))  # type: ignore[arg-type]
    return Counter({coin: amount for coin, amount in made.items() if amount})


amounts = st.decimals("0.000000000000000001", "100000000", places=18)
fees = st.dictionaries(st.sampled_from(COINS), amounts.map(lambda fee: fee / 1_000_000).filter(bool), max_size=4)


@st.composite
def traded(draw: st.DrawFn) -> Traded:
    spent, received = draw(st.permutations(COINS[:3]))[:2]
    rebated = draw(st.booleans())
    paid = {coin: -fee if rebated and coin == received else fee for coin, fee in draw(fees).items()}
    return replace(
        BUY, spent=spent, spent_amount=draw(amounts), received=received, received_amount=draw(amounts), fees=paid
    )


@given(st.lists(traded(), max_size=8))
def test_both_programs_end_with_what_the_orders_did_to_the_last_digit(trades: list[Traded]) -> None:
    did: Counter[str] = Counter()
    for trade in trades:
        for coin, change in (
            (trade.received, trade.received_amount),
            (trade.spent, EXACT.minus(trade.spent_amount)),
            *((coin, EXACT.minus(fee)) for coin, fee in trade.fees.items()),
        ):
            did[coin] = EXACT.add(did[coin], change)  # type: ignore[assignment, arg-type]
    did = Counter({coin: change for coin, change in did.items() if change})
    assert sums(rows_of(cointracking_csv(trades, SETTING)), plus="Buy", minus="Sell") == did
    assert sums(rows_of(koinly_csv(trades, SETTING)), plus="Received", minus="Sent", fee="Fee") == did


@given(st.lists(traded(), min_size=1, max_size=8))
def test_every_fee_stands_once_in_the_currency_that_paid_it(trades: list[Traded]) -> None:
    charged = Counter((coin, fee) for trade in trades for coin, fee in trade.fees.items() if fee > 0)
    koinly = rows_of(koinly_csv(trades, SETTING))
    told = Counter((row["Fee Currency"], d(row["Fee Amount"])) for row in koinly if row["Fee Amount"])
    told += Counter((row["Sent Currency"], d(row["Sent Amount"])) for row in koinly if row["Label"] == "cost")
    assert told == charged


def test_the_columns_are_those_that_each_program_reads() -> None:
    assert cointracking_csv([], SETTING) == ",".join(COINTRACKING) + "\n" and len(COINTRACKING) == 15
    assert koinly_csv([], SETTING) == ",".join(KOINLY) + "\n" and len(KOINLY) == 12


def test_a_fee_of_the_coin_bought_is_off_the_buy_at_cointracking_and_besides_at_koinly() -> None:
    (row,) = rows_of(cointracking_csv([BUY], SETTING))
    assert (row["Type"], row["Buy Amount"], row["Sell Amount"], row["Fee"], row["Fee Currency"]) == (
        "Trade", "0.99", "500", "0.01", "BTC",
    )  # fmt: skip
    assert (row["Date"], row["Tx-ID"], row["Exchange"]) == ("2026-03-01 23:59:59", "1234567890123456", "HTX")
    (row,) = rows_of(koinly_csv([BUY], SETTING))
    assert (row["Received Amount"], row["Sent Amount"], row["Fee Amount"], row["Fee Currency"]) == (
        "1", "500", "0.01", "BTC",
    )  # fmt: skip
    assert (row["Date"], row["Net Worth Amount"], row["Net Worth Currency"]) == (
        "2026-03-01 23:59:59 UTC",
        "500",
        "USDT",
    )


def test_a_fee_in_a_third_coin_is_an_other_fee_at_cointracking_and_its_own_currency_at_koinly() -> None:
    trade = replace(BUY, fees={"HTX": d("12.5")}, fees_quote={})
    first, fee = rows_of(cointracking_csv([trade], SETTING))
    assert (first["Buy Amount"], first["Fee"], first["Fee Currency"]) == ("1", "", "")
    assert (fee["Type"], fee["Sell Amount"], fee["Sell Currency"], fee["Buy Amount"]) == (
        "Other Fee",
        "12.5",
        "HTX",
        "",
    )
    assert fee["Tx-ID"] != first["Tx-ID"], "neither is taken for a copy of the other"
    (row,) = rows_of(koinly_csv([trade], SETTING))
    assert (row["Fee Amount"], row["Fee Currency"], row["Received Amount"]) == ("12.5", "HTX", "1")


def test_a_direct_trade_is_one_row_worth_what_its_coin_was_worth_then() -> None:
    trade = replace(
        BUY, symbol="ethbtc", spent="BTC", spent_amount=d("0.5"), received="ETH", value_quote=d("25000.125")
    )
    (row,) = rows_of(koinly_csv([trade], SETTING))
    assert (row["Sent Currency"], row["Received Currency"], row["Net Worth Amount"]) == ("BTC", "ETH", "25000.125")
    (row,) = rows_of(cointracking_csv([trade], SETTING))
    assert "worth 25000.125 USDT then" in row["Comment"]
    assert row["Buy Value in Account Currency"] == row["Sell Value in Account Currency"] == "", "no euro is a dollar"
    (row,) = rows_of(cointracking_csv([trade], replace(SETTING, values=True)))
    assert row["Buy Value in Account Currency"] == row["Sell Value in Account Currency"] == "25000.125"


@pytest.mark.parametrize("make", [cointracking_csv, koinly_csv])
def test_a_value_that_is_not_known_is_left_out_and_no_zero(make: type) -> None:
    assert not any("worth" in cell or cell == "0" for row in rows_of(make([replace(BUY, value_quote=None)], SETTING)) for cell in row.values())  # fmt: skip


def test_amounts_have_no_exponent_and_what_only_the_owner_knows_says_so() -> None:
    small = replace(BUY, spent_amount=Decimal("1E-18"), received_amount=Decimal("1E+3"), fees={}, owner_said=True)
    (row,) = rows_of(koinly_csv([small], SETTING))
    assert (row["Sent Amount"], row["Received Amount"]) == ("0.000000000000000001", "1000")
    assert "owner's word" in row["Description"]
