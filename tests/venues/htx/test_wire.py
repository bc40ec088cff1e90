from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.model import (
    Candle,
    CandlePeriod,
    LimitIoc,
    MarketState,
    OrderState,
    PlaceRequest,
    Side,
    Terms,
    amount_of,
    price_of,
)
from rebalancer.core.money import BaseAmount, QuoteAmount
from rebalancer.errors import MalformedReply
from rebalancer.venues.htx.codes_map import CodeMap
from rebalancer.venues.htx.decode import decode
from rebalancer.venues.htx.wire_account import parse_accounts, parse_balances, parse_key_info
from rebalancer.venues.htx.wire_market import (
    parse_book,
    parse_candles,
    parse_fee_rates,
    parse_market_status,
    parse_rules,
    parse_tickers,
)
from rebalancer.venues.htx.wire_orders import parse_fills, parse_order, place_body, read_place_body

AT = datetime(2024, 3, 1, 12, 34, 56, tzinfo=UTC)
RULE = {"symbol": "abcusdt", "bc": "abc", "qc": "usdt", "state": "online", "at": "enabled", "pp": 4, "ap": 2, "vp": 8,
        "minov": 10, "smminoa": Decimal("0.1"), "smmaxoa": 50000, "bmmaxov": Decimal("1E+5"), "tags": ""}  # fmt: skip
ORDER_2024 = {"id": 1234567890123456, "symbol": "abcusdt", "account-id": 10101010, "client-order-id": "rb-1",
              "amount": "25", "market-amount": "0", "is-ice": False, "price": "0", "created-at": 1710000000100,
              "type": "buy-market", "field-amount": "34.1064", "field-cash-amount": "24.9999912",
              "field-fees": "0.0682128", "finished-at": 1710000000115, "state": "filled", "canceled-source": None}  # fmt: skip


def balances(*rows: tuple[str, str, str], account: int = 7) -> dict[str, Any]:
    listed = [{"currency": c, "type": t, "balance": b, "debt": "invalid", "seq-num": "1"} for c, t, b in rows]
    return {"status": "ok", "data": {"id": account, "type": "spot", "state": "working", "list": listed}}


@pytest.mark.parametrize(
    "text",
    [
        "NaN", '{"a":NaN}', '{"a":Infinity}', '{"a":-Infinity}', '{"a":1,"a":1}', "", "[]", "1", '{"a":', "null",
        '{"a":' + "1" * 100 + "}", '{"a":1e999999}', "[" * 100000,
    ],
)  # fmt: skip
def test_json_that_is_not_strict_is_malformed(text: str) -> None:
    with pytest.raises(MalformedReply):
        decode("x", text.encode())


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=0, max_value=10**9))
def test_numbers_keep_every_digit(value: Decimal) -> None:
    text = format(value, "f")
    assert decode("x", f'{{"a":{text}}}'.encode())["a"] == Decimal(text)


def test_symbol_rules_are_read_with_steps_from_digits() -> None:
    rules = parse_rules({"status": "ok", "data": [RULE]}, CodeMap())["abcusdt"]
    assert (rules.base, rules.quote, rules.tradable) == ("ABC", "USDT", True)
    assert (rules.lot_size, rules.quote_step, rules.tick_size) == (Decimal("0.01"), Decimal("1E-8"), Decimal("0.0001"))
    assert rules.buy_notional_max == Decimal(100000)


@pytest.mark.parametrize("change", [{"minov": None}, {"ap": "many"}, {"ap": 99}, {"minov": 0}, {"smmaxoa": "invalid"}])
def test_a_symbol_with_an_unreadable_rule_is_absent_and_hides_no_other(change: dict[str, Any]) -> None:
    rules = parse_rules({"status": "ok", "data": [RULE | {"symbol": "xyzusdt"} | change, RULE]}, CodeMap())
    assert set(rules) == {"abcusdt"}


def test_a_list_without_any_readable_symbol_is_malformed() -> None:
    with pytest.raises(MalformedReply):
        parse_rules({"status": "ok", "data": []}, CodeMap())


