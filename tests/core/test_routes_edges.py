"""Ways case by case: who is served first where a hub is not enough for all."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rebalancer.core.routes import Link, Way, choose_ways
from tests.core.builders import d

FEE = d("0.002")


def chosen(sells: Mapping[str, int], buys: Mapping[str, int], links: Mapping[Way, Link]) -> dict[Way, int]:
    made = choose_ways(
        {coin: d(value) for coin, value in sells.items()}, {coin: d(value) for coin, value in buys.items()}, links
    )
    return {way: int(value) for way, value in made.items()}


def alike(*ways: Way) -> dict[Way, Link]:
    return dict.fromkeys(ways, Link(FEE, d(1000)))


def test_a_coin_that_knows_one_hub_only_comes_before_one_that_may_go_to_another() -> None:
    links = alike(("SOL", "ETH"), ("XRP", "ETH"), ("XRP", "BTC"))
    made = chosen({"SOL": 100, "XRP": 100}, {"BTC": 100, "ETH": 100}, links)
    assert made == {("SOL", "ETH"): 100, ("XRP", "BTC"): 100}
    links = alike(("ETH", "SOL"), ("ETH", "XRP"), ("BTC", "XRP"))
    made = chosen({"BTC": 100, "ETH": 100}, {"SOL": 100, "XRP": 100}, links)
    assert made == {("ETH", "SOL"): 100, ("BTC", "XRP"): 100}


def test_it_is_the_coin_that_has_to_know_another_hub_and_not_the_hub_another_coin() -> None:
    links = alike(("SOL", "ETH"), ("XRP", "ETH"), ("XRP", "BTC"), ("ADA", "BTC"))
    made = chosen({"SOL": 60, "XRP": 100, "ADA": 60}, {"BTC": 100, "ETH": 100}, links)
    assert made == {("SOL", "ETH"): 60, ("ADA", "BTC"): 60, ("XRP", "ETH"): 40, ("XRP", "BTC"): 40}


def test_a_coin_that_loses_more_over_its_other_hub_comes_first() -> None:
    links = {
        ("SOL", "ETH"): Link(d("0.002"), d(1000)), ("SOL", "BTC"): Link(d("0.0005"), d(1000)),
        ("XRP", "ETH"): Link(d("0.0025"), d(1000)), ("XRP", "BTC"): Link(d("0.002"), d(1000)),
    }  # fmt: skip
    made = chosen({"SOL": 100, "XRP": 100}, {"BTC": 100, "ETH": 100}, links)
    assert made == {("SOL", "ETH"): 100, ("XRP", "BTC"): 100}


def test_coins_are_served_before_hubs_and_hubs_have_what_is_left() -> None:
    links = alike(("BTC", "ETH"), ("SOL", "ETH"))
    assert chosen({"BTC": 100, "SOL": 60}, {"ETH": 100}, links) == {("SOL", "ETH"): 60, ("BTC", "ETH"): 40}


def test_with_all_else_equal_the_larger_amount_goes_first() -> None:
    made = chosen({"XRP": 30, "SOL": 80}, {"BTC": 90}, alike(("XRP", "BTC"), ("SOL", "BTC")))
    assert made == {("SOL", "BTC"): 80, ("XRP", "BTC"): 10}


def test_a_way_carries_no_more_than_its_book_and_is_not_named_where_it_carries_nothing() -> None:
    links = {("SOL", "ETH"): Link(FEE, d(25)), ("SOL", "BTC"): Link(FEE, d(0))}
    assert chosen({"SOL": 100}, {"ETH": 100, "BTC": 100}, links) == {("SOL", "ETH"): 25}
    links[("SOL", "BTC")] = Link(d("0.001"), d(1000))
    assert chosen({"SOL": 90}, {"ETH": 100, "BTC": 100}, links) == {("SOL", "ETH"): 25, ("SOL", "BTC"): 65}


def test_what_is_on_no_side_or_has_no_link_goes_no_direct_way() -> None:
    links = alike(("SOL", "ETH"), ("XRP", "ETH"), ("SOL", "BTC"))
    assert chosen({"SOL": 10}, {"ETH": 100}, links) == {("SOL", "ETH"): 10}
    assert chosen({"SOL": 10}, {"DOGE": 100}, links) == {}


def test_a_coin_that_both_sells_and_buys_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="SOL"):
        chosen({"SOL": 10}, {"SOL": 10}, {})
