"""Targets in words and as a document, for the verbs that show them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rebalancer.core.money import plain
from rebalancer.core.targets import Targets
from rebalancer.targets.settings import settings_of
from rebalancer.targets.toml_text import decode, read_bytes


def shown(value: Any) -> str:
    """Return a setting on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key} = {part}" for key, part in value.items()) or "-"
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def targets_document(path: Path, targets: Targets) -> dict[str, Any]:
    """Return the targets of a file as one JSON document."""
    weights = {asset: plain(weight) for asset, weight in targets.weights.items()}
    head = {"schema": "rebalancer.targets/1", "file": str(path), "digest": targets.digest, "quote": targets.quote}
    return {**head, "weights": weights, **settings_of(targets)}


def text_of(path: Path) -> str:
    """Return a file's text with its own line ends, which an edit must keep."""
    return decode(read_bytes(path), str(path))
