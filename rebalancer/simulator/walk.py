"""A price at any instant as a pure function of seed, coin and time: seeded value noise over several periods.

No state and no order of calls, so a replay of one instant needs nothing of the others. The floats here make up a
market; money never passes through them.
"""

from __future__ import annotations

import hashlib
import math

HOUR_MS = 3_600_000
# Period in hours, and standard deviation of the log price at that scale: about 60 % a year together.
OCTAVES = ((24 * 60, 0.25), (24 * 9, 0.10), (31, 0.035), (5, 0.012), (0.9, 0.005), (0.11, 0.0015))


def log_move(seed: int, name: str, elapsed_ms: int) -> float:
    """Return the log price change since the anchor; exactly 0 at the anchor itself."""
    return _noise(seed, name, elapsed_ms) - _noise(seed, name, 0)


def _noise(seed: int, name: str, elapsed_ms: int) -> float:
    total = 0.0
    for index, (period_h, sigma) in enumerate(OCTAVES):
        place = elapsed_ms / (period_h * HOUR_MS)
        left = math.floor(place)
        part = place - left
        smooth = part * part * (3 - 2 * part)
        total += sigma * (
            (1 - smooth) * _normal(seed, name, index, left) + smooth * _normal(seed, name, index, left + 1)
        )
    return total


def _normal(seed: int, name: str, octave: int, knot: int) -> float:
    """Return a fixed draw near a standard normal: the sum of four uniforms, centred and scaled."""
    digest = hashlib.blake2b(f"{seed}/{name}/{octave}/{knot}".encode(), digest_size=16).digest()
    uniforms = (int.from_bytes(digest[i : i + 4], "big") / 2**32 for i in range(0, 16, 4))
    return (sum(uniforms) - 2) * math.sqrt(3)
