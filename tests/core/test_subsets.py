"""Bounds of sets of coins against sizes found by trying, and the sets that a search of many coins comes by."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest

from rebalancer.core.drift import frozen
from rebalancer.core.subsets import ALL_SETS_MAX, all_sets, bounds, promising_sets

Coins = tuple[list[float], list[float], list[float], list[float]]  # signs, wishes, smallest and largest orders


def coins_of(number: int, count: int) -> Coins:
    rng = random.Random(number)
    signs = [rng.choice((1.0, -1.0)) for _ in range(count)]
    wishes = [rng.choice((0.0, round(rng.uniform(0, 9), 2))) for _ in range(count)]
    lows = [round(rng.uniform(0.5, 5), 2) for _ in range(count)]
    return signs, wishes, lows, [low + round(rng.uniform(0, 6), 2) for low in lows]


def nearest(coins: Coins, members: tuple[int, ...]) -> float:
    """Return the least distance of sizes without steps: each coin in turn at its best, until nothing changes."""
    signs, wishes, lows, highs = coins
    total = sum(sign * wish for sign, wish in zip(signs, wishes, strict=True))
    sizes = [lows[i] if i in members else 0.0 for i in range(len(signs))]
    for _ in range(400):
        for i in members:
            rest = sum(signs[j] * sizes[j] for j in members if j != i)
            sizes[i] = min(max((wishes[i] - signs[i] * (rest - total)) / 2, lows[i]), highs[i])
    cash = sum(sign * size for sign, size in zip(signs, sizes, strict=True)) - total
    return sum((size - wish) ** 2 for size, wish in zip(sizes, wishes, strict=True)) + cash**2


@pytest.mark.parametrize("number", range(12))
def test_the_bound_of_a_set_is_its_least_distance_at_sizes_without_steps(number: int) -> None:
    coins = coins_of(number, 1 + number % 4)
    found = promising_sets(*coins, orders_max=99)
    assert {members for _, members in found} == {
        each for size in range(len(coins[0]) + 1) for each in combinations(range(len(coins[0])), size)
    }
    for bound, members in found:
        assert bound == pytest.approx(nearest(coins, members), abs=1e-7), (coins, members)
    assert [bound for bound, _ in found] == sorted(bound for bound, _ in found)


def test_of_sets_that_are_as_near_the_smaller_and_the_earlier_come_first() -> None:
    found = promising_sets([1.0] * 8, [0.0] * 8, [1.0] * 8, [1.0] * 8, orders_max=8)
    assert [members for _, members in found] == [tuple(np.flatnonzero(each).tolist()) for each in all_sets(8)]


@pytest.mark.parametrize("orders_max", [0, 1, 2])
def test_no_set_has_more_orders_than_may_be_sent(orders_max: int) -> None:
    found = promising_sets(*coins_of(3, 4), orders_max=orders_max)
    assert max(len(members) for _, members in found) == orders_max


def test_of_as_many_coins_as_can_be_looked_at_at_once_every_set_is_and_of_more_a_few() -> None:
    assert len(promising_sets(*coins_of(1, ALL_SETS_MAX), orders_max=99)) == 2**ALL_SETS_MAX
    assert len(promising_sets(*coins_of(1, ALL_SETS_MAX + 1), orders_max=99)) < 20


@pytest.mark.parametrize("number", range(20))
@pytest.mark.parametrize("orders_max", [3, 99])
def test_from_the_best_set_of_many_coins_no_coins_coming_or_going_leads_nearer(number: int, orders_max: int) -> None:
    signs, wishes, lows, highs = coins_of(number, 10)
    found = promising_sets(signs, wishes, lows, highs, orders_max=orders_max)
    assert max(len(members) for _, members in found) <= orders_max
    best = set(found[0][1])
    flips = [best ^ {coin} for coin in range(10) if len(best ^ {coin}) <= orders_max]
    members = np.array([[coin in each for coin in range(10)] for each in flips])
    around = bounds(members, frozen(signs), frozen(wishes), frozen(lows), frozen(highs))
    assert found[0][0] <= around.min() + 1e-12, (number, orders_max)


def test_a_search_of_many_coins_begins_with_those_whose_wish_is_an_order_and_the_largest_of_them() -> None:
    wishes = [5.0, 9.0, 2.0, 7.0, 2.0, 8.0, 6.0, 2.0, 1.0, 3.0]
    lows, highs = [2.0] * 10, [9.0] * 10
    every = [members for _, members in promising_sets([1.0] * 10, wishes, lows, highs, orders_max=99)]
    assert (0, 1, 2, 3, 4, 5, 6, 7, 9) in every
    largest = [members for _, members in promising_sets([1.0] * 10, wishes, lows, highs, orders_max=3)]
    assert (1, 3, 5) in largest and () not in largest
    tied = promising_sets([1.0] * 10, [4.0] * 10, lows, highs, orders_max=3)
    assert (0, 1, 2) in [members for _, members in tied]


def test_every_set_stands_in_the_table_once_and_nobody_writes_into_it() -> None:
    assert all_sets(2).tolist() == [[False, False], [True, False], [False, True], [True, True]]
    assert not all_sets(3).flags.writeable
