"""Which reasons, halts and stops the product gave: what none of a long run reaches, the run has shown nothing of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from rebalancer.core.reasons import Deny, Skip, Trigger, Why

HALTS = ("contradiction", "duplicate_order", "foreign_order", "key_refused", "other_hand", "restored")
ALL = frozenset(
    [f"{kind.__name__.lower()} {each.value}" for kind in (Deny, Skip, Why, Trigger) for each in kind]
    + [f"halt {code}" for code in HALTS]
)
_CODED = re.compile(r"([a-z]+(?:_[a-z]+)*): ")
_NAMES = re.compile(r"[0-9]\S*|\b[a-z]{3,4}(usdt|btc|eth)\b|\brb1-\S+|\b(BTC|ETH|SOL|USDT)\b")


def in_row(kind: str, payload: Mapping[str, Any]) -> Iterator[str]:
    """Yield the reasons that one row gives."""
    if kind == "PLAN":
        yield from _in_plan(payload["plan"])
    elif kind == "HALT":
        yield f"halt {payload['code']}"
    elif kind == "PLAN_CLOSED":
        yield _worded("stop", payload["text"])
    elif kind == "OUTCOME" and payload["event"] == "deny":
        yield _worded("leg", payload["text"])
    elif kind == "OUTCOME" and payload["event"] == "quarantine":
        yield _worded("quarantine", payload["text"])


def _in_plan(plan: Mapping[str, Any]) -> Iterator[str]:
    yield f"trigger {plan['trigger']}"
    yield from (f"deny {denial['code']}" for denial in plan["denials"])
    yield from (f"skip {skip['reason']['code']}" for skip in plan["skips"])
    yield from (f"why {leg['reason']['code']}" for leg in plan["legs"])
    held = (line["reason"]["code"] for line in plan["assets"] if line["decision"] == "hold")
    yield from (f"skip {code}" for code in held if f"skip {code}" in ALL)


def _worded(what: str, text: str) -> str:
    """Return the code that a text begins with, as far as it has one, else its first words without names and figures."""
    coded = _CODED.match(text)
    if coded and f"deny {coded[1]}" in ALL:
        return f"deny {coded[1]}"
    if coded and f"skip {coded[1]}" in ALL:
        return f"skip {coded[1]}"
    return f"{what}: {' '.join(_NAMES.sub('', text).split()[:5]).strip(':,;. ')}"


def never(reached: Counter[str]) -> list[str]:
    """Return what no row and no refusal gave."""
    return sorted(ALL - reached.keys())
