"""The real client over the embedded exchange, every endpoint and every way to be refused."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from rebalancer.core.model import CandlePeriod, MarketState, OrderState, PlaceRequest
from rebalancer.core.money import BaseAmount, QuoteAmount
from rebalancer.errors import (
    AuthCause,
    AuthFailed,
    MalformedReply,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    RecordNotFound,
    Rejected,
    Unavailable,
)
from rebalancer.service.gather import gather_serially
from rebalancer.simulator.exchange import Exchange, ExchangeOptions
from rebalancer.simulator.faults import Faults
from rebalancer.simulator.market import Market
from rebalancer.simulator.transport import InProcessTransport
from rebalancer.venues.base import Venue
from rebalancer.venues.htx.budget import ALLOWED, SHARE, Budget
from rebalancer.venues.htx.client import HtxVenue
from rebalancer.venues.htx.dry import DryHtxVenue
from rebalancer.venues.htx.sign import Credentials
from rebalancer.venues.htx.transport import HttpTransport
from tests.support import FakeClock

ACCOUNT = "10101010"


class Bench:
    def __init__(
        self, faults: str = "", *, secret: str = "secret", kind: type[HtxVenue] = HtxVenue, **user: Any
    ) -> None:
        self.clock = FakeClock()
        now_ms = int(self.clock.now().timestamp() * 1000)
        self.exchange = Exchange(Market(seed=3, anchor_ms=now_ms, still=True), faults=Faults.parse(faults, seed=1))
        holdings = {"BTC": Decimal("0.5"), "USDT": Decimal(1000)}
        self.user = self.exchange.add_user("access", "secret", holdings, **user)
        self.venue = kind(
            HttpTransport(clock=self.clock, transport=InProcessTransport(self.exchange, self.clock)),
            base_url="http://127.0.0.1:8900",
            credentials=Credentials("access", secret),
            clock=self.clock,
            gather=gather_serially,
            rng=random.Random(0),
        )

    def request(self, size: BaseAmount | QuoteAmount, cid: str = "rb1-x-1", symbol: str = "btcusdt") -> PlaceRequest:
        return PlaceRequest(ACCOUNT, symbol, size, cid, self.venue.server_now())


def test_the_client_is_a_venue() -> None:
    venue: Venue = Bench().venue
    assert venue.host == "127.0.0.1"


def test_every_read_of_a_cycle_works() -> None:
    venue = Bench().venue
    venue.fetch_server_time()
    assert venue.fetch_market_status().state is MarketState.NORMAL
    assert venue.fetch_rules()["btcusdt"].min_notional == 10
    assert venue.fetch_tickers()["ethusdt"].last > 0
    assert len(venue.fetch_book("btcusdt").bids) == 20
    assert venue.fetch_fee_rates(["btcusdt", "ethusdt"])["ethusdt"].taker_fee_rate == Decimal("0.002")
    assert [a.kind for a in venue.fetch_accounts()] == ["point", "spot", "margin"]
    balances = venue.fetch_balances(ACCOUNT)
    assert len(balances) > 1000
    assert (balances["BTC"].free, balances["ETH"].total) == (Decimal("0.5"), 0)
    info = venue.fetch_key_info()
    assert info is not None
    assert info.can_trade and not info.can_withdraw


@pytest.mark.parametrize("period", CandlePeriod)
def test_the_last_candle_holds_this_moment_and_its_close_is_the_last_price(period: CandlePeriod) -> None:
    bench = Bench()
    candles = bench.venue.fetch_candles("btcusdt", period, 2000)
    assert len(candles) == 2000
    assert {late.starts_at - early.starts_at for early, late in pairwise(candles)} == {period.length}
    assert candles[-1].starts_at <= bench.clock.now() < candles[-1].starts_at + period.length
    assert candles[-1].close == bench.venue.fetch_tickers()["btcusdt"].last


def test_candles_of_no_market_are_refused_in_the_words_of_the_exchange() -> None:
    with pytest.raises(Rejected, match="invalid symbol"):
        Bench().venue.fetch_candles("nosuch", CandlePeriod.DAY, 10)


def test_many_reads_of_candles_stay_within_a_fifth_of_what_is_allowed() -> None:
    bench = Bench()
    for _ in range(20):
        bench.venue.fetch_candles("btcusdt", CandlePeriod.DAY, 1)
    assert sum(bench.clock.slept_s) >= 2 * (20 // (ALLOWED["kline"] // SHARE) - 1)


def test_fee_rates_are_asked_for_ten_at_a_time() -> None:
    bench = Bench()
    symbols = [s for s in bench.exchange.market.specs() if s.endswith("usdt")]
    assert len(symbols) > 10
    assert set(bench.venue.fetch_fee_rates(symbols)) == set(symbols)


def test_a_buy_spends_quote_and_a_sell_gives_base() -> None:
    bench = Bench()
    venue = bench.venue
    buy = venue.place(bench.request(QuoteAmount(Decimal("25.5")), "rb1-a-1"))
    sell = venue.place(bench.request(BaseAmount(Decimal("0.1")), "rb1-b-2"))
    bench.clock.advance(1)
    bought, sold = venue.fetch_order(buy), venue.fetch_order_by_client_id("rb1-b-2")
    assert (bought.state, bought.requested, sold.venue_order_id) == (OrderState.FILLED, Decimal("25.5"), sell)
    assert bought.filled_quote <= Decimal("25.5")
    assert sold.filled_quantity == Decimal("0.1")
    fills = venue.fetch_fills(sell)
    assert sum(fill.quantity for fill in fills) == Decimal("0.1")
    assert {fill.fee_asset for fill in fills} == {"USDT"}


def test_all_pages_of_a_search_are_read() -> None:
    bench = Bench()
    start = bench.clock.now()
    for number in range(230):
        bench.venue.place(bench.request(BaseAmount(Decimal("0.0002")), f"rb1-p-{number}"))
        bench.clock.advance(3)
    end = bench.clock.now()
    found = bench.venue.search_orders("btcusdt", start - timedelta(seconds=5), end)
    assert len({order.client_order_id for order in found}) == 230


def test_lookups_of_what_is_not_there_say_so() -> None:
    venue = Bench().venue
    with pytest.raises(RecordNotFound):
        venue.fetch_order("999")
    with pytest.raises(RecordNotFound):
        venue.fetch_order_by_client_id("rb1-nothing-1")


@pytest.mark.parametrize(
    ("setup", "cause"),
    [
        ({"secret": "wrong"}, AuthCause.SIGNATURE),
        ({"ip_addresses": ("203.0.113.7",)}, AuthCause.IP),
        ({"permissions": ()}, AuthCause.PERMISSION),
        ({"expires_ms": 0}, AuthCause.EXPIRED),
    ],
)
def test_each_way_of_not_being_accepted_is_told_apart(setup: dict[str, Any], cause: AuthCause) -> None:
    with pytest.raises(AuthFailed) as caught:
        Bench(**setup).venue.fetch_accounts()
    assert caught.value.cause is cause
    assert "127.0.0.1" not in str(caught.value)


def test_an_unknown_key_is_told() -> None:
    bench = Bench()
    bench.exchange.state.users.clear()
    with pytest.raises(AuthFailed) as caught:
        bench.venue.fetch_accounts()
    assert caught.value.cause is AuthCause.KEY


def test_a_sub_user_who_may_not_ask_for_rights_gets_none() -> None:
    assert Bench(sub_user=True).venue.fetch_key_info() is None


def test_a_read_refused_for_the_clock_resyncs_once_and_is_repeated() -> None:
    bench = Bench()
    bench.venue.fetch_server_time()
    bench.venue._offset = timedelta(seconds=-900)
    assert bench.venue.fetch_accounts()
    assert abs(bench.venue.skew_s) < 1


@pytest.mark.parametrize("fault", ["lost_request", "lost_reply", "http_429", "rate_code", "html_502", "delayed_reply"])
def test_a_read_that_fails_twice_is_repeated(fault: str) -> None:
    bench = Bench(f"{fault}@balance=1x2")
    assert bench.venue.fetch_balances(ACCOUNT)["BTC"].free == Decimal("0.5")
    assert bench.exchange.faults.fired[fault] == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("lost_request", Unavailable), ("html_502", Unavailable), ("http_429", RateLimited), ("html_200", MalformedReply),
        ("truncated", MalformedReply), ("nan", MalformedReply), ("redirect", Unavailable),
    ],
)  # fmt: skip
def test_a_read_that_keeps_failing_says_what_it_was(fault: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Bench(f"{fault}@balance").venue.fetch_balances(ACCOUNT)


@pytest.mark.parametrize(("fault", "first_s"), [("html_502", 0.25), ("http_429", 2.0)])
def test_what_fails_is_asked_again_ever_later_and_never_by_all_at_once(fault: str, first_s: float) -> None:
    """After a refusal for asking too often, at least one whole window of the exchange passes."""
    waits = []
    for seed in range(8):
        bench = Bench(f"{fault}@balance")
        bench.venue._rng = random.Random(seed)
        with pytest.raises(Unavailable):
            bench.venue.fetch_balances(ACCOUNT)
        waits.append([wait for wait in bench.clock.slept_s if wait >= 0.25][:2])
    for one, two in waits:
        assert first_s <= one <= 1.5 * first_s and 2 * first_s <= two <= 3 * first_s
    assert len({one for one, _ in waits}) == len(waits), "each instance waits its own time"


def test_a_missing_row_is_absent_not_zero() -> None:
    assert "BTC" not in Bench("missing_row").venue.fetch_balances(ACCOUNT)


@pytest.mark.parametrize(
    ("fault", "orders"),
    [
        ("lost_request", 0), ("lost_reply", 1), ("delayed_reply", 1), ("delayed_request", 0), ("http_429", 0),
        ("system_error_executed", 1), ("system_error_refused", 0), ("html_502", 0), ("html_200", 1), ("truncated", 1),
        ("redirect", 0),
    ],
)  # fmt: skip
def test_a_place_call_without_a_definite_answer_is_unknown_and_was_sent_once(fault: str, orders: int) -> None:
    bench = Bench(f"{fault}@place")
    with pytest.raises(OutcomeUnknown):
        bench.venue.place(bench.request(BaseAmount(Decimal("0.1"))))
    assert bench.exchange.faults.fired[fault] == 1, "the order was sent more than once"
    assert len(bench.exchange.state.orders) == orders


def test_a_definite_refusal_is_a_rejection_with_the_exchange_words() -> None:
    bench = Bench()
    with pytest.raises(Rejected) as caught:
        bench.venue.place(bench.request(QuoteAmount(Decimal(9))))
    assert caught.value.code == "order-value-min-error"
    assert "lower than: 10 USDT" in caught.value.message


def test_a_rate_code_in_valid_json_is_a_rejection_of_a_place_call() -> None:
    bench = Bench("rate_code@place")
    with pytest.raises(Rejected):
        bench.venue.place(bench.request(BaseAmount(Decimal("0.1"))))


def test_a_dry_venue_cannot_place() -> None:
    bench = Bench(kind=DryHtxVenue)
    with pytest.raises(NotSent, match="dry run"):
        bench.venue.place(bench.request(BaseAmount(Decimal("0.1"))))
    assert not bench.exchange.state.orders


def test_warming_measures_the_skew_over_a_new_connection() -> None:
    bench = Bench("clock_skew@timestamp=1")
    assert bench.venue.warm_order_path() == 60.0


def test_old_order_shapes_are_read_too() -> None:
    bench = Bench()
    bench.exchange.options = ExchangeOptions(old_shape=True)
    number = bench.venue.place(bench.request(BaseAmount(Decimal("0.1"))))
    bench.clock.advance(1)
    assert bench.venue.fetch_order(number).filled_quantity == Decimal("0.1")


def test_a_budget_never_lets_more_than_its_share_through_a_window() -> None:
    clock = FakeClock()
    budget = Budget(clock)
    times = []
    for _ in range(100):
        budget.take("balance")
        times.append(clock.monotonic_s())
    most = max(sum(1 for other in times if at <= other < at + 2) for at in times)
    assert most <= ALLOWED["balance"] // SHARE
    assert most == 20, "a fifth of the 100 in two seconds that HTX documents"


def test_a_budget_waits_a_window_when_the_exchange_says_few_are_left() -> None:
    clock = FakeClock()
    budget = Budget(clock)
    budget.take("order")
    budget.heed("order", 1)
    assert budget.take("order") >= 2
