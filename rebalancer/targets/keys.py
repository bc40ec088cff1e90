"""Every key that `targets.toml` may have, with its range, default and meaning: for the parser and the JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from rebalancer.core.money import HUNDRED, ONE, ZERO
from rebalancer.core.targets import (
    COOLDOWN_MAX_H,
    BandPolicy,
    BandRule,
    Limits,
    OrderPolicy,
    OrderType,
    Route,
    Schedule,
)

VERSION = 1
ASSET = re.compile(r"[A-Z0-9]{1,20}")
CODE = re.compile(r"[a-z0-9]{1,20}")
QUOTE_MIN = Decimal(2)  # percent
# HTX takes limit prices within 10 % of the last trade, and our mid may lie 1 % from that.
IOC_SLIPPAGE_MAX_BPS = 800
CRON_FIELDS = 5
_HUGE = Decimal(10) ** 9


@dataclass(frozen=True, slots=True)
class Number:
    """A bare number from `low` to `high`, in `unit`; `whole` takes no fraction, `above` not the low end itself."""

    meaning: str
    low: Decimal
    high: Decimal
    unit: str
    default: Decimal | None = None
    whole: bool = False
    above: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """One of some words."""

    meaning: str
    allowed: tuple[str, ...]
    default: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is checked by what reads it; `pattern` is what can be said of its form."""

    meaning: str
    default: str
    pattern: str


@dataclass(frozen=True, slots=True)
class PerCoin:
    """A section with one line a coin: numbers, codes of HTX, or nothing but `true`."""

    meaning: str
    each: Number | re.Pattern[str] | bool


Key = Number | Word | Text | PerCoin

WEIGHT = Number("Percent of the portfolio.", ZERO, HUNDRED, "percent", above=True)
COIN_BAND = Number("Points on either side of the target.", Decimal("0.1"), Decimal(50), "points")
_AMOUNT_MAX = Decimal(10) ** 15
KEPT = Number("In the coin itself.", ZERO, _AMOUNT_MAX, "of the coin", above=True)

_RELATIVE = Number("Percent of the target.", ONE, HUNDRED, "percent of the target for rule {}", Decimal(20))
K_BY_RULE: Mapping[BandRule, Number] = {
    BandRule.THEORY: Number(
        "The band is k * [w(1-w)]^(2/3) on either side of the target w.",
        Decimal("0.01"), ONE, "for rule {}", BandPolicy().k,
    ),
    BandRule.RELATIVE: _RELATIVE,
    BandRule.CLAMP: _RELATIVE,
    BandRule.ABSOLUTE: Number("Points.", Decimal("0.1"), Decimal(50), "points for rule {}", Decimal(5)),
}  # fmt: skip

TOP_KEYS: Mapping[str, str] = {
    "version": "The format of this file.",
    "quote": f"The cash that everything is traded against; listed in [weights] with at least {QUOTE_MIN} percent.",
}
_PERCENT = "percent of the portfolio"
_S, _B, _L, _O = Schedule(), BandPolicy(), Limits(), OrderPolicy()
SETTINGS: Mapping[str, Mapping[str, Key]] = {
    "schedule": {
        "cron": Text(
            "When `serve` looks: minute hour day month weekday, as cron means them.",
            _S.cron, rf"^\s*\S+(\s+\S+){{{CRON_FIELDS - 1}}}\s*$",
        ),
        "timezone": Text("Of `cron`, such as UTC or Europe/Berlin.", _S.timezone, r"^[A-Za-z0-9_+\-/]+$"),
        "jitter_s": Number(
            "Each look starts up to this much later.", ZERO, Decimal(3600), "seconds", Decimal(_S.jitter_s), whole=True
        ),
    },
    "bands": {
        "rule": Word(
            "How the width of the no-trade band is found.", tuple(each.value for each in BandRule), _B.rule.value
        ),
        # Its range and default are those of the rule, in K_BY_RULE.
        "k": Number("The width of the band, in the rule's own unit.", Decimal("0.01"), HUNDRED, "by the rule"),
        "floor": Number("No band is narrower (theory, clamp).", COIN_BAND.low, COIN_BAND.high, "points", _B.floor),
        "cap": Number("No band is wider (theory, clamp).", COIN_BAND.low, COIN_BAND.high, "points", _B.cap),
        "destination": Number(
            "Where a trade stops: 0 at the target, 1 at the edge of the band.",
            ZERO, ONE, "(0 target, 1 edge of the band)", _B.destination,
        ),
        "per_coin": PerCoin("The band of a coin in points, whatever the rule says.", COIN_BAND),
    },
    "limits": {
        "max_turnover_per_cycle": Number(
            "Sold or bought in one cycle.", Decimal("0.1"), HUNDRED, _PERCENT, _L.max_turnover_per_cycle
        ),
        "max_turnover_per_day": Number(
            "Sold or bought in a rolling 24 hours.", Decimal("0.1"), Decimal(1000), _PERCENT, _L.max_turnover_per_day
        ),
        "max_notional_per_day": Number(
            "All orders of a rolling 24 hours; required for live.", ONE, _HUGE, "in the quote coin"
        ),
        "max_order_notional": Number("One order; required for live.", ONE, _HUGE, "in the quote coin"),
        "max_orders_per_day": Number(
            "Orders in a rolling 24 hours.", ONE, Decimal(10_000), "orders", Decimal(_L.max_orders_per_day), whole=True
        ),
        "max_slippage_bps": Number(
            "Of an order's walk through the book, against the mid.", ONE, Decimal(1000), "basis points",
            _L.max_slippage_bps,
        ),
        "cooldown_h": Number(
            "A coin that was traded rests so long; 0: not at all.", ZERO, Decimal(COOLDOWN_MAX_H), "hours",
            _L.cooldown_h,
        ),
    },
    "orders": {
        "order_type": Word(
            "ioc: no fill is further than max_slippage_bps from the mid; what is not filled at once is cancelled.",
            tuple(each.value for each in OrderType), _O.order_type.value,
        ),
        "route": Word(
            "direct: BTC and ETH are traded straight for other coins where one order costs less than two.",
            tuple(each.value for each in Route), _O.route.value,
        ),
    },
}  # fmt: skip
SECTION_MEANING = {
    "schedule": "When `serve` looks.",
    "bands": "How far a coin may stray before something is done.",
    "limits": "What no cycle may exceed.",
    "orders": "How the amounts of a plan become orders.",
}
COINS: Mapping[str, PerCoin] = {
    "weights": PerCoin("Percent of the portfolio; must sum to exactly 100.", WEIGHT),
    "exit": PerCoin("Coins to sell completely: DOGE = true.", each=True),
    "keep": PerCoin("Never sold or spent, and not counted in weights; in the coin itself.", KEPT),
    "external": PerCoin("Held elsewhere: counted in weights, never traded; in the coin itself.", KEPT),
    "codes": PerCoin("HTX's code where it calls a coin otherwise, in small letters.", CODE),
}
TOP = (*TOP_KEYS, "weights", *SETTINGS, *(name for name in COINS if name != "weights"))
