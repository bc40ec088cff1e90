"""Ways to run independent reads: overlapping on a few threads, or one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

THREADS = 16  # as many as pooled connections: the reads of a cycle with 11 coins overlap in one round


def gather_serially(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Run the calls in order; the first exception is raised after the last call has run."""
    return _collect([_attempt(call) for call in calls])


class ThreadGather:
    """Overlap the calls on a small pool of threads that lives as long as this object."""

    def __init__(self, threads: int = THREADS) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="read")

    def __call__(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Return the results in order; raise the first exception, in order, once all calls have ended."""
        return _collect(list(self._pool.map(_attempt, calls)))

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _attempt(call: Callable[[], T]) -> T | _Failed:
    try:
        return call()
    except Exception as exc:  # noqa: BLE001  # carried to the caller's thread and raised there
        return _Failed(exc)


def _collect(results: Sequence[T | _Failed]) -> list[T]:
    done: list[T] = []
    for result in results:
        if isinstance(result, _Failed):
            raise result.error
        done.append(result)
    return done


class _Failed:
    def __init__(self, error: Exception) -> None:
        self.error = error
