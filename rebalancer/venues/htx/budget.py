"""How often we may ask: a budget per endpoint, kept far below HTX's own limits.

HTX API reference, "Rate limits": fixed 2-second windows per user and endpoint; 10 a second for what has no label.
"""

from __future__ import annotations

from collections import deque
from threading import Lock

from rebalancer.seams import Clock

WINDOW_S = 2.0
SHARE = 5  # we use at most a fifth of what is allowed
LOW_WATER = 5  # requests left in HTX's window below which we wait for the next one

# Requests that HTX allows in one window; a fifth of it is ours.
ALLOWED = {
    "place": 100,
    "accounts": 100,
    "balance": 100,
    "market-symbols": 100,
    "timestamp": 100,
    "order": 50,
    "client-order": 50,
    "open-orders": 50,
    "order-search": 50,
    "order-history": 20,
    "order-fills": 50,
    "fee-rate": 50,
    # 4000 in 5 minutes per address; the books of a cycle are asked for together, so the window is kept wide open.
    "depth": 250,
    "tickers": 30,
    "kline": 30,
}
ALLOWED_ELSEWHERE = 20


class Budget:
    """Counts requests in sliding windows and waits, on the injected clock, where one is full. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._sent: dict[str, deque[float]] = {}
        self._not_before: dict[str, float] = {}

    def take(self, endpoint: str) -> float:
        """Wait until one more request fits, count it, and return the seconds waited."""
        waited = 0.0
        while (pause := self._try(endpoint)) > 0:
            self._clock.sleep(pause)
            waited += pause
        return waited

    def _try(self, endpoint: str) -> float:
        limit = max(1, ALLOWED.get(endpoint, ALLOWED_ELSEWHERE) // SHARE)
        with self._lock:
            now = self._clock.monotonic_s()
            sent = self._sent.setdefault(endpoint, deque())
            while sent and sent[0] <= now - WINDOW_S:
                sent.popleft()
            pause = max(
                self._not_before.get(endpoint, now) - now, sent[0] + WINDOW_S - now if len(sent) >= limit else 0
            )
            if pause <= 0:
                sent.append(now)
            return max(pause, 0.0)

    def heed(self, endpoint: str, remaining: int | None) -> None:
        """Hold the next request of an endpoint for a window when HTX says that few are left."""
        if remaining is not None and remaining < LOW_WATER:
            with self._lock:
                self._not_before[endpoint] = self._clock.monotonic_s() + WINDOW_S
