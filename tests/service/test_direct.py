"""Direct pairs carried out: the real client, journal and cycle over the embedded exchange, to the last digit."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from rebalancer.core.fit import first_leg_alone
from rebalancer.core.model import Side, Snapshot, Usage
from rebalancer.core.money import BPS
from rebalancer.core.orders import Event, IntentState
from rebalancer.core.plan_json import PlanHeader, plan_document
from rebalancer.core.planner import make_plan
from rebalancer.core.snapshot_json import read_snapshot
from rebalancer.core.targets import OrderPolicy, OrderType, Route, Targets
from rebalancer.journal.records import unpack_snapshot
from rebalancer.journal.rows import Kind
from rebalancer.service.cycle import CycleStatus
from rebalancer.service.observe import observe
from rebalancer.simulator.exchange import ExchangeOptions
from tests.core.builders import targets
from tests.service.house import ACCOUNT, LIVE_LIMITS, House

WEIGHTS = {"BTC": 35, "ETH": 25, "SOL": 15, "LINK": 10, "USDT": 15}
CROSSES = ("ethbtc", "solbtc", "linkbtc", "soleth", "linketh")
# Too much ETH and LINK, too little BTC and SOL, cash about right.
CROSSED = {"BTC": "0.2", "ETH": "14", "SOL": "30", "LINK": "1500", "USDT": "15000"}


BOTH = pytest.mark.parametrize("order_type", list(OrderType))


def wanted(order_type: OrderType = OrderType.MARKET) -> Targets:
    return replace(targets(WEIGHTS, limits=LIVE_LIMITS), orders=OrderPolicy(order_type, Route.DIRECT))


def house(
    folder: Path, balances: dict[str, str] = CROSSED, order_type: OrderType = OrderType.MARKET, **more: Any
) -> House:
    held = {asset: Decimal(amount) for asset, amount in balances.items()}
    return House(folder, balances=held, targets=wanted(order_type), **more)


def random_holdings(seed: int) -> dict[str, str]:
    rng = random.Random(seed)
    worth = {"BTC": 88_000, "ETH": 2_900, "SOL": 138, "LINK": 13, "USDT": 1}
    return {asset: f"{rng.uniform(2_000, 40_000) / price:.8f}" for asset, price in worth.items()}


def test_the_pairs_of_hubs_and_targets_are_read_only_where_direct_routes_are_wanted(tmp_path: Path) -> None:
    home = house(tmp_path)
    seen = observe(home.shell.venue, home.shell.gather, home.targets, ACCOUNT).snapshot
    assert set(seen.crosses) == set(CROSSES)
    assert all(pair.book is not None and pair.fee is not None for pair in seen.crosses.values())
    over_quote = replace(home.targets, orders=OrderPolicy())
    assert observe(home.shell.venue, home.shell.gather, over_quote, ACCOUNT).snapshot.crosses == {}


@BOTH
@pytest.mark.parametrize("seed", range(8))
def test_a_live_cycle_ends_in_bands_and_both_sides_agree_to_the_last_digit(
    seed: int, order_type: OrderType, tmp_path: Path
) -> None:
    options = ExchangeOptions(
        buy_precision=random.Random(seed).choice(("value", "amount")),
        fill_precision=random.Random(seed).choice(("significant", "amount")),
    )
    start = random_holdings(seed)
    home = house(tmp_path, start, order_type, options=options)
    for _ in range(6):  # a symbol that wants fewer decimals is learned by one refusal
        result = home.cycle()
        if result.status is CycleStatus.WITHIN_BANDS:
            break
    assert result.status is CycleStatus.WITHIN_BANDS, (seed, result.text, home.states())
    assert home.booked({a: Decimal(h) for a, h in start.items()}) == {a: home.held(a) for a in start}, seed
    assert not home.journal.state.halts, seed
    state = home.journal.state
    assert all(state.totals[asset] == home.held(asset) for asset in start), seed


def test_no_direct_order_with_a_collar_fills_beyond_it_or_spends_more_than_it_committed(tmp_path: Path) -> None:
    home = house(tmp_path, order_type=OrderType.IOC)
    result = home.cycle()
    assert result.plan is not None
    straight = [leg for leg in result.plan.legs if leg.direct is not None]
    assert {leg.side for leg in straight} == {Side.BUY, Side.SELL}, "both ends of a pair are given up"
    most = home.targets.limits.max_slippage_bps / BPS
    for leg in straight:
        record = next(r for r in home.records if r.intent_seq == leg.intent_seq)
        (order,) = home.orders_of(record.client_order_id)
        assert order.kind.endswith("-ioc") and order.price == leg.collar == record.price, leg
        assert leg.collar is not None and record.filled_quantity, leg
        paid = record.filled_quote / record.filled_quantity
        beyond = paid - leg.collar if leg.side is Side.BUY else leg.collar - paid
        assert beyond <= 0 and abs(leg.collar - leg.mid) <= most * leg.mid, leg
        spent = record.filled_quote if leg.side is Side.BUY else record.filled_quantity
        assert spent <= leg.size.value, leg


def test_a_direct_plan_sends_fewer_orders_and_leaves_the_cash_alone(tmp_path: Path) -> None:
    home = house(tmp_path)
    result = home.cycle()
    assert result.status is CycleStatus.DONE, result.text
    assert result.plan is not None and result.plan.saves_quote > 0
    pairs = {record.symbol: record.quote for record in home.records}
    assert pairs.keys() & {"ethbtc", "linkbtc", "soleth"}, pairs
    assert all(symbol.endswith(quote.lower()) for symbol, quote in pairs.items())
    assert {payload["quote"] for payload in home.payloads(Kind.INTENT)} >= {"BTC"}


def test_what_was_read_gives_the_same_plan_again(tmp_path: Path) -> None:
    home = house(tmp_path)
    home.cycle()
    seen, usage = read_snapshot(unpack_snapshot(home.payloads(Kind.SNAPSHOT)[0]))
    (told,) = home.payloads(Kind.PLAN)
    again = make_plan(seen, home.targets, usage, live=True)
    assert plan_document(again, PlanHeader(told["plan"]["cycle_id"], "live", "embedded")) == told["plan"]


def test_a_direct_order_counts_on_both_sides_of_the_turnover_and_once_in_the_notional(tmp_path: Path) -> None:
    home = house(tmp_path)
    home.cycle()
    usage = home.journal.state.usage(home.shell.venue.server_now(), "")
    sent = [Decimal(payload["notional_quote"]) for payload in home.payloads(Kind.SENDING)]
    assert usage.notional_quote == sum(sent)
    direct = sum(d for d, r in zip(sent, home.records, strict=True) if r.quote != "USDT")
    assert usage.direct_quote == direct > 0
    assert usage.turnover_quote > usage.notional_quote / 2, "what is sold for coins is bought too"


@BOTH
@pytest.mark.parametrize("fault", ["lost_reply@place=1x1", "lost_request@place=1x1", "partial=1x1", "invisible=1x1"])
def test_a_direct_order_of_unknown_outcome_is_found_or_proven_absent(
    fault: str, order_type: OrderType, tmp_path: Path
) -> None:
    start = {asset: Decimal(amount) for asset, amount in CROSSED.items()}
    home = house(tmp_path, order_type=order_type, faults=fault)
    for _ in range(8):
        home.cycle()
        if not home.journal.state.unresolved:
            break
    home.cycle()
    assert not home.journal.state.unresolved, home.states()
    assert home.booked(start) == {asset: home.held(asset) for asset in start}
    first = min((record for record in home.records if record.signed_at), key=lambda record: record.signed_at)
    assert first.quote != "USDT", "the fault struck another order than the one it was meant for"
    assert set(first.balances_before) == {first.asset, first.quote}
    ends = {IntentState.FILLED, IntentState.PARTIAL, IntentState.ABSENT}
    assert first.state in ends


@pytest.mark.parametrize("coin", ["asset", "quote"])
def test_a_hand_on_either_coin_of_a_direct_leg_stops_the_plan(coin: str, tmp_path: Path) -> None:
    home = house(tmp_path)
    touched = []

    def take(progress: Any) -> None:
        if progress.step == "planned":
            first, _ = first_leg_alone(make_plan(*what_was_seen(home)).legs)
            assert first.direct is not None
            touched.append(getattr(first, coin))
            home.user.wallet(touched[0].lower()).trade -= Decimal("0.01")

    home.on_progress = take
    result = home.cycle()
    assert touched and f"balance_moved: {touched[0]} is" in result.text, result.text
    assert not home.outcomes(Event.ACCEPT)


def what_was_seen(home: House) -> tuple[Snapshot, Targets, Usage]:
    seen = observe(home.shell.venue, home.shell.gather, home.targets, ACCOUNT).snapshot
    return seen, home.targets, Usage()


@pytest.mark.parametrize(
    "change",
    [{"state": "offline"}, {"api_trading": "disabled"}, {"tags": "etp"}, {"taker_fee": Decimal("0.01")}],
    ids=lambda change: next(iter(change)),
)
def test_pairs_that_are_closed_or_dear_cost_the_direct_way_and_not_the_plan(
    change: dict[str, Any], tmp_path: Path
) -> None:
    home = house(tmp_path)
    for name in CROSSES:
        home.exchange.market.change_spec(name, **change)
    result = home.cycle()
    assert result.status is CycleStatus.DONE, result.text
    assert {record.quote for record in home.records} == {"USDT"}


def test_pairs_that_are_halted_alone_are_not_used(tmp_path: Path) -> None:
    home = house(tmp_path)
    home.exchange.status.state = 2
    home.exchange.status.affected = "ethbtc,linkbtc"
    seen = observe(home.shell.venue, home.shell.gather, home.targets, ACCOUNT).snapshot
    assert set(seen.crosses) == set(CROSSES) - {"ethbtc", "linkbtc"}


@pytest.mark.parametrize("broken", ["depth", "transact-fee-rate"])
def test_pairs_whose_answers_cannot_be_read_are_noted_and_not_used(broken: str, tmp_path: Path) -> None:
    home = house(tmp_path)

    def lose(request: httpx.Request) -> None:
        if broken in request.url.path and any(name in str(request.url) for name in CROSSES):
            raise httpx.ReadError("lost", request=request)

    home.wire.before = lose
    result = home.cycle()
    assert result.status is CycleStatus.DONE, result.text
    assert {record.quote for record in home.records} == {"USDT"}
    assert result.plan is not None and any("is not used: the exchange's answer has no" in n for n in result.plan.notes)
    (told,) = home.payloads(Kind.PLAN)
    assert told["plan"]["notes"] == list(result.plan.notes)
