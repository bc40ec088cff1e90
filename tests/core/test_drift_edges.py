"""Arrays of weights: what they refuse, and how sums treat what does not move."""

from __future__ import annotations

import numpy as np
import pytest

from rebalancer.core.drift import drift_of, frozen, outside_band, turnover_of, weights_of


def test_turnover_is_the_larger_side_whichever_it_is() -> None:
    assert turnover_of(frozen([0.10, -0.04, 0.0])) == pytest.approx(0.10)
    assert turnover_of(frozen([-0.10, -0.02, 0.04, 0.05])) == pytest.approx(0.12)
    assert turnover_of(frozen([0.0, 0.0])) == 0.0


@pytest.mark.parametrize("values", [[0.0, 0.0], [1.0, -1.0], [-1.0, 0.0]])
def test_what_is_worth_nothing_has_no_weights(values: list[float]) -> None:
    with pytest.raises(AssertionError, match=r"^-?[01]\.0$"):
        weights_of(frozen(values))


def test_a_value_of_less_than_one_has_weights() -> None:
    assert list(weights_of(frozen([0.25, 0.25]))) == [0.5, 0.5]


def test_weights_and_targets_of_unlike_number_are_our_mistake() -> None:
    with pytest.raises(AssertionError, match=r"^\(\(2,\), \(1,\)\)$"):
        drift_of(frozen([0.5, 0.5]), frozen([1.0]))


def test_an_asset_on_the_edge_of_its_band_is_inside() -> None:
    assert list(outside_band(frozen([0.02, -0.02, 0.021]), frozen([0.02, 0.02, 0.02]))) == [False, False, True]


def test_frozen_numbers_are_float64_and_apart_from_what_they_were_made_of() -> None:
    source = np.array([1, 2])
    made = frozen(source)
    source[0] = 9
    assert made.dtype == np.float64 and list(made) == [1.0, 2.0] and not made.flags.writeable
    with pytest.raises(AssertionError, match="inf"):
        frozen([np.inf])
