"""Every setting of the targets beside the weights, defaults included: by section, and each under its own name. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from rebalancer.core.canonical import jsonable
from rebalancer.core.targets import BandPolicy, Limits, OrderPolicy, Schedule, Targets


def settings_of(targets: Targets) -> dict[str, dict[str, Any]]:
    """Return every setting by its section, those of single coins where there are any."""
    sections: dict[str, Schedule | BandPolicy | Limits | OrderPolicy] = {
        "schedule": targets.schedule,
        "bands": targets.bands,
        "limits": targets.limits,
        "orders": targets.orders,
    }
    made = {
        name: {field.name: jsonable(getattr(section, field.name)) for field in fields(section)}
        for name, section in sections.items()
    }
    coins = {
        "codes": dict(targets.codes),
        "exit": dict.fromkeys(targets.leaving, True),
        "keep": jsonable(targets.kept),
        "external": jsonable(targets.external),
    }
    return made | {name: section for name, section in coins.items() if section}


def flat_settings(targets: Targets) -> dict[str, str]:
    """Return each setting as text under its dotted name; one that is not set is not there."""
    return {"quote": targets.quote, **dict(_flat(settings_of(targets)))}


def _flat(section: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in section.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        elif value is not None:
            yield f"{path}{name}", str(value).lower() if isinstance(value, bool) else str(value)
