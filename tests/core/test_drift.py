"""Drift of many portfolios at once is the drift of each."""

from __future__ import annotations

import numpy as np
import pytest

from rebalancer.core.drift import drift_of, drifts_of, frozen, weights_of


@pytest.mark.parametrize("seed", range(20))
def test_many_portfolios_at_once_drift_as_each_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assets, portfolios = rng.integers(1, 60), rng.integers(1, 40)
    values = rng.random((assets, portfolios)) * 10.0 ** rng.integers(-6, 9)
    goals = frozen(rng.dirichlet(np.ones(assets)))
    together = drifts_of(values, goals)
    for column in range(portfolios):
        alone = drift_of(weights_of(frozen(values[:, column])), goals)
        assert np.allclose(together[:, column], alone, rtol=0, atol=1e-14), f"seed {seed}"
    with pytest.raises(ValueError, match="read-only"):
        together[0, 0] = 0.0


@pytest.mark.parametrize("worthless", [0.0, np.nan, np.inf, -1.0])
def test_a_portfolio_without_a_value_is_our_own_mistake(worthless: float) -> None:
    with pytest.raises(AssertionError):
        drifts_of(np.array([[1.0, worthless], [1.0, 0.0]]), frozen([0.5, 0.5]))
