"""The search for the best orders against an enumeration of all of them, and against the plainest rule for many."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.choice import Choice, Purse, distances
from rebalancer.core.ladder import Ladder
from rebalancer.core.lots import best_sizes
from rebalancer.core.model import Side, Snapshot, Usage
from rebalancer.core.money import ONE, ZERO
from rebalancer.core.planner import make_plan
from rebalancer.core.targets import BandPolicy, BandRule, Targets
from tests.core.builders import LOOSE, d, snapshot, targets
from tests.core.lots_brute_force import Bounds, Coin, best_by_trying
from tests.core.plan_by_trying import plan_by_trying

CASES_A_TEST = 50
POINTS = {1: 60, 2: 40, 3: 16, 4: 8, 5: 5}  # sizes of a coin, so that trying all stays quick


def random_choices(rng: random.Random, coins: int, points: int) -> list[Choice]:
    """Return coins with lots as coarse as their wishes are large, round numbers among them so that ties occur."""
    made = []
    for _ in range(coins):
        side = rng.choice([Side.BUY, Side.SELL])
        unit = ONE if side is Side.BUY else d(rng.choice([1, 3, 7, "0.37", "12.5", rng.randint(1, 10**6)])) / 4
        lot = d(rng.choice([1, 2, 5, "0.5", "0.3"]))
        low = rng.randint(1, 6)
        high = low + rng.randint(0, points - 1)
        wish = d(rng.choice([0, rng.randint(0, points), round(rng.uniform(0, high * 1.2), 6)])) * lot * unit
        ladder = Ladder(side, unit, lot, lot, ZERO, low * lot, high * lot)
        made.append(Choice(wish, ladder, d(rng.choice(["0", "0.002"])), rng.random() < 0.7))
    return made


def random_purse(rng: random.Random, choices: Sequence[Choice]) -> Purse:
    total = sum((choice.wish for choice in choices), ONE)

    def share() -> Decimal:
        return total * rng.randint(5, 120) / 100

    return Purse(
        cash_free=rng.choice([ZERO, share(), total * 3, -share()]),
        turnover_quote=rng.choice([None, share()]),
        notional_quote=rng.choice([None, None, share()]),
        orders=rng.choice([None, None, None, 1, 2, 3]),
    )


def tried(choices: Sequence[Choice], purse: Purse, *, cash_strays: bool) -> tuple[Decimal, ...]:
    def fraction(value: Decimal | None) -> Fraction | None:
        return None if value is None else Fraction(value)

    coins = []
    for choice in choices:
        lots = range(int(choice.ladder.low / choice.ladder.step), int(choice.ladder.high / choice.ladder.step) + 1)
        sizes = tuple((n * choice.ladder.step, Fraction(n * choice.ladder.step * choice.ladder.unit)) for n in lots)
        coins.append(Coin(choice.ladder.side, Fraction(choice.wish), sizes, Fraction(choice.fee_rate), choice.strays))
    bounds = Bounds(
        Fraction(purse.cash_free), fraction(purse.turnover_quote), fraction(purse.notional_quote), purse.orders
    )
    return best_by_trying(coins, bounds, cash_strays=cash_strays)


@pytest.mark.parametrize("block", range(45))
def test_up_to_five_coins_the_orders_are_the_best_of_all(block: int) -> None:
    for seed in range(block * CASES_A_TEST, (block + 1) * CASES_A_TEST):
        rng = random.Random(seed)
        coins = rng.randint(1, 5)
        choices = random_choices(rng, coins, POINTS[coins])
        purse = random_purse(rng, choices)
        cash_strays = rng.random() < 0.5
        found = best_sizes(choices, purse, cash_strays=cash_strays)
        assert found == tried(choices, purse, cash_strays=cash_strays), f"seed {seed}: {choices} {purse}"


def test_of_sets_that_are_equally_near_the_one_of_fewer_orders_is_found_though_its_bound_is_no_better() -> None:
    wishes = [(Side.BUY, 1, 1, 3), (Side.SELL, 1, 3, 5), (Side.BUY, 3, 2, 6)]
    choices = [
        Choice(d(wish), Ladder(side, ONE, ONE, ONE, ZERO, d(low), d(high)), ZERO, True)
        for side, wish, low, high in wishes
    ]
    purse = Purse(cash_free=d(50))
    assert best_sizes(choices, purse, cash_strays=False) == (0, 0, 3) == tried(choices, purse, cash_strays=False)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_the_best_of_all_is_found_for_any_numbers(data: st.DataObject) -> None:
    amounts = st.decimals(min_value=0, max_value=40, places=2)
    choices = []
    for _ in range(data.draw(st.integers(1, 3))):
        side, low = data.draw(st.sampled_from(Side)), data.draw(st.integers(1, 4))
        lot, unit = d(data.draw(st.sampled_from(["0.7", "1", "2.5"]))), d(data.draw(st.sampled_from(["1", "3.3"])))
        high = data.draw(st.integers(low, 14))
        ladder = Ladder(side, unit, lot, lot, ZERO, low * lot, high * lot)
        choices.append(Choice(data.draw(amounts), ladder, d("0.002"), data.draw(st.booleans())))
    purse = Purse(data.draw(amounts), data.draw(st.none() | amounts), data.draw(st.none() | amounts), None)
    cash_strays = data.draw(st.booleans())
    assert best_sizes(choices, purse, cash_strays=cash_strays) == tried(choices, purse, cash_strays=cash_strays)


def rounded_down(choices: Sequence[Choice], purse: Purse) -> list[Decimal]:
    """Return the plainest rule's orders, as notionals: each wish rounded down, dropped if too small or not payable."""
    quotes = [ZERO] * len(choices)
    funds, sold, bought, notional, orders = purse.cash_free, ZERO, ZERO, ZERO, 0
    for i in sorted(range(len(choices)), key=lambda i: (choices[i].ladder.side is Side.BUY, -choices[i].wish, i)):
        choice, selling = choices[i], choices[i].ladder.side is Side.SELL
        room = [choice.wish, choice.ladder.high_quote]
        if purse.turnover_quote is not None:
            room.append(purse.turnover_quote - (sold if selling else bought))
        if purse.notional_quote is not None:
            room.append(purse.notional_quote - notional)
        if not selling:
            room.append(funds * d("0.995") - bought)
        one = choice.ladder.step * choice.ladder.unit
        quote = min(room) // one * one
        if quote < choice.ladder.low_quote or orders == purse.orders:
            continue
        quotes[i], orders, notional = quote, orders + 1, notional + quote
        sold, bought = (sold + quote, bought) if selling else (sold, bought + quote)
        funds += quote * (1 - choice.fee_rate) if selling else 0
    return quotes


