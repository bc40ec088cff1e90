"""The last version of `targets.toml` that was in order: in force while the file is not."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from rebalancer.core.targets import Targets
from rebalancer.durable import write_durably
from rebalancer.errors import ConfigError
from rebalancer.targets.file import load_targets, parse_bytes
from rebalancer.targets.toml_text import read_bytes


class LastGood:
    """The last version of the file that was in order, in memory and on disk, for when the file is not."""

    def __init__(self, path: Path, state: Path) -> None:
        self._path = path
        self._kept = state / "targets.last-good.toml"
        self._last: Targets | None = None

    def load(self) -> tuple[Targets, str]:
        """Return the targets and an empty text, or the last good ones and what is wrong with the file.

        Raises ConfigError when the file is bad and no good version is known.
        """
        try:
            # Read once: what is checked is what is kept, whatever happens to the file meanwhile.
            raw = read_bytes(self._path)
            targets = parse_bytes(raw, str(self._path))
        except ConfigError as exc:
            last = self._last or self._of_disk()
            if last is None:
                raise
            return last, str(exc)
        self._last = targets
        self._keep(raw)
        return targets, ""

    def _of_disk(self) -> Targets | None:
        try:
            return load_targets(self._kept)
        except ConfigError:
            return None  # missing or damaged: the problem to tell is the file's own

    def _keep(self, raw: bytes) -> None:
        with suppress(OSError):  # a copy that cannot be kept is no reason to stop; the journal speaks of a full disk
            if self._kept.exists() and self._kept.read_bytes() == raw:
                return
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            write_durably(self._kept, raw, 0o640)