def test_tickers_without_a_price_above_zero_are_absent_not_zero() -> None:
    row = {"symbol": "abcusdt", "close": Decimal("1.5"), "open": 1, "bid": Decimal("1.4"), "ask": Decimal("1.6")}
    payload = {"status": "ok", "data": [row, row | {"symbol": "zero", "close": 0}, {"symbol": "none"}]}
    assert set(parse_tickers(payload)) == {"abcusdt"}


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        ([[1, 1], [2, 1]], [[3, 1]]),
        ([[2, 1]], [[4, 1], [3, 1]]),
        ([[2, 0]], [[3, 1]]),
        ([[2, -1]], [[3, 1]]),
        ([[2]], [[3, 1]]),
        ([["x", 1]], [[3, 1]]),
    ],
)
def test_a_disordered_or_broken_book_is_malformed(bids: list[Any], asks: list[Any]) -> None:
    payload = {
        "status": "ok",
        "ch": "market.abcusdt.depth.step0",
        "ts": 1,
        "tick": {"ts": 1, "bids": bids, "asks": asks},
    }
    with pytest.raises(MalformedReply):
        parse_book("abcusdt", payload)


def test_a_book_of_another_symbol_is_malformed() -> None:
    payload = {"status": "ok", "ch": "market.xyzusdt.depth.step0", "ts": 1, "tick": {"ts": 1, "bids": [], "asks": []}}
    with pytest.raises(MalformedReply, match="asked for abcusdt"):
        parse_book("abcusdt", payload)


def test_an_empty_side_is_kept_for_the_guards_to_refuse() -> None:
    payload = {"status": "ok", "tick": {"ts": 1, "bids": [[2, 1]], "asks": []}}
    assert parse_book("abcusdt", payload).mid is None


def test_unknown_market_status_is_malformed_not_normal() -> None:
    assert parse_market_status({"code": 200, "data": {"marketStatus": 2}}).state is MarketState.HALTED
    with pytest.raises(MalformedReply):
        parse_market_status({"code": 200, "data": {"marketStatus": 9}})


def test_fee_is_the_dearer_of_nominal_and_actual() -> None:
    row = {"symbol": "abcusdt", "takerFeeRate": "0.002", "actualTakerRate": "0.0014"}
    assert parse_fee_rates({"data": [row]})["abcusdt"].taker_fee_rate == Decimal("0.002")


def test_balances_sum_rows_that_are_not_adjacent_and_ignore_other_types() -> None:
    payload = balances(
        ("usdt", "trade", "1.000000000000000001"), ("abc", "trade", "0"), ("usdt", "frozen", "2"), ("abc", "frozen", "0"),
        ("usdt", "loan", "99"), ("usdt", "lock", "5"),
    )  # fmt: skip
    made = parse_balances("7", payload, CodeMap())
    assert made["USDT"].free == Decimal("1.000000000000000001")
    assert made["USDT"].total == Decimal("3.000000000000000001")
    assert made["ABC"].total == 0


@pytest.mark.parametrize(
    "rows",
    [
        [("usdt", "trade", "1")],
        [("usdt", "frozen", "1")],
        [("usdt", "trade", "1"), ("usdt", "trade", "1"), ("usdt", "frozen", "0")],
        [("usdt", "trade", "-1"), ("usdt", "frozen", "0")],
        [("usdt", "trade", "invalid"), ("usdt", "frozen", "0")],
        [("usdt", "trade", "NaN"), ("usdt", "frozen", "0")],
        [("usdt", "trade", ""), ("usdt", "frozen", "0")],
    ],
)
def test_a_balance_row_that_is_absent_or_no_number_is_malformed_never_zero(rows: list[tuple[str, str, str]]) -> None:
    with pytest.raises(MalformedReply):
        parse_balances("7", balances(*rows), CodeMap())


def test_balances_of_another_account_or_kind_are_malformed() -> None:
    with pytest.raises(MalformedReply):
        parse_balances("8", balances(("usdt", "trade", "1"), ("usdt", "frozen", "0")), CodeMap())


def test_accounts_and_key_rights_are_read() -> None:
    accounts = parse_accounts(
        {"data": [{"id": 1, "type": "point", "state": "working"}, {"id": 2, "type": "spot", "state": "lock"}]}
    )
    assert [(a.account_id, a.kind, a.working) for a in accounts] == [("1", "point", True), ("2", "spot", False)]
    row = {"accessKey": "k", "permission": "trade,readOnly,withdraw", "ipAddresses": "203.0.113.7", "validDays": -1}
    info = parse_key_info({"data": [row]}, "k")
    assert (info.can_trade, info.can_withdraw, info.ip_addresses, info.days_valid) == (
        True,
        True,
        ("203.0.113.7",),
        None,
    )


