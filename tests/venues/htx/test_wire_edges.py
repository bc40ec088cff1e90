"""What the wire's readers make of a whole answer, at the edges of each figure, and which place they name when they refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.model import (
    Account,
    Balance,
    Book,
    FeeRate,
    Fill,
    KeyInfo,
    Level,
    MarketRules,
    MarketState,
    MarketStatus,
    Order,
    OrderState,
    PlaceRequest,
    Side,
    Ticker,
)
from rebalancer.core.money import BaseAmount, QuoteAmount
from rebalancer.errors import AuthCause, AuthFailed, MalformedReply
from rebalancer.venues.htx.codes_map import CodeMap
from rebalancer.venues.htx.wire_account import parse_accounts, parse_balances, parse_key_info, parse_uid
from rebalancer.venues.htx.wire_market import (
    parse_book,
    parse_fee_rates,
    parse_market_status,
    parse_rules,
    parse_server_time,
    parse_tickers,
)
from rebalancer.venues.htx.wire_orders import (
    next_time,
    parse_fills,
    parse_order,
    parse_orders,
    place_body,
    read_place_body,
)

CODES = CodeMap()
AT_MS = 1_710_000_000_112
AT = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=AT_MS)

RULE = {"symbol": "abcusdt", "bc": "abc", "qc": "usdt", "state": "online", "at": "enabled", "pp": 4, "ap": 2, "vp": 8,
        "minov": 10, "smminoa": "0.1", "smmaxoa": 50000, "bmmaxov": 100000, "tags": "etp,,holdinglimit"}  # fmt: skip
TICKER = {"symbol": "abcusdt", "close": 3, "open": 2, "bid": 4, "ask": 5}
FEE = {"symbol": "abcusdt", "takerFeeRate": "0.002", "actualTakerRate": "0.003"}
BOOK: dict[str, Any] = {
    "ch": "market.abcusdt.depth.step0",
    "ts": 5,
    "tick": {"ts": AT_MS, "bids": [[2, 10], [1, 20]], "asks": [[3, 30], [4, 40]]},
}
ORDER = {"id": 12, "symbol": "abcusdt", "account-id": 10, "client-order-id": "rb1-x-1", "amount": "25", "type": "sell-limit",
         "field-amount": "3", "field-cash-amount": "4", "field-fees": "-0.5", "state": "canceled",
         "created-at": AT_MS}  # fmt: skip
FILL = {"id": 1, "symbol": "abcusdt", "order-id": 2, "price": "0.5", "type": "sell-limit", "filled-amount": "34",
        "filled-fees": "0.01", "fee-currency": "usdt", "filled-points": "0", "fee-deduct-currency": "",
        "fee-deduct-state": "done", "created-at": AT_MS}  # fmt: skip
KEY = {"accessKey": "k", "permission": "readOnly, trade", "ipAddresses": "203.0.113.7,,203.0.113.8", "validDays": 0}


def balance(*rows: tuple[str, str, str], kind: str = "spot") -> dict[str, Any]:
    listed = [{"currency": c, "type": t, "balance": b} for c, t, b in rows]
    return {"data": {"id": 7, "type": kind, "state": "working", "list": listed}}


BALANCE = balance(("abc", "loan", "junk"), ("abc", "trade", "1"), ("abc", "lock", "junk"), ("abc", "frozen", "2"))


def test_every_figure_of_a_rule_stands_in_its_own_place() -> None:
    rules = parse_rules({"data": [RULE]}, CODES)
    assert rules == {
        "abcusdt": MarketRules(
            symbol="abcusdt", base="ABC", quote="USDT", online=True, api_enabled=True, tick_size=Decimal("0.0001"),
            lot_size=Decimal("0.01"), quote_step=Decimal("0.00000001"), min_notional=Decimal(10),
            sell_quantity_min=Decimal("0.1"), sell_quantity_max=Decimal(50000), buy_notional_max=Decimal(100000),
            tags=("etp", "holdinglimit"),
        )
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "flags"), [({"state": "offline"}, (False, True)), ({"at": "disabled"}, (True, False))]
)
def test_a_symbol_that_is_offline_or_closed_to_keys_says_so(change: dict[str, Any], flags: tuple[bool, bool]) -> None:
    rules = parse_rules({"data": [RULE | change]}, CODES)["abcusdt"]
    assert (rules.online, rules.api_enabled) == flags


@pytest.mark.parametrize(("digits", "step"), [(0, Decimal(1)), (1, Decimal("0.1")), (18, Decimal(1).scaleb(-18))])
def test_a_rule_may_have_no_decimals_and_at_most_eighteen(digits: int, step: Decimal) -> None:
    assert parse_rules({"data": [RULE | {"ap": digits}]}, CODES)["abcusdt"].lot_size == step


@pytest.mark.parametrize("digits", [-1, 19])
def test_decimals_beyond_what_htx_has_make_a_rule_unreadable(digits: int) -> None:
    with pytest.raises(MalformedReply, match=r"^market-symbols: no readable symbol$"):
        parse_rules({"data": [RULE | {"ap": digits}]}, CODES)


def test_a_sell_may_have_no_least_quantity_but_no_limit_is_zero() -> None:
    assert parse_rules({"data": [RULE | {"smminoa": 0}]}, CODES)["abcusdt"].sell_quantity_min == 0
    for name in ("minov", "smmaxoa", "bmmaxov"):
        with pytest.raises(MalformedReply):
            parse_rules({"data": [RULE | {name: 0}]}, CODES)


def test_the_readable_rows_behind_an_unreadable_one_are_read() -> None:
    rows = [RULE | {"symbol": "onebad", "minov": None}, RULE, RULE | {"symbol": "last"}]
    assert list(parse_rules({"data": rows}, CODES)) == ["abcusdt", "last"]


def test_every_price_of_a_ticker_stands_in_its_own_place() -> None:
    rows = [TICKER | {"symbol": "halted", "bid": 0}, TICKER, TICKER | {"symbol": "last"}]
    wanted = Ticker("abcusdt", last=Decimal(3), open_24h=Decimal(2), bid=Decimal(4), ask=Decimal(5))
    made = parse_tickers({"data": rows})
    assert made["abcusdt"] == wanted and list(made) == ["abcusdt", "last"]


@pytest.mark.parametrize("name", ["close", "open", "bid", "ask"])
def test_a_ticker_that_lacks_any_of_its_prices_is_absent(name: str) -> None:
    assert parse_tickers({"data": [TICKER | {name: None}]}) == {}


def test_a_symbol_without_prices_that_is_listed_twice_is_malformed() -> None:
    with pytest.raises(MalformedReply, match=r"^tickers: abcusdt is listed twice$"):
        parse_tickers({"data": [TICKER | {"bid": 0}, TICKER | {"bid": 0}]})


def test_both_sides_of_a_book_are_read_with_its_own_time_else_the_envelopes() -> None:
    sides = ((Level(Decimal(2), Decimal(10)), Level(Decimal(1), Decimal(20))),
             (Level(Decimal(3), Decimal(30)), Level(Decimal(4), Decimal(40))))  # fmt: skip
    assert parse_book("abcusdt", BOOK) == Book("abcusdt", *sides, AT)
    timeless = BOOK | {"ts": AT_MS, "tick": {name: side for name, side in BOOK["tick"].items() if name != "ts"}}
    assert parse_book("abcusdt", timeless).quoted_at == AT


@pytest.mark.parametrize(("side", "rows"), [("bids", [[2, 1], [2, 1]]), ("asks", [[3, 1], [3, 1]])])
def test_two_levels_of_one_price_are_a_disordered_side(side: str, rows: list[Any]) -> None:
    with pytest.raises(MalformedReply, match=f"^depth: {side} are not "):
        parse_book("abcusdt", BOOK | {"tick": BOOK["tick"] | {side: rows}})


def test_a_book_that_names_no_channel_is_taken_for_the_one_asked() -> None:
    assert parse_book("abcusdt", BOOK | {"ch": None}).symbol == "abcusdt"
    with pytest.raises(MalformedReply, match=r"^depth: asked for abcusdt, answered for abcusdt$"):
        parse_book("abcusdt", BOOK | {"ch": "abcusdt"})


@pytest.mark.parametrize("rates", [("0.002", "0.003"), ("0.003", "0.002")])
def test_the_dearer_rate_counts_whichever_it_is(rates: tuple[str, str]) -> None:
    row = {"symbol": "abcusdt", "takerFeeRate": rates[0], "actualTakerRate": rates[1]}
    assert parse_fee_rates({"data": [row]}) == {"abcusdt": FeeRate("abcusdt", Decimal("0.003"))}


def test_a_pair_without_a_fee_and_one_at_the_bound_of_belief_are_read() -> None:
    row = FEE | {"takerFeeRate": 0, "actualTakerRate": 0}
    assert parse_fee_rates({"data": [row]})["abcusdt"].taker_fee_rate == 0
    assert parse_fee_rates({"data": [row | {"takerFeeRate": "0.05"}]})["abcusdt"].taker_fee_rate == Decimal("0.05")


def test_a_halted_market_tells_what_it_affects_and_until_when() -> None:
    data = {"marketStatus": 3, "affectedSymbols": "abcusdt,xyzusdt", "haltEndTime": AT_MS}
    assert parse_market_status({"data": data}) == MarketStatus(MarketState.CANCEL_ONLY, "abcusdt,xyzusdt", AT)
    assert parse_market_status({"data": {"marketStatus": 1}}) == MarketStatus(MarketState.NORMAL)


def test_the_servers_clock_is_read_in_milliseconds() -> None:
    assert parse_server_time({"data": AT_MS}) == AT


@pytest.mark.parametrize(
    ("listed", "bounds"),
    [
        ({"lominoa": "0.5", "lomaxba": "7", "lomaxsa": "8", "lomaxoa": "9"}, ("0.5", "7", "8")),
        ({"lominoa": "0.5", "lomaxoa": "9"}, ("0.5", "9", "9")),
    ],
    ids=["a bound for each side", "one for both"],
)
def test_the_bounds_of_a_limit_order_stand_each_in_its_own_place(
    listed: dict[str, str], bounds: tuple[str, ...]
) -> None:
    bare = {name: value for name, value in RULE.items() if name not in {"lominoa", "lomaxba", "lomaxsa", "lomaxoa"}}
    (made,) = parse_rules({"data": [bare | listed]}, CODES).values()
    found = (made.limit_quantity_min, made.limit_buy_quantity_max, made.limit_sell_quantity_max)
    assert found == tuple(Decimal(bound) for bound in bounds)
    (unbound,) = parse_rules({"data": [bare]}, CODES).values()
    assert (unbound.limit_quantity_min, unbound.limit_buy_quantity_max, unbound.limit_sell_quantity_max) == (None,) * 3


@pytest.mark.parametrize("state", ["lock", "fl-sys", "Working"])
def test_an_account_that_does_not_work_is_a_refusal_of_the_account(state: str) -> None:
    locked = BALANCE["data"] | {"state": state}
    with pytest.raises(AuthFailed, match=r"^account-not-working: account 7 is locked by the exchange$") as caught:
        parse_balances("7", {"data": locked}, CODES)
    assert (caught.value.cause, caught.value.code) == (AuthCause.ACCOUNT, "account-not-working")


def test_only_trade_and_frozen_rows_are_looked_at() -> None:
    assert parse_balances("7", BALANCE, CODES) == {"ABC": Balance("ABC", Decimal(1), Decimal(2))}


def test_accounts_and_the_users_id_are_text_of_digits() -> None:
    rows = [{"id": 1, "type": "spot", "state": "working"}, {"id": "2", "type": "margin", "state": "lock"}]
    assert parse_accounts({"data": rows}) == (Account("1", "spot", True), Account("2", "margin", False))
    assert parse_uid({"data": 63628520}) == "63628520"


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, KeyInfo(True, True, False, ("203.0.113.7", "203.0.113.8"), 0)),
        ({"permission": "withdraw"}, KeyInfo(False, False, True, ("203.0.113.7", "203.0.113.8"), 0)),
        ({"ipAddresses": None, "validDays": -1}, KeyInfo(True, True, False, (), None)),
        ({"ipAddresses": "", "validDays": 1}, KeyInfo(True, True, False, (), 1)),
    ],
)
def test_the_rights_of_the_key_in_use_are_read_from_its_own_row(change: dict[str, Any], wanted: KeyInfo) -> None:
    other = {"accessKey": "other", "permission": "withdraw", "validDays": 9}
    assert parse_key_info({"data": [other, KEY | change, other]}, "k") == wanted


def test_every_figure_of_an_order_stands_in_its_own_place() -> None:
    wanted = Order(
        venue_order_id="12", client_order_id="rb1-x-1", account_id="10", symbol="abcusdt", side=Side.SELL,
        kind="limit", price=None, requested=Decimal(25), state=OrderState.CANCELED, state_text="canceled",
        filled_quantity=Decimal(3), filled_quote=Decimal(4), fee_nominal=Decimal("-0.5"), created_at=AT,
    )  # fmt: skip
    assert parse_order("order", ORDER) == wanted
    assert parse_orders("open-orders", {"data": [ORDER, ORDER | {"id": 13}]})[0] == wanted


@pytest.mark.parametrize("kind", ["buy-limit-maker", "sell-ioc", "buy-stop-limit", "sell-market-grid", "buy"])
def test_an_order_of_any_other_style_is_no_market_order(kind: str) -> None:
    made = parse_order("order", ORDER | {"type": kind})
    assert (made.side, made.kind) == (Side(kind.split("-", maxsplit=1)[0]), kind.partition("-")[2])


def test_an_order_placed_by_another_client_has_no_id_of_ours() -> None:
    assert parse_order("order", ORDER | {"client-order-id": None}).client_order_id == ""


def test_every_figure_of_a_fill_stands_in_its_own_place() -> None:
    wanted = Fill(
        fill_id="1", venue_order_id="2", symbol="abcusdt", side=Side.SELL, price=Decimal("0.5"), quantity=Decimal(34),
        fee=Decimal("0.01"), fee_asset="USDT", deducted=Decimal(0), deducted_asset="", settled=True, filled_at=AT,
    )  # fmt: skip
    assert parse_fills({"data": [FILL]}, CODES) == (wanted,)


@pytest.mark.parametrize(("state", "settled"), [(None, True), ("", True), ("done", True), ("ongoing", False)])
def test_a_fee_is_settled_unless_its_deduction_still_goes_on(state: str | None, settled: bool) -> None:
    assert parse_fills({"data": [FILL | {"fee-deduct-state": state}]}, CODES)[0].settled is settled


@pytest.mark.parametrize("kind", ["buy-limit", "buy-limit-maker", "buy-market"])
def test_a_fill_takes_the_side_of_its_order_whatever_its_style(kind: str) -> None:
    assert parse_fills({"data": [FILL | {"type": kind}]}, CODES)[0].side is Side.BUY


@pytest.mark.parametrize("kind", ["buy", "sell", "hold-market", "buyer-market"])
def test_a_fill_of_an_order_that_is_neither_buy_nor_sell_is_malformed(kind: str) -> None:
    with pytest.raises(MalformedReply, match=f"^matchresults: order type '{kind}'$"):
        parse_fills({"data": [FILL | {"type": kind}]}, CODES)


def test_a_fee_of_nothing_needs_no_coin_and_a_coin_that_is_named_is_kept() -> None:
    bare = FILL | {"filled-fees": 0, "fee-currency": None, "fee-deduct-currency": "htx"}
    fill = parse_fills({"data": [bare]}, CODES)[0]
    assert (fill.fee, fill.fee_asset, fill.deducted_asset) == (0, "", "HTX")


def test_a_cut_order_history_says_where_it_goes_on_and_a_whole_one_nothing() -> None:
    assert next_time({"data": [], "next-time": 1_710_000_000_000}) == "1710000000000"
    assert next_time({"data": []}) is None


def test_a_place_body_is_exactly_these_bytes() -> None:
    sell = PlaceRequest("10", "abcusdt", BaseAmount(Decimal("1E-7")), "rb1-x-1", AT)
    assert place_body(sell) == (
        b'{"account-id":"10","symbol":"abcusdt","type":"sell-market","amount":"0.0000001","source":"spot-api",'
        b'"client-order-id":"rb1-x-1","self-match-prevent":1}'
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": "margin-api"}, "not a plain spot order, or a price where none belongs, or none where one does"),
        ({"price": "1"}, "not a plain spot order, or a price where none belongs, or none where one does"),
        ({"type": "buy-limit"}, "order type 'buy-limit' is neither a market nor an IOC order"),
    ],
)
def test_a_body_that_is_refused_is_refused_with_its_reason(change: dict[str, Any], words: str) -> None:
    body = json.loads(place_body(PlaceRequest("1", "abcusdt", QuoteAmount(Decimal(25)), "rb-1", AT))) | change
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        read_place_body(json.dumps(body).encode())


Read = Callable[[], object]
REFUSED: list[tuple[Read, str]] = [
    (lambda: parse_server_time({}), "timestamp: field `data` is absent"),
    (lambda: parse_market_status({}), "market-status: field `data` is absent"),
    (lambda: parse_market_status({"data": {}}), "market-status.data: field `marketStatus` is absent"),
    (lambda: parse_market_status({"data": {"marketStatus": 9}}), "market-status: unknown marketStatus"),
    (lambda: parse_rules({}, CODES), "market-symbols: field `data` is absent"),
    (lambda: parse_rules({"data": [RULE, RULE]}, CODES), "market-symbols: abcusdt is listed twice"),
    (lambda: parse_rules({"data": []}, CODES), "market-symbols: no readable symbol"),
    (lambda: parse_tickers({}), "tickers: field `data` is absent"),
    (lambda: parse_tickers({"data": [{}]}), "tickers.data: field `symbol` is absent"),
    (lambda: parse_tickers({"data": [TICKER, TICKER]}), "tickers: abcusdt is listed twice"),
    (lambda: parse_book("a", []), "depth: an object was expected, got list"),  # type: ignore[arg-type]
    (lambda: parse_book("a", {"ch": "market.b.depth"}), "depth: asked for a, answered for market.b.depth"),
    (lambda: parse_book("abcusdt", {}), "depth: field `tick` is absent"),
    (lambda: parse_book("a", {"tick": {}}), "depth.tick: field `bids` is absent"),
    (lambda: parse_book("a", {"tick": {"bids": []}}), "depth.tick: field `asks` is absent"),
    (lambda: parse_book("a", {"tick": {"bids": [], "asks": []}}), "depth: field `ts` is absent"),
    (lambda: parse_book("a", {"tick": {"bids": [1], "asks": []}}), "depth: a level of bids is not a pair"),
    (lambda: parse_book("a", {"tick": {"bids": [[1]], "asks": []}}), "depth: a level of bids is not a pair"),
    (lambda: parse_book("a", {"tick": {"bids": [[1, 2, 3]], "asks": []}}), "depth: a level of bids is not a pair"),
    (lambda: parse_book("a", {"tick": {"bids": [[0, 1]], "asks": []}}), "depth.bids: field `price` is not above zero"),
    (lambda: parse_book("a", {"tick": {"bids": [], "asks": [[1, 0]]}}), "depth.asks: field `quantity` is not above zero"),
    (lambda: parse_book("a", {"tick": {"bids": [[1, 1], [2, 1]], "asks": []}}), "depth: bids are not descending"),
    (lambda: parse_book("a", {"tick": {"bids": [], "asks": [[2, 1], [1, 1]]}}), "depth: asks are not ascending"),
    (lambda: parse_fee_rates({}), "fee-rate: field `data` is absent"),
    (lambda: parse_fee_rates({"data": [{}]}), "fee-rate.data: field `takerFeeRate` is absent"),
    (lambda: parse_fee_rates({"data": [{"takerFeeRate": 0}]}), "fee-rate.data: field `actualTakerRate` is absent"),
    (lambda: parse_fee_rates({"data": [FEE | {"takerFeeRate": "0.051"}]}), "fee-rate: a taker rate of 0.051"),
    (lambda: parse_fee_rates({"data": [FEE, FEE]}), "fee-rate: abcusdt is listed twice"),
    (lambda: parse_accounts({}), "accounts: field `data` is absent"),
    (lambda: parse_accounts({"data": [{}]}), "accounts.data: field `id` is absent"),
    (lambda: parse_balances("7", {}, CODES), "balance: field `data` is absent"),
    (lambda: parse_balances("8", BALANCE, CODES), "balance: asked for account 8, answered for another"),
    (lambda: parse_balances("7", balance(kind="margin"), CODES), "balance: not a spot account"),
    (lambda: parse_balances("7", {"data": {"id": 7, "type": "spot", "list": []}}, CODES),
     "balance.data: field `state` is absent"),
    (lambda: parse_balances("7", {"data": {"id": 7, "type": "spot", "state": "working", "list": [{}]}}, CODES),
     "balance.list: field `type` is absent"),
    (lambda: parse_balances("7", balance(("a", "trade", "1"), ("a", "trade", "1")), CODES),
     "balance: a has two rows of one type"),
    (lambda: parse_balances("7", balance(("b", "trade", "1"), ("a", "frozen", "1")), CODES),
     "balance: a has only one of its rows `trade` and `frozen`"),
    (lambda: parse_balances("7", balance(*((c, t, "1") for c in ("a", "A") for t in ("trade", "frozen"))), CODES),
     "balance: two currencies have one name"),
    (lambda: parse_uid({}), "uid: field `data` is absent"),
    (lambda: parse_key_info({}, "k"), "api-key: field `data` is absent"),
    (lambda: parse_key_info({"data": [{}]}, "k"), "api-key.data: field `accessKey` is absent"),
    (lambda: parse_key_info({"data": [{"accessKey": "other"}]}, "k"), "api-key: the key in use is not in the list"),
    (lambda: parse_order("order", []), "order: an object was expected, got list"),
    (lambda: parse_order("order", ORDER | {"type": "hold-market"}), "order: order type 'hold-market'"),
    (lambda: parse_order("order", ORDER | {"field-amount": None}), "order: field `field-amount` is absent"),
    (lambda: parse_order("order", ORDER | {"field-cash-amount": None}), "order: field `field-cash-amount` is absent"),
    (lambda: parse_order("order", ORDER | {"field-fees": None}), "order: field `field-fees` is absent"),
    (lambda: parse_orders("open-orders", {}), "open-orders: field `data` is absent"),
    (lambda: parse_orders("open-orders", {"data": [{}]}), "open-orders.data: field `type` is absent"),
    (lambda: parse_fills({}, CODES), "matchresults: field `data` is absent"),
    (lambda: parse_fills({"data": [{}]}, CODES), "matchresults.data: field `type` is absent"),
    (lambda: parse_fills({"data": [FILL | {"fee-currency": ""}]}, CODES),
     "matchresults.data: field `fee-currency` is not a plain word"),
    (lambda: parse_fills({"data": [FILL | {"filled-points": "1", "fee-deduct-currency": None}]}, CODES),
     "matchresults.data: field `fee-deduct-currency` is absent"),
    (lambda: next_time({"next-time": "soon"}), "order-history: field `next-time` should be an integer, is str"),
]  # fmt: skip


@pytest.mark.parametrize(("read", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_a_malformed_answer_is_refused_by_its_place(read: Read, words: str) -> None:
    with pytest.raises(MalformedReply, match=f"^{re.escape(words)}$"):
        read()
