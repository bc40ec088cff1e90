"""The back-test holds its books to the last digit, sees nothing of the future, and changes nothing of the planner."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from rebalancer.backtest import engine
from rebalancer.backtest.account import fill
from rebalancer.backtest.engine import run_backtest
from rebalancer.backtest.market import Market
from rebalancer.backtest.result import Result
from rebalancer.backtest.series import Series, generate
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.model import Side, Snapshot, Usage
from rebalancer.core.money import EXACT, ONE, ZERO, QuoteAmount
from rebalancer.core.plan import Plan
from rebalancer.core.planner import make_plan
from rebalancer.core.targets import BandPolicy, OrderPolicy, OrderType
from rebalancer.core.trust import CoinState
from rebalancer.errors import ConfigError
from tests.backtest.histories import COINS, FREE, HOUR, NARROW, a_history, d, flat, targets

SEEDS = range(40)


def lines_of(result: Result) -> list[object]:
    """Return everything that a result says, to be compared with another's."""
    arrays = (result.nav_quote, result.drift, result.fee_quote, result.turnover, result.orders, result.denied)
    return [*(array.tolist() for array in arrays), result.initial, result.final, result.trades]


@pytest.mark.parametrize("seed", SEEDS)
def test_final_balances_are_the_initial_ones_and_all_fills_to_the_last_digit(seed: int) -> None:
    result = run_backtest(*a_history(seed))
    summed = dict(result.initial)
    for trade in result.trades:
        for asset, change in trade.changes.items():
            summed[asset] = EXACT.add(summed[asset], change)
    assert summed == result.final, f"seed {seed}"
    assert all(held >= ZERO for held in result.final.values()), f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_trade_takes_from_nav_is_its_fee_and_its_half_spread(seed: int) -> None:
    series, wanted, setting = a_history(seed)
    result = run_backtest(series, wanted, setting)
    lost = np.zeros(len(series))
    for trade in result.trades:
        prices = dict(zip(series.assets, series.closes[trade.at].tolist(), strict=True)) | {"USDT": 1.0}
        lost[trade.at] -= sum(float(change) * prices[asset] for asset, change in trade.changes.items())
    assert np.allclose(lost, result.fee_quote + result.spread_quote, atol=1e-9 * float(setting.nav_quote)), seed
    rate = float(setting.fee_rate)
    traded = sum(float(t.paid) for t in result.trades)
    assert np.isclose(result.fees_quote, rate * traded, rtol=float(setting.spread_bps) / 10_000 + rate + 1e-9), seed


