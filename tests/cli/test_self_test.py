"""A machine whose Python or libraries changed under the program is noticed before anything is signed or kept."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from types import SimpleNamespace

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.cli.self_test import TESTS, require_sound_machine
from tests.cli.conftest import Owner

# What an upgrade may bring, and the test that must notice it.
UPGRADES: dict[str, tuple[str, Callable[..., object]]] = {
    "signing": ("rebalancer.venues.htx.sign.encode", str),
    "arithmetic": (
        "rebalancer.core.money.floor_to_step",
        lambda value, step: (value / step).quantize(Decimal(1), ROUND_HALF_EVEN) * step,
    ),
    "reading": ("rebalancer.venues.htx.decode.decode", lambda _endpoint, body: json.loads(body)),
    "chaining": ("rebalancer.journal.rows.canonical", lambda parts: json.dumps(parts, default=str)),
    "speaking": ("ssl.SSLContext", lambda _protocol: SimpleNamespace(check_hostname=False, verify_mode=ssl.CERT_NONE)),
}


def test_this_machine_is_sound_and_each_test_has_its_upgrade() -> None:
    require_sound_machine()
    assert list(UPGRADES) == [test.__name__ for test in TESTS]


@pytest.mark.parametrize("name", UPGRADES)
def test_no_run_begins_on_a_machine_that_fails_its_self_test(
    name: str, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*UPGRADES[name])
    said = owner.say("run", REBALANCER_VENUE="embedded")
    assert said.code == Exit.CONFIG and f"self-test: {name}" in said.err
    assert not owner.state.exists()
