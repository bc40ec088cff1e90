"""The machine's clock is set, or the machine sleeps, while the service runs: it goes on, and sends nothing that is old."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.house import House
from tests.service.truth import must_be_settled


@pytest.mark.parametrize("step_s", [-9, -0.5, -0.001, 0.001, 0.5, 1.9, 9])
def test_clock_that_is_set_between_two_cycles_costs_no_cycle(step_s: float, tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cycle()
    house.machine.step(step_s)
    must_be_settled(house, step_s)