@pytest.mark.parametrize("seed", SEEDS)
def test_closes_that_are_passed_over_would_not_have_been_traded(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = a_history(seed)
    quick = run_backtest(*case)
    monkeypatch.setattr(engine._Walk, "_may_act", lambda _self, first, last: list(range(first, last)))
    assert lines_of(quick) == lines_of(run_backtest(*case)), f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_known_of_later_closes(seed: int) -> None:
    series, wanted, setting = a_history(seed)
    rng = random.Random(seed)
    cut = rng.randint(2, len(series) - 1)
    closes = series.closes.copy()
    closes[cut:] *= [[rng.uniform(0.3, 3) for _ in series.assets] for _ in range(len(series) - cut)]
    whole = run_backtest(series, wanted, setting)
    other = run_backtest(Series(series.assets, series.times, closes), wanted, setting)
    short = run_backtest(series.part(0, cut), wanted, setting)
    before = [trade for trade in whole.trades if trade.at < cut]
    assert before == [trade for trade in other.trades if trade.at < cut] == list(short.trades), f"seed {seed}"
    assert np.array_equal(whole.nav_quote[:cut], other.nav_quote[:cut]), f"seed {seed}"


def test_every_leg_comes_from_the_planner_and_is_filled_at_the_close_it_was_decided_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plans: list[Plan] = []

    def watched(*args: object) -> Plan:
        plans.append(make_plan(*args))  # type: ignore[arg-type]
        return plans[-1]

    monkeypatch.setattr(engine, "make_plan", watched)
    series = generate(8, 200, COINS[:3])
    result = run_backtest(series, targets(), BacktestSetting(spread_bps=d(10)))
    legs = [(plan.taken_at, leg.symbol, leg.side, leg.size.value) for plan in plans for leg in plan.legs]
    made = [
        (series.times[t.at], t.symbol, t.side, t.quantity if t.side is Side.SELL else t.paid) for t in result.trades
    ]
    assert legs == made and len(legs) > 10
    for trade in result.trades:
        close = series.closes[trade.at, series.assets.index(trade.base)]
        off = float(trade.paid / trade.quantity) / close - 1
        assert off == pytest.approx(0.0005 if trade.side is Side.BUY else -0.0005, rel=1e-6), trade
        assert trade.fee_asset == (trade.base if trade.side is Side.BUY else "USDT"), trade


def test_prices_that_stand_still_are_never_traded() -> None:
    result = run_backtest(flat(30, AAA=[7.0], BBB=[0.3], CCC=[901.0]), targets(), FREE)
    assert result.orders_total == 0 and result.fees_quote == 0 and result.final == result.initial
    assert result.rms_pp < 0.01, "it starts at its targets, but for whole lots"


def test_the_shadow_is_what_the_first_balances_became() -> None:
    series = generate(4, 100, COINS[:3])
    result = run_backtest(series, targets(), FREE)
    last = dict(zip(series.assets, series.closes[-1].tolist(), strict=True)) | {"USDT": 1.0}
    assert result.shadow_quote[-1] == pytest.approx(sum(float(h) * last[a] for a, h in result.initial.items()))
    assert result.shadow_quote[0] == pytest.approx(result.nav_quote[0]) and result.orders_total > 0


def test_columns_of_the_prices_may_stand_in_any_order_and_with_others() -> None:
    series = generate(6, 150, COINS)
    turned = Series(series.assets[::-1], series.times, series.closes[:, ::-1].copy())
    assert lines_of(run_backtest(series, targets(), FREE)) == lines_of(run_backtest(turned, targets(), FREE))


def test_caps_hold_in_every_cycle_and_over_every_day_and_off_they_do_not() -> None:
    limited = targets(max_turnover_per_cycle=d("0.4"), max_turnover_per_day=d("0.6"))
    capped = replace(limited, bands=NARROW)
    series = generate(9, 24 * 60, COINS[:3], step=HOUR)
    on, off = (run_backtest(series, capped, BacktestSetting(caps=caps, guards=False)) for caps in (True, False))
    assert on.turnover.max() <= 0.004 + 1e-9 < off.turnover.max()
    of_day = []
    for side in Side:
        paid = np.zeros(len(series))
        for trade in on.trades:
            paid[trade.at] += float(trade.paid) if trade.side is side else 0
        of_day += [paid[max(0, at - 23) : at + 1].sum() / on.nav_quote[at] for at in np.flatnonzero(paid)]
    assert 0.004 + 1e-9 < max(of_day) <= 0.006 + 1e-9, "of the NAV when the last of the day is traded"
    assert on.denied.sum() > 0 == off.denied.sum()


def test_a_move_beyond_the_guards_waits_a_day_and_without_them_does_not() -> None:
    series = flat(6, AAA=[10.0, 10.0, 17.0], BBB=[5.0], CCC=[2.0])
    on, off = (run_backtest(series, targets(), BacktestSetting(caps=False, guards=guards)) for guards in (True, False))
    assert (on.denied[2], on.orders[2], off.denied[2]) == (1, 0, 0) and off.orders[2] > 0
    assert on.orders[3] > 0, "a price that stays where it is passes after a day"


def test_the_planner_is_told_what_the_journal_would_have_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Snapshot, Usage]] = []

    def watched(snapshot: Snapshot, wanted: object, usage: Usage) -> Plan:
        told.append((snapshot, usage))
        return make_plan(snapshot, wanted, usage)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "make_plan", watched)
    series = generate(9, 24 * 60, COINS[:3], step=HOUR)
    result = run_backtest(series, replace(targets(), bands=NARROW), BacktestSetting())
    doubted = 0
    for snapshot, usage in told[1:]:
        at = series.times.index(snapshot.taken_at)
        recent = [t for t in result.trades if at - 24 < t.at < at]
        assert usage.orders == len(recent), snapshot.taken_at
        sold = sum((t.paid for t in recent if t.side is Side.SELL), ZERO)
        assert float(usage.sold_quote) == pytest.approx(float(sold)), snapshot.taken_at
        passed = max(index for index in range(at) if not result.denied[index])
        mids = dict(zip(series.assets, series.closes[passed].tolist(), strict=True))
        for coin, known in usage.coins.items():
            assert known.price is not None and known.at is not None
            if known.state is CoinState.NORMAL:
                assert (float(known.price), known.at) == (mids[coin], series.times[passed]), snapshot.taken_at
            else:
                assert known.at < series.times[at - 1], snapshot.taken_at
        doubted += any(known.state is not CoinState.NORMAL for known in usage.coins.values())
        assert float(usage.nav_validated_quote or 0) == pytest.approx(result.nav_quote[passed]), snapshot.taken_at
    assert doubted and len(result.trades) > 50, "both kinds of looks were seen"


def test_a_coin_without_prices_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="hold no CCC"):
        run_backtest(generate(1, 10, ("AAA", "BBB")), targets(), FREE)


