"""Which coins could trade together, and how near each such set comes to the destination at the very best.

A set's bound leaves lots and limits out: sizes are any number between the set's smallest and largest orders. What is
left is min sum (x - m)^2 + z^2 with z = sum s x - sum s m, whose dual has one unknown, z itself; every value of it
gives a lower bound, so an inexact one costs speed, never a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from rebalancer.core.drift import BoolArray, FloatArray, frozen

ALL_SETS_MAX = 8  # coins: 256 sets are looked at at once
HALVINGS = 40
ROUNDS_MAX = 12


def bounds(members: BoolArray, sign: FloatArray, wish: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return a lower bound of each set's squared distance, shape (n_sets,); `members` is (n_sets, n_coins)."""
    least, most = np.where(members, low, 0.0), np.where(members, high, 0.0)
    total = float((sign * wish).sum())
    reach = float(np.abs(wish).sum() + np.abs(high).sum())
    under, over = np.full(len(members), -reach), np.full(len(members), reach)
    for _ in range(HALVINGS):
        z = (under + over) / 2
        sizes = np.clip(wish - sign * z[:, None], least, most)
        too_small = (sizes * sign).sum(axis=1) - total > z
        under, over = np.where(too_small, z, under), np.where(too_small, over, z)
    z = (under + over) / 2
    sizes = np.clip(wish - sign * z[:, None], least, most)
    cost = (sizes - wish) ** 2 + 2 * z[:, None] * sign * sizes
    found: FloatArray = cost.sum(axis=1) - 2 * z * total - z * z
    return found


@cache
def all_sets(coins: int) -> BoolArray:
    """Return every set of so many coins, the smaller ones first."""
    numbers = sorted(range(2**coins), key=lambda number: (number.bit_count(), number))
    made = np.array([[bool(number >> coin & 1) for coin in range(coins)] for number in numbers], dtype=np.bool_)
    made.setflags(write=False)
    return made


def promising_sets(
    signs: Sequence[float], wishes: Sequence[float], lows: Sequence[float], highs: Sequence[float], *, orders_max: int
) -> list[tuple[float, tuple[int, ...]]]:
    """Return sets of coins with their bounds, best first: every set of few coins, the best found among many."""
    sign, wish, low, high = (frozen(values) for values in (signs, wishes, lows, highs))
    coins = len(wish)
    if coins <= ALL_SETS_MAX:
        members = all_sets(coins)
        members = members[members.sum(axis=1) <= orders_max]
    else:
        members = _climb(sign, wish, low, high, orders_max)
    found = bounds(members, sign, wish, low, high)
    order = np.argsort(found, kind="stable")
    return [(float(found[i]), tuple(int(coin) for coin in np.flatnonzero(members[i]))) for i in order]


def _climb(sign: FloatArray, wish: FloatArray, low: FloatArray, high: FloatArray, orders_max: int) -> BoolArray:
    """Return the set from which no coin's coming or going alone improves, and the sets on the way there."""
    current = wish >= low
    if current.sum() > orders_max:
        current &= np.isin(np.arange(len(wish)), np.argsort(-wish * current, kind="stable")[:orders_max])
    path = [current]
    value = float(bounds(current[None, :], sign, wish, low, high)[0])
    for _ in range(ROUNDS_MAX):
        flipped = current ^ np.eye(len(wish), dtype=np.bool_)
        flipped = flipped[flipped.sum(axis=1) <= orders_max]
        found = bounds(flipped, sign, wish, low, high)
        best = int(np.argmin(found))
        if not found[best] < value:
            break
        current, value = flipped[best], float(found[best])
        path.append(current)
    return np.array(path)
