"""The search of one set of orders against a trial of all its sizes: nothing better passed over, and little tried."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal, localcontext
from itertools import product

import pytest

from rebalancer.core.choice import Choice, Purse, Sums, distances
from rebalancer.core.ladder import Ladder
from rebalancer.core.lattice import Lattice, Sizes
from rebalancer.core.model import Side
from rebalancer.core.money import EXACT, ZERO
from tests.core.builders import d

CASES = range(150)
TRIED_MAX = 5000
TRIED = 565  # sizes, of all the cases together: more is a search that lost some of its sight
PASSED = 116, 170  # sets that may fit, and sets that may help more than any lots of theirs do, with the cash or without


def choice(
    side: Side, wish: str, low: int, high: int, *, lot: str = "1", unit: str = "1", strays: bool = True
) -> Choice:
    step = d(lot)
    return Choice(d(wish), Ladder(side, d(unit), step, step, ZERO, low * step, high * step), d("0.01"), strays)


def random_case(number: int) -> tuple[list[Choice], tuple[int, ...], Purse]:
    rng = random.Random(number)
    choices = []
    for _ in range(rng.randint(1, 4)):
        low = rng.randint(1, 4)
        choices.append(
            choice(
                rng.choice([Side.BUY, Side.SELL]), str(rng.choice([0, rng.randint(0, 40), round(rng.uniform(0, 40), 1)])),
                low, low + rng.randint(0, 6), lot=rng.choice(["1", "3", "0.7"]), unit=rng.choice(["1", "2.5"]),
                strays=rng.random() < 0.7,
            )
        )  # fmt: skip
    members = tuple(i for i in range(len(choices)) if rng.random() < 0.8)
    purse = Purse(
        d(rng.choice([0, 10, 40, 1000])), rng.choice([None, d(rng.randint(5, 60))]),
        rng.choice([None, d(rng.randint(5, 90))]), None, d(rng.choice([0, 0, 7])),
    )  # fmt: skip
    return choices, members, purse


class Taker:
    """Whoever takes offers: the best one so far, and every one."""

    def __init__(self, choices: Sequence[Choice], purse: Purse) -> None:
        self.choices, self.purse = choices, purse
        self.least: Decimal | None = None
        self.offers: list[Sizes] = []

    def beaten(self, lost: Decimal) -> bool:
        return self.least is not None and lost > self.least

    def offer(self, sizes: Sizes) -> None:
        self.offers.append(sizes)
        allowed, off, _ = weighed(self.choices, sizes, self.purse)
        if allowed and (self.least is None or off < self.least):
            self.least = off


def weighed(choices: Sequence[Choice], sizes: Sizes, purse: Purse) -> tuple[bool, Decimal, tuple[Decimal, Decimal]]:
    """Return whether a purse allows sizes, their distance, and that of what strays without and with the cash."""
    quotes = [one.ladder.quote(sizes.get(i, ZERO)) for i, one in enumerate(choices)]
    sums = Sums()
    for i in sizes:
        sums = sums.plus(choices[i], quotes[i])
    every, without = distances(choices, quotes, cash_strays=False)
    return sums.allowed_by(purse), every, (without, distances(choices, quotes, cash_strays=True)[1])


def every_answer(choices: Sequence[Choice], members: Sequence[int]) -> list[Sizes]:
    ladders = [choices[i].ladder for i in members]
    lots = [[n * one.step for n in range(int(one.low / one.step), int(one.high / one.step) + 1)] for one in ladders]
    return [dict(zip(members, sizes, strict=True)) for sizes in product(*lots)]


def searched(choices: Sequence[Choice], members: Sequence[int], purse: Purse) -> tuple[Lattice, Taker]:
    taker = Taker(choices, purse)
    return Lattice(choices, members, purse, beaten=taker.beaten, offer=taker.offer), taker


def test_the_best_lots_of_a_set_are_among_what_is_offered_and_few_sizes_are_tried_for_it() -> None:
    tried = answers = 0
    for number in CASES:
        choices, members, purse = random_case(number)
        lattice, taker = searched(choices, members, purse)
        tried += TRIED_MAX - lattice.all(TRIED_MAX)
        every = every_answer(choices, members)
        answers += len(every)
        allowed = [off for fits, off, _ in (weighed(choices, each, purse) for each in every) if fits]
        assert taker.least == min(allowed, default=None), number
    assert tried <= TRIED and answers > 10 * tried, (tried, answers)


def test_a_set_is_passed_over_only_where_no_sizes_of_it_fit_or_help() -> None:
    fits = helps = 0
    for number in CASES:
        choices, members, purse = random_case(number)
        lattice, _ = searched(choices, members, purse)
        every = [weighed(choices, each, purse) for each in every_answer(choices, members)]
        fits += lattice.may_fit()
        assert lattice.may_fit() or not any(allowed for allowed, _, _ in every), number
        for cash_strays in (False, True):
            nearest = min(astray[cash_strays] for _, _, astray in every)
            helps += lattice.may_help(nearest, cash_strays=cash_strays)
            assert lattice.may_help(nearest + d("1e-20"), cash_strays=cash_strays), (number, cash_strays)
    assert (fits, helps) == PASSED


def test_one_answer_is_offered_with_each_coin_at_a_size_of_its_ladder_or_none() -> None:
    offered = 0
    for number in CASES:
        choices, members, purse = random_case(number)
        lattice, taker = searched(choices, members, purse)
        lattice.one()
        assert len(taker.offers) <= 1
        for sizes in taker.offers:
            offered += 1
            assert sizes in every_answer(choices, members), number
    assert offered > 50


def test_a_search_ends_with_the_sizes_that_it_may_try() -> None:
    choices, members = [choice(Side.BUY, "5.5", 1, 9), choice(Side.SELL, "5.5", 1, 9)], (0, 1)
    whole = TRIED_MAX - searched(choices, members, Purse(d(100)))[0].all(TRIED_MAX)
    assert 4 <= whole <= 12
    lattice, taker = searched(choices, members, Purse(d(100)))
    assert lattice.all(2) < 0 and len(taker.offers) <= 1
    lattice, taker = searched(choices[:1], (0,), Purse(d(100)))
    assert lattice.all(1) < 0 and len(taker.offers) == 1, "the last size that may be tried is offered"


def test_a_set_that_may_come_as_near_as_what_is_to_be_beaten_is_looked_at_for_what_rounding_may_hide() -> None:
    """Five that are not bought are lost twice: the coin strays by them, and so does the cash."""
    lattice, _ = searched([choice(Side.BUY, "5", 1, 9)], (), Purse(d(100)))
    with localcontext(EXACT):
        assert lattice.may_help(d(50), cash_strays=True)
        assert not lattice.may_help(50 * (1 - d("1e-29")), cash_strays=True)


def test_sizes_are_never_left_for_a_distance_larger_than_theirs_in_the_last_digit() -> None:
    choices, asked = [choice(Side.BUY, "5.3", 1, 9)], list[Decimal]()
    taker = Taker(choices, Purse(d(100)))
    with localcontext(EXACT):
        Lattice(choices, (0,), Purse(d(100)), beaten=lambda lost: bool(asked.append(lost)), offer=taker.offer).all(99)
        offs = [weighed(choices, sizes, Purse(d(100)))[1] for sizes in taker.offers]
        assert len(offs) == 9 and all(
            off * (1 - d("1e-29")) < lost < off for off, lost in zip(offs, asked, strict=True)
        )


@pytest.mark.parametrize(
    ("sells", "buys", "one"),
    [
        ("5.4", "5.4", {0: 5, 1: 5}),
        ("5.6", "5.2", {0: 6, 1: 5}),
        ("7.4", "3.4", {0: 7, 1: 3}),
        ("7.4", "3.68", {0: 7, 1: 3}),
        ("5.5", "3", {0: 5, 1: 3}),
    ],
)
def test_one_good_answer_takes_sells_first_and_lets_the_buys_have_what_they_left(
    sells: str, buys: str, one: dict[int, int]
) -> None:
    choices = [choice(Side.SELL, sells, 1, 9), choice(Side.BUY, buys, 1, 9)]
    lattice, taker = searched(choices, (1, 0), Purse(d(100)))
    lattice.one()
    assert [{i: int(size) for i, size in each.items()} for each in taker.offers] == [one]


def test_one_good_answer_sells_first_what_its_buys_are_paid_with_wherever_the_coins_stand() -> None:
    choices = [choice(Side.BUY, "5", 1, 9), choice(Side.SELL, "6", 1, 9)]
    lattice, taker = searched(choices, (0, 1), Purse(ZERO))
    lattice.one()
    assert taker.offers == [{0: d(5), 1: d(6)}]


@pytest.mark.parametrize(("most", "size"), [("6", 6), ("5.99", 5)])
def test_one_good_answer_takes_the_nearest_size_up_to_all_that_a_limit_leaves(most: str, size: int) -> None:
    lattice, taker = searched([choice(Side.BUY, "5.6", 1, 9)], (0,), Purse(d(100), d(most)))
    lattice.one()
    assert taker.offers == [{0: size}]