@pytest.mark.parametrize(
    ("name", "value"),
    [("fee_rate", "0.2"), ("fee_rate", "NaN"), ("spread_bps", "101"), ("nav_quote", "0"), ("min_order_quote", "-1")],
)
def test_a_setting_out_of_range_is_refused_with_the_range(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is .*must be from"):
        BacktestSetting(**{name: d(value)})  # type: ignore[arg-type]


def test_a_lot_of_the_owners_choice_is_kept_to() -> None:
    series = generate(2, 200, COINS[:3])
    result = run_backtest(series, targets(), replace(FREE, nav_quote=d(10**6), lots={"AAA": d("0.5")}))
    sold = [trade.quantity for trade in result.trades if trade.side is Side.SELL and trade.base == "AAA"]
    assert sold and all(quantity % d("0.5") == 0 for quantity in sold)
    with pytest.raises(ConfigError, match=r"lots\.AAA is 0"):
        BacktestSetting(lots={"AAA": ZERO})


def test_progress_is_told_up_to_the_last_close() -> None:
    seen: list[int] = []
    run_backtest(generate(2, 100, COINS[:3]), targets(), FREE, progress=seen.append)
    assert seen == sorted(set(seen)) and seen[-1] == 100


def test_a_leg_over_a_pair_of_two_coins_moves_both_and_charges_the_one_received(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    series = generate(8, 200, COINS[:3])
    walk_plans: list[Plan] = []
    monkeypatch.setattr(engine, "make_plan", lambda *args: walk_plans.append(make_plan(*args)) or walk_plans[-1])
    run_backtest(series, targets(), FREE)
    leg = next(leg for plan in walk_plans for leg in plan.legs if leg.side is Side.BUY)
    prices = {"AAA": d(4), "BBB": d(100), "USDT": ONE}
    rules = engine.Market(series, targets(), FREE).rules["AAA"]
    cross = replace(rules, symbol="aaabbb", base="AAA", quote="BBB")
    trade = fill(
        replace(leg, symbol="aaabbb", size=QuoteAmount(d(2))), cross, prices, 0, fee_rate=d("0.002"), half_spread=ZERO
    )
    assert trade.changes == {"AAA": Decimal(50) - Decimal("0.1"), "BBB": d(-2)} and trade.fee_asset == "AAA"


def test_a_coins_own_band_is_acted_on_also_where_it_is_narrower_than_the_rule() -> None:
    wide = replace(targets(), bands=BandPolicy(k=d(1), floor=d(20), cap=d(20)))
    series = generate(11, 24 * 20, COINS[:3], step=HOUR)
    assert not run_backtest(series, wide, FREE).trades
    own = replace(wide, bands=replace(wide.bands, per_coin={"AAA": d("0.5")}))
    assert run_backtest(series, own, FREE).trades


def test_a_coin_rests_between_hourly_closes_unless_caps_are_off() -> None:
    wanted = replace(targets(cooldown_h=d(12)), bands=NARROW)
    series = generate(9, 24 * 60, COINS[:3], step=HOUR)
    on, off = (run_backtest(series, wanted, BacktestSetting(caps=caps, guards=False)) for caps in (True, False))
    closest = {}
    for name, result in (("on", on), ("off", off)):
        hours = [
            later.at - trade.at
            for asset in COINS[:3]
            for trade, later in itertools.pairwise(each for each in result.trades if each.base == asset)
            if later.side is not trade.side
        ]
        closest[name] = min(hours)
    assert closest["on"] >= 12 > closest["off"]


def test_a_back_test_is_of_the_weights_alone_whatever_is_kept_elsewhere_or_sold() -> None:
    series = generate(6, 150, COINS)
    owner = replace(targets(), leaving=("ZZZ",), kept={"AAA": d(3)}, external={"BBB": d(5)})
    assert lines_of(run_backtest(series, owner, FREE)) == lines_of(run_backtest(series, targets(), FREE))


def test_ioc_orders_are_filled_in_whole_lots_on_both_sides_and_book_to_the_last_digit() -> None:
    sides = Counter[Side]()
    for seed in SEEDS[:15]:
        series, wanted, setting = a_history(seed)
        result = run_backtest(series, replace(wanted, orders=OrderPolicy(OrderType.IOC)), setting)
        summed, lots = dict(result.initial), Market(series, wanted, setting).markets
        for trade in result.trades:
            sides[trade.side] += 1
            assert trade.quantity % lots[trade.symbol].lot_size == 0, f"seed {seed}"
            for asset, change in trade.changes.items():
                summed[asset] = EXACT.add(summed[asset], change)
        assert summed == result.final, f"seed {seed}"
        assert all(held >= ZERO for held in result.final.values()), f"seed {seed}"
    assert min(sides[side] for side in Side) > 50, sides