def test_both_shapes_of_an_order_read_the_same() -> None:
    listed = {k: v for k, v in ORDER_2024.items() if not k.startswith("field")} | {
        "amount": "25.000000000000000000", "filled-amount": "34.106400000000000000",
        "filled-cash-amount": "24.999991200000000000", "filled-fees": "0.068212800000000000",
    }  # fmt: skip
    assert parse_order("x", listed) == parse_order("x", ORDER_2024)
    made = parse_order("x", ORDER_2024)
    assert (made.side, made.kind, made.price) == (Side.BUY, "market", None)
    assert (made.requested, made.state) == (Decimal(25), OrderState.FILLED)


def test_an_ioc_order_is_read_with_its_limit_and_its_base_amount_on_either_side() -> None:
    for side in Side:
        made = parse_order("x", ORDER_2024 | {"type": f"{side}-ioc", "price": "0.7330"})
        assert (made.side, made.kind, made.price, made.requested) == (side, "ioc", Decimal("0.733"), Decimal(25))


def test_a_limit_order_of_which_no_price_is_said_is_not_taken_for_one_of_no_limit() -> None:
    bare = {name: value for name, value in ORDER_2024.items() if name != "price"}
    made = parse_order("x", bare | {"type": "sell-limit"})
    assert (made.kind, made.price) == ("limit", None)


@pytest.mark.parametrize("state", ["created", "submitted", "partial-filled", "canceling"])
def test_unfinished_states_are_open(state: str) -> None:
    assert parse_order("x", ORDER_2024 | {"state": state}).state is OrderState.OPEN


@pytest.mark.parametrize("state", ["rejected", "place_timeout", "brand-new"])
def test_a_state_we_do_not_know_is_never_taken_for_final(state: str) -> None:
    assert parse_order("x", ORDER_2024 | {"state": state}).state is OrderState.UNRECOGNISED


def test_fees_paid_in_points_are_read_as_deduction() -> None:
    row = {"id": 1, "symbol": "abcusdt", "order-id": 2, "price": "0.733", "type": "buy-market", "filled-amount": "34",
           "filled-fees": "0", "fee-currency": "abc", "filled-points": "0.05", "fee-deduct-currency": "htx",
           "fee-deduct-state": "ongoing", "created-at": 1710000000112}  # fmt: skip
    fill = parse_fills({"data": [row]}, CodeMap())[0]
    assert (fill.fee, fill.deducted, fill.deducted_asset, fill.settled) == (0, Decimal("0.05"), "HTX", False)


AMOUNTS = st.decimals(min_value="0.00000001", max_value="1000000", places=8)


TERMS = st.one_of(
    st.builds(BaseAmount, AMOUNTS),
    st.builds(QuoteAmount, AMOUNTS),
    st.builds(LimitIoc, st.sampled_from(Side), st.builds(BaseAmount, AMOUNTS), AMOUNTS),
)


@given(TERMS)
def test_a_place_body_reads_back_as_what_was_meant(terms: Terms) -> None:
    body = place_body(PlaceRequest("10101010", "btcusdt", terms, "rb1-x-1", AT))
    back = read_place_body(body)
    assert (back.account_id, back.symbol, back.terms, back.client_order_id) == ("10101010", "btcusdt", terms, "rb1-x-1")
    fields = json.loads(body)
    assert ("price" in fields) == isinstance(terms, LimitIoc)
    for name, value in (("amount", amount_of(terms)), ("price", price_of(terms))):
        if value is not None:
            assert "e" not in fields[name].lower() and not fields[name].endswith("."), fields
            assert Decimal(fields[name]) == value


def test_a_market_buy_body_is_the_documented_one() -> None:
    body = json.loads(place_body(PlaceRequest("10101010", "abcusdt", QuoteAmount(Decimal("25.00")), "rb-1", AT)))
    assert body == {"account-id": "10101010", "symbol": "abcusdt", "type": "buy-market", "amount": "25",
                    "source": "spot-api", "client-order-id": "rb-1", "self-match-prevent": 1}  # fmt: skip


def test_an_ioc_body_counts_base_and_names_its_price_on_both_sides() -> None:
    terms = LimitIoc(Side.BUY, BaseAmount(Decimal("0.50")), Decimal("87000.10"))
    body = json.loads(place_body(PlaceRequest("10101010", "btcusdt", terms, "rb-1", AT)))
    assert body == {"account-id": "10101010", "symbol": "btcusdt", "type": "buy-ioc", "amount": "0.5",
                    "price": "87000.1", "source": "spot-api", "client-order-id": "rb-1", "self-match-prevent": 1}  # fmt: skip
    del body["price"]
    with pytest.raises(ValueError, match="none where one does"):
        read_place_body(json.dumps(body).encode())


