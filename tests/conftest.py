"""What all tests share: properties are given the time that a busy machine needs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Context, setcontext

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _decimals_of_our_own() -> Iterator[None]:
    """Undo what a library does to the thread's decimal context: another exchange client changes its rounding."""
    setcontext(Context())
    yield
    setcontext(Context())
