"""What stands in a support file: each part by its name, every text masked on its way in.

A part that cannot be read says so in its place: what is broken is why a support file is asked for.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from rebalancer import __version__
from rebalancer.cli.check import offline_findings
from rebalancer.cli.context import journal_to_read, load_settings
from rebalancer.cli.status import status_document
from rebalancer.cli.terminal import heading
from rebalancer.core.canonical import moment_text
from rebalancer.errors import RebalancerError
from rebalancer.journal.queries import recent_runs
from rebalancer.journal.store import Journal
from rebalancer.logs import redact, register_secrets
from rebalancer.service.clock import SystemClock
from rebalancer.service.lock import is_held
from rebalancer.service.pause import PauseSwitch
from rebalancer.settings import PREFIX, SECRET_FIELDS, Settings, reachable_secrets, unknown_names

LOG_BYTES_MAX = 2_000_000  # of the end of each log
_REQUIREMENT = re.compile(r"[A-Za-z0-9_.-]+")
ABOUT = """\
Written by `rebalancer bundle` {version} at {at}.

versions.json   this program, Python, the system, and each library
settings.json   the settings in force, without keys; the names of the variables that are set
targets.toml    the file as it is
checks.json     what `rebalancer check` sees without asking the exchange; the whole journal verified
status.json     what `rebalancer status --json` says
runs.json       the last runs and their orders, from the journal
state.json      pause, lock, and the files of the state directory by size and rights
logs/           the logs that were named with --log, their ends

Keys and signatures are masked wherever they stood. Balances, orders and the account's id are not.
"""


def collect(now: datetime, *, runs: int, logs: Sequence[Path]) -> tuple[str, dict[str, str]]:
    """Return the heading and every part by its name, masked; nothing here raises for what is broken."""
    register_secrets(reachable_secrets(os.environ))
    settings, problem = _settings()
    head = heading(settings.mode, settings.venue_kind) if settings else "SETTINGS REFUSED: only a part can be told"
    parts: dict[str, Callable[[], str]] = {
        "README.txt": lambda: ABOUT.format(version=__version__, at=moment_text(now)),
        "versions.json": lambda: _json(versions()),
        "settings.json": lambda: _json({"problem": problem} if settings is None else settings_document(settings)),
    }
    if settings is not None:
        parts |= {
            "targets.toml": lambda: settings.paths.targets.read_bytes().decode("utf-8", "replace"),
            "checks.json": lambda: _json([asdict(each) for each in offline_findings(settings, [], deep=True)]),
            "status.json": lambda: _json(_status(settings)),
            "runs.json": lambda: _json(_runs(settings, runs)),
            "state.json": lambda: _json(state_document(settings)),
        }
    for number, path in enumerate(logs, start=1):
        parts[f"logs/{number}-{path.name}"] = lambda path=path: _end_of(path)  # type: ignore[misc]
    return head, {name: redact(_read_or_said(read)) for name, read in parts.items()}


def _read_or_said(read: Callable[[], str]) -> str:
    try:
        return read()
    except (RebalancerError, OSError, ValueError) as exc:
        return f"this part could not be made: {type(exc).__name__}: {exc}\n"


def _settings() -> tuple[Settings | None, str]:
    try:
        return load_settings(), ""
    except RebalancerError as exc:
        return None, str(exc)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str) + "\n"


def versions() -> dict[str, Any]:
    """Return the versions of this program, Python, the system and the libraries that it asks for."""
    wanted = importlib.metadata.requires("rebalancer") or []
    names = [found[0] for line in wanted if "extra ==" not in line and (found := _REQUIREMENT.match(line))]
    return {
        "rebalancer": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {name: _version_of(name) for name in sorted(names)},
    }


def _version_of(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def settings_document(settings: Settings) -> dict[str, Any]:
    """Return the settings without their keys: of those only whether they are set."""
    shown = {name: getattr(settings, name) for name in Settings.model_fields if name not in SECRET_FIELDS}
    return {
        **{name: value if value is None or isinstance(value, float) else str(value) for name, value in shown.items()},
        "venue_kind": settings.venue_kind,
        "secrets_set": [name for name in SECRET_FIELDS if getattr(settings, name) is not None],
        "paths": {"state": str(settings.paths.state), "targets": str(settings.paths.targets)},
        "variables_set": sorted(name for name in os.environ if name.upper().startswith(PREFIX)),
        "variables_unknown": unknown_names(os.environ),
    }


def _journal(settings: Settings) -> Journal:
    return journal_to_read(settings.paths.journal(settings.venue_kind), SystemClock())


def _status(settings: Settings) -> dict[str, Any]:
    with _journal(settings) as journal:
        return status_document(settings, journal, SystemClock())


def _runs(settings: Settings, limit: int) -> list[dict[str, Any]]:
    with _journal(settings) as journal:
        return [run.document() for run in recent_runs(journal, limit)]


def state_document(settings: Settings) -> dict[str, Any]:
    """Return pause and lock, and what lies in the state directory: names, sizes and rights, no content."""
    paths, switch = settings.paths, PauseSwitch(settings.paths.pause)
    found = sorted(path for path in paths.state.rglob("*") if path.is_file())
    return {
        "paused": switch.active(),
        "pause_reason": switch.reason(),
        "lock_held": is_held(paths.lock),
        "files": [{"name": str(path.relative_to(paths.state)), **_facts(path.stat())} for path in found],
    }


def _facts(of: os.stat_result) -> dict[str, Any]:
    return {
        "bytes": of.st_size,
        "rights": stat.filemode(of.st_mode),
        "owner": of.st_uid,
        "changed_at_s": int(of.st_mtime),
    }


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES_MAX))
        return file.read(LOG_BYTES_MAX).decode("utf-8", "replace")
