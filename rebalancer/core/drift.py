"""Weights, drift and turnover as float64 arrays, one element an asset in the order of the targets file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def frozen(values: object) -> FloatArray:
    """Return a read-only float64 copy of finite numbers."""
    array = np.array(values, dtype=np.float64)
    assert np.isfinite(array).all(), array
    array.setflags(write=False)
    return array


def weights_of(values_quote: FloatArray) -> FloatArray:
    """Return each value as a fraction of their sum, NAV, which must be above zero."""
    nav_quote = float(values_quote.sum())
    assert nav_quote > 0, nav_quote
    return frozen(values_quote / nav_quote)


def drift_of(weights: FloatArray, targets: FloatArray) -> FloatArray:
    """Return weight minus target, in fractions of NAV (0.01 is one point)."""
    assert weights.shape == targets.shape, (weights.shape, targets.shape)
    return frozen(weights - targets)


def drifts_of(values_quote: FloatArray, targets: FloatArray) -> FloatArray:
    """Return weight minus target of many portfolios at once, shape (n_assets, n_portfolios), in fractions of NAV.

    One column a portfolio, each worth more than zero: that way every step runs along memory, which for thousands of
    portfolios costs about twice as much as copying them.
    """
    nav_quote = values_quote.sum(axis=0)
    assert (nav_quote > 0).all() and np.isfinite(nav_quote).all(), nav_quote
    drifts: FloatArray = np.divide(values_quote, nav_quote)
    drifts -= targets[:, np.newaxis]
    drifts.setflags(write=False)
    return drifts


def outside_band(drift: FloatArray, bands: FloatArray) -> BoolArray:
    """Return which assets are further from their target than their band."""
    outside: BoolArray = np.abs(drift) > bands
    return outside


def turnover_of(traded: FloatArray) -> float:
    """Return max(sum sold, sum bought) for weights traded (sells negative), cash left out."""
    return float(max(-traded[traded < 0].sum(), traded[traded > 0].sum()))


def rms(drift: FloatArray) -> float:
    """Return the Euclidean length of the drift vector, a weight."""
    return float(np.sqrt((drift * drift).sum()))
