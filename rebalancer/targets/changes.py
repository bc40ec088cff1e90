"""What became of the targets between two looks at them: who changed what, how and when. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from rebalancer.core.money import plain
from rebalancer.core.targets import Targets
from rebalancer.targets.settings import flat_settings

IN_FLIGHT = timedelta(hours=1)  # a verb that noted a change and has not replaced the file by then never will


class How(StrEnum):
    """What changed the file."""

    FIRST = "first"  # not a change: what was in force when the history began
    SET = "set"
    UNDO = "undo"
    CONFIRM = "confirm"  # staged on the page, confirmed in the terminal
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True)
class Version:
    """A content of the file: the digest of all that it decides, its weights in percent, and every other setting.

    Without settings only the weights are known of it.
    """

    digest: str
    weights: Mapping[str, Decimal]
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `at` is when a verb made it, None for an edit by hand; `who` is empty where nobody can tell."""

    how: How
    who: str
    at: datetime | None
    before: Version | None  # None: not known
    after: Version
    note: str = ""  # the name of the note that tells of it


def version_of(targets: Targets) -> Version:
    """Return the version that checked targets are."""
    return Version(targets.digest, targets.weights, flat_settings(targets))


def changes_since(
    last: Version | None, noted: Sequence[Change], current: Version, now: datetime
) -> tuple[list[Change], list[str]]:
    """Return what led from the last known version to the current one, and the notes that are done with.

    `noted` are the changes that verbs told of, oldest first; what they do not explain was done by hand.
    """
    told, stale = _without_those_in_flight(noted, current, now)
    made: list[Change] = []
    at = last
    for change in told:
        if change.before is not None and (at is None or at.digest != change.before.digest):
            made.append(_unexplained(at, change.before))
        made.append(change)
        at = change.after
    if at is None or at.digest != current.digest:
        made.append(_unexplained(at, current))
    return made, [*(change.note for change in told), *stale]


def _without_those_in_flight(
    noted: Sequence[Change], current: Version, now: datetime
) -> tuple[list[Change], list[str]]:
    """Return the changes that were made, and the names of old notes of changes that never were."""
    told, stale = list(noted), []
    while told and told[-1].after.digest != current.digest:
        last = told[-1]
        if last.before is None or last.before.digest != current.digest or last.at is None:
            break
        told.pop()
        if now - last.at > IN_FLIGHT:
            stale.append(last.note)
    return told, stale


def _unexplained(before: Version | None, after: Version) -> Change:
    return Change(How.FIRST if before is None else How.BY_HAND, "", None, before, after)


def weight_changes(
    before: Mapping[str, Decimal], after: Mapping[str, Decimal]
) -> dict[str, tuple[Decimal | None, Decimal | None]]:
    """Return each weight that differs, as it was and as it is; None where the coin had or has none."""
    return {
        asset: (before.get(asset), after.get(asset))
        for asset in dict.fromkeys((*after, *before))
        if before.get(asset) != after.get(asset)
    }


def setting_changes(before: Version, after: Version) -> dict[str, tuple[str | None, str | None]]:
    """Return each other setting that differs; none where the settings of one side are not known."""
    if not (before.settings and after.settings):
        return {}
    return {
        name: (before.settings.get(name), after.settings.get(name))
        for name in dict.fromkeys((*after.settings, *before.settings))
        if before.settings.get(name) != after.settings.get(name)
    }


def words_of_change(before: Version | None, after: Version) -> str:
    """Return a change in one line: `BTC 35 -> 40, DOGE - -> 5, limits.max_order_notional 1000 -> 2000`."""
    if before is None:
        return ", ".join(f"{asset} {plain(percent)}" for asset, percent in after.weights.items())
    parts = [
        f"{asset} {_percent(old)} -> {_percent(new)}"
        for asset, (old, new) in weight_changes(before.weights, after.weights).items()
    ]
    parts += [f"{name} {old or '-'} -> {new or '-'}" for name, (old, new) in setting_changes(before, after).items()]
    return ", ".join(parts) or "the weights stay; other settings changed"


def _percent(value: Decimal | None) -> str:
    return "-" if value is None else plain(value)


def words_of_author(change: Change) -> str:
    """Return how a change was made and by whom."""
    by = f" by {change.who}" if change.who else ""
    return {
        How.FIRST: "as the history began",
        How.BY_HAND: "edited by hand",
        How.CONFIRM: f"staged on the page, confirmed{by}",
    }.get(change.how, f"{change.how}{by}")


def matching(prefix: str, digests: Collection[str]) -> list[str]:
    """Return the digests that begin so, each once."""
    return [digest for digest in dict.fromkeys(digests) if digest.startswith(prefix.lower())]