@pytest.mark.parametrize("seed", range(400))
def test_many_coins_are_never_served_worse_than_by_rounding_down(seed: int) -> None:
    rng = random.Random(seed)
    choices = random_choices(rng, rng.randint(6, 40), rng.choice([8, 50, 1000]))
    purse, cash_strays = random_purse(rng, choices), rng.random() < 0.5
    sizes = best_sizes(choices, purse, cash_strays=cash_strays)
    found = [choice.ladder.quote(size) for choice, size in zip(choices, sizes, strict=True)]
    plain = rounded_down(choices, purse)
    nothing = [ZERO] * len(choices)
    best, plainly, before = (distances(choices, q, cash_strays=cash_strays) for q in (found, plain, nothing))
    assert best[0] <= before[0], f"seed {seed}"
    if plainly[1] < before[1]:  # the plain orders help somebody who strays
        assert best[0] <= plainly[0], f"seed {seed}"


def random_account(seed: int) -> tuple[Snapshot, Targets, Usage]:
    """Return a small account with lots and minimums that matter, and limits in half of the cases."""
    rng = random.Random(seed)
    coins = ("AAA", "BBB", "CCC", "DDD", "EEE")[: rng.randint(1, 5)]
    cuts = [rng.randint(1, 30) for _ in coins]
    cash = rng.randint(3, 30)
    percents = [(d(cut) * 100 / (sum(cuts) + cash)).quantize(ONE) for cut in cuts]
    weights = dict(zip(coins, percents, strict=True)) | {"USDT": 100 - sum(percents)}
    nav = rng.randint(100, 600)
    prices = {coin: d(rng.choice([1, 2, 5, "0.8", rng.randint(1, 40)])) for coin in coins}
    shares = [rng.random() ** 2 + 0.01 for _ in weights]
    holdings = {
        asset: (nav * d(round(share / sum(shares), 6)) / prices.get(asset, ONE)).quantize(d("0.0001"))
        for asset, share in zip(weights, shares, strict=True)
    }
    rules = {
        coin: {
            "lot_size": (nav / d(rng.choice([15, 25, 40])) / prices[coin]).quantize(d("0.1")) + d("0.1"),
            "quote_step": d(rng.choice([10, 20])),
            "min_notional": d(rng.choice([1, 5, 10])),
            "sell_quantity_min": ZERO,
        }
        for coin in coins
    }
    limits = LOOSE
    if rng.random() < 0.5:
        limits = replace(
            LOOSE,
            max_turnover_per_cycle=d(rng.choice([5, 10, 30])),
            max_notional_per_day=rng.choice([None, d(50), d(150)]),
            max_order_notional=rng.choice([None, d(25), d(60)]),
            max_orders_per_day=rng.choice([100, 1, 2, 3]),
        )
    bands = BandPolicy(
        rule=rng.choice([BandRule.THEORY, BandRule.CLAMP]),
        destination=d(rng.choice(["0", "0.5", "0.75", "1"])),
    )
    made = targets(weights, limits=limits, bands=replace(bands, k=d("0.12" if bands.rule is BandRule.THEORY else 20)))
    usage = Usage(
        has_traded=True,
        targets_changed=rng.random() < 0.3,
        amount_precision_symbols=frozenset({"aaausdt"}) if rng.random() < 0.2 else frozenset(),
    )
    return snapshot(holdings, prices, rule_changes=rules, fee=rng.choice(["0", "0.002"])), made, usage


