"""A pytest plugin for the mutation run: of a test over many seeds, the first few say as much about a mutant."""

from __future__ import annotations

import pytest

SEEDS_KEPT = 6


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def is_kept(item: pytest.Item) -> bool:
        seed = (
            item.callspec.params.get("seed")
            if isinstance(item, pytest.Function) and hasattr(item, "callspec")
            else None
        )
        return not isinstance(seed, int) or seed < SEEDS_KEPT

    dropped = [item for item in items if not is_kept(item)]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if is_kept(item)]
