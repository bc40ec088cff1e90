from __future__ import annotations

from typing import Any

from tests.simulation.balances import Balances
from tests.simulation.world import World

PLAN: dict[str, Any] = {"mode": "live", "validated": False}


def _answered(*answers: bool | None) -> Balances:
    """Return what a judge knows after answers, each true or lagging, and plans, which are None."""
    balances = Balances(World(0))
    for of_now in answers:
        balances.world.pass_ms(100)
        if of_now is None:
            balances.at_plan(PLAN)
        else:
            balances.see([{"currency": "btc", "type": "trade", "balance": "1"}], of_now=of_now)
    return balances


def test_the_look_of_a_plan_tells_if_it_is_true() -> None:
    assert _answered(True, None, False).told_ms.keys() == {"BTC"}


def test_a_true_answer_after_a_plan_tells_though_a_later_one_lags() -> None:
    balances = _answered(False, None, True, False)
    assert balances.told_ms == {"BTC": balances.world.true_ms - 100}


def test_lagging_answers_alone_tell_nothing_whatever_was_told_before_the_look_of_the_plan() -> None:
    assert not _answered(True, False, None, False).told_ms


def test_an_older_disk_was_told_nothing() -> None:
    balances = _answered(True)
    balances.forget()
    assert not balances.told_ms
