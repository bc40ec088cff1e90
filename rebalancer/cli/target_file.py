"""The file of the targets replaced by a verb: both versions kept, and a note of who did it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rebalancer.cli.context import login_name, note
from rebalancer.cli.target_words import text_of
from rebalancer.core.targets import Targets
from rebalancer.errors import ConfigError
from rebalancer.service.clock import SystemClock
from rebalancer.targets.changes import Change, How, matching, version_of
from rebalancer.targets.edit import previous_of, replace_atomically
from rebalancer.targets.file import parse_bytes
from rebalancer.targets.toml_text import decode, read_bytes
from rebalancer.targets.versions import content_of, keep, kept, leave_note

if TYPE_CHECKING:
    from rebalancer.settings import Settings


def change_file(settings: Settings, text: str, targets: Targets, how: How) -> Path:
    """Put a text that is in order in the file's place; return where the version before is.

    Who did it is noted first, for the next cycle to write into the journal: a note without its change is dropped then,
    a change without its note would be taken for one by hand.
    """
    path = settings.paths.targets
    left = _noted(settings.paths.state, read_bytes(path), text, targets, how)
    try:
        return replace_atomically(path, text)
    except BaseException:
        if left is not None:
            left.unlink(missing_ok=True)
        raise


def _noted(state: Path, before: bytes, text: str, targets: Targets, how: How) -> Path | None:
    """Keep both versions and leave a note; a state directory that is not ours to write to is no reason to stop."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        known = _parsed(before)
        if known is not None:
            keep(state, known.digest, before)
        keep(state, targets.digest, text.encode())
        version = None if known is None else version_of(known)
        return leave_note(state, Change(how, login_name(), SystemClock().now(), version, version_of(targets)))
    except OSError as exc:
        reason = os.strerror(exc.errno or 0)
        note(f"! {state}: {reason}: the history will call this change one by hand, and cannot go back before it")
        return None


def _parsed(raw: bytes) -> Targets | None:
    try:
        return parse_bytes(raw, "")
    except ConfigError:
        return None  # `undo` of a file that was broken by hand: what it was is not known


def text_before(path: Path) -> str:
    """Return the version before the last change by a verb; ConfigError when there is none."""
    before = previous_of(path)
    if not before.exists():
        raise ConfigError(f"{before}: there is no version before this one; `targets set` keeps one")
    return text_of(before)


def text_kept(state: Path, version: str) -> str:
    """Return the content of the one kept version that is meant; ConfigError for none or several."""
    found = matching(version, kept(state))
    if len(found) != 1:
        known = "more than one version begins so" if found else "no version of that name is kept"
        raise ConfigError(f"{version}: {known}; `targets history` names those that are")
    return decode(content_of(state, found[0]), found[0])
