"""Rate limits per user and endpoint, in fixed windows of two seconds, with HTX's headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rebalancer.simulator.envelopes import error_v1
from rebalancer.simulator.http import Response

WINDOW_MS = 2000
ALLOWED = {
    "place": 100, "accounts": 100, "balance": 100, "order": 50, "client-order": 50, "open-orders": 50,
    "order-search": 50, "order-fills": 50, "order-history": 20, "matchresults": 20, "fee-rate": 50,
}  # fmt: skip
ALLOWED_ELSEWHERE = 20


@dataclass
class Limits:
    """Counts requests; the one over the limit is refused with a rate code."""

    windows: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    refused: int = 0

    def count(self, uid: int, endpoint: str, now_ms: int) -> Mapping[str, str] | Response:
        """Count one request and return the headers of its answer, or the refusal."""
        window = now_ms // WINDOW_MS
        at, used = self.windows.get((uid, endpoint), (window, 0))
        used = used + 1 if at == window else 1
        self.windows[uid, endpoint] = (window, used)
        allowed = ALLOWED.get(endpoint, ALLOWED_ELSEWHERE)
        if used > allowed:
            self.refused += 1
            return error_v1("rate-too-many-requests", "exceeded rate limit")
        return {
            "x-hb-ratelimit-requests-remain": str(allowed - used),
            "x-hb-ratelimit-requests-expire": str((window + 1) * WINDOW_MS),
        }
