"""What the view of the targets shows besides the form: what was typed, and who changed them before."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from rebalancer.core.canonical import parse_moment
from rebalancer.core.money import HUNDRED, parse_decimal
from rebalancer.journal.rows import Kind, Row
from rebalancer.journal.store import Journal
from rebalancer.report.words import printable
from rebalancer.targets.changes import Change, words_of_author, words_of_change
from rebalancer.targets.versions import change_of

ASSET = re.compile(r"[A-Z0-9]{1,20}")
VERSION = re.compile(r"[0-9a-f]{64}")
CHANGES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Past:
    """One change of the targets, as it is shown; `version` is what the form can be filled from."""

    at: datetime
    author: str
    words: str
    version: str


def past_changes(journal: Journal) -> list[Past]:
    """Return the newest changes that took effect, newest first."""
    return [_past(_change(row), row) for row in journal.newest(Kind.TARGETS, CHANGES_SHOWN)]


def _change(row: Row) -> Change:
    return change_of(json.loads(row.payload_text))


def _past(change: Change, row: Row) -> Past:
    words = words_of_change(change.before, change.after)
    return Past(change.at or parse_moment(row.t_wall), words_of_author(change), words, change.after.digest)


def weights_of_version(journal: Journal, digest: str) -> dict[str, str] | None:
    """Return the weights of a version that once took effect, as a form has them; None for one that is not known."""
    for row in journal.newest(Kind.TARGETS, CHANGES_SHOWN):
        after = _change(row).after
        if after.digest == digest:
            return {asset: f"{percent:f}" for asset, percent in after.weights.items()}
    return None


def weights_of(form: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return the weights of a form as typed, and what is wrong with them, if anything is."""
    typed = {name.removeprefix("w_"): text.strip() for name, text in form.items() if name.startswith("w_")}
    extra, share = form.get("add_asset", "").strip().upper(), form.get("add_percent", "").strip()
    if extra:
        typed[extra] = share
    kept = {asset: text for asset, text in typed.items() if text not in {"", "0"}}
    total = Decimal(0)
    for asset, text in kept.items():
        if not ASSET.fullmatch(asset):
            return kept, f"{printable(asset)[:30]}: a coin is capital letters and digits"
        try:
            value = parse_decimal(text)
        except ValueError:
            return kept, f"{asset}: {printable(text)[:30]} is not a number of percent"
        if not 0 < value <= HUNDRED:
            return kept, f"{asset}: {text} is outside 0 to 100 percent"
        total += value
    if total != HUNDRED:
        way = "too much" if total > HUNDRED else "missing"
        return kept, f"the weights sum to {total:f}, not 100: {abs(HUNDRED - total):f} {way}"
    return kept, ""
