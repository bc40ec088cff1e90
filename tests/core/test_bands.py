from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from rebalancer.core.bands import band_widths
from rebalancer.core.drift import drift_of, frozen, outside_band, rms, turnover_of, weights_of
from rebalancer.core.targets import BandPolicy, BandRule


def widths(weights: list[float], **policy: object) -> list[float]:
    return [round(float(w) * 100, 2) for w in band_widths(frozen(weights), BandPolicy(**policy))]  # type: ignore[arg-type]


def test_theory_bands_are_the_published_ones() -> None:
    assert widths([0.35, 0.25, 0.15, 0.10, 0.05]) == [4.47, 3.93, 3.04, 2.41, 1.57]


def test_floor_and_cap_bound_theory_and_clamp() -> None:
    assert widths([0.001, 0.5], k=Decimal(1)) == [1.0, 5.0]
    assert widths([0.0001, 0.9999], k=Decimal(1)) == [1.0, 1.0]
    assert widths([0.02, 0.10, 0.60], rule=BandRule.CLAMP, k=Decimal(20)) == [1.0, 2.0, 5.0]


def test_relative_and_absolute_bands() -> None:
    assert widths([0.02, 0.40], rule=BandRule.RELATIVE, k=Decimal(25)) == [0.5, 10.0]
    assert widths([0.02, 0.40], rule=BandRule.ABSOLUTE, k=Decimal(3)) == [3.0, 3.0]


def test_over_and_underweight_use_the_same_divisor() -> None:
    weights = weights_of(frozen([60.0, 40.0]))
    assert list(drift_of(weights, frozen([0.5, 0.5]))) == pytest.approx([0.1, -0.1])
    assert list(outside_band(drift_of(weights, frozen([0.5, 0.5])), frozen([0.09, 0.11]))) == [True, False]


def test_turnover_is_the_larger_side() -> None:
    assert turnover_of(frozen([0.10, -0.04, -0.01])) == pytest.approx(0.10)


def test_arrays_are_read_only_and_finite() -> None:
    array = frozen([1.0, 2.0])
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 5
    with pytest.raises(AssertionError):
        frozen([np.nan])


def test_rms_is_the_length_of_the_drift() -> None:
    assert rms(frozen([0.03, -0.04])) == pytest.approx(0.05)
