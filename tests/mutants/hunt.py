"""Run seeded worlds until one shows a violation; the exit code says whether one did."""

from __future__ import annotations

import sys

from tests.simulation.__main__ import run_chunk


def main() -> None:
    episodes = int(sys.argv[1])
    for first in range(0, episodes, 10):
        _, violations = run_chunk(first, min(10, episodes - first))
        if violations:
            print(violations[0])
            sys.exit(1)


if __name__ == "__main__":
    main()
