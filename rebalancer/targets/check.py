"""The vocabulary in which `targets.toml` is checked: numbers within their range, words of a list, problems by line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rebalancer.targets.keys import SETTINGS, Number, Word
from rebalancer.targets.toml_text import printable, show

PLACES_MAX = 18  # decimals; sums of such percents stay exact, and no number is a screenful of zeros


@dataclass
class Check:
    """One file being read: its data, where its keys stand, and what is wrong with it."""

    data: Mapping[str, Any]
    lines: Mapping[tuple[str, ...], int]
    problems: list[tuple[int, str]] = field(default_factory=list)

    def wrong(self, path: tuple[str, ...], text: str) -> None:
        """Note a problem at a key, or at the nearest table that stands in the file."""
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 1)
        self.problems.append((line, f"{'.'.join(printable(part) for part in path)}: {text}"))

    def table(self, name: str) -> Mapping[str, Any]:
        """Return a section, empty when absent; its unknown keys are noted."""
        value = self.data.get(name, {})
        if not isinstance(value, dict):
            self.wrong((name,), f"should be a section [{name}]")
            return {}
        for key in value:
            if name in SETTINGS and key not in SETTINGS[name]:
                self.wrong((name, key), unknown_key(key, SETTINGS[name]))
        return value

    def _given(self, section: str, key: str) -> Any:
        table = self.data.get(section)
        return table.get(key) if isinstance(table, dict) else None

    def number(self, section: str, key: str, wanted: Number | None = None) -> Any:
        """Return a bare number within its range; the default when absent or wrong. `wanted` by default of the table."""
        kind = wanted or SETTINGS[section][key]
        assert isinstance(kind, Number), (section, key)
        raw = self._given(section, key)
        if raw is None:
            return kind.default
        value = as_decimal(raw)
        if value is None:
            problem = f"{show(raw)} should be a bare number, {kind.low} to {kind.high} {kind.unit}"
        elif not kind.low <= value <= kind.high:
            problem = f"{show(raw)} is outside {kind.low} to {kind.high} {kind.unit}"
        elif kind.whole and value != value.to_integral_value():
            problem = f"{show(raw)} should be a whole number of {kind.unit}"
        else:
            problem = too_fine(value)
        if problem:
            self.wrong((section, key), problem)
            return kind.default
        return value

    def word(self, section: str, key: str) -> str:
        """Return one of the words that the key may have; its default when absent or wrong."""
        kind = SETTINGS[section][key]
        assert isinstance(kind, Word), (section, key)
        value = self._given(section, key)
        if value is None:
            return kind.default
        if not isinstance(value, str) or value not in kind.allowed:
            words = f"{', '.join(kind.allowed)}{near(value, kind.allowed)}"
            self.wrong((section, key), f"{show(value)} should be one of {words}")
            return kind.default
        return value


def as_decimal(value: object) -> Decimal | None:
    """Return a TOML number as a finite Decimal, or None for anything else, NaN and infinity among it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, Decimal) and value.is_finite():
        return value
    return None


def too_fine(value: Decimal) -> str:
    """Return what is wrong with a finite number of too many decimals, or an empty text."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), value
    return f"{show(value)} has more than {PLACES_MAX} decimals; round it" if exponent < -PLACES_MAX else ""


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return the words for a key that does not exist, with the nearest that does."""
    return f"unknown key{near(key, known)}; known here: {', '.join(known)}"


def near(word: object, known: Iterable[str]) -> str:
    """Return a question for the nearest known word, or an empty text."""
    found = difflib.get_close_matches(word, list(known), 1) if isinstance(word, str) else []
    return f" (did you mean {found[0]}?)" if found else ""
