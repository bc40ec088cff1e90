"""A first `targets.toml` for an account: the shipped file, comments and all, with other weights and limits."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import tomlkit

from rebalancer.core.money import plain
from rebalancer.targets.edit import set_weights
from rebalancer.targets.schema import DIRECTIVE, FILE_NAME
from rebalancer.targets.toml_text import loads

NAME = "targets.toml"


def shipped_text() -> str:
    """Return the file that the project ships, for a folder where its schema lies beside it.

    A wheel carries it, a checkout has it at its top.
    """
    carried = files("rebalancer") / NAME
    place = carried if carried.is_file() else Path(__file__).parents[2] / NAME
    head, _, rest = place.read_text(encoding="utf-8").partition("\n")
    assert head.startswith(DIRECTIVE), head
    return f"{DIRECTIVE}./{FILE_NAME}\n{rest}"


def new_text(weights: Mapping[str, Decimal], limits: Mapping[str, Decimal]) -> str:
    """Return the shipped file with these weights, in percent, and these limits."""
    shipped = shipped_text()
    leave = [asset for asset in loads(shipped, NAME)["weights"] if asset not in weights]
    text = set_weights(shipped, weights, leave, NAME)
    document = tomlkit.parse(text)
    for name, value in limits.items():
        item = tomlkit.value(plain(value))
        old = document["limits"][name]
        for part in ("indent", "comment_ws", "comment", "trail"):
            setattr(item.trivia, part, getattr(old.trivia, part))
        document["limits"][name] = item
    return tomlkit.dumps(document)
