"""A short run of the simulation on every change; `python -m tests.simulation` goes deep."""

from __future__ import annotations

import pytest

from tests.simulation.__main__ import run_chunk
from tests.simulation.episode import Tally, run_episode


@pytest.mark.parametrize("first", range(0, 48, 6))
def test_seeded_worlds_end_settled_and_no_invariant_breaks(first: int) -> None:
    tally, violations = run_chunk(first, 6)
    assert not violations, "\n".join(violations)
    assert tally.counted > 100, tally


def test_a_seed_replays_bit_for_bit() -> None:
    for seed in (3, 19):
        one, two = run_episode(seed), run_episode(seed)
        assert one == two, f"seed {seed}"
        assert isinstance(one[0], Tally)
