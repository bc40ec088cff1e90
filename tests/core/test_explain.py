"""The owner's sentences, word for word: a changed word is a changed promise."""

from __future__ import annotations

import numpy as np
import pytest

from rebalancer.core import explain
from rebalancer.core.bands import Bands
from rebalancer.core.drift import frozen
from rebalancer.core.judge import Judged
from rebalancer.core.model import Side
from rebalancer.core.plan import Denial
from rebalancer.core.reasons import Deny, Reason, Skip, Trigger, Why
from rebalancer.core.trust import CoinState, CoinTrust
from rebalancer.core.valuation import Valuation
from tests.core.builders import NOW, d, snapshot, targets

TARGETS = targets({"BTC": 50, "ETH": 30, "USDT": 20})
SEEN = snapshot({"BTC": "0.01", "ETH": "1", "USDT": "500"}, {"BTC": 50_000, "ETH": 2500})
TARGET = np.array([0.5, 0.3, 0.2])


def valued(*drift: float, band: float = 0.05, judged: Judged | None = None) -> Valuation:
    drifts = np.array(drift)
    bands, aims = frozen([band] * 3), frozen([band / 2] * 3)
    weights, goals = frozen(TARGET + drifts), frozen(TARGET)
    return Valuation(
        {}, {}, d(1000), d(1000), d(1000), weights, goals, frozen(drifts), bands, bands, aims, Bands(bands, bands, aims, aims),
        judged or Judged({}, {}), np.array([False] * 3),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.12345, "12.35 %"), (0.1, "10 %"), (0.105, "10.5 %"), (0.0, "0 %"), (-0.000001, "0 %"), (1.0, "100 %")]
)  # fmt: skip
def test_a_fraction_is_shown_as_percent_without_needless_digits(fraction: float, text: str) -> None:
    assert explain.percent(fraction) == text


@pytest.mark.parametrize(
    ("side", "trigger", "outside", "code", "text"),
    [
        (Side.SELL, Trigger.TARGETS_CHANGED, True, Why.TARGETS_CHANGED, "the targets changed: all the way to 50 % from 60 %"),
        (Side.BUY, Trigger.FIRST_BUILD, False, Why.FIRST_BUILD, "the portfolio is built for the first time: to 50 % from 60 %"),
        (Side.BUY, Trigger.FORCED, False, Why.FORCED, "asked for by hand: all the way to 50 % from 60 %"),
        (Side.SELL, Trigger.OUTSIDE_BAND, True, Why.OVERWEIGHT,
         "60 % is above its band 45 % to 55 %: sell part of the way back"),
        (Side.BUY, Trigger.OUTSIDE_BAND, True, Why.UNDERWEIGHT,
         "60 % is below its band 45 % to 55 %: buy part of the way back"),
        (Side.SELL, Trigger.OUTSIDE_BAND, False, Why.FUNDS_BUYS,
         "BTC is above its target 50 % (60 %), so it pays for the buys"),
        (Side.BUY, Trigger.OUTSIDE_BAND, False, Why.TAKES_PROCEEDS,
         "BTC is below its target 50 % (60 %), so it takes the proceeds"),
    ],
)  # fmt: skip
def test_each_leg_says_why_it_is_wished(side: Side, trigger: Trigger, outside: bool, code: Why, text: str) -> None:
    assert explain.why(valued(0.1, 0, -0.1), 0, "BTC", side, trigger, outside=outside) == Reason(code, text)


def test_a_band_ends_at_nothing_and_at_all() -> None:
    made = explain.stays(valued(0, 0, 0, band=0.6), 0, TARGETS, SEEN, Trigger.NONE)
    assert made == Reason(Skip.INSIDE_BAND, "inside its band; acts above 100 %")


def test_a_capped_leg_says_how_much_of_its_wish_is_left() -> None:
    made = explain.capped(Reason(Why.OVERWEIGHT, "why"), d("10.005"), d(20), "USDT")
    assert made == Reason(Why.OVERWEIGHT, "why; limits leave 10.00 of 20.00 USDT for now")
    with pytest.raises(AssertionError):
        explain.capped(Reason(Skip.NO_CASH, "why"), d(10), d(20), "USDT")


@pytest.mark.parametrize(
    ("drift", "index", "code", "text"),
    [
        ((0.05, 0, 0), 0, Skip.INSIDE_BAND, "inside its band; acts below 45 % or above 55 %"),
        ((0.06, 0, 0), 0, Skip.NO_COUNTERPART, "outside its band, but nothing that may trade stands on the other side"),
        (
            (-0.06, 0, 0),
            0,
            Skip.NO_COUNTERPART,
            "outside its band, but nothing that may trade stands on the other side",
        ),
        ((0, 0, 0.05), 2, Skip.INSIDE_BAND, "cash moves by the other legs; acts below 15 % or above 25 %"),
        ((0, 0, -0.06), 2, Skip.CASH_BALANCES, "cash moves by the other legs; acts below 15 % or above 25 %"),
    ],
)
def test_each_asset_that_stays_says_when_it_would_act(
    drift: tuple[float, ...], index: int, code: Skip, text: str
) -> None:
    assert explain.stays(valued(*drift), index, TARGETS, SEEN, Trigger.NONE) == Reason(code, text)


def test_a_coin_in_doubt_says_why_what_it_counts_as_and_what_would_make_it_trade() -> None:
    suspect = CoinTrust(d(50_000), NOW, CoinState.SUSPECT, NOW, "the book of btcusdt has no bids")
    frozen_coin = CoinTrust(d("2500.50"), NOW, CoinState.FROZEN, NOW, "the exchange halted ethusdt")
    judged = Judged({"BTC": d(50_000), "ETH": d("2500.50")}, {}, {"BTC": suspect, "ETH": frozen_coin})
    value = valued(0.1, 0.1, 0, judged=judged)
    assert explain.stays(value, 0, TARGETS, SEEN, Trigger.NONE) == Reason(
        Skip.SUSPECT,
        "in doubt: the book of btcusdt has no bids; counted at 50000 USDT of 2026-03-01 12:00 UTC; "
        "trades again when its price passes",
    )
    assert explain.stays(value, 1, TARGETS, SEEN, Trigger.NONE) == Reason(
        Skip.FROZEN,
        "frozen: the exchange halted ethusdt; counted at 2500.5 USDT of 2026-03-01 12:00 UTC; "
        "`rebalancer ack ETH` lets it trade once that is over",
    )


def test_a_leg_in_a_coin_never_looked_at_before_says_why_it_is_small() -> None:
    made = explain.probes(Reason(Why.OVERWEIGHT, "why"), has_row=True)
    assert made.text == "why; the first look at its price, so the smallest order tries it"
    blind = explain.probes(Reason(Why.UNDERWEIGHT, "why"), has_row=False)
    assert blind.text == "why; no balance of it is listed, so the smallest order tries it"
    assert made.code is Why.OVERWEIGHT


def test_what_is_beside_the_targets_and_an_empty_account_are_told_in_words() -> None:
    assert explain.not_counted("DOGE") == Reason(
        Skip.NOT_COUNTED, "DOGE is held but not in the targets: left alone and not counted"
    )
    assert explain.worthless(TARGETS) == Denial(
        Deny.NAV_NOT_POSITIVE, "the account holds nothing of BTC, ETH, USDT: is this the right account?", "", "0", "0"
    )
