"""Run seeded worlds until one shows a violation; the exit code says whether one did."""

from __future__ import annotations

import sys

from tests.simulation.__main__ import run_chunk


def main() -> None:
    episodes = int(sys.argv[1])
    for seed in range(episodes):
        _, violations = run_chunk(seed, 1)
        if violations:
            print(violations[0])
            sys.exit(1)


if __name__ == "__main__":
    main()
