"""The versions of `targets.toml` that `undo` can go back to, and the notes of who changed it, in the state directory.

A verb leaves a note before it replaces the file; whoever holds the lock next writes it into the journal. So the journal
has one writer, and an owner may change the targets while the service runs.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.core.canonical import canonical, moment_text, parse_moment
from rebalancer.durable import write_durably
from rebalancer.errors import ConfigError
from rebalancer.targets.changes import Change, How, Version
from rebalancer.targets.file import parse_bytes
from rebalancer.targets.toml_text import read_bytes

CONTENTS, NOTES = "targets.versions", "targets.changes"
CONTENTS_MAX = 50
NOTES_MAX = 200
MODE = 0o600


def keep(state: Path, digest: str, raw: bytes) -> None:
    """Keep the content of a version; beyond CONTENTS_MAX the oldest go. OSError when it cannot be written."""
    folder = _folder(state, CONTENTS)
    _write(state, folder / f"{digest}.toml", raw)
    _forget(folder, "*.toml", CONTENTS_MAX)


def kept(state: Path) -> list[str]:
    """Return the digests of the versions whose content is kept, the newest first."""
    return [path.stem for path in reversed(_by_age(state / CONTENTS, "*.toml"))]


def content_of(state: Path, digest: str) -> bytes:
    """Return a version's content; ConfigError when it is not kept or not what it was."""
    path = state / CONTENTS / f"{digest}.toml"
    raw = read_bytes(path)
    if parse_bytes(raw, str(path)).digest != digest:
        raise ConfigError(f"{path}: was changed since it was kept; choose another version")
    return raw


def leave_note(state: Path, change: Change) -> Path:
    """Leave word of a change that is about to be made. OSError when it cannot be written."""
    assert change.at is not None, change
    folder = _folder(state, NOTES)
    path = folder / f"{change.at:%Y%m%dT%H%M%S.%f}-{secrets.token_hex(4)}.json"
    _write(state, path, canonical(document_of(change)).encode())
    _forget(folder, "*.json", NOTES_MAX)
    return path


def noted(state: Path) -> list[Change]:
    """Return the changes that verbs left word of, oldest first; what cannot be read as one is passed over."""
    made = []
    for path in sorted((state / NOTES).glob("*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError, ArithmeticError):
            made.append(change_of(json.loads(path.read_bytes()) | {"note": path.stem}))
    return made


def drop_notes(state: Path, names: list[str]) -> None:
    """Forget notes that are in the journal, or that came to nothing."""
    for name in names:
        if name:
            (state / NOTES / f"{name}.json").unlink(missing_ok=True)


def document_of(change: Change) -> dict[str, Any]:
    """Return a change as JSON values."""
    return {
        "how": change.how.value,
        "who": change.who,
        "at": None if change.at is None else moment_text(change.at),
        "before": None if change.before is None else _version_document(change.before),
        "after": _version_document(change.after),
        "note": change.note,
    }


def change_of(document: Mapping[str, Any]) -> Change:
    """Return the change that `document_of` wrote; KeyError, TypeError, ValueError or ArithmeticError for another."""
    before, at = document["before"], document["at"]
    return Change(
        How(document["how"]),
        str(document["who"]),
        None if at is None else parse_moment(at),
        None if before is None else _version(before),
        _version(document["after"]),
        str(document["note"]),
    )


def _version_document(version: Version) -> dict[str, Any]:
    return {"digest": version.digest, "weights": dict(version.weights), "settings": dict(version.settings)}


def _version(document: Mapping[str, Any]) -> Version:
    weights = {str(asset): Decimal(text) for asset, text in document["weights"].items()}
    settings = {str(name): str(text) for name, text in document["settings"].items()}
    return Version(str(document["digest"]), weights, settings)


def _folder(state: Path, name: str) -> Path:
    """Return a folder for the service's user alone; root, who may edit too, leaves it to that user."""
    folder = state / name
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(PermissionError):
            os.chown(folder, *_owner(state))
    return folder


def _write(state: Path, path: Path, raw: bytes) -> None:
    write_durably(path, raw, MODE, owner=_owner(state))


def _owner(state: Path) -> tuple[int, int]:
    found = state.stat()
    return found.st_uid, found.st_gid


def _forget(folder: Path, pattern: str, most: int) -> None:
    for path in _by_age(folder, pattern)[:-most]:
        path.unlink(missing_ok=True)


def _by_age(folder: Path, pattern: str) -> list[Path]:
    """Return files, the oldest first; one that goes meanwhile is left out."""
    found = []
    for path in folder.glob(pattern):
        with suppress(FileNotFoundError):
            found.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(found)]