@pytest.mark.parametrize("block", range(25))
def test_a_plan_of_up_to_five_coins_is_the_best_that_can_be_placed(block: int) -> None:
    for seed in range(block * CASES_A_TEST, (block + 1) * CASES_A_TEST):
        seen, wanted, usage = random_account(seed)
        plan = make_plan(seen, wanted, usage)
        by_trying = plan_by_trying(seen, wanted, usage, full=usage.targets_changed)
        assert {leg.asset: (leg.side, leg.size.value) for leg in plan.legs} == by_trying.sizes, f"seed {seed}"


def test_the_random_accounts_are_worth_their_name() -> None:
    results = []
    for seed in range(300):
        seen, wanted, usage = random_account(seed)
        results.append(plan_by_trying(seen, wanted, usage, full=usage.targets_changed))
    assert sum(1 for result in results if result.sizes) > 150
    assert sum(1 for result in results if result.limited) > 40
    assert sum(1 for result in results if len(result.sizes) > 2) > 40
    assert sum(1 for result in results if result.rounds > 1) > 5


@pytest.mark.parametrize("seed", range(20))
def test_what_the_purse_cannot_pay_takes_no_work_from_what_it_can(seed: int) -> None:
    """Three coins wish to trade in thousands of sizes each, and only two orders are left of the day."""
    rng = random.Random(seed)
    lots = [d(rng.randint(3, 40)) / 100 for _ in range(3)]
    choices = [
        Choice(d(wish), Ladder(side, ONE, lot, lot, ZERO, lot * 200, d(2000) // lot * lot), ZERO, True)
        for side, wish, lot in zip((Side.SELL, Side.BUY, Side.BUY), (2000, 1000, 990), lots, strict=True)
    ]

    def cost(sizes: Sequence[Decimal]) -> Decimal:
        return distances(choices, sizes, cash_strays=False)[0]

    def pairs() -> Iterator[tuple[Decimal, Decimal, Decimal]]:
        for count in range(200, int(d(2000) / lots[0]) + 1):
            sold = count * lots[0]
            for buyer, other in ((1, 2), (2, 1)):
                wanted = choices[buyer].wish + (choices[other].wish + sold - 2000) / 2
                for bought in (wanted // lots[buyer] * lots[buyer], wanted // lots[buyer] * lots[buyer] + lots[buyer]):
                    if choices[buyer].ladder.low <= bought <= choices[buyer].ladder.high:
                        yield (sold, bought, ZERO) if buyer == 1 else (sold, ZERO, bought)

    found = best_sizes(choices, Purse(d(100_000), orders=2), cash_strays=False)
    assert cost(found) == min(map(cost, pairs())), f"seed {seed}: {found}"


def test_what_is_too_small_twice_is_one_order() -> None:
    """Two coins wish to buy 5 each, one coin to sell 10, and no order is smaller than 12."""
    buy = Ladder(Side.BUY, ONE, d("0.01"), d("0.01"), ZERO, d(12), d(20))
    sell = Ladder(Side.SELL, ONE, d("0.01"), d("0.01"), ZERO, d(12), d(40))
    choices = [Choice(d(10), sell, ZERO, True), Choice(d(5), buy, ZERO, False), Choice(d(5), buy, ZERO, False)]
    assert best_sizes(choices, Purse(d(100)), cash_strays=False) == (d(12), d(12), ZERO)


def test_of_answers_as_near_and_as_large_the_one_with_fewer_orders_is_taken() -> None:
    """Wishes of 1 and of 5: a lone order of 6 and two of 2 and 4 both miss each of them by 1 and the cash by nothing."""
    fine = Ladder(Side.BUY, ONE, d(1), d(1), ZERO, d(2), d(4))
    even = Ladder(Side.BUY, ONE, d(2), d(2), ZERO, d(2), d(8))
    choices = [Choice(d(1), fine, ZERO, True), Choice(d(5), even, ZERO, True)]
    assert best_sizes(choices, Purse(d(100)), cash_strays=True) == (ZERO, d(6))


def test_nothing_is_traded_that_helps_nobody_who_strays() -> None:
    """The one coin outside its band can only sell far too much, so its counter-trades would be for nothing."""
    stuck = Choice(d(10), Ladder(Side.SELL, ONE, d(1), d(1), ZERO, d(90), d(90)), ZERO, True)
    bought = Choice(d(10), Ladder(Side.BUY, ONE, d(1), d(1), ZERO, d(5), d(30)), ZERO, False)
    sold = Choice(ZERO, Ladder(Side.SELL, ONE, d(1), d(1), ZERO, d(5), d(30)), ZERO, False)
    assert best_sizes([stuck, bought, sold], Purse(d(100)), cash_strays=False) == (ZERO, ZERO, ZERO)
