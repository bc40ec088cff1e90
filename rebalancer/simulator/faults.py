"""Faults on purpose: which, where, how often. Drawn from the exchange's own seed.

A specification is a comma list of `kind[@endpoint][=probability][xCOUNT]`, for example
`lost_reply@place=0.1,html_502@balance=0.05x3`. Without an endpoint a fault strikes anywhere it makes sense.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass

FAULT_KINDS: dict[str, str] = {
    "lost_request": "the request never arrives, the connection ends",
    "lost_reply": "the request is carried out, the connection ends without an answer",
    "delayed_reply": "carried out, answered after 30 s",
    "delayed_request": "the connection ends; the request is carried out 120 s later if still signed validly",
    "system_error_executed": "carried out, answered with base-system-error",
    "system_error_refused": "not carried out, answered with base-system-error",
    "http_429": "HTTP 429",
    "rate_code": "HTTP 200 with a rate-limit code",
    "html_502": "HTTP 502 with an HTML page",
    "html_200": "HTTP 200 with an HTML page",
    "truncated": "the answer's second half is missing",
    "nan": "the first number of the answer is NaN",
    "redirect": "HTTP 301 elsewhere",
    "invisible": "a placed order cannot be found for 20 s",
    "duplicate": "a placed order is carried out twice",
    "redelivered": "a gateway delivers the request twice and passes on the second answer",
    "partial": "a market order stops half-way",
    "clock_skew": "the exchange's clock reads 60 s more",
    "balance_lag": "balances as they were before the last order",
    "missing_row": "one currency's rows are missing from the balance",
    "one_sided": "a book without asks",
    "zero_price": "a ticker of zero",
    "halted": "market status 2",
    "cancel_only": "market status 3",
}
# Where a kind makes sense when no endpoint is named; the others strike anywhere.
DEFAULT_PLACE: dict[str, str] = {
    "delayed_request": "place",
    "system_error_executed": "place",
    "system_error_refused": "place",
    "invisible": "place",
    "duplicate": "place",
    "redelivered": "place",
    "partial": "place",
    "clock_skew": "timestamp",
    "balance_lag": "balance",
    "missing_row": "balance",
    "one_sided": "depth",
    "zero_price": "tickers",
    "halted": "market-status",
    "cancel_only": "market-status",
}
ENDPOINTS = (
    "timestamp", "market-status", "market-symbols", "tickers", "depth", "kline", "fee-rate", "accounts", "balance",
    "uid", "api-key", "place", "order", "client-order", "open-orders", "order-search", "order-history", "order-fills",
    "matchresults", "other",
)  # fmt: skip
_RULE = re.compile(r"(?P<kind>\w+?)(@(?P<endpoint>[a-z]+(?:-[a-z]+)*))?(=(?P<probability>[0-9.]+))?(x(?P<count>\d+))?")


class FaultSpecError(ValueError):
    """A fault specification that cannot be read."""


@dataclass(slots=True)
class Rule:
    """One entry of a specification."""

    kind: str
    endpoint: str
    probability: float
    left: int | None


class Faults:
    """Draws at most one fault a request."""

    def __init__(self, rules: list[Rule], seed: int) -> None:
        self._rules = rules
        self._rng = random.Random(seed)
        self.fired: Counter[str] = Counter()

    @classmethod
    def parse(cls, text: str, seed: int = 0) -> Faults:
        """Read a specification; FaultSpecError says what is wrong and what is known."""
        return cls([_rule(part.strip()) for part in text.split(",") if part.strip()], seed)

    def draw(self, endpoint: str) -> str:
        """Return the kind that strikes this request, or an empty text."""
        for rule in self._rules:
            if rule.left == 0 or rule.endpoint not in ("", endpoint):
                continue
            if self._rng.random() < rule.probability:
                if rule.left is not None:
                    rule.left -= 1
                self.fired[rule.kind] += 1
                return rule.kind
        return ""


def _rule(text: str) -> Rule:
    match = _RULE.fullmatch(text)
    if match is None:
        raise FaultSpecError(f"{text!r} is not kind[@endpoint][=probability][xCOUNT], e.g. lost_reply@place=0.1x3")
    kind, endpoint = match["kind"], match["endpoint"]
    if kind not in FAULT_KINDS:
        raise FaultSpecError(f"unknown fault {kind!r}; known: {', '.join(FAULT_KINDS)}")
    if endpoint is not None and endpoint not in ENDPOINTS:
        raise FaultSpecError(f"unknown endpoint {endpoint!r}; known: {', '.join(ENDPOINTS)}")
    try:
        probability = float(match["probability"] or 1)
    except ValueError:
        raise FaultSpecError(f"{text!r}: {match['probability']} is not a number") from None
    if not 0 <= probability <= 1:
        raise FaultSpecError(f"{text!r}: probability {probability} is not within 0 and 1")
    return Rule(
        kind, endpoint or DEFAULT_PLACE.get(kind, ""), probability, int(match["count"]) if match["count"] else None
    )
