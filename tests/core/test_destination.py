"""How far each asset goes: to its place inside the band, paid for by what moves toward its own target, cash first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rebalancer.core.destination import wished_moves
from rebalancer.core.drift import frozen

CASH = 3


def moves(drift: list[float], band: float = 0.02, *, destination: float = 0.5, **changes: Any) -> list[float]:
    given: dict[str, Any] = {
        "cash": CASH, "sellable": frozen([1.0] * len(drift)), "buyable": frozen([1.0] * len(drift)),
        "full": False, "edge_margin": 0.0,
    }  # fmt: skip
    bands = changes.pop("bands", frozen([band] * len(drift)))
    made = wished_moves(frozen(drift), bands, frozen(bands * destination), **(given | changes))
    assert not made.flags.writeable
    return [round(float(each), 12) for each in made]


def test_inside_every_band_nothing_moves() -> None:
    assert moves([0.02, -0.02, 0.01, -0.01]) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("destination", "margin", "sold"),
    [(0.5, 0.0, 0.03), (0.0, 0.0, 0.04), (1.0, 0.0, 0.02), (1.0, 0.005, 0.025), (0.5, 0.015, 0.035), (0.5, 0.05, 0.04)],
)
def test_what_strays_returns_to_its_place_inside_the_band(destination: float, margin: float, sold: float) -> None:
    made = moves([0.04, 0.0, 0.0, -0.04], destination=destination, edge_margin=margin)
    assert made == [-sold, 0, 0, sold]


def test_cash_pays_first_and_then_who_is_nearest_to_a_trade_until_all_are_as_near() -> None:
    assert moves([-0.05, 0.01, 0.025, 0.015], band=0.03) == [0.035, -0.0025, -0.0175, -0.015]
    assert moves([-0.04, 0.005, 0.02, 0.015], band=0.03) == [0.025, 0, -0.01, -0.015]


def test_nearest_to_a_trade_is_a_share_of_the_own_band() -> None:
    bands = frozen([0.04, 0.01, 0.04, 0.01])
    made = moves([-0.045, 0.008, 0.032, 0.005], bands=bands)
    assert made == [0.025, -0.004, -0.016, -0.005], "a half of its band is left to each"


def test_who_was_brought_back_into_his_band_helps_from_there() -> None:
    bands = frozen([0.02, 0.02, 0.04, 0.02])
    made = moves([-0.075, 0.04, 0.025, 0.01], bands=bands)
    assert made == pytest.approx([0.065, -0.03 - 0.02 / 3, -0.055 / 3, -0.01]), "a sixth of its band is left to each"


def test_what_has_no_band_pays_first_for_money_that_left() -> None:
    only_cash = np.array([False, False, False, True])
    made = moves([0.03, 0.02, 0.01, -0.06], bands=frozen([0.0, 0.02, 0.02, 0.02]), outside=only_cash)
    assert made == pytest.approx([-0.03, -0.015, -0.005, 0.05])


def test_money_that_left_is_made_good_by_those_nearest_to_a_trade_none_of_them_outside_for_its_own_sake() -> None:
    only_cash = np.array([False, False, False, True])
    made = moves([0.04, 0.02, 0.0, -0.06], outside=only_cash)
    assert made == [-0.035, -0.015, 0, 0.05]


def test_a_helper_goes_to_its_target_and_never_past_it() -> None:
    assert moves([0.06, -0.01, -0.005, -0.045], band=0.05) == [-0.035, 0, 0, 0.035]
    assert moves([0.09, -0.03, -0.03, -0.03], band=0.05, destination=0.0) == [-0.09, 0.03, 0.03, 0.03]


def test_full_brings_every_asset_to_its_target_inside_its_band_or_not() -> None:
    assert moves([0.01, -0.002, -0.003, -0.005], full=True) == [-0.01, 0.002, 0.003, 0.005]


def test_an_asset_that_can_lose_little_loses_that_and_others_of_its_side_do_the_rest() -> None:
    sellable = frozen([0.01, 1.0, 1.0, 1.0])
    made = moves([0.05, 0.015, 0.0, -0.065], full=False, sellable=sellable)
    assert made[0] == -0.01
    assert sum(made) == pytest.approx(0)
    assert made == [-0.01, -0.015, 0, 0.025]


def test_an_asset_that_cannot_gain_is_passed_over() -> None:
    buyable = frozen([1.0, 0.0, 1.0, 1.0])
    assert moves([0.06, -0.05, -0.01, 0.0], buyable=buyable) == [-0.01, 0, 0.01, 0]


def test_without_anything_on_the_other_side_all_do_less_in_proportion() -> None:
    nothing = frozen([0.0, 0.0, 1.0, 0.0])
    assert moves([0.04, 0.06, -0.05, -0.05], destination=0.0, buyable=nothing) == [-0.02, -0.03, 0.05, 0]
    assert moves([-0.04, -0.06, 0.05, 0.05], destination=0.0, sellable=nothing) == [0.02, 0.03, -0.05, 0]
    assert moves([0.04, 0.0, 0.0, -0.04], buyable=frozen([0.0] * 4)) == [0, 0, 0, 0]


@pytest.mark.parametrize("seed", range(200))
def test_all_movements_sum_to_nothing_and_nobody_passes_his_target(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drift = rng.normal(0, 0.03, 6)
    drift -= drift.mean()
    full = bool(seed % 2)
    bands = frozen(rng.uniform(0.005, 0.03, 6))
    made = wished_moves(
        frozen(drift), bands, frozen(bands * rng.uniform()), cash=int(rng.integers(6)),
        sellable=frozen(rng.uniform(0, 0.1, 6)), buyable=frozen(rng.uniform(0, 0.1, 6)), full=full, edge_margin=0.001,
    )  # fmt: skip
    assert abs(float(made.sum())) < 1e-11, f"seed {seed}"
    assert all(abs(move) <= abs(away) + 1e-12 and move * away <= 0 for move, away in zip(made, drift, strict=True)), (
        seed
    )


@pytest.mark.parametrize("seed", range(100))
def test_no_helper_trades_while_another_of_its_side_is_nearer_to_a_trade(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drift = rng.normal(0, 0.015, 8)
    drift[0] = 0.09 * (-1) ** seed
    drift[1:] -= drift.sum() / 7
    bands = frozen(rng.uniform(0.01, 0.1, 8))
    most = frozen([1.0, *rng.uniform(0.0, 0.05, 7)])
    made = wished_moves(
        frozen(drift), bands, frozen(bands / 2), cash=7, sellable=most, buyable=most, full=False, edge_margin=0.0,
        outside=np.arange(8) == 0,
    )  # fmt: skip
    near, left = np.abs(drift + made) / bands, np.minimum(np.abs(drift), most) - np.abs(made)
    helpers = (np.sign(drift) != np.sign(drift[0])) & (np.arange(8) != 7)
    trading, idle = helpers & (made != 0), helpers & (left > 1e-12)
    assert made[0] and (trading.any() or made[7])
    assert not (trading.any() and idle.any()) or near[idle].max() <= near[trading].min() + 1e-9, f"seed {seed}"
    assert not trading.any() or np.sign(drift[7]) == np.sign(drift[0]) or left[7] < 1e-12, f"seed {seed}: cash is first"


def test_what_leaves_is_sold_whole_and_cash_takes_past_its_target_what_nobody_else_may() -> None:
    leaving = np.array([True, False, False, False])
    bands, nobody = frozen([0.0, 0.05, 0.05, 0.05]), frozen([0.0, 0.0, 0.0, 1.0])
    drift = [0.1, -0.03, -0.03, -0.04]
    assert moves(drift, bands=bands, leaving=leaving) == pytest.approx([-0.1, 0.03, 0.03, 0.04])
    assert moves(drift, bands=bands, leaving=leaving, buyable=nobody) == pytest.approx([-0.1, 0, 0, 0.1])
    stays = np.array([False] * 4)
    assert moves(drift, bands=bands, leaving=stays, buyable=nobody) == pytest.approx([-0.04, 0, 0, 0.04])


def test_beside_what_leaves_the_others_sell_what_is_still_taken() -> None:
    leaving = np.array([True, False, False, False])
    bands, nobody = frozen([0.0, 0.02, 0.02, 0.02]), frozen([0.0, 0.0, 0.0, 1.0])
    made = moves([0.05, 0.12, -0.08, -0.09], bands=bands, leaving=leaving, buyable=nobody)
    assert made == pytest.approx([-0.05, -0.09, 0, 0.14])


def test_a_payer_that_can_lose_little_leaves_the_more_to_the_others() -> None:
    sellable = frozen([1.0, 0.005, 1.0, 1.0])
    assert moves([-0.05, 0.03, 0.04, -0.02], band=0.04, sellable=sellable) == pytest.approx([0.03, -0.005, -0.025, 0])


def short(drift: list[float], by: float, **changes: Any) -> list[float]:
    nothing = frozen([1.0, 1.0, 1.0, 0.0])
    return moves(drift, sellable=nothing, full=True, kept_short=by, **changes)


def test_what_cash_is_short_of_comes_off_the_buys_alone() -> None:
    assert short([0.10, -0.05, -0.03, -0.02], 0.01) == [-0.10, 0.05, 0.03, 0.02], "cash gains enough as it is"
    assert short([0.10, -0.05, -0.05, 0.0], 0.02) == [-0.10, 0.04, 0.04, 0.02], "all are nearer with cash beyond"


def test_cash_passes_its_target_only_where_that_leaves_all_of_them_nearer() -> None:
    assert short([0.02, -0.025, 0.0, 0.005], 0.019) == [0, 0, 0, 0], "cash would be as far as the coin was"
    assert short([0.10, -0.06, -0.04, 0.0], 0.10) == [0, 0, 0, 0], "nothing could be bought for it"
    assert short([0.10, -0.05, -0.03, -0.02], 0.10) == [-0.02, 0, 0, 0.02], "cash goes to its target by all it can"


def test_what_leaves_makes_good_what_cash_is_short_of_whatever_the_others_may() -> None:
    leaving = np.array([True, False, False, False])
    assert short([0.06, -0.03, -0.03, 0.0], 0.06, leaving=leaving) == [-0.06, 0, 0, 0.06]
    assert short([0.06, -0.03, -0.03, 0.0], 0.04, leaving=leaving) == [-0.06, 0.01, 0.01, 0.04]


def test_cash_gains_of_what_it_is_short_no_more_than_is_sold() -> None:
    few = frozen([0.03, 1.0, 1.0, 0.0])
    assert moves([0.12, -0.01, -0.01, -0.10], full=True, kept_short=0.05, sellable=few) == [-0.03, 0, 0, 0.03]


def test_with_nothing_to_buy_cash_gains_all_that_is_sold() -> None:
    assert short([0.05, 0.0, 0.0, -0.05], 0.02) == [-0.05, 0, 0, 0.05]


def test_nothing_is_bought_past_its_target_for_what_the_others_may_not_take() -> None:
    little = frozen([1.0, 0.03, 1.0, 1.0])
    assert short([0.10, -0.08, 0.0, -0.02], 0.01, buyable=little) == [-0.05, 0.03, 0, 0.02]


def test_whether_cash_passes_its_target_goes_by_what_would_be_traded_otherwise() -> None:
    assert short([0.10, -0.08, 0.0, -0.02], 0.09) == [-0.10, 0.01, 0, 0.09], "sells would stop at what cash lacks"
    assert short([0.06, 0.06, -0.10, -0.02], 0.11) == [-0.01, -0.01, 0, 0.02], "all would be further off"
    parts = [each / 64 for each in (5.0, -8.0, 0.0, 3.0)]
    assert short(parts, 4 / 64) == [0, 0, 0, 0], "all would be just as far off"