@pytest.mark.parametrize("change", [{"type": "buy-limit"}, {"source": "margin-api"}, {"price": "1"}, {"amount": "NaN"}])
def test_a_body_that_is_no_plain_market_order_is_refused(change: dict[str, Any]) -> None:
    body = json.loads(place_body(PlaceRequest("1", "abcusdt", QuoteAmount(Decimal(25)), "rb-1", AT))) | change
    with pytest.raises(ValueError, match=r"."):
        read_place_body(json.dumps(body).encode())


def test_a_mapped_code_goes_both_ways_and_shadows_the_other_asset() -> None:
    codes = CodeMap({"S": "sonic"})
    assert (codes.currency_of("S"), codes.asset_of("sonic"), codes.symbol_of("S", "USDT")) == (
        "sonic",
        "S",
        "sonicusdt",
    )
    assert codes.asset_of("s") == "S@htx"


DAY_S = 1_709_222_400  # 2024-02-29 16:00 UTC, midnight in Singapore


def kline(*changes: dict[str, Any], period: str = "1day", step_s: int = 86_400) -> dict[str, Any]:
    """Return an answer with a candle a change, newest first."""
    good = {"open": 61, "close": Decimal("62.5"), "low": 60, "high": 63, "amount": 1, "vol": 62, "count": 9}
    rows = [good | {"id": DAY_S - back * step_s} | change for back, change in enumerate(changes)]
    return {"ch": f"market.abcusdt.kline.{period}", "status": "ok", "data": rows}


def test_candles_are_read_oldest_first_with_exact_closes() -> None:
    candles = parse_candles("abcusdt", CandlePeriod.DAY, kline({}, {"close": Decimal("61.10000000000000000007")}))
    assert candles == (
        Candle(datetime(2024, 2, 28, 16, tzinfo=UTC), Decimal("61.10000000000000000007")),
        Candle(datetime(2024, 2, 29, 16, tzinfo=UTC), Decimal("62.5")),
    )
    assert parse_candles("abcusdt", CandlePeriod.DAY, {"status": "ok", "data": []}) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"id": DAY_S + 1}, {"id": DAY_S + 8 * 3600}, {"id": -28_800}, {"id": 10**12 * 86_400 - 28_800}, {"id": None}, {"close": 0},
        {"close": None}, {"close": -1}, {"close": 64}, {"close": 59}, {"open": 64}, {"low": Decimal("62.6")}, {"high": 0},
    ],
    ids=str,
)  # fmt: skip
def test_a_candle_that_cannot_be_is_malformed_and_never_a_price_of_zero(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedReply, match="kline"):
        parse_candles("abcusdt", CandlePeriod.DAY, kline({}, change))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (kline({}, {"id": DAY_S + 1}), f"kline: `id` {DAY_S + 1} is not the start of a 1day candle"),
        (kline({}, {"close": 64}), "kline: open or close lies outside low and high"),
        (kline({}, {"id": DAY_S}), "kline: candles are not newest first"),
        (kline({}, {"close": None}), "kline.data: field `close` is absent"),
        (kline({}) | {"data": None}, "kline: field `data` is absent"),
    ],
)
def test_what_is_wrong_with_candles_is_said_with_its_place(answer: dict[str, Any], text: str) -> None:
    with pytest.raises(MalformedReply, match=f"^{re.escape(text)}$"):
        parse_candles("abcusdt", CandlePeriod.DAY, answer)


def test_an_hour_begins_at_any_full_hour() -> None:
    answer = kline({}, {}, {}, period="60min", step_s=3600)
    assert [c.starts_at.hour for c in parse_candles("abcusdt", CandlePeriod.HOUR, answer)] == [14, 15, 16]
    answer["data"][2] |= {"id": 0}
    assert parse_candles("abcusdt", CandlePeriod.HOUR, answer)[0].starts_at == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "answer",
    [
        kline({}, {"id": DAY_S}), kline({}, {"id": DAY_S + 86_400}), kline({}, period="60min"),
        kline({}) | {"ch": "market.xyzusdt.kline.1day"}, {"status": "ok", "data": None}, {"status": "ok", "data": [[]]},
    ],
)  # fmt: skip
def test_candles_twice_out_of_order_or_of_another_market_are_malformed(answer: dict[str, Any]) -> None:
    with pytest.raises(MalformedReply, match="kline"):
        parse_candles("abcusdt", CandlePeriod.DAY, answer)
