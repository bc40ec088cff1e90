"""Price tags: estimates that say where they are from, and whose model is right about what it is made for."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from rebalancer.core.targets import BandPolicy, OrderPolicy, Route, Targets
from rebalancer.report.price_tag import (
    CALM,
    SHARED,
    USUAL,
    WILD,
    Market,
    PriceTag,
    bundled_tag,
    policy_digest,
    stray,
    tag_text,
    traded_year,
    wander,
)

TARGETS = Targets("USDT", {"BTC": Decimal(40), "ETH": Decimal(30), "USDT": Decimal(30)}, digest="a")
FEE = Decimal("0.002")
WEIGHTS = (0.35, 0.25, 0.1, 0.1, 0.05, 0.15)
BANDS = (0.045, 0.039, 0.024, 0.024, 0.016, 0.03)


def test_the_sentence_has_cost_stray_and_source() -> None:
    said = tag_text(bundled_tag(WEIGHTS, BANDS, 0.002, 0.5))
    assert said.startswith("Price tag: about ") and said.endswith("(estimate, bundled calibration).")
    assert "(calm market " in said and ", wild " in said and ", strays about " in said
    told = tag_text(PriceTag(15.4, 4.12, "estimate, back-test of 2026-11-25 over 1,300 days"))
    assert told == (
        "Price tag: about 15 bp of NAV a year, strays about 4.1 points "
        "(estimate, back-test of 2026-11-25 over 1,300 days)."
    )


@pytest.mark.parametrize("seed", range(20))
def test_what_costs_more_is_quoted_as_more(seed: int) -> None:
    rng = random.Random(seed)
    cuts = [rng.uniform(0.05, 1) for _ in range(rng.randint(2, 10))]
    weights = [cut / sum(cuts) for cut in cuts]
    bands = [rng.uniform(0.01, 0.05) for _ in weights]
    wider = [band * 1.5 for band in bands]
    tag, fee = bundled_tag(weights, bands, 0.002, 0.5), rng.uniform(0.0002, 0.01)
    assert tag.cost_low_bps is not None and tag.cost_high_bps is not None
    assert 0 < tag.cost_low_bps < tag.cost_bps_year < tag.cost_high_bps, seed
    assert bundled_tag(weights, bands, fee, 0.5).cost_bps_year == pytest.approx(tag.cost_bps_year * fee / 0.002), seed
    loose = bundled_tag(weights, wider, 0.002, 0.5)
    assert loose.cost_bps_year < tag.cost_bps_year and loose.stray_pp == pytest.approx(tag.stray_pp * 1.5), seed
    edge, target = bundled_tag(weights, bands, 0.002, 1.0), bundled_tag(weights, bands, 0.002, 0.0)
    assert edge.cost_bps_year < tag.cost_bps_year < target.cost_bps_year, seed
    assert target.stray_pp < tag.stray_pp < edge.stray_pp, seed


def test_the_classes_of_markets_go_from_calm_to_wild() -> None:
    assert 0 < CALM.volatility < USUAL.volatility < WILD.volatility


@pytest.mark.parametrize("seed", range(5))
def test_weights_wander_as_the_formula_says(seed: int) -> None:
    """One step of coins that share two thirds of their variance, against the change of each weight."""
    rng = np.random.default_rng(seed)
    cuts = rng.uniform(0.1, 1, rng.integers(2, 9))
    weights, volatility, draws = cuts / cuts.sum(), 0.01, 200_000
    coins = len(weights) - 1
    common, own = rng.normal(size=(draws, 1)), rng.normal(size=(draws, coins))
    moves = volatility * (math.sqrt(SHARED) * common + math.sqrt(1 - SHARED) * own)
    values = weights * np.column_stack([np.exp(moves), np.ones(draws)])
    changes = values / values.sum(axis=1, keepdims=True) - weights
    assert np.allclose((changes**2).mean(axis=0), wander(weights.tolist(), volatility), rtol=0.05), seed


@pytest.mark.parametrize("destination", [0.0, 0.5, 0.9])
def test_one_wanderer_is_traded_and_strays_as_the_formulas_say(destination: float) -> None:
    """A walk of single steps between the edges, put back to the destination: no planner, no markets."""
    rng, band = random.Random(1), 20
    place = traded = squares = 0
    for _ in range(400_000):
        place += rng.choice((-1, 1))
        squares += place * place
        if abs(place) == band:
            goal = round(math.copysign(destination * band, place))
            traded += abs(place - goal)
            place = goal
    formula = 400_000 / (band * (1 + destination))
    assert traded == pytest.approx(formula, rel=0.05)
    assert math.sqrt(squares / 400_000) == pytest.approx(stray([band], destination, Market(1, 1, 1)), rel=0.05)


def test_the_traded_factor_scales_and_the_volatility_counts_squared() -> None:
    one, twice, wilder = (
        traded_year(WEIGHTS, BANDS, 0.5, m) for m in (Market(0.5, 1, 1), Market(0.5, 2, 1), Market(1, 1, 1))
    )
    assert twice == pytest.approx(2 * one) and wilder == pytest.approx(4 * one)


def test_a_digest_changes_with_what_a_policy_costs_and_with_nothing_else() -> None:
    same = policy_digest(TARGETS, FEE)
    assert policy_digest(replace(TARGETS, digest="b", codes={"BTC": "xbt"}), Decimal("0.0020")) == same
    assert policy_digest(replace(TARGETS, weights=dict(reversed(TARGETS.weights.items()))), FEE) == same
    others = {
        policy_digest(TARGETS, Decimal("0.0015")),
        policy_digest(replace(TARGETS, weights={**TARGETS.weights, "BTC": Decimal(41), "ETH": Decimal(29)}), FEE),
        policy_digest(replace(TARGETS, orders=OrderPolicy(route=Route.DIRECT)), FEE),
        *(
            policy_digest(replace(TARGETS, bands=replace(BandPolicy(), **change)), FEE)
            for change in (
                {"k": Decimal("0.13")},
                {"floor": Decimal(2)},
                {"cap": Decimal(6)},
                {"destination": Decimal(1)},
            )
        ),
    }
    assert len(others) == 7 and same not in others
